"""How a model takes part in Keras's own loop: what its steps do, and which of them a subclass has made its own.

Keras's loop runs where Python must decide in every step, and where a subclass overrides a step: then that is what runs.
"""

import functools
from collections.abc import Callable
from typing import Any

import keras

from kprob.backend import random
from kprob.data import batch_of, is_batch
from kprob.engine import prepare_data
from kprob.errors import CompileError, explain, names
from kprob.models.state import ModelState

_OF_EVERY_STEP = (
    "call", "compute_loss", "compute_metrics", "get_metrics_result", "metrics", "reset_metrics", "stateless_compute_loss",
)  # fmt: skip
STEPS = {
    "train": ("train_step", "make_train_function", *_OF_EVERY_STEP),
    "test": ("test_step", "make_test_function", *_OF_EVERY_STEP),
    "predict": ("predict_step", "make_predict_function"),
}


class KerasSteps(keras.Model):
    """A Keras model whose steps evaluate an objective on batches of the engine.

    Its steps serve every backend: they only tell `call` that they train or test. `call` of a user's data is one run of the
    generative network; `call` of a batch, which only Keras's loop has, is an evaluation of the objective.
    """

    _state: ModelState

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        own = cls.call
        if own is not KerasSteps.call and not hasattr(own, "for_users") and not _calls_super(own):
            # A forward pass for users: training doesn't go through it.
            setattr(cls, "call", _for_users(own))  # noqa: B010

    def train_step(self, *args: Any) -> Any:
        with self._state.in_phase("train"):
            return super().train_step(*args)

    def test_step(self, *args: Any) -> Any:
        with self._state.in_phase("test"):
            return super().test_step(*args)

    def call(self, data: Any, training: Any = None) -> Any:
        state = self._state
        if is_batch(data):
            training = state.phase == "train" if training is None else training
            return state.inference.loss.evaluate(data, random.from_generator(self.seed_generator), bool(training))
        networks = self._checked_state().context.networks
        batch = batch_of(prepare_data(networks, data))
        generative_trace, _ = networks.pair(batch, random.from_generator(self.seed_generator))
        return generative_trace.values()

    def __call__(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        if is_batch(data):
            return super().__call__(data, *args, **kwargs)
        return self.call(data, *args, **kwargs)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        loss = self._state.inference.loss
        loss.note(self._state.context.monitors, x, y_pred)
        return loss.of_evaluation(x, y_pred)

    @property
    def metrics(self) -> list:
        return [*super().metrics, *self._state.context.monitors.metrics] if self.compiled else []

    def get_metrics_result(self) -> dict:
        non_finite = self._state.context.monitors.non_finite
        return {metric.name: metric.result() for metric in self.metrics if metric is not non_finite}

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict:
        return self.get_metrics_result()

    def keras_loop(self, verb: str, dataset: Any, **options: Any) -> Any:
        """Runs Keras's own "fit" or "evaluate" over batches of the engine."""
        return getattr(super(), verb)(dataset, **options)

    def own_steps(self, verb: str) -> list[str]:
        """Returns which of Keras's methods that are part of a step a subclass, or this model alone, has made its own.

        Args:
            verb: "train", "test" or "predict".
        """
        return [name for name in STEPS[verb] if self._is_own(name)]

    def require_no_steps(self, verb: str) -> None:
        """Raises where the model overrides steps of a verb that takes none."""
        own = self.own_steps(verb)
        if own:
            raise CompileError(
                explain(
                    f"`{verb}` of {self._state.context.networks.model_name} has no steps of Keras's: it asks the posterior "
                    "predictive.",
                    received=f"a model that overrides {names(own)}",
                    expected=f"a model that overrides `{verb}` itself, or another method",
                    fix=f"def {verb}(self, x=None, **options): ...",
                )
            )

    def train_on_batch(self, x: Any = None, y: Any = None, **options: Any) -> Any:
        """Isn't there: a batch alone doesn't say how many rows the whole data set has.

        Args:
            x: What Keras's method takes.
            y: The same.
            **options: The same.

        Raises:
            CompileError: Always.
        """
        raise CompileError(
            explain(
                "A kprob model has no `train_on_batch`: a batch alone doesn't say of how many rows it is a part, which the "
                "weight of its log-likelihood depends on.",
                received="train_on_batch(...)",
                expected="`fit`, of the whole data set or of a stream of batches",
                fix="write model.fit(data, batch_size=..., epochs=1), or model.fit(stream_of_batches, num_data=...)",
            )
        )

    def _checked_state(self) -> ModelState:
        return self._state

    def _is_own(self, name: str) -> bool:
        if name in vars(self):
            return True
        method = getattr(type(self), name)
        return method is not getattr(KerasSteps, name) and not hasattr(method, "for_users")


def _calls_super(function: Callable) -> bool:
    code = getattr(function, "__code__", None)
    return code is None or "super" in code.co_names or "__class__" in code.co_freevars


def _for_users(own: Callable) -> Callable:
    if "add_loss" in getattr(own, "__code__").co_names:  # noqa: B009  (a Callable needn't have one)
        raise CompileError(
            explain(
                "`call` of a kprob model is no part of its training, unless it calls super().call(data, training).",
                received="a `call` that adds a loss",
                expected="terms of the objective in the networks, by `kprob.factor`",
                fix='write kprob.factor("penalty", -penalty) in `generative`, or return super().call(data, training)',
            )
        )

    @functools.wraps(own)
    def call(self: KerasSteps, data: Any, *args: Any, **kwargs: Any) -> Any:
        if is_batch(data):
            return KerasSteps.call(self, data, kwargs.get("training"))
        return own(self, data, *args, **kwargs)

    setattr(call, "for_users", True)  # noqa: B010
    return call

"""The model: a generative network p(x, z) paired with an inference network q(z | x), as a Keras model.

Keras's hooks, and the verbs of users: each of these is handed on to what the model has: its networks, which are what is
modelled; an inference, which is how it is learnt; and queries, which are what is asked.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from kprob import saving
from kprob.backend import random
from kprob.data import batch_of
from kprob.delegation import documented_by
from kprob.engine import Networks, Structure, find_structure, prepare_data
from kprob.engine.building import track_closures
from kprob.evaluation import evidence
from kprob.evaluation.evidence import Estimate
from kprob.filtering import Filtered
from kprob.guides import Guide, Normal
from kprob.inference import Context, Inference, inference_by, requirements
from kprob.inference.build_config import build_from_config, get_build_config
from kprob.inference.compiling import compile_model, renew_optimizer
from kprob.inspection.summary import print_summary
from kprob.layers.naming import claim_names
from kprob.models.state import ModelState
from kprob.objectives import Objective
from kprob.queries import Query
from kprob.queries.ask import prior_query
from kprob.samplers import Sampler
from kprob.samplers.chains.draws import Draws
from kprob.training.freezing import Freezing
from kprob.training.metrics import Monitors
from kprob.training.objective_state import ObjectiveState


@saving.register
class ProbabilisticModel(keras.Model):
    """A probabilistic model: random variables as Keras layers, trained by `compile(...).fit(...)`.

    To subclass, make layers in `__init__` and override `generative`, which declares every random variable; its arguments
    are covariates, looked up in the data by name. Override `inference` too for a hand-written q, whose arguments are
    looked up likewise; without it, q is the automatic guide `kprob.guides.Normal()`. Both are written for one draw.

    Args:
        generative: The generative network as a function, instead of a subclass.
        inference: The inference network as a function or a `probmodel`'s model, or a guide.
        **kwargs: Keras's `name`, `dtype`, `trainable`.

    Example:
        ```python
        import keras
        import kprob

        class Mean(kprob.ProbabilisticModel):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.mu = kprob.layers.Normal(loc=0.0, scale=10.0)
                self.x = kprob.layers.Normal(scale=1.0)
            def generative(self):
                mu = self.mu()
                with kprob.plate("data"):
                    self.x(loc=mu)

        model = Mean().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
        model.fit({"x": [4.0, 5.0, 6.0]}, epochs=300, verbose=0)
        assert abs(model.posterior("mu").mean() - 5.0) < 0.5
        ```
    """

    #: The guide that is q; None before the model is built, and where q is hand-written.
    guide: Guide | None = None
    #: What the objective learns or is given, where it holds something.
    objective_state: ObjectiveState | None = None
    #: The hand-written inference network: a method of a subclass.
    inference: Callable | None = None
    #: The logs of the last fit.
    history: keras.callbacks.History | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> "ProbabilisticModel":
        # Keras's Model drops the constructor's arguments from the saved config.
        model = keras.layers.Layer.__new__(cls, *args, **kwargs)
        object.__setattr__(model, "_arguments", saving.record_arguments(cls, args, kwargs))
        return model

    def __init__(self, generative: Callable | None = None, inference: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.autocast = False
        self.seed_generator = keras.random.SeedGenerator()
        self.modules: dict[str, keras.layers.Layer] = {}
        track_closures(self, generative, inference)
        if generative is not None:
            object.__setattr__(self, "generative", generative)
        if isinstance(inference, ProbabilisticModel):
            # InferPy's way: q is a model too, of which only the network is used.
            self.modules["inference"], self.inference = inference, inference.generative
        elif isinstance(inference, Guide):
            self.guide = inference
        elif inference is not None:
            self.inference = inference
        networks = Networks(self, type(self).__name__)
        networks.guide_is_automatic = self.guide is None
        context = Context(self, networks, Monitors(), Freezing(networks))
        self._state = ModelState(self._arguments, context, inference_by("elbo", context))

    def __setattr__(self, name: Any, value: Any) -> None:
        claim_names(self, name, value)
        super().__setattr__(name, value)

    def generative(self, **covariates: Any) -> None:
        """The generative network: declares every random variable. To be overridden."""
        raise NotImplementedError(requirements.no_generative_network(type(self).__name__))

    @property
    def networks(self) -> Networks:
        """The two networks, as the engine runs them."""
        return self._checked_state().context.networks

    @property
    def objective(self) -> Objective | None:
        """What `fit` maximises."""
        return self._state.inference.objective if self.compiled else None

    @property
    def sampler(self) -> Sampler | None:
        """What draws from the posterior, where the model was compiled with a sampler."""
        return self._state.inference.sampler

    @property
    def draws(self) -> Draws | None:
        """What the sampler has drawn so far."""
        return self._state.context.draws

    @property
    def frozen(self) -> dict[str, object]:
        """What is frozen, by name: its layers and variables, once the model is built."""
        return dict(self._state.context.freezing.parts)

    @property
    def reparam(self) -> dict:
        """Sites that run in another form, by name."""
        return dict(self._state.context.networks.reparam)

    @documented_by(compile_model)
    def compile(
        self,
        objective: Any = "elbo",
        optimizer: Any = "adam",
        *,
        jit_compile: Any = "auto",
        reparam: Any = None,
        **kwargs: Any,
    ) -> "ProbabilisticModel":
        requirements.require_initialised(self)
        state, options = self._state, {"jit_compile": jit_compile, **kwargs}
        state.inference = compile_model(state.context, super().compile, objective, optimizer, reparam, options)
        state.compile_options = options
        return self

    # Keras's own loop. Its steps serve every backend; they only tell `call` that its input is a batch to be evaluated.

    def train_step(self, *args: Any) -> Any:
        with self._state.in_phase("train"):
            return super().train_step(*args)

    def test_step(self, *args: Any) -> Any:
        with self._state.in_phase("test"):
            return super().test_step(*args)

    def call(self, data: Any, training: Any = None) -> Any:
        state = self._state
        if state.phase is not None:
            seed = random.from_generator(self.seed_generator)
            return state.inference.loss.evaluate(data, seed, state.phase == "train")
        batch = batch_of(prepare_data(self.networks, data))
        generative_trace, _ = self.networks.pair(batch, random.from_generator(self.seed_generator))
        return generative_trace.values()

    def __call__(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        if self._state.phase is not None:
            return super().__call__(data, *args, **kwargs)
        return self.call(data)

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

    @documented_by(Inference.fit)
    def fit(self, x: Any = None, y: Any = None, **options: Any) -> keras.callbacks.History:
        return self._compiled_inference("fit").fit(x, y, **options)

    @documented_by(Inference.evaluate)
    def evaluate(self, x: Any = None, y: Any = None, **options: Any) -> Any:
        return self._compiled_inference("evaluate").evaluate(x, y, **options)

    @documented_by(Freezing.freeze)
    def freeze(self, *names: str) -> "ProbabilisticModel":
        self._state.context.freezing.freeze(*names)
        return self._with_new_optimizer()

    @documented_by(Freezing.unfreeze)
    def unfreeze(self, *names: str) -> "ProbabilisticModel":
        self._state.context.freezing.unfreeze(*names)
        return self._with_new_optimizer()

    @documented_by(prior_query)
    def prior(self, names: Any = None, data: Any = None, size: int = 1) -> Query:
        return prior_query(self.networks, names, data, size)

    @documented_by(Inference.posterior)
    def posterior(self, names: Any = None, data: Any = None) -> Query:
        return self._inference.posterior(names, data)

    @documented_by(Inference.posterior_predictive)
    def posterior_predictive(self, names: Any = None, data: Any = None, size: int = 1) -> Query:
        return self._inference.posterior_predictive(names, data, size)

    @documented_by(Inference.predict)
    def predict(
        self, x: Any = None, *, num_samples: int = 100, seed: int | None = None, batch_size: int | None = None, **_: Any
    ) -> Any:
        return self._inference.predict(x, num_samples, seed, batch_size)

    def structure(self, data: Any = None) -> Structure:
        """Returns the sites of the generative network, running it once where that hasn't been done."""
        return find_structure(self.networks, data)

    @documented_by(print_summary)
    def summary(self, data: Any = None, print_fn: Any = None) -> None:
        print_summary(self.networks, data, print_fn or print)

    @documented_by(Inference.diagnose)
    def diagnose(self, data: Any = None, num_samples: int = 1000, max_rows: int = 1000, seed: int | None = None) -> Any:
        return self._inference.diagnose(data, num_samples, max_rows, seed)

    @documented_by(evidence.log_marginal_likelihood)
    def log_marginal_likelihood(self, data: Any = None, num_samples: int = 1000, seed: int | None = None) -> Estimate:
        return evidence.log_marginal_likelihood(self.networks, data, num_samples, seed)

    @property
    def log_evidence(self) -> Estimate:
        """The log-evidence log p(data) that `kprob.samplers.SMC` found in `fit`, with its standard error."""
        return self._inference.log_evidence()

    @documented_by(evidence.log_predictive_density)
    def log_predictive_density(self, data: Any = None, num_samples: int = 1000, seed: int | None = None) -> Estimate:
        return evidence.log_predictive_density(self.networks, data, num_samples, seed)

    @documented_by(Inference.log_likelihood)
    def log_likelihood(self, data: Any = None, num_samples: int | None = None, seed: int | None = None) -> Any:
        return self._inference.log_likelihood(data, num_samples, seed)

    @documented_by(Inference.to_arviz)
    def to_arviz(
        self,
        data: Any = None,
        num_samples: int | None = None,
        num_prior_samples: int = 500,
        coords: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Any:
        return self._inference.to_arviz(data, num_samples, num_prior_samples, coords, seed)

    @documented_by(Inference.particle_filter)
    def particle_filter(
        self,
        data: Any = None,
        num_particles: int = 1000,
        *,
        proposal: str = "generative",
        resampling: str = "systematic",
        ess_threshold: float = 0.5,
        given: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Filtered:
        choices = proposal, resampling, ess_threshold
        return self._inference.particle_filter(data, num_particles, *choices, given, seed)

    @documented_by(saving.save_model)
    def save(self, filepath: str | os.PathLike, overwrite: bool = True, zipped: Any = None, **kwargs: Any) -> None:
        path = os.fspath(filepath)
        saving.check_target(path, overwrite)
        requirements.require_all_weights(self, self._state.context.networks)
        saving.save_model(path, super().save, overwrite, zipped, **kwargs)

    @documented_by(saving.save_model_weights)
    def save_weights(self, filepath: str | os.PathLike, overwrite: bool = True, max_shard_size: Any = None) -> None:
        path = os.fspath(filepath)
        saving.check_target(path, overwrite)
        saving.save_model_weights(path, super().save_weights, overwrite, max_shard_size)

    @documented_by(saving.load_model_weights)
    def load_weights(self, filepath: str | os.PathLike, skip_mismatch: bool = False, **kwargs: Any) -> None:
        requirements.require_variables(self._state.context.networks)
        load = super().load_weights
        self._state.restored_epoch = saving.load_model_weights(filepath, self, load, skip_mismatch, **kwargs)

    def get_config(self) -> dict:
        plain = type(self).get_config is ProbabilisticModel.get_config
        return saving.config_of(self, self._arguments, strict=plain)

    @classmethod
    def from_config(cls, config: Any) -> keras.Model:
        return saving.model_from_config(cls, config)

    def get_compile_config(self) -> dict | None:
        state = self._state
        method = state.inference.method
        return saving.compile_config(method, self.optimizer, state.compile_options) if self.compiled else None

    def compile_from_config(self, config: Any) -> None:
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("objective", "optimizer")}
        self.compile(**parts, **config["options"])

    def build(self, input_shape: Any = None) -> Any:
        # Layers and variables are made when the networks first run on data: see `kprob.engine.building`.
        return None

    def get_build_config(self) -> dict | None:
        return get_build_config(self._state.context)

    def build_from_config(self, config: Any) -> None:
        build_from_config(self._state.context, self._state.inference, config)

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        saving.write_own_variables(self, store, None if self.draws is None else self.draws.to_bytes())

    def load_own_variables(self, store: Any) -> None:
        # A model that is loaded without its objective has no use for what belongs to that.
        unwanted = ("objective_state",) if self.objective_state is None else ()
        own = saving.read_own_variables(self, store, unwanted)
        self._state.context.draws = None if own.draws is None else Draws.from_bytes(own.draws)
        super().load_own_variables(own.variables)

    def save_assets(self, directory: str) -> None:
        """Writes the history beside the weights; Keras calls it."""
        saving.save_history(directory, self.history)

    def load_assets(self, directory: str) -> None:
        """Reads the history that was saved; Keras calls it."""
        self.history = saving.load_history(directory, self) or self.history

    @contextmanager
    def _preserved(self) -> Iterator[None]:
        # For `kprob.diagnostics.sbc`: see `Calibratable`.
        context = self._state.context
        history, draws = self.history, context.draws
        try:
            yield
        finally:
            self.history, context.draws = history, draws

    def take_restored_epoch(self) -> int | None:
        """Returns the epochs that loaded weights have seen, once, for a fit that these are a backup of."""
        epoch, self._state.restored_epoch = self._state.restored_epoch, None
        return epoch

    def default_guide(self) -> Guide:
        """Returns the guide that stands in where there is no inference network."""
        return Normal()

    def _checked_state(self) -> ModelState:
        requirements.require_initialised(self)
        if getattr(self.generative, "__func__", None) is ProbabilisticModel.generative:
            self.generative()  # says that it must be overridden
        return self._state

    @property
    def _inference(self) -> Inference:
        return self._checked_state().inference

    def _compiled_inference(self, verb: str) -> Inference:
        requirements.require_compiled(self, self._state.context.networks.model_name, verb)
        return self._inference

    def _with_new_optimizer(self) -> "ProbabilisticModel":
        if self.built and self.compiled:
            renew_optimizer(self, self._state.inference.method, self._state.compile_options)
        return self

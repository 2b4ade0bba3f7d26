"""The model: a generative network p(x, z) paired with an inference network q(z | x), as a Keras model."""

from collections.abc import Callable

import keras

from kprob import objectives
from kprob.backend import random
from kprob.backend import training as training_backend
from kprob.data import Data, batch_of, rows_of
from kprob.engine import Networks, Structure, evaluate
from kprob.engine.evaluation import Evaluation
from kprob.errors import CompileError, explain
from kprob.guides import Guide, Normal
from kprob.models import building, fitting, population, reparameterizing, sampling
from kprob.models.attributes import claim_names, require_initialised
from kprob.models.inputs import Inputs, name_data
from kprob.models.metrics import NAMES, FirstNonFinite
from kprob.models.objective_state import hold_layers
from kprob.models.optimizers import bound
from kprob.models.owner import owner_of
from kprob.models.parameters import Parameters
from kprob.models.parts import variables_named
from kprob.models.queryable import Queryable
from kprob.models.summary import print_summary
from kprob.samplers import SMC, Sampler
from kprob.samplers.chains.draws import Draws
from kprob.saving import register


@register
class ProbabilisticModel(Queryable):
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
        from kprob import layers

        class Mean(kprob.ProbabilisticModel):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.mu = layers.Normal(loc=0.0, scale=10.0)
                self.x = layers.Normal(scale=1.0)

            def generative(self):
                mu = self.mu()
                with kprob.plate("data"):
                    self.x(loc=mu)

        model = Mean().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
        model.fit({"x": [4.0, 5.0, 6.0]}, epochs=300, verbose=0)
        assert abs(model.posterior("mu").mean() - 5.0) < 0.5
        ```
    """

    def __init__(self, generative: Callable | None = None, inference=None, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False
        private = self.__dict__
        private["_objective"], private["_programs"] = None, {}
        private["_sampler"], private["_draws"], private["_reparam"] = None, None, {}
        private["_named_parameters"], private["_declared_parameters"] = {}, {}
        private["_phase"], private["_structure"], private["_spec"], private["_plan"] = None, None, None, None
        private["_inference_given"] = inference
        private["_monitors"] = [keras.metrics.Mean(name=name) for name in NAMES]
        private["_non_finite"] = FirstNonFinite()
        self.seed_generator = keras.random.SeedGenerator()
        self.modules: dict[str, keras.layers.Layer] = {}
        if generative is not None:
            building.track_closure(self, generative)
            private["generative"] = generative
        if isinstance(inference, ProbabilisticModel):
            # InferPy's way: q is a model too, of which only the network is used.
            self.modules["inference"] = inference
            private["inference"] = inference.generative
        elif isinstance(inference, Guide):
            self.guide = inference
        elif inference is not None:
            building.track_closure(self, inference)
            private["inference"] = inference

    def __setattr__(self, name, value):
        claim_names(self, name, value)
        super().__setattr__(name, value)

    def generative(self, **covariates) -> None:
        """The generative network: declares every random variable. To be overridden."""
        raise NotImplementedError(
            explain(
                f"{owner_of(self)} has no generative network.",
                received="a model without `generative`",
                expected="a method `generative(self, ...)` that declares the random variables",
                fix="override it in the subclass, or pass generative=function to the constructor",
            )
        )

    @property
    def networks(self) -> Networks:
        """The two networks, as the engine runs them."""
        inference = getattr(self, "guide", None) or getattr(self, "inference", None)
        require_initialised(self)
        if getattr(self.generative, "__func__", None) is ProbabilisticModel.generative:
            self.generative()  # says that it must be overridden
        return Networks(
            self.generative,
            inference,
            lambda: Parameters(self),
            owner_of(self),
            lambda: self.variables,
            self.reparam,
            self.__dict__["_plan"],
        )

    @property
    def reparam(self) -> dict:
        """Sites that run in another form, by name."""
        reparam = self.__dict__["_reparam"]
        return reparam if isinstance(reparam, dict) else {}

    def compile(self, objective="elbo", optimizer="adam", *, jit_compile="auto", reparam=None, **kwargs):
        """Sets what `fit` maximises, and how.

        Args:
            objective: An objective such as `kprob.ELBO()`, or a function `(generative_trace, inference_trace)` that
                returns a scalar to be maximised; or a sampler such as `kprob.NUTS()`, which needs no optimizer.
            optimizer: A Keras optimizer, or its name; or a dict of them by part of the model (see `kprob.optimizers.Optimizers`).
            jit_compile: Whether to compile with XLA; "auto" does where it works.
            reparam: Sites to be written in another form, `kprob.LocScale` or `kprob.Transform` by name; or "auto", which
                learns the centring of every latent whose location or scale depends on other latents.
            **kwargs: Keras's `run_eagerly`, `steps_per_execution`, `auto_scale_loss`.

        Returns:
            The model.

        Raises:
            CompileError: The objective or the optimizer is none, or they are swapped.
        """
        for name in ("loss", "metrics", "loss_weights", "weighted_metrics"):
            if kwargs.get(name) is not None:
                raise CompileError(
                    explain(
                        f"`compile` got Keras's `{name}`.",
                        received=f"{name}={kwargs[name]!r}",
                        expected="compile(objective, optimizer): the objective takes the place of a loss",
                        fix="pass an objective, such as kprob.ELBO(), or a function of the two traces",
                    )
                )
        private = self.__dict__
        require_initialised(self)
        private["_sampler"] = objective if isinstance(objective, Sampler) else None
        private["_objective"] = None if isinstance(objective, Sampler) else objectives.get(objective)
        hold_layers(self, [] if private["_objective"] is None else private["_objective"].layers)
        private["_jit"] = jit_compile is not False
        private["_compile_options"] = {"jit_compile": jit_compile, **kwargs}
        if reparam is not None:
            reparameterizing.set_reparam(self, reparam)
        private["_programs"] = {}
        if not self.built:
            private["_structure"] = None  # running eagerly, a network may take more than one branch
        try:
            optimizer = bound(self, optimizer, variables_named)
            super().compile(optimizer=optimizer, jit_compile=jit_compile, **kwargs)
        except ValueError as error:
            raise CompileError(
                explain(
                    "`compile` got no optimizer as its second argument.",
                    received=repr(optimizer),
                    expected="a Keras optimizer or its name",
                    fix='write compile(kprob.ELBO(), "adam")',
                )
            ) from error
        if self.built:
            building.set_up_objective(self)
            self.optimizer.build(self.trainable_variables)
        return self

    @property
    def objective(self) -> objectives.Objective | None:
        """What `fit` maximises."""
        return self.__dict__["_objective"]

    @property
    def sampler(self) -> Sampler | None:
        """What draws from the posterior, where the model was compiled with a sampler."""
        return self.__dict__["_sampler"]

    @property
    def draws(self) -> Draws | None:
        """What the sampler has drawn so far."""
        return self.__dict__["_draws"]

    @property
    def metrics(self):
        return [*super().metrics, *self.__dict__["_monitors"], self.__dict__["_non_finite"]] if self.compiled else []

    def get_metrics_result(self):
        return {m.name: m.result() for m in self.metrics if not isinstance(m, FirstNonFinite)}

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return self.get_metrics_result()

    # Keras's own steps serve every backend; these two only tell `call` that its input is a batch to be evaluated.
    def train_step(self, *args):
        return self._in_phase("train", super().train_step, args)

    def test_step(self, *args):
        return self._in_phase("test", super().test_step, args)

    def call(self, data, training=None):
        if self.__dict__["_phase"] is not None:
            return self.evaluate_objective(data, random.from_generator(self.seed_generator))
        batch = batch_of(self.prepare_data(data))
        generative, _ = self.networks.pair(batch, random.from_generator(self.seed_generator))
        return generative.values()

    def __call__(self, data, *args, **kwargs):
        if self.__dict__["_phase"] is not None:
            return super().__call__(data, *args, **kwargs)
        return self.call(data)

    def evaluate_objective(self, batch: dict, seed) -> Evaluation:
        """Evaluates the objective on a batch."""
        spec, training = self.__dict__["_spec"], self.__dict__["_phase"] != "test"
        how = {"foldable": spec.foldable, "shared": spec.shared, "training": training}
        return evaluate(self.networks, self.objective, batch, seed, **how)

    @property
    def log_names(self) -> tuple[str, ...]:
        """Names of what `fit` logs, in the order of `loss_and_logs`."""
        return ("loss", *NAMES)

    def loss_and_logs(self, batch: dict, training: bool = True) -> tuple:
        """Evaluates the objective on a batch, for compiled loops: nothing is kept in Keras's metrics.

        Returns:
            The loss, a vector of what is logged (`log_names`), and the number of the first term that isn't finite.
        """
        evaluation = self._in_phase("train" if training else "test", self, (batch,), training=training)
        loss = self._loss(batch, evaluation)
        logs = [value / batch["num_data"][0] for value in evaluation.logged]
        unscaled = loss * training_backend.num_replicas()
        return loss, keras.ops.stack([unscaled, *logs]), evaluation.first_non_finite

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        rows = rows_of(x)
        weight = 1 if rows is None else rows
        for metric, value in zip(self.__dict__["_monitors"], y_pred.logged, strict=True):
            metric.update_state(value / x["num_data"][0], sample_weight=weight)
        self.__dict__["_non_finite"].update_state(y_pred.first_non_finite)
        return self._loss(x, y_pred)

    def _loss(self, batch: dict, evaluation: Evaluation):
        loss = -evaluation.objective / batch["num_data"][0]
        for extra in self.losses:
            loss = loss + keras.ops.cast(extra, loss.dtype)
        # Replicas' gradients are summed: each gives its share.
        return loss / training_backend.num_replicas()

    def fit(self, x=None, y=None, **options):
        """Trains the model. See `kprob.models.fitting.fit` for the arguments, which are Keras's.

        Args:
            x: Data by name: a dict or data frame, or a stream of them; or an array where one reading is possible.
            y: Observed values, where `x` has only the covariates.
            **options: Keras's `batch_size`, `epochs`, `verbose`, `callbacks`, `validation_split`, `validation_data`,
                `shuffle`, `sample_weight`, `initial_epoch`, `steps_per_epoch`, `validation_freq`,
                `validation_batch_size`, `validation_steps`; `num_data`, the rows of a stream of unknown length; and `check`,
                False to say nothing where the fit ends badly.

        Returns:
            Keras's `History`.
        """
        self._require_compiled("fit")
        if self.sampler is not None:
            return (population if isinstance(self.sampler, SMC) else sampling).fit(self, x, y, **options)
        return fitting.fit(self, x, y, **options)

    def keras_fit(self, dataset, **options):
        """Runs Keras's own loop over batches of the engine."""
        return super().fit(dataset, **options)

    def keras_evaluate(self, dataset, **options):
        """Runs Keras's own evaluation over batches of the engine."""
        return super().evaluate(dataset, **options)

    def evaluate(self, x=None, y=None, **options):
        """Returns the objective and its parts on data, per datum.

        Args:
            x: Data, as for `fit`.
            y: Observed values, as for `fit`.
            **options: `batch_size`, `verbose`, `sample_weight`, `steps`, `callbacks`, `return_dict`, `num_data`,
                and `seed`, an int that makes the result repeatable.
        """
        self._require_compiled("evaluate")
        return fitting.evaluate(self, x, y, **options)

    def summary(self, data=None, print_fn=None) -> None:
        """Prints the sites, their families, shapes and plates, and the parameters.

        Args:
            data: Covariates, where the model isn't built and its generative network needs them.
            print_fn: Function that prints a line; `print` by default.
        """
        print_summary(self, self.structure(data), print_fn or print, data)

    def structure(self, data=None) -> Structure:
        """Returns the sites of the generative network, running it once where that hasn't been done."""
        return building.structure(self, dict(data or {}))

    def prepare_data(self, x=None, y=None, sample_weight=None) -> Data:
        """Returns data by name, checked, split into rows and the rest."""
        networks = self.networks
        named = self.name_data(x, y)
        arguments = networks.generative_arguments, networks.inference_arguments
        return Inputs(*arguments, self.structure(named), owner_of(self)).data(named, sample_weight)

    def name_data(self, x=None, y=None) -> dict:
        """Returns data by name; data without names gets the only ones that it can have."""
        networks = self.networks
        arguments = networks.generative_arguments, networks.inference_arguments
        return name_data(x, y, *arguments, self.structure, owner_of(self))

    def build(self, input_shape=None):
        # Layers and variables are made when the networks first run on data: see `building`.
        return None

    def get_build_config(self):
        return building.get_build_config(self)

    def build_from_config(self, config):
        building.build_from_config(self, config)

    def _in_phase(self, phase: str, step: Callable, args, **options):
        previous, self.__dict__["_phase"] = self.__dict__["_phase"], phase
        try:
            return step(*args, **options)
        finally:
            self.__dict__["_phase"] = previous

    def _require_compiled(self, verb: str) -> None:
        if not self.compiled:
            raise CompileError(
                explain(
                    f"`{verb}` needs a compiled model.",
                    received=f"{owner_of(self)} that was never compiled",
                    expected="an objective and an optimizer",
                    fix='call model.compile(kprob.ELBO(), "adam") first',
                )
            )

    @property
    def phase_of_guide(self) -> str | None:
        """What the guide does at the moment, where that changes: compiled programs are of one phase."""
        return self.guide.phase if hasattr(self, "guide") else None

    def default_guide(self):
        """Returns the guide that stands in where there is no inference network."""
        return Normal()

"""A guide: an inference network made from the generative network's own latent sites."""

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from kprob import distributions, effects
from kprob.backend import float_type
from kprob.errors import KprobError, explain
from kprob.guides.numbers.quantiles import check_probabilities, exact_quantiles
from kprob.guides.numbers.supports import constrain, differs_from_run_to_run, require_continuous
from kprob.guides.running.encoding import features_of, input_names, make_head
from kprob.guides.running.fitted_networks import FittedNetworks
from kprob.guides.running.guide_records import GuideLatent, GuideRecords, describe_latent
from kprob.guides.running.guide_run import GuideRun
from kprob.guides.running.guided_network import GuidedNetwork
from kprob.guides.running.moved_particles import MovedParticles, no_particles
from kprob.guides.running.start_values import check_init, unconstrained_start
from kprob.objectives.estimation.draw_runs import ParticleMover
from kprob.types import ArrayLike, Bijector, Distribution, Tensor


class Guide(keras.layers.Layer):
    """Base class of guides.

    To subclass, override `create(starts)`, which makes the parameters by `add_parameter`, and `posterior(name, run)`,
    which returns a latent's distribution in unconstrained space, with `parameter(key, run)`.

    A latent inside the data plate has its own parameters for each row of the data set, looked up by row; so such a
    guide answers queries only about the data set that it was fitted to. With an encoder, these parameters are made from
    features of the row's data instead, and there is a posterior for any row.

    Args:
        init: Where latents start: at their prior "median" or "mean", at a prior draw ("sample"), or at values given in a
            dict by latent (the median for others). A latent inside the data plate takes one value or one per row.
        encoder: A Keras layer or model from data to features, shape (rows, features), for latents inside the data plate.
        inputs: Names of the data that the encoder takes: one name, or several, which it takes as a list.
        **kwargs: Keras's `name`, `dtype`, `trainable`.
    """

    #: Whether a run first chooses one of several distributions, so that no site's own is the posterior.
    chooses = False

    def __init__(
        self,
        init: str | dict[str, Any] = "median",
        encoder: keras.layers.Layer | None = None,
        inputs: str | Sequence[str] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.autocast = False
        self.encoder = encoder
        self.heads: dict[str, keras.layers.Layer] = {}
        self._records = GuideRecords(check_init(init), input_names(type(self).__name__, encoder, inputs))
        self.num_data: int | None = None

    @property
    def init(self) -> str | dict[str, Any]:
        """Where latents start: a rule's name, or values by latent."""
        return self._records.init

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the data that the encoder takes."""
        return self._records.inputs

    @property
    def latents(self) -> dict[str, GuideLatent]:
        """The latents by name, in the order in which they are drawn."""
        return self._records.latents

    @property
    def bijectors(self) -> dict[str, Bijector]:
        """By latent, from unconstrained values onto its support; None where the support differs from run to run."""
        return self._records.bijectors

    @property
    def parameters(self) -> dict[str, keras.Variable]:
        """The variables by the parameters' names, without those that heads on an encoder make."""
        return self._records.parameters

    def claim(self, owner: object, owner_name: str) -> None:
        """Takes note of the model, or the group of guides, that this is the guide of; another one's is an error."""
        self._records.claim(owner, owner_name, type(self).__name__, self.built)

    def setup(
        self,
        sites: list[effects.Site],
        num_data: int | None = None,
        data: dict | None = None,
        parents: dict[str, tuple[str, ...]] | None = None,
        draws: Callable[..., dict] | None = None,
    ) -> None:
        """Makes the variables.

        Args:
            sites: Latent sites of one run of the generative network, with starting values.
            num_data: Rows of the data set; needed where a latent is inside the data plate.
            data: Arrays of the batch of that run, by name, for an encoder.
            parents: By latent, the latents that it directly depends on, where the guide `needs_parents`.
            draws: `(number, data, seed) -> dict` of draws by latent, for quantiles.
        """
        self.num_data = num_data
        if draws is not None:
            self._records.draw_posterior = draws
        starts = {site.name: self._add_latent(site) for site in sites}
        if self.encoder is not None and any(latent.in_rows for latent in self.latents.values()):
            run = GuideRun(data or {}, num_data)
            features = features_of(self.encoder, self.inputs, run)  # makes the encoder's variables too
            self._records.num_features = int(features.shape[-1])
        self.set_parents(parents or {})
        self.create(starts)
        self.built = True

    @property
    def needs_parents(self) -> bool:
        """Whether `setup` wants to know which latents depend on which."""
        return False

    @property
    def needs_independent_rows(self) -> bool:
        """Whether the guide counts on it that no row's density depends on the latents of another row."""
        return False

    @property
    def rereads_data(self) -> bool:
        """Whether `on_fit_end` goes through the data once more, which a stream without an end doesn't allow."""
        return False

    @property
    def independent(self) -> bool:
        """Whether no latent's distribution depends on the draw of another."""
        return False

    @property
    def has_rows(self) -> bool:
        """Whether any latent has parameters of its own for each row of the data set."""
        return self.encoder is None and any(latent.in_rows for latent in self.latents.values())

    @property
    def phase(self) -> str | None:
        """What the guide is at the moment, where that changes: a compiled program is of one phase."""
        return None

    def on_fit_begin(self) -> None:
        """Called before a fit's first step, when the variables have been made."""

    def on_fit_end(self, networks: FittedNetworks, batches: Iterable[dict]) -> None:
        """Called after a fit's last step.

        Args:
            networks: The networks, to be run on batches.
            batches: All data of the fit as batches of the engine, whose rows count once each. Data that comes as a
                stream is read as it is iterated over: only a guide that says so, by `rereads_data`, may do so, and once.
        """

    def start_of(self, name: str) -> ArrayLike:
        """Returns what a latent starts from: a rule's name, or a value."""
        return self.init.get(name, "median") if isinstance(self.init, dict) else self.init

    @property
    def starts_at_random(self) -> bool:
        """Whether latents start from a prior draw."""
        return self.init == "sample"

    def run(self, network: Callable[[], object], data: dict | None = None) -> None:
        """Runs the guide as an inference network.

        Args:
            network: Runs the generative one, for supports that depend on it.
            data: Arrays by name, for an encoder.
        """
        run = GuideRun(data or {}, self.num_data)
        if any(bijector is None for bijector in self.bijectors.values()):
            with GuidedNetwork(self.latents, lambda name, bijector: self.draw(name, bijector, run)):
                network()
            return
        for name, latent in self.latents.items():
            with contextlib.ExitStack() as stack:
                for plate, size in latent.plates:
                    stack.enter_context(effects.plate(plate, size))
                self.draw(name, self.bijectors[name], run)

    def draw(self, name: str, bijector: Bijector, run: GuideRun) -> Tensor:
        """Draws one latent in the plates that are open now."""
        opened = effects.STATE.plates
        run.enter(name, opened[0] if opened and opened[0].is_data else None)
        value = effects.sample(name, self.place(name, self.posterior(name, run), bijector))
        run.add(name, bijector, value)
        return value

    def create(self, starts: dict[str, Tensor]) -> None:
        """Makes the parameters.

        Args:
            starts: By latent, the unconstrained value to start from; inside the data plate it has an axis of rows, of
                length 1 where they start alike.
        """
        raise NotImplementedError

    def posterior(self, name: str, run: GuideRun) -> Distribution:
        """Returns a latent's distribution over unconstrained values, given those of the latents before it in the run."""
        raise NotImplementedError

    def place(self, name: str, base: Distribution, bijector: Bijector) -> Distribution:
        """Returns the distribution of a latent's values, from that of its unconstrained ones."""
        return constrain(base, bijector)

    def marginal(self, name: str, run: GuideRun) -> tuple[Tensor, Tensor] | None:
        """Returns mean and standard deviation of a latent's unconstrained values where they are normal, else None."""
        return None

    def transport(self, noise: dict[str, Tensor], run: GuideRun) -> tuple[dict[str, Tensor], Tensor]:
        """Returns the unconstrained values that standard normal noise becomes, and the log of the Jacobian's determinant.

        A sampler moves on the noise where the guide is its preconditioner.

        Args:
            noise: By latent, numbers of the shape of its unconstrained value.
            run: A run of the whole data set.

        Raises:
            KprobError: The guide isn't an invertible function of normal noise.
        """
        raise KprobError(
            explain(
                f"The guide {type(self).__name__} can't be a preconditioner.",
                received='preconditioner="guide"',
                expected="a guide that is a smooth invertible function of normal noise: a flow, MultivariateNormal or Normal",
                fix="fit the model with inference=kprob.guides.InverseAutoregressiveFlow()",
            )
        )

    def moved_particles(self, mover: ParticleMover, model_name: str) -> MovedParticles:
        """Returns the guide's particles, with the gradients that an objective gives them.

        Args:
            mover: The objective.
            model_name: Name of the model, for messages.

        Raises:
            CompileError: The guide has no particles.
        """
        raise no_particles(mover, model_name, type(self).__name__)

    def set_parents(self, parents: dict[str, tuple[str, ...]]) -> None:
        """Takes note of the latents that each latent depends on, for guides that want to know."""

    def median(self, data: Mapping | None = None, num_samples: int = 10_000, seed: int = 0) -> dict[str, np.ndarray]:
        """Returns the median of each number of each latent: exact where its distribution is normal or a monotone
        image of a normal, else over draws.

        Args:
            data: What an encoder takes, by name.
            num_samples: Number of draws, where they are needed.
            seed: Seed of the draws.

        Returns:
            Arrays of shape `plate_shape + event_shape` by latent.
        """
        return {name: levels[0] for name, levels in self.quantiles([0.5], data, num_samples, seed).items()}

    def quantiles(
        self, probabilities: Sequence[float], data: Mapping | None = None, num_samples: int = 10_000, seed: int = 0
    ) -> dict[str, np.ndarray]:
        """Returns quantiles of each number of each latent: exact where its distribution is normal or a monotone image
        of a normal, else over draws.

        Args:
            probabilities: Numbers between 0 and 1.
            data: What an encoder takes, by name.
            num_samples: Number of draws, where they are needed.
            seed: Seed of the draws.

        Returns:
            Arrays of shape `(probabilities,) + plate_shape + event_shape` by latent.
        """
        self._require_setup()
        levels = check_probabilities(probabilities)
        run = GuideRun({key: keras.ops.convert_to_tensor(value) for key, value in (data or {}).items()}, self.num_data)
        quantiles: dict[str, np.ndarray] = {}
        sampled = []
        for name in self.latents:
            run.enter(name, None)
            exact = exact_quantiles(self.marginal(name, run), self.bijectors[name], levels)
            if exact is None:
                sampled.append(name)
            else:
                quantiles[name] = exact
        if sampled:
            draws = self._records.draw_posterior(num_samples, data, seed)
            quantiles |= {name: np.quantile(draws[name], levels, axis=0) for name in sampled}
        return {name: quantiles[name] for name in self.latents}

    def add_parameter(self, key: str, start: Tensor, in_rows: bool = False) -> None:
        """Makes a parameter: a variable, one with a value per row, or a head on the encoder's features.

        Args:
            key: Its name.
            start: Its value to start from; inside the data plate with an axis of rows, of length 1 where they start alike.
            in_rows: Whether it belongs to latents inside the data plate.
        """
        if in_rows:
            self._records.row_parameters.add(key)
        if in_rows and self.encoder is not None:
            row_start = keras.ops.mean(start, axis=0)
            self.heads[key] = make_head(f"{key}_head", row_start, self._records.num_features)
            self._records.head_shapes[key] = tuple(row_start.shape)
            return
        if in_rows:
            start = keras.ops.broadcast_to(start, (self.num_data, *start.shape[1:]))
        variable = self.add_weight(shape=tuple(start.shape), initializer="zeros", name=key, autocast=False)
        variable.assign(start)
        self.parameters[key] = variable

    def parameter(self, key: str, run: GuideRun) -> Tensor:
        """Returns a parameter's numbers: inside the data plate, those of the rows of the batch."""
        if key in self.heads:
            return run.once((id(self), key), lambda: self._of_head(key, run))
        if key in self._records.row_parameters:
            return run.once((id(self), key), lambda: _as_wide(run.rows(self.parameters[key])))
        return _as_wide(keras.ops.convert_to_tensor(self.parameters[key]))

    def get_config(self) -> dict:
        init = self.init
        if isinstance(init, dict):
            init = {name: np.asarray(keras.ops.convert_to_numpy(value)).tolist() for name, value in init.items()}
        config = {**super().get_config(), "init": init}
        if self.encoder is not None:
            config |= {"encoder": keras.saving.serialize_keras_object(self.encoder), "inputs": list(self.inputs)}
        return config

    @classmethod
    def from_config(cls, config: dict) -> "Guide":
        encoder = config.get("encoder")
        if isinstance(encoder, dict):
            config = {**config, "encoder": keras.saving.deserialize_keras_object(encoder)}
        return cls(**config)

    def _add_latent(self, site: effects.Site) -> Tensor:
        require_continuous(site, type(self).__name__)
        bijector = distributions.support_bijector(site.distribution)
        start = unconstrained_start(site, bijector, self.start_of(site.name), self.num_data)
        self.latents[site.name] = describe_latent(site, tuple(start.shape))
        self.bijectors[site.name] = None if differs_from_run_to_run(bijector) else bijector
        return start

    def _of_head(self, key: str, run: GuideRun) -> Tensor:
        features = run.once((id(self), "features"), lambda: features_of(self.encoder, self.inputs, run))
        numbers = keras.ops.cast(self.heads[key](features), float_type())
        return keras.ops.reshape(numbers, (*keras.ops.shape(numbers)[:1], *self._records.head_shapes[key]))

    def _require_setup(self) -> None:
        if not self.built:
            raise KprobError(
                explain(
                    f"The guide {type(self).__name__} has no latents yet.",
                    received="a guide whose model was never fitted or loaded",
                    expected="a guide of a model that has seen data",
                    fix="call model.fit(data) first: the guide is then `model.guide`",
                )
            )


def _as_wide(value: Tensor) -> Tensor:
    # A sampler of double precision computes in float64 with the weights that there are.
    return keras.ops.cast(value, "float64") if float_type() == "float64" else value

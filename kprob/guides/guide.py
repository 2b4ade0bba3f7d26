"""A guide: an inference network made from the generative network's own latent sites."""

import contextlib
import math
from collections.abc import Callable, Iterable, Sequence

import keras
import numpy as np

from kprob import checks, distributions, effects
from kprob.backend import float_type, is_tensor, tfd
from kprob.errors import KprobError, MismatchError, explain
from kprob.guides.block import Latent
from kprob.guides.encoding import features_of, input_names
from kprob.guides.fitted_networks import FittedNetworks
from kprob.guides.moved_particles import MovedParticles, no_particles
from kprob.guides.quantiles import exact_quantiles
from kprob.guides.run import Run
from kprob.guides.starts import check_init, has_rows
from kprob.objectives.draw_runs import ParticleMover
from kprob.types import Tensor

# A head's start hardly depends on the features: every row starts where its bias says.
HEAD_SPREAD = 0.01


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

    def __init__(self, init="median", encoder=None, inputs: str | Sequence[str] | None = None, **kwargs):
        super().__init__(**kwargs)
        self.autocast = False
        self.encoder = encoder
        self.heads: dict[str, keras.layers.Layer] = {}
        # Plain records, not state: kept out of Keras's tracking.
        private = self.__dict__
        private["init"] = check_init(init)
        private["inputs"] = input_names(type(self).__name__, encoder, inputs)
        private["latents"], private["bijectors"] = {}, {}
        private["parameters"], private["row_parameters"], private["head_shapes"] = {}, set(), {}
        private["draws"], private["num_features"] = None, 0
        self.num_data: int | None = None

    #: Whether `setup` wants to know which latents depend on which.
    needs_parents = False
    #: Whether `on_fit_end` goes through the data once more, which a stream without an end doesn't allow.
    rereads_data: bool = False

    def setup(
        self,
        sites: list[effects.Site],
        num_data: int | None = None,
        data: dict | None = None,
        parents: dict[str, tuple[str, ...]] | None = None,
        draws: Callable | None = None,
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
        self.__dict__["draws"] = draws
        starts = {site.name: self._add_latent(site) for site in sites}
        if self.encoder is not None and any(latent.in_rows for latent in self.latents.values()):
            features = features_of(self.encoder, self.inputs, Run(data or {}, num_data))  # makes its variables too
            self.__dict__["num_features"] = int(features.shape[-1])
        self.set_parents(parents or {})
        self.create(starts)
        self.built = True

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

    def start_of(self, name: str):
        """Returns what a latent starts from: a rule's name, or a value."""
        return self.init.get(name, "median") if isinstance(self.init, dict) else self.init

    @property
    def starts_at_random(self) -> bool:
        """Whether latents start from a prior draw."""
        return self.init == "sample"

    def run(self, network: Callable, data: dict | None = None) -> None:
        """Runs the guide as an inference network.

        Args:
            network: Runs the generative one, for supports that depend on it.
            data: Arrays by name, for an encoder.
        """
        run = Run(data or {}, self.num_data)
        if any(bijector is None for bijector in self.bijectors.values()):
            with _Inside(self, run):
                network()
            return
        for name, latent in self.latents.items():
            with contextlib.ExitStack() as stack:
                for plate, size in latent.plates:
                    stack.enter_context(effects.plate(plate, size))
                self.draw(name, self.bijectors[name], run)

    def draw(self, name: str, bijector, run: Run):
        """Draws one latent in the plates that are open now."""
        opened = effects.STATE.plates
        run.enter(name, opened[0] if opened and opened[0].is_data else None)
        value = effects.sample(name, self.place(name, self.posterior(name, run), bijector))
        run.add(name, bijector, value)
        return value

    def create(self, starts: dict) -> None:
        """Makes the parameters.

        Args:
            starts: By latent, the unconstrained value to start from; inside the data plate it has an axis of rows, of
                length 1 where they start alike.
        """
        raise NotImplementedError

    def posterior(self, name: str, run: Run):
        """Returns a latent's distribution over unconstrained values, given those of the latents before it in the run."""
        raise NotImplementedError

    def place(self, name: str, base, bijector):
        """Returns the distribution of a latent's values, from that of its unconstrained ones."""
        return constrain(base, bijector)

    def marginal(self, name: str, run: Run) -> tuple | None:
        """Returns mean and standard deviation of a latent's unconstrained values where they are normal, else None."""
        return None

    def transport(self, noise: dict, run: Run) -> tuple[dict, Tensor]:
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

    def moved_particles(self, mover: ParticleMover, owner: str) -> MovedParticles:
        """Returns the guide's particles, with the gradients that an objective gives them.

        Args:
            mover: The objective.
            owner: Name of the model, for messages.

        Raises:
            CompileError: The guide has no particles.
        """
        raise no_particles(mover, owner, type(self).__name__)

    def set_parents(self, parents: dict[str, tuple[str, ...]]) -> None:
        """Takes note of the latents that each latent depends on, for guides that want to know."""

    def median(self, data: dict | None = None, num_samples: int = 10_000, seed: int = 0) -> dict[str, np.ndarray]:
        """Returns the median of each number of each latent: exact where its distribution is normal or a monotone
        image of a normal, else over draws.

        Args:
            data: What an encoder takes, by name.
            num_samples: Number of draws, where they are needed.
            seed: Seed of the draws.

        Returns:
            Arrays of shape `plate_shape + event_shape` by latent.
        """
        return {name: found[0] for name, found in self.quantiles([0.5], data, num_samples, seed).items()}

    def quantiles(
        self, probabilities: Sequence[float], data: dict | None = None, num_samples: int = 10_000, seed: int = 0
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
        levels = _levels(probabilities)
        run = Run({key: keras.ops.convert_to_tensor(value) for key, value in (data or {}).items()}, self.num_data)
        found: dict[str, np.ndarray | None] = {}
        for name in self.latents:
            run.enter(name, None)
            found[name] = exact_quantiles(self.marginal(name, run), self.bijectors[name], levels)
        if any(value is None for value in found.values()):
            draws = self.draws(num_samples, data, seed)
            found |= {name: np.quantile(draws[name], levels, axis=0) for name in found if found[name] is None}
        return found  # type: ignore[return-value]

    def add_parameter(self, key: str, start, in_rows: bool = False) -> None:
        """Makes a parameter: a variable, one with a value per row, or a head on the encoder's features.

        Args:
            key: Its name.
            start: Its value to start from; inside the data plate with an axis of rows, of length 1 where they start alike.
            in_rows: Whether it belongs to latents inside the data plate.
        """
        if in_rows:
            self.row_parameters.add(key)
        if in_rows and self.encoder is not None:
            self._add_head(key, keras.ops.mean(start, axis=0))
            return
        if in_rows:
            start = keras.ops.broadcast_to(start, (self.num_data, *start.shape[1:]))
        variable = self.add_weight(shape=tuple(start.shape), initializer="zeros", name=key, autocast=False)
        variable.assign(start)
        self.parameters[key] = variable

    def parameter(self, key: str, run: Run):
        """Returns a parameter's numbers: inside the data plate, those of the rows of the batch."""
        if key in self.heads:
            return run.once((id(self), key), lambda: self._of_head(key, run))
        if key in self.row_parameters:
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
    def from_config(cls, config: dict):
        encoder = config.get("encoder")
        if isinstance(encoder, dict):
            config = {**config, "encoder": keras.saving.deserialize_keras_object(encoder)}
        return cls(**config)

    def _add_latent(self, site: effects.Site):
        require_continuous(site, type(self).__name__)
        bijector = distributions.support_bijector(site.distribution)
        value, given = site.value, self.start_of(site.name)
        if not isinstance(given, str) and has_rows(site, given):
            value = keras.ops.cast(keras.ops.convert_to_tensor(given), site.distribution.dtype)
        start = keras.ops.convert_to_tensor(bijector.inverse(value))
        start = keras.ops.where(keras.ops.isfinite(start), start, keras.ops.zeros_like(start))
        if site.in_data_plate and start.shape[0] != self.num_data:
            start = keras.ops.mean(start, axis=0, keepdims=True)
        elif site.in_data_plate and value is site.value:
            start = keras.ops.mean(start, axis=0, keepdims=True)
        shape = tuple(start.shape)[1:] if site.in_data_plate else tuple(start.shape)
        plates = tuple((p.name, None if p.is_data else int(p.size)) for p in site.plates)
        ndims = len(start.shape) - len(plates)
        self.latents[site.name] = Latent(site.name, plates, shape, ndims, site.in_data_plate)
        # A support that depends on other sites has a bijector of its own at each run.
        self.bijectors[site.name] = None if _has_tensors(bijector) else bijector
        return start

    def _add_head(self, key: str, start) -> None:
        shape = tuple(start.shape)
        head = keras.layers.Dense(
            math.prod(shape), kernel_initializer=keras.initializers.RandomNormal(stddev=HEAD_SPREAD), name=f"{key}_head"
        )
        head.build((None, self.num_features))
        head.bias.assign(keras.ops.reshape(start, (-1,)))
        self.heads[key] = head
        self.head_shapes[key] = shape

    def _of_head(self, key: str, run: Run):
        features = run.once((id(self), "features"), lambda: features_of(self.encoder, self.inputs, run))
        numbers = keras.ops.cast(self.heads[key](features), float_type())
        return keras.ops.reshape(numbers, (*keras.ops.shape(numbers)[:1], *self.head_shapes[key]))

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


class _Inside(effects.Handler):
    # Runs the guide inside the generative network: each latent is drawn by the guide on the support that its own
    # distribution has in this run, and the generative network's own sites stay hidden.
    def __init__(self, guide: Guide, run: Run):
        super().__init__()
        self.guide, self.of, self.drawing = guide, run, False

    def on_site(self, site: effects.Site) -> None:
        if self.drawing or site.kind != "sample":
            return
        if site.value is None and site.name in self.guide.latents:
            self.drawing = True
            try:
                bijector = distributions.support_bijector(site.distribution)
                site.value = self.guide.draw(site.name, bijector, self.of)
            finally:
                self.drawing = False
        site.hidden = True


def constrain(base, bijector):
    """Returns the distribution of a bijector's values; a plain one where the bijector changes nothing."""
    return base if "Identity" in type(bijector).__name__ else tfd.TransformedDistribution(base, bijector)


def require_continuous(site: effects.Site, guide: str) -> None:
    """Raises where a latent that a guide should stand for is discrete.

    Args:
        site: The latent.
        guide: The guide's name, for the message.
    """
    if distributions.is_discrete(site.distribution):
        raise MismatchError(
            explain(
                f"The automatic guide {guide} can't stand for the discrete latent `{site.name}`.",
                received=f"a {type(site.distribution).__name__} in plates {checks.plates_text(site.plates)}",
                expected="continuous latents, and discrete ones that have finitely many values, known before running: "
                "these are summed out",
                fix=f"write `inference` with a discrete site `{site.name}`, or observe it in the data",
            )
        )


def _as_wide(value):
    # A sampler of double precision computes in float64 with the weights that there are.
    return keras.ops.cast(value, "float64") if float_type() == "float64" else value


def _has_tensors(bijector) -> bool:
    if any(is_tensor(value) for value in bijector.parameters.values()):
        return True
    parts = getattr(bijector, "bijectors", None)
    parts = parts if isinstance(parts, list | tuple) else [getattr(bijector, "bijector", None)]
    return any(_has_tensors(part) for part in parts if hasattr(part, "parameters"))


def _levels(probabilities: Sequence[float]) -> np.ndarray:
    levels = np.atleast_1d(np.asarray(probabilities, dtype="float64"))
    if levels.ndim != 1 or not ((levels > 0.0) & (levels < 1.0)).all():
        raise KprobError(
            explain(
                "`quantiles` takes probabilities.",
                received=f"probabilities={probabilities!r}",
                expected="numbers between 0 and 1",
                fix="write quantiles([0.05, 0.5, 0.95])",
            )
        )
    return levels

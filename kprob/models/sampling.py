"""`fit` of a model that was compiled with a sampler: blocks of transitions are epochs to Keras's callbacks."""

import zlib
from collections.abc import Iterable

import keras
import numpy as np

from kprob import diagnostics
from kprob.backend import float_type, precision, random
from kprob.data import Data, batch_of
from kprob.density import LogDensity, find_log_density, preconditioned
from kprob.errors import CompileError, explain
from kprob.guides.start_values import StartValues
from kprob.models import building
from kprob.models.callback_kinds import savers_last
from kprob.models.drawn import random_number
from kprob.models.fit_check import check_draws
from kprob.models.owner import owner_of
from kprob.models.plan import Plan, make_plan
from kprob.models.precision import in_precision
from kprob.samplers import Info, Sampler
from kprob.samplers.chains.chains import Chains, chain_seeds
from kprob.samplers.chains.draws import Draws
from kprob.samplers.chains.ensemble import EnsembleChains
from kprob.samplers.chains.starts import find_starts

LOG_NAMES = (
    "log_density", "accept_rate", "step_size", "tree_depth", "divergences", "max_rhat", "min_ess", "draws",
)  # fmt: skip
KERAS_BATCH_SIZE = 32
OF_DRAWS = ("max_rhat", "min_ess")
SUSPECTS = 16
# Options of `fit` that mean nothing where every transition sees all data.
_MEANINGLESS = ("batch_size", "validation_data", "validation_split", "steps_per_epoch", "num_data", "class_weight")


def fit(model, x, y, **options) -> keras.callbacks.History:
    """Draws from a model's posterior.

    Args:
        model: A model compiled with a sampler.
        x: Data by name.
        y: Observed values where `x` has only covariates.
        **options: `epochs` (blocks of transitions at most; all that the sampler wants where it's left out), `verbose`,
            `callbacks`, `sample_weight`, `initial_epoch`, and `check`, False to say nothing where the draws shouldn't be
            trusted.

    Returns:
        Keras's `History`.
    """
    epochs = options.pop("epochs", None)
    plan = make_plan(options)
    check_options(model.sampler, options)
    plan.callbacks = savers_last(plan.callbacks)
    with in_precision(model):
        data = model.prepare_data(x, y, plan.sample_weight)
        of_data = fingerprint(data)
        if not _is_known(model, of_data):
            building.build_generative(model, data)
        with in_precision(model):  # of layers too that the build has found
            return Run(model, data, of_data, plan, epochs).run()


def _is_known(model, of_data: str) -> bool:
    # A second fit of the same data finds its density: to check it again takes several runs of the network.
    known, _ = model.__dict__["_programs"].get("log_density", (None, None))
    return known == (model.sampler.identity(), of_data)


def _log_density(model, of_data: str, batch: dict) -> LogDensity:
    sampler, programs = model.sampler, model.__dict__["_programs"]
    if not _is_known(model, of_data):
        density = find_log_density(model.networks, batch, type(sampler).__name__, sampler.moves_on)
        programs["log_density"] = (sampler.identity(), of_data), density
    return programs["log_density"][1]


class Run:
    """One `fit`: goes on from the model's draws where they are of the same data, else starts chains.

    Args:
        model: A built model, compiled with a sampler.
        data: The data.
        of_data: Its fingerprint, which takes a look at every number.
        plan: What `fit` is to do.
        epochs: Blocks at most, or None.
    """

    def __init__(self, model, data: Data, of_data: str, plan: Plan, epochs: int | None):
        self.model, self.plan, self.sampler = model, plan, model.sampler
        self.batch = batch_of(data)
        density = _log_density(model, of_data, self.batch)
        if self.sampler.preconditioner is not None:
            require_guide(model)
            density = preconditioned(density, model.guide)
        self.chains = _cached_chains(model, density, _rows_of_a_transition(self.sampler, density, data, plan))
        self.density = self.chains.density
        self.fingerprint = of_data
        if self.density.transport is not None:
            self.fingerprint = fingerprint(data, model.guide.weights)
        self.resume = self._same_run(model.draws)
        self.epochs = epochs

    def run(self) -> keras.callbacks.History:
        """Draws, and returns Keras's History."""
        model, sampler, size = self.model, self.sampler, self.sampler.block_size
        model.stop_training = False
        if not self.resume:
            model.__dict__["_draws"] = None
        begun = 0 if not self.resume else model.draws.done
        target = begun + sampler.num_samples + (0 if self.resume else sampler.num_warmup)
        epochs = -(-(target - begun) // size) if self.epochs is None else self.epochs
        callbacks = keras.callbacks.CallbackList(
            self.plan.callbacks,
            add_history=True,
            add_progbar=self.plan.verbose != 0,
            verbose=1 if self.plan.verbose == "auto" else self.plan.verbose,
            epochs=epochs,
            steps=1,
            model=model,
        )
        model._initial_epoch = None
        callbacks.on_train_begin()  # BackupAndRestore may bring draws back
        logs: dict = {}
        epoch = getattr(model, "_initial_epoch", None) or self.plan.initial_epoch
        if model.draws is None:
            self._start()
        elif not self.resume:
            epoch, target = model.draws.done // size, sampler.num_warmup + sampler.num_samples
        draws: Draws = model.draws
        draws.wanted = max(draws.wanted, target)
        with self.chains:
            while epoch < epochs and draws.done < target and not model.stop_training:
                callbacks.on_epoch_begin(epoch)
                callbacks.on_train_batch_begin(0)
                self._block(draws, min(size, target - draws.done))
                logs = block_logs(draws, self.last, sampler)
                callbacks.on_train_batch_end(0, logs)
                callbacks.on_epoch_end(epoch, logs)
                if draws.done <= sampler.num_warmup:
                    self._have_patience(callbacks.callbacks)
                epoch += 1
        callbacks.on_train_end(logs)
        if self.plan.check:
            check_draws(model, logs)
        return model.history

    def _have_patience(self, callbacks: list) -> None:
        # Nothing is drawn yet that could have converged or not: Keras's EarlyStopping takes that for no improvement.
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.EarlyStopping) and callback.monitor in OF_DRAWS:
                self.model.stop_training = self.model.stop_training and not callback.stopped_epoch
                callback.wait, callback.stopped_epoch = 0, 0

    def _same_run(self, draws: Draws | None) -> bool:
        if draws is None:
            return False
        sites = {latent.name: latent.shape for latent in self.density.latents}
        return (
            draws.sites == sites
            and draws.fingerprint == self.fingerprint
            and draws.num_chains == self.sampler.num_chains
            and draws.sampler == self.sampler.identity()
        )

    def _start(self) -> None:
        sampler, model = self.sampler, self.model
        number = int(random_number(model))
        vectors = find_starts(
            self.density,
            self.chains.evaluate,
            self.batch,
            sampler.init_strategy,
            lambda strategy, k: self._given(strategy, number + k),
            sampler.num_chains,
            number,
        )
        states = self.chains.start(vectors, self.batch)
        size = self.density.size
        model.__dict__["_draws"] = Draws(
            np.zeros((sampler.num_chains, 0, size), sampler.dtype),
            np.zeros((sampler.num_chains, 0, len(Info._fields)), sampler.dtype),
            {},
            states,
            chain_seeds(number, sampler.num_chains),
            sites={latent.name: latent.shape for latent in self.density.latents},
            fingerprint=self.fingerprint,
            sampler=sampler.identity(),
        )

    def _given(self, strategy, seed: int) -> np.ndarray:
        if self.density.transport is not None:
            return np.random.default_rng(seed).normal(size=self.density.size)
        networks = self.model.networks
        extra = StartValues(lambda _: "median") if strategy == "median" else None
        given = strategy if not isinstance(strategy, str) else None
        if strategy == "guide":
            require_inference(self.model)
            return self._of_the_guide(seed)
        return self._vector(networks.run_generative(self.batch, random.seed(seed), extra=extra, given=_tensors(given)))

    def _of_the_guide(self, seed: int) -> np.ndarray:
        # In the type that it was fitted in.
        with precision("float32"):
            batch = keras.tree.map_structure(_narrow, self.batch)
            return self._vector(self.model.networks.pair(batch, random.seed(seed))[0])

    def _vector(self, trace) -> np.ndarray:
        return keras.ops.convert_to_numpy(self.density.vector_of(trace))

    def _block(self, draws: Draws, number: int) -> None:
        states, positions, infos = self.chains.run(draws.states, draws.seeds, number, self.batch)
        self.last = infos
        kept = max(0, min(number, draws.done + number - self.sampler.num_warmup))
        if kept:
            positions, infos = positions[:, number - kept :], infos[:, number - kept :]
            draws.add(positions, infos, self.chains.values(positions, self.batch))
        draws.states, draws.done = states, draws.done + number


def block_logs(draws: Draws, last: np.ndarray, sampler: Sampler) -> dict[str, float]:
    """Returns what callbacks see after a block.

    Args:
        draws: All draws so far.
        last: What the block's transitions told, (chains, number, fields).
        sampler: The sampler.
    """
    averaged = ("log_density", "accept_rate", "step_size", "tree_depth")
    logs = {name: float(np.nanmean(last[..., Info._fields.index(name)])) for name in averaged}
    logs["divergences"] = float(draws.statistics["diverging"].sum())
    logs["max_rhat"], logs["min_ess"] = float("inf"), 0.0
    if draws.num_draws >= 8:
        with np.errstate(all="ignore"):
            rhats, sizes = diagnostics.mixing(draws.positions[..., slowest(draws.positions)])
        if np.isfinite(rhats).any():  # else nothing has moved yet
            logs["max_rhat"], logs["min_ess"] = float(np.nanmax(rhats)), float(np.nanmin(sizes))
    logs["draws"] = float(draws.num_draws * draws.num_chains)
    return logs


def slowest(positions: np.ndarray) -> np.ndarray:
    """Returns which of many numbers mix worst, so that the logs needn't rank the draws of all of them after every block.

    What betrays them is how far means of batches of draws spread, of the draws and of their distances from the mean.

    Args:
        positions: Draws, (chains, draws, d).
    """
    chains, number, size = positions.shape
    if size <= 2 * SUSPECTS:
        return np.arange(size)
    length = int(number**0.5)
    found = []
    for values in (positions, np.abs(positions - positions.mean(axis=(0, 1)))):
        batches = values[:, number % length :].reshape(chains, -1, length, size).mean(axis=2)
        spread = batches.var(axis=(0, 1)) / values.var(axis=(0, 1))
        found.append(np.argpartition(np.nan_to_num(spread), -SUSPECTS)[-SUSPECTS:])
    return np.unique(np.concatenate(found))


def fingerprint(data: Data, weights: Iterable = ()) -> str:
    """Returns what tells this data, and the weights that positions depend on, from others."""
    total = 0
    own = [(variable.path, keras.ops.convert_to_numpy(variable)) for variable in weights]
    for name, value in [*data.rows.items(), *data.whole.items(), ("weights", data.weights), *own]:
        if value is not None:
            total = zlib.crc32(f"{name} {value.shape} {value.dtype}".encode(), total)
            total = zlib.crc32(np.ascontiguousarray(value).data, total)
    return f"{total:08x}"


def _rows_of_a_transition(sampler: Sampler, density: LogDensity, data: Data, plan: Plan) -> int | None:
    if not sampler.minibatches or data.num_rows is None:
        return None
    local = [latent.name for latent in density.latents if latent.in_data_plate]
    if local:
        raise CompileError(
            explain(
                f"{type(sampler).__name__} sees a few rows at a time and can't move latents that each row has of its own.",
                received=f"latents in the data plate: {', '.join(local)}",
                expected="latents outside the data plate",
                fix="compile with kprob.NUTS(), or with an objective such as kprob.ELBO()",
            )
        )
    return min(plan.batch_size or KERAS_BATCH_SIZE, data.num_rows)


def _cached_chains(model, density: LogDensity, batch_size: int | None) -> Chains:
    key = ("mcmc", density.latents, model.sampler.block_size, batch_size)
    programs = model.__dict__["_programs"]
    if key not in programs:
        options = {} if model.sampler.ensemble else {"batch_size": batch_size}
        kind = EnsembleChains if model.sampler.ensemble else Chains
        programs[key] = kind(model.sampler, density, lambda: model.variables, **options)
    return programs[key]


def _narrow(value):
    wide = keras.backend.standardize_dtype(value.dtype) == "float64"
    return keras.ops.cast(value, "float32") if wide else value


def _tensors(given):
    return (
        None
        if given is None
        else {k: keras.ops.convert_to_tensor(np.asarray(v, float_type())) for k, v in given.items()}
    )


def check_options(sampler: Sampler, options: dict) -> None:
    """Raises where an option of `fit` means nothing to a sampler."""
    for name in _MEANINGLESS:
        if options.get(name) and not (name == "batch_size" and sampler.minibatches):
            raise CompileError(
                explain(
                    f"`fit` with {type(sampler).__name__} has no use for `{name}`.",
                    received=f"{name}={options[name]!r}",
                    expected="all data in every transition",
                    fix=f"leave `{name}` out, or compile with an objective such as kprob.ELBO()",
                )
            )


def require_guide(model) -> None:
    """Raises where a model has no fitted guide that could be a preconditioner."""
    guide = getattr(model, "guide", None)
    if guide is None or not guide.built:
        raise CompileError(
            explain(
                f'preconditioner="guide" moves in the coordinates of the guide of {owner_of(model)}.',
                received="a model without a guide that was fitted",
                expected="a model with, say, inference=kprob.guides.InverseAutoregressiveFlow(), and "
                "model.compile(kprob.ELBO(), ...).fit(data) before",
                fix="fit the guide first, or leave `preconditioner` out",
            )
        )


def require_inference(model) -> None:
    """Raises where a model has no inference network, or one that was never built."""
    spec = model.__dict__["_spec"]
    if spec is None or spec.sampled:
        raise CompileError(
            explain(
                f'init="guide" starts {owner_of(model)} where its inference network is.',
                received="a model without an inference network that was fitted",
                expected="model.compile(kprob.ELBO(), ...).fit(data) before",
                fix='fit the guide first, or write init="pathfinder"',
            )
        )

"""One `fit` by Markov chains: blocks of transitions are epochs to Keras's callbacks."""

from typing import Any

import keras
import numpy as np

from kprob import diagnostics
from kprob.backend import float_type, precision, random
from kprob.backend.seeds import next_number, own_seed
from kprob.data import Data, batch_of
from kprob.data.batch import KERAS_BATCH_SIZE
from kprob.data.fingerprint import fingerprint
from kprob.density import LogDensity, preconditioned
from kprob.effects import Trace
from kprob.engine import Networks
from kprob.errors import CompileError, FitWarning, explain, warn
from kprob.guides.running.start_values import StartValues
from kprob.inference.context import Context
from kprob.inference.draws_check import check_draws
from kprob.inference.origin import density_key, origin_of
from kprob.inference.sampler_checks import require_guide, require_inference
from kprob.numerics import to_numpy
from kprob.samplers import Info, Sampler
from kprob.samplers.chains.draws import Draws
from kprob.samplers.chains.ensemble_chains import EnsembleChains
from kprob.samplers.chains.programs import ChainPrograms
from kprob.samplers.chains.separate_chains import SeparateChains, chain_seeds
from kprob.samplers.chains.starting_points import find_starting_points
from kprob.training.epochs import EpochDriver, Logs
from kprob.training.plan import FitPlan

LOG_NAMES = (
    "log_density", "accept_rate", "step_size", "tree_depth", "divergences", "max_rhat", "min_ess", "draws",
)  # fmt: skip
OF_DRAWS = ("max_rhat", "min_ess")
SUSPECTS = 16
# Places at which a density is compared with what it was, and how close it must be, on whichever backend.
ANCHORS = 4
SAME_DENSITY, ATOL_DENSITY = 1e-4, 1e-2


class ChainRun:
    """One `fit`: goes on from the model's draws where they are of the same data, else starts chains.

    Args:
        context: A built model and what belongs to it.
        sampler: The sampler.
        density: The log-density of the data, with the data as an argument.
        data: The data.
        of_data: Its fingerprint, which takes a look at every number.
        plan: What `fit` is to do.
        epochs: Blocks at most, or None.
    """

    def __init__(
        self,
        context: Context,
        sampler: Sampler,
        density: LogDensity,
        data: Data,
        of_data: str,
        plan: FitPlan,
        epochs: int | None,
    ):
        self.context, self.networks, self.plan, self.sampler = context, context.networks, plan, sampler
        self.batch, self.epochs, self.fingerprint = batch_of(data), epochs, of_data
        guide = None if sampler.preconditioner is None else require_guide(self.networks)
        if guide is not None:
            density = preconditioned(density, guide)
        rows = _rows_of_a_transition(sampler, density, data, plan)
        self.chains = _cached_chains(self.networks, sampler, density, data, rows)
        self.density = self.chains.density
        if guide is not None:
            self.fingerprint = fingerprint(data, guide.weights)
        self.origin = origin_of(context, data, [latent.name for latent in self.density.latents])
        self.resume = self._goes_on_with(context.draws)

    def run(self) -> keras.callbacks.History:
        """Draws, and returns Keras's History."""
        context, sampler, size = self.context, self.sampler, self.sampler.block_size
        if not self.resume:
            context.draws = None
        begun = 0 if context.draws is None else context.draws.done
        target = max(begun, sampler.num_warmup) + sampler.num_samples
        epochs = -(-(target - begun) // size) if self.epochs is None else self.epochs
        driver = EpochDriver(context.model, self.plan, epochs)
        logs: Logs = {}
        epoch = driver.begin()  # BackupAndRestore may bring draws back
        if context.draws is None:
            context.draws = self._start()
        elif not self.resume:
            epoch, target = self._restored(context.draws) // size, sampler.num_warmup + sampler.num_samples
        draws = context.draws
        draws.wanted = max(draws.wanted, target)
        draws.seeds = [own_seed(words) for words in draws.seeds]  # perhaps another backend's, which saved them
        with self.chains:
            while epoch < epochs and draws.done < target and not driver.stopped:
                driver.begin_epoch(epoch)
                driver.begin_batch(0)
                infos = self._block(draws, min(size, target - draws.done))
                logs = block_logs(draws, infos, sampler)
                driver.end_batch(0, logs)
                driver.end_epoch(epoch, logs)
                if draws.done <= sampler.num_warmup:
                    self._have_patience(driver.callbacks.callbacks)
                epoch += 1
        history = driver.end(logs)
        if self.plan.check:
            check_draws(self.networks.model_name, context.draws, logs)
        return history

    def _have_patience(self, callbacks: list) -> None:
        # Nothing is drawn yet that could have converged or not: Keras's EarlyStopping takes that for no improvement.
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.EarlyStopping) and callback.monitor in OF_DRAWS:
                model = self.context.model
                model.stop_training = model.stop_training and not callback.stopped_epoch
                callback.wait, callback.stopped_epoch = 0, 0

    def _restored(self, draws: Draws) -> int:
        # The transitions that a backup brings back, of which there are none where it is of something else.
        if not self._goes_on_with(draws):
            draws = self.context.draws = self._start()
        return draws.done

    def _goes_on_with(self, draws: Draws | None) -> bool:
        if draws is None or not self._same_run(draws):
            return False
        changed = draws.origin.change_to(self.origin)
        if changed is None and not self._same_density(draws):
            changed = "what the generative network computes"
        if changed is not None and self.plan.check:
            warn(
                f"The draws of {self.networks.model_name} were of another density, since {changed} have changed: `fit` starts "
                f"anew, without the {draws.num_chains * draws.num_draws} draws that there were. fit(check=False) says nothing.",
                FitWarning,
            )
        return changed is None

    def _same_run(self, draws: Draws) -> bool:
        sites = {latent.name: latent.shape for latent in self.density.latents}
        return (
            draws.sites == sites
            and draws.fingerprint == self.fingerprint
            and draws.num_chains == self.sampler.num_chains
            and draws.sampler == self.sampler.identity()
        )

    def _same_density(self, draws: Draws) -> bool:
        # The last resort: a prior may have been changed in the source, of which no argument and no weight knows.
        if draws.anchors is None:
            return True
        found = self._anchored(draws.anchors[:, :-1])
        return bool(np.allclose(found[:, -1], draws.anchors[:, -1], rtol=SAME_DENSITY, atol=ATOL_DENSITY))

    def _anchored(self, vectors: Any) -> np.ndarray:
        densities = [self.chains.evaluate(keras.ops.convert_to_tensor(vector), self.batch)[0] for vector in vectors]
        return np.column_stack([np.stack(vectors), to_numpy(densities)])

    def _start(self) -> Draws:
        sampler = self.sampler
        number = next_number(self.networks.host.seed_generator)
        vectors = find_starting_points(
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
        return Draws(
            np.zeros((sampler.num_chains, 0, size), sampler.dtype),
            np.zeros((sampler.num_chains, 0, len(Info._fields)), sampler.dtype),
            {},
            states,
            chain_seeds(number, sampler.num_chains),
            sites={latent.name: latent.shape for latent in self.density.latents},
            fingerprint=self.fingerprint,
            sampler=sampler.identity(),
            origin=self.origin,
            anchors=self._anchored(vectors[:ANCHORS]),
        )

    def _given(self, strategy: Any, seed: int) -> np.ndarray:
        if self.density.transport is not None:
            return np.random.default_rng(seed).normal(size=self.density.size)
        networks = self.networks
        extra = StartValues(lambda _: "median") if strategy == "median" else None
        given = strategy if not isinstance(strategy, str) else None
        if strategy == "guide":
            require_inference(networks)
            return self._of_the_guide(seed)
        return self._vector(networks.run_generative(self.batch, random.seed(seed), extra=extra, given=_tensors(given)))

    def _of_the_guide(self, seed: int) -> np.ndarray:
        # In the type that it was fitted in.
        with precision("float32"):
            batch = keras.tree.map_structure(_narrow, self.batch)
            return self._vector(self.networks.pair(batch, random.seed(seed))[0])

    def _vector(self, trace: Trace) -> np.ndarray:
        return to_numpy(self.density.vector_of(trace))

    def _block(self, draws: Draws, number: int) -> np.ndarray:
        # Returns what the transitions of the block told.
        states, positions, infos = self.chains.run(draws.states, draws.seeds, number, self.batch)
        kept = max(0, min(number, draws.done + number - self.sampler.num_warmup))
        if kept:
            kept_positions = positions[:, number - kept :]
            draws.add(kept_positions, infos[:, number - kept :], self.chains.values(kept_positions, self.batch))
        draws.states, draws.done = states, draws.done + number
        return infos


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
    suspects = []
    for values in (positions, np.abs(positions - positions.mean(axis=(0, 1)))):
        batches = values[:, number % length :].reshape(chains, -1, length, size).mean(axis=2)
        spread = batches.var(axis=(0, 1)) / values.var(axis=(0, 1))
        suspects.append(np.argpartition(np.nan_to_num(spread), -SUSPECTS)[-SUSPECTS:])
    return np.unique(np.concatenate(suspects))


def _rows_of_a_transition(sampler: Sampler, density: LogDensity, data: Data, plan: FitPlan) -> int | None:
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


def _cached_chains(
    networks: Networks, sampler: Sampler, density: LogDensity, data: Data, batch_size: int | None
) -> ChainPrograms:
    def make() -> ChainPrograms:
        if sampler.ensemble:
            return EnsembleChains(sampler, density, networks.variables)
        return SeparateChains(sampler, density, networks.variables, batch_size)

    key = ("chains", *density_key(density, data), sampler.block_size, batch_size)
    return networks.programs.cached(key, make)


def _narrow(value: Any) -> Any:
    wide = keras.backend.standardize_dtype(value.dtype) == "float64"
    return keras.ops.cast(value, "float32") if wide else value


def _tensors(given: Any) -> dict | None:
    if given is None:
        return None
    return {k: keras.ops.convert_to_tensor(np.asarray(v, float_type())) for k, v in given.items()}

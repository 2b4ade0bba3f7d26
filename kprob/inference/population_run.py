"""One `fit` by sequential Monte Carlo: temperatures are epochs to Keras's callbacks."""

import keras
import numpy as np

from kprob import diagnostics
from kprob.backend import random
from kprob.backend.seeds import next_number, own_seed
from kprob.data import Data, batch_of
from kprob.data.fingerprint import fingerprint
from kprob.density import LogDensity, find_log_density
from kprob.engine import Networks
from kprob.inference.context import Context
from kprob.inference.origin import density_key, noted_reads, origin_of
from kprob.numerics import to_numpy
from kprob.samplers import SMC, Info
from kprob.samplers.chains.draws import Draws
from kprob.samplers.chains.programs import DensityPrograms
from kprob.samplers.chains.separate_chains import chain_seeds
from kprob.samplers.chains.tempered_population import make_stage, make_start
from kprob.samplers.kernels.tempering import TemperedPopulation
from kprob.training.epochs import EpochDriver, Logs
from kprob.training.plan import FitPlan

_MOST_TEMPERATURES = 1000


class PopulationRun:
    """One `fit` by sequential Monte Carlo.

    Args:
        context: A built model and what belongs to it.
        sampler: The sampler.
        data: The data.
        plan: What `fit` is to do.
        epochs: Temperatures at most, or None.
    """

    def __init__(self, context: Context, sampler: SMC, data: Data, plan: FitPlan, epochs: int | None):
        self.context, self.plan, self.sampler = context, plan, sampler
        self.data, self.batch = data, batch_of(data)
        self.epochs = _MOST_TEMPERATURES if epochs is None else epochs
        with noted_reads(context):
            self.density = find_log_density(context.networks, self.batch, "SMC")
        self.origin = origin_of(context, data, [latent.name for latent in self.density.latents])
        self.start, self.stage, self.chains = _programs(context.networks, sampler, self.density, data)

    def run(self) -> keras.callbacks.History:
        """Draws, and returns Keras's History."""
        context = self.context
        if not self._goes_on_with(context.draws):
            context.draws = None
        driver = EpochDriver(context.model, self.plan, self.epochs)
        first = driver.begin()  # BackupAndRestore may bring populations back
        populations, seeds, done = self._begun(context.draws)
        logs: Logs = {}
        for epoch in range(first, self.epochs):
            driver.begin_epoch(epoch)
            driver.begin_batch(0)
            done += 1
            populations = [
                self.stage(random.fold_in(seed, done), population, self.batch)
                if float(population.temperature) < 1.0
                else population
                for seed, population in zip(seeds, populations, strict=True)
            ]
            self._keep(populations, seeds, done)
            logs = _logs(populations)
            driver.end_batch(0, logs)
            driver.end_epoch(epoch, logs)
            if _are_done(populations) or driver.stopped:
                break
        return driver.end(logs)

    def _goes_on_with(self, draws: Draws | None) -> bool:
        # Only with populations that haven't come to the posterior: of those that have, a further fit makes new ones.
        return (
            draws is not None
            and draws.log_evidence is None
            and draws.sites == {latent.name: latent.shape for latent in self.density.latents}
            and draws.fingerprint == fingerprint(self.data)
            and draws.sampler == self.sampler.identity()
            and draws.origin.change_to(self.origin) is None
        )

    def _begun(self, draws: Draws | None) -> tuple[list[TemperedPopulation], list, int]:
        # Populations, their seeds, and how many temperatures they have seen.
        convert = keras.ops.convert_to_tensor
        if draws is not None and self._goes_on_with(draws):
            populations = [TemperedPopulation(*map(convert, leaves)) for leaves in draws.states]
            return populations, [convert(own_seed(words)) for words in draws.seeds], draws.done
        number = next_number(self.context.networks.host.seed_generator)
        seeds = [convert(words) for words in chain_seeds(number, self.sampler.num_chains)]
        return [self.start(random.fold_in(seed, 0), self.batch) for seed in seeds], seeds, 0

    def _keep(self, populations: list[TemperedPopulation], seeds: list, temperatures: int) -> None:
        done = _are_done(populations)  # else there is nothing to be kept but where the populations stand
        positions = np.stack([to_numpy(population.positions) for population in populations])
        infos = np.zeros((*positions.shape[:2], len(Info._fields)), self.sampler.dtype)
        statistics = {"log_density": [p.log_prior + p.log_likelihood for p in populations]}
        statistics |= {name: [getattr(p, name) for p in populations] for name in ("accept_rate", "step_size")}
        for name, values in statistics.items():
            array = np.stack([to_numpy(value) for value in values])
            infos[..., Info._fields.index(name)] = array if array.ndim == 2 else array[:, None]
        infos[..., Info._fields.index("num_steps")] = self.sampler.num_moves
        infos[..., Info._fields.index("energy")] = np.nan
        estimates = np.array([float(population.log_evidence) for population in populations])
        self.context.draws = Draws(
            positions if done else positions[:, :0],
            infos if done else infos[:, :0],
            self.chains.values(positions, self.batch) if done else {},
            [[to_numpy(leaf) for leaf in population] for population in populations],
            [to_numpy(seed) for seed in seeds],
            done=temperatures,
            wanted=temperatures,
            sites={latent.name: latent.shape for latent in self.density.latents},
            fingerprint=fingerprint(self.data),
            sampler=self.sampler.identity(),
            log_evidence=estimates if done else None,
            origin=self.origin,
        )


def _are_done(populations: list[TemperedPopulation]) -> bool:
    return all(float(population.temperature) >= 1.0 for population in populations)


def _programs(networks: Networks, sampler: SMC, density: LogDensity, data: Data) -> tuple:
    def make() -> tuple:
        made = [make(sampler, density, networks.variables) for make in (make_start, make_stage)]
        return (*made, DensityPrograms(density, networks.variables, sampler.block_size))

    return networks.programs.cached(("smc", *density_key(density, data)), make)


def _logs(populations: list[TemperedPopulation]) -> dict[str, float]:
    names = ("temperature", "log_evidence", "accept_rate", "step_size", "ess")
    logs = {name: float(np.mean([float(getattr(p, name)) for p in populations])) for name in names}
    logs["max_rhat"] = float("nan")
    if len(populations) > 1 and min(float(p.temperature) for p in populations) >= 1.0:
        with np.errstate(all="ignore"):
            positions = np.stack([to_numpy(p.positions) for p in populations])
            logs["max_rhat"] = float(np.nanmax(diagnostics.rhat(positions)))
    return logs

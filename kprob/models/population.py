"""`fit` of a model that was compiled with sequential Monte Carlo: temperatures are epochs to Keras's callbacks."""

import keras
import numpy as np

from kprob import diagnostics
from kprob.backend import random
from kprob.data import Data, batch_of
from kprob.density import LogDensity, find_log_density
from kprob.errors import KprobError, explain
from kprob.models import building
from kprob.models.callback_kinds import savers_last
from kprob.models.drawn import random_number
from kprob.models.evidence import Estimate
from kprob.models.owner import owner_of
from kprob.models.plan import Plan, make_plan
from kprob.models.precision import in_precision
from kprob.models.sampling import check_options, fingerprint
from kprob.samplers import SMC, Info
from kprob.samplers.chains.draws import Draws
from kprob.samplers.chains.programs import DensityPrograms
from kprob.samplers.chains.separate_chains import chain_seeds
from kprob.samplers.chains.tempered_population import make_stage, make_start
from kprob.samplers.kernels.tempering import TemperedPopulation

_MOST_TEMPERATURES = 1000


def fit(model, x, y, **options) -> keras.callbacks.History:
    """Draws from a model's posterior by sequential Monte Carlo, always anew.

    Args:
        model: A model compiled with `kprob.samplers.SMC`.
        x: Data by name.
        y: Observed values where `x` has only covariates.
        **options: `epochs` (temperatures at most), `verbose`, `callbacks`, `sample_weight`.

    Returns:
        Keras's `History`.
    """
    epochs = options.pop("epochs", None)
    plan = make_plan(options)
    check_options(model.sampler, options)
    plan.callbacks = savers_last(plan.callbacks)
    with in_precision(model):
        data = model.prepare_data(x, y, plan.sample_weight)
        building.build_generative(model, data)
        with in_precision(model):  # of layers too that the build has found
            return Run(model, data, plan, epochs).run()


class Run:
    """One `fit`.

    Args:
        model: A built model, compiled with `kprob.samplers.SMC`.
        data: The data.
        plan: What `fit` is to do.
        epochs: Temperatures at most, or None.
    """

    def __init__(self, model, data: Data, plan: Plan, epochs: int | None):
        self.model, self.plan, self.sampler = model, plan, model.sampler
        self.data, self.batch = data, batch_of(data)
        self.epochs = _MOST_TEMPERATURES if epochs is None else epochs
        self.density = find_log_density(model.networks, self.batch, "SMC")
        self.start, self.stage, self.chains = _programs(model, self.density)

    def run(self) -> keras.callbacks.History:
        """Draws, and returns Keras's History."""
        model = self.model
        model.stop_training = False
        model.__dict__["_draws"] = None
        callbacks = keras.callbacks.CallbackList(
            self.plan.callbacks,
            add_history=True,
            add_progbar=self.plan.verbose != 0,
            verbose=1 if self.plan.verbose == "auto" else self.plan.verbose,
            epochs=self.epochs,
            steps=1,
            model=model,
        )
        callbacks.on_train_begin()
        seeds = [keras.ops.convert_to_tensor(s) for s in chain_seeds(random_number(model), self.sampler.num_chains)]
        populations = [self.start(random.fold_in(seed, 0), self.batch) for seed in seeds]
        logs: dict = {}
        for epoch in range(self.epochs):
            callbacks.on_epoch_begin(epoch)
            callbacks.on_train_batch_begin(0)
            populations = [
                self.stage(random.fold_in(seed, epoch + 1), population, self.batch)
                if float(population.temperature) < 1.0
                else population
                for seed, population in zip(seeds, populations, strict=True)
            ]
            done = all(float(population.temperature) >= 1.0 for population in populations)
            if done:
                self._keep(populations, seeds, epoch + 1)
            logs = _logs(populations)
            callbacks.on_train_batch_end(0, logs)
            callbacks.on_epoch_end(epoch, logs)
            if done or model.stop_training:
                break
        callbacks.on_train_end(logs)
        return model.history

    def _keep(self, populations: list[TemperedPopulation], seeds: list, temperatures: int) -> None:
        positions = np.stack([_array(population.positions) for population in populations])
        infos = np.zeros((*positions.shape[:2], len(Info._fields)), self.sampler.dtype)
        told = {"log_density": [p.log_prior + p.log_likelihood for p in populations]}
        told |= {name: [getattr(p, name) for p in populations] for name in ("accept_rate", "step_size")}
        for name, values in told.items():
            array = np.stack([_array(value) for value in values])
            infos[..., Info._fields.index(name)] = array if array.ndim == 2 else array[:, None]
        infos[..., Info._fields.index("num_steps")] = self.sampler.num_moves
        infos[..., Info._fields.index("energy")] = np.nan
        estimates = np.array([float(population.log_evidence) for population in populations])
        draws = Draws(
            positions,
            infos,
            self.chains.values(positions, self.batch),
            [[_array(leaf) for leaf in population] for population in populations],
            [_array(seed) for seed in seeds],
            done=temperatures,
            wanted=temperatures,
            sites={latent.name: latent.shape for latent in self.density.latents},
            fingerprint=fingerprint(self.data),
            sampler=self.sampler.identity(),
            log_evidence=estimates,
        )
        self.model.__dict__["_draws"] = draws


def log_evidence(model) -> Estimate:
    """Returns the log-evidence that sequential Monte Carlo found: the mean of the populations' evidence."""
    estimates = None if model.draws is None else model.draws.log_evidence
    if estimates is None:
        raise KprobError(
            explain(
                f"{owner_of(model)} has no evidence by sequential Monte Carlo.",
                received="a model that wasn't fitted by kprob.samplers.SMC, or whose fit ended before the posterior",
                expected="model.compile(kprob.samplers.SMC(...)).fit(data) before",
                fix="fit with kprob.samplers.SMC, or use model.log_marginal_likelihood(data) where there is an inference network",
            )
        )
    largest = estimates.max()
    each = np.exp(estimates - largest)
    error = each.std(ddof=1) / each.mean() / np.sqrt(each.size) if each.size > 1 else float("nan")
    return Estimate(largest + np.log(each.mean()), error)


def _programs(model, density: LogDensity) -> tuple:
    key = ("smc", density.latents)
    programs = model.__dict__["_programs"]
    if key not in programs:
        sampler: SMC = model.sampler
        made = [make(sampler, density, lambda: model.variables) for make in (make_start, make_stage)]
        programs[key] = (*made, DensityPrograms(density, lambda: model.variables, sampler.block_size))
    return programs[key]


def _logs(populations: list[TemperedPopulation]) -> dict[str, float]:
    names = ("temperature", "log_evidence", "accept_rate", "step_size", "ess")
    logs = {name: float(np.mean([float(getattr(p, name)) for p in populations])) for name in names}
    logs["max_rhat"] = float("nan")
    if len(populations) > 1 and min(float(p.temperature) for p in populations) >= 1.0:
        with np.errstate(all="ignore"):
            positions = np.stack([_array(p.positions) for p in populations])
            logs["max_rhat"] = float(np.nanmax(diagnostics.rhat(positions)))
    return logs


def _array(value) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(value))

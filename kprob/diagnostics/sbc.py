"""Simulation-based calibration: does the inference find what it should, on data whose parameters are known?"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from kprob.checks import check_count
from kprob.diagnostics.calibration import Calibration
from kprob.errors import FitWarning, KprobError, explain, names


def sbc(
    model: Any,
    num_simulations: int = 200,
    num_draws: int = 99,
    *,
    data: Mapping | None = None,
    observed: str | list[str] | None = None,
    sites: str | list[str] | None = None,
    size: int = 1,
    fit: Mapping | None = None,
    refit: bool = True,
    seed: int = 0,
    verbose: bool = True,
) -> Calibration:
    """Checks a model and its inference on simulated data, of which the parameters are known.

    Each simulation draws parameters and data from the prior, fits the model to the data from where it started, and
    counts how many posterior draws lie below the true parameters. One compiled program serves all fits. Afterwards the
    model is what it was before.

    A model compiled with a sampler is calibrated likewise. Ranks are uniform only among independent draws: let the sampler
    make many times `num_draws`, of which as many are then picked by chance.

    Args:
        model: A compiled model; or a function that makes one, which is then called for each simulation.
        num_simulations: Number of simulations.
        num_draws: Posterior draws in each; 99 makes 100 places for the truth.
        data: Covariates.
        observed: The sites that are data; may be left out where the model has been fitted.
        sites: The latents whose ranks are taken, or what follows from them (`kprob.deterministic`); all latents by default.
        size: Length of the data plate, where there are no covariates with rows.
        fit: Arguments of `fit`, such as `{"epochs": 1000, "batch_size": 100}`.
        refit: Whether to fit at all: False for an inference network that needs no training for new data.
        seed: Makes the result repeatable.
        verbose: Whether to show a progress bar.

    Returns:
        The ranks, with p-values, bands and a picture.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        def exact(sensor):
            kprob.sample("temp", tfd.Normal(0.2 * 15.0 + 0.8 * sensor, 0.8**0.5))

        model = temperature(inference=exact).compile(kprob.ELBO(), "adam")
        found = kprob.diagnostics.sbc(model, 100, 19, observed="sensor", refit=False, verbose=False)
        assert found.uniform()
        ```

    Reference:
        Talts, Betancourt, Simpson, Vehtari and Gelman (2018), "Validating Bayesian inference algorithms with
        simulation-based calibration". arXiv:1804.06788.
    """
    check_count("num_simulations", num_simulations, 2)
    check_count("num_draws", num_draws, 1)
    make = model if callable(model) and not hasattr(model, "fit") else None
    first = make() if make else model
    covariates = dict(data or {})
    drawn = _from_the_prior(first, sites, covariates, size).sample(num_simulations, seed=seed)
    is_data = _observed(first, observed, drawn)
    options = {"verbose": 0, **(fit or {})}

    def simulated(i: int) -> dict:
        return {**covariates, **{name: drawn[name][i] for name in is_data}}

    start = None if make else _Start(first, simulated(0), options, seed)
    generator = np.random.default_rng(seed)
    seeds = generator.integers(0, 2**31, num_simulations)
    ranks: dict[str, list] = {}
    bar = keras.utils.Progbar(num_simulations, verbose=1 if verbose else 0)
    try:
        for i in range(num_simulations):
            each = first if make is None or i == 0 else make()
            if start is not None:
                start.again(i)
            if refit:
                _quietly(each.fit, simulated(i), **options)
            found = _posterior(each, sites, simulated(i), num_draws, int(seeds[i]))
            for name, draws in found.items():
                ranks.setdefault(name, []).append(_rank(drawn[name][i], draws, generator))
            bar.update(i + 1)
    finally:
        if start is not None:
            start.restore()
    return Calibration({name: np.stack(each) for name, each in ranks.items()}, num_draws)


def _from_the_prior(model, sites, covariates: dict, size: int):
    # Every random variable, and what follows from them where its ranks are asked for.
    asked = [sites] if isinstance(sites, str) else list(sites or [])
    random_ones = model.prior(None, covariates, size).names
    return model.prior([*random_ones, *(name for name in asked if name not in random_ones)], covariates, size)


def _observed(model, observed, drawn: Mapping) -> list[str]:
    if observed is None and getattr(model, "built", True):
        latents = model.posterior().names
        return [name for name in drawn if name not in latents]
    listed = [observed] if isinstance(observed, str) else list(observed or [])
    unknown = [name for name in listed if name not in drawn]
    if unknown or not listed:
        raise KprobError(
            explain(
                "`sbc` must know which sites are data: the others are what is to be found.",
                received=f"observed={observed!r}" + ("" if listed else ", and a model that was never fitted"),
                expected=f"some of the sites {names(drawn)}",
                fix=f'write sbc(model, ..., observed="{list(drawn)[-1]}")',
            )
        )
    return listed


def _posterior(model, sites, data: dict, number: int, seed: int) -> dict[str, np.ndarray]:
    found = model.posterior(sites, data).sample(number, seed=seed)
    return found if isinstance(found, dict) else {sites: found}


def _rank(truth: np.ndarray, draws: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    # Among equal values, which discrete ones often are, chance says where the truth stands.
    below = np.sum(draws < truth, axis=0)
    equal = np.sum(draws == truth, axis=0)
    return below + generator.integers(0, equal + 1)


def _quietly(function: Callable, *args, **kwargs) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        function(*args, **kwargs)


class _Start:
    # The state that a model begins each simulation with: its variables, the optimizer's, and a seed of its own.
    def __init__(self, model, data: dict, options: dict, seed: int):
        self.model = model
        generator = getattr(model, "seed_generator", None)
        self.seed_state = None if generator is None else generator.state
        self.before = None if self.seed_state is None else keras.ops.convert_to_numpy(self.seed_state)
        self.seed = seed
        self._reseed(0)  # for what the first run of a network draws to start with
        if not getattr(model, "built", True):
            _quietly(model.fit, data, **{**options, "epochs": 0})
        optimizer = getattr(model, "optimizer", None)
        variables = [*model.variables, *(optimizer.variables if optimizer is not None else [])]
        self.values = [(v, keras.ops.convert_to_numpy(v)) for v in variables if v is not self.seed_state]
        self.history = getattr(model, "history", None)
        self.draws = getattr(model, "draws", None)

    def again(self, simulation: int) -> None:
        for variable, value in self.values:
            variable.assign(value)
        self._reseed(simulation)

    def restore(self) -> None:
        self.again(0)
        if self.seed_state is not None:
            self.seed_state.assign(self.before)
        self.model.history = self.history
        self.model.draws = self.draws

    def _reseed(self, simulation: int) -> None:
        if self.seed_state is not None:
            start = np.array([self.seed, simulation << 20])
            self.seed_state.assign(keras.ops.cast(keras.ops.convert_to_tensor(start), self.seed_state.dtype))

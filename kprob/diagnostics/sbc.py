"""Simulation-based calibration: whether inference finds the parameters of simulated data, which are known."""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import keras
import numpy as np

from kprob.checks import check_count
from kprob.diagnostics.calibratable import Answers, Calibratable
from kprob.diagnostics.calibration import Calibration
from kprob.errors import FitWarning, KprobError, explain, names
from kprob.options import check_flag

Sites = str | list[str] | None


def sbc(
    model: Calibratable | Callable[[], Calibratable],
    num_simulations: int = 200,
    num_draws: int = 99,
    *,
    data: Mapping | None = None,
    observed: Sites = None,
    sites: Sites = None,
    size: int = 1,
    fit: Mapping | None = None,
    refit: bool = True,
    seed: int = 0,
    verbose: bool = True,
) -> Calibration:
    """Checks a model and its inference on simulated data, whose parameters are known.

    Each simulation draws parameters and data from the prior, fits the model to the data from where it started, and
    counts how many posterior draws lie below the true parameters. One compiled program serves all fits. Afterwards the
    model is what it was before.

    A model compiled with a sampler is calibrated likewise. Ranks are uniform only among independent draws: let the sampler
    make many times `num_draws`, of which `num_draws` are then picked by chance.

    Args:
        model: A compiled model; or a function that makes one, which is then called for each simulation.
        num_simulations: Number of simulations.
        num_draws: Posterior draws in each; 99 makes 100 places for the truth.
        data: Covariates.
        observed: The sites that are data; may be left out where the model has been fitted.
        sites: The latents whose ranks are computed, or what follows from them (`kprob.deterministic`); all latents by default.
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
    check_count("size", size)
    check_count("seed", seed, 0)
    check_flag("refit", refit)
    make = None if isinstance(model, keras.Model) else cast(Callable[[], Calibratable], model)
    first = cast(Calibratable, model) if make is None else make()
    covariates = dict(data or {})
    prior = _prior_of_all(first, sites, covariates, size)
    simulated = _by_name(prior.sample(num_simulations, seed=seed), sites)
    is_data = _observed(first, observed, simulated)
    options = {"verbose": 0, **(fit or {})}

    def data_of(i: int) -> dict[str, Any]:
        return {**covariates, **{name: simulated[name][i] for name in is_data}}

    generator = np.random.default_rng(seed)
    seeds = generator.integers(0, 2**31, num_simulations)
    ranks: dict[str, list[np.ndarray]] = {}
    bar = keras.utils.Progbar(num_simulations, verbose=1 if verbose else 0)
    with _unfitted(first, make, data_of(0), options, seed) as model_of:
        for i in range(num_simulations):
            unfitted = model_of(i)
            if refit:
                _quietly(unfitted.fit, data_of(i), **options)
            posterior = unfitted.posterior(sites, data_of(i)).sample(num_draws, seed=int(seeds[i]))
            for name, draws in _by_name(posterior, sites).items():
                ranks.setdefault(name, []).append(_rank(simulated[name][i], draws, generator))
            bar.update(i + 1)
    return Calibration({name: np.stack(each) for name, each in ranks.items()}, num_draws)


def _prior_of_all(model: Calibratable, sites: Sites, covariates: dict[str, Any], size: int) -> Answers:
    # Every random variable, and those of `sites` that follow from them.
    named = [sites] if isinstance(sites, str) else list(sites or [])
    random_sites = model.prior(None, covariates, size).names
    return model.prior([*random_sites, *(name for name in named if name not in random_sites)], covariates, size)


def _observed(model: Calibratable, observed: Sites, simulated: Mapping[str, np.ndarray]) -> list[str]:
    if observed is None and model.built:
        latents = model.posterior().names
        return [name for name in simulated if name not in latents]
    listed = [observed] if isinstance(observed, str) else list(observed or [])
    unknown = [name for name in listed if name not in simulated]
    if unknown or not listed:
        raise KprobError(
            explain(
                "`sbc` must know which sites are data: it infers the others.",
                received=f"observed={observed!r}" + ("" if listed else ", and a model that was never fitted"),
                expected=f"some of the sites {names(simulated)}",
                fix=f'write sbc(model, ..., observed="{list(simulated)[-1]}")',
            )
        )
    return listed


def _by_name(draws: np.ndarray | dict[str, np.ndarray], sites: Sites) -> dict[str, np.ndarray]:
    return draws if isinstance(draws, dict) else {str(sites): draws}


def _rank(truth: np.ndarray, draws: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    # Discrete values are often equal: then chance says where the truth stands among them.
    below = np.sum(draws < truth, axis=0)
    equal = np.sum(draws == truth, axis=0)
    return below + generator.integers(0, equal + 1)


def _quietly(function: Callable, *args: Any, **kwargs: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        function(*args, **kwargs)


@contextlib.contextmanager
def _unfitted(
    model: Calibratable,
    make: Callable[[], Calibratable] | None,
    data: dict[str, Any],
    options: dict[str, Any],
    seed: int,
) -> Iterator[Callable[[int], Calibratable]]:
    # Gives the model of each simulation, as it is before its fit: a new one, or the one that there is, put back to where it
    # started; that one is in the end what it was before.
    if make is not None:
        yield lambda simulation: model if simulation == 0 else make()
        return
    seed_state = model.seed_generator.state
    before = keras.ops.convert_to_numpy(seed_state)
    _seed(model, seed, 0)  # for what the first run of a network draws to start with
    with model._preserved():
        if not model.built:
            _quietly(model.fit, data, **{**options, "epochs": 0})
        start = _Start(model, seed)
        try:
            yield start.restored
        finally:
            start.restored(0)
            seed_state.assign(before)


class _Start:
    # The state that a model begins each simulation with: its variables, the optimizer's, and a seed of its own.
    def __init__(self, model: Calibratable, seed: int):
        self.model, self.seed = model, seed
        optimizer = getattr(model, "optimizer", None)  # which Keras makes in `compile`
        variables = [*model.variables, *(optimizer.variables if optimizer is not None else [])]
        seed_state = model.seed_generator.state
        self.values = [(v, keras.ops.convert_to_numpy(v)) for v in variables if v is not seed_state]

    def restored(self, simulation: int) -> Calibratable:
        for variable, value in self.values:
            variable.assign(value)
        self.model._begin_anew()
        _seed(self.model, self.seed, simulation)
        return self.model


def _seed(model: Calibratable, seed: int, simulation: int) -> None:
    state = model.seed_generator.state
    words = np.array([seed, simulation << 20])
    state.assign(keras.ops.cast(keras.ops.convert_to_tensor(words), state.dtype))

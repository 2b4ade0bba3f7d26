"""Posteriors whose means and standard deviations are known from 10,000 draws of another program (posteriordb)."""

import json

import keras
import numpy as np
import pytest
from internals import prepare_data
from posteriordb import others, regressions
from posteriordb.posterior import elements

import kprob
from kprob import distributions
from kprob.backend import gradients, random
from kprob.data import batch_of
from kprob.density import find_log_density
from kprob.diagnostics import ess_quantile, mcse_mean, mcse_quantile

POSTERIORS = {posterior.name: posterior for posterior in (*regressions.POSTERIORS, *others.POSTERIORS)}
REFERENCE_DRAWS = 10_000


def density_and_points(posterior, data):
    """Returns a model's log-density, its batch, and three unconstrained points where the posterior is dense."""
    model = posterior.model(data).compile(kprob.NUTS())
    batch = batch_of(prepare_data(model.networks, data))
    density = find_log_density(model.networks, batch)
    near = {name: keras.ops.convert_to_tensor(np.asarray(v, "float32")) for name, v in posterior.near.items()}
    trace = model.networks.run_generative(batch, random.seed(0), given=near)
    centre = density.vector(
        {
            site.name: distributions.support_bijector(site.distribution).inverse(site.value)
            for site in trace.random_sites(observed=False)
        }
    )
    noise = np.random.default_rng(0).normal(size=(3, density.size))
    scale = 0.02 * np.maximum(np.abs(keras.ops.convert_to_numpy(centre)), 0.05)
    points = keras.ops.convert_to_numpy(centre) + np.where(np.arange(3)[:, None] == 0, 0, noise * scale)
    return density, batch, [keras.ops.convert_to_tensor(point.astype("float32")) for point in points]


@pytest.mark.parametrize("name", POSTERIORS)
def test_log_density(name, requires_shared):
    posterior = POSTERIORS[name]
    compare_densities(posterior, posterior.load(requires_shared("posteriordb", name)))


def compare_densities(posterior, data):
    """Compares a model's log-density, up to a constant, with that by hand; its gradients are finite."""
    density, batch, points = density_and_points(posterior, data)
    differences = []
    for point in points:
        value, gradient = gradients(lambda u: density(u, batch), point)
        assert np.isfinite(float(value)) and np.isfinite(keras.ops.convert_to_numpy(gradient)).all()
        trace, _ = density.run(point, batch)
        values = {
            n: np.asarray(keras.ops.convert_to_numpy(v), "float64") for n, v in density.values(point, batch).items()
        }
        by_hand = posterior.log_density(values, data)
        differences.append((float(trace.log_prob()), by_hand))
    ours, theirs = np.array(differences).T
    np.testing.assert_allclose(ours - ours[0], theirs - theirs[0], rtol=1e-3, atol=2e-5 * np.abs(theirs).max() + 2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", POSTERIORS)
def test_draws(name, requires_shared):
    posterior = POSTERIORS[name]
    folder = requires_shared("posteriordb", name)
    data, reference = posterior.load(folder), json.loads((folder / "reference.json").read_text())
    model = posterior.model(data).compile(kprob.NUTS(block_size=500, **posterior.options))
    model.fit(data, verbose=0)
    found = elements(posterior.quantities(model.draws.values))
    # posteriordb's names: of a vector's elements, beta[1]; a simplex's too.
    assert set(reference) <= set(found)
    wrong = [line for key, right in reference.items() for line in complaints(key, found[key], right, posterior.heavy)]
    assert not wrong, "\n".join(wrong)


def complaints(name, draws, right, heavy):
    """Yields what is off: a mean by more than 4 standard errors, a standard deviation by more than a tenth."""
    draws = np.asarray(draws, "float64")
    if name in heavy:
        for probability in (0.05, 0.5, 0.95):
            value, error = np.quantile(draws, probability), mcse_quantile(draws, probability)
            error = error * np.sqrt(1 + ess_quantile(draws, probability) / REFERENCE_DRAWS)
            if not abs(value - right[f"q{100 * probability:02.0f}"]) <= 4 * error:
                yield f"{name}: {probability} quantile {value:.5g} ± {error:.2g}, not {right[f'q{100 * probability:02.0f}']:.5g}"
        return
    mean, error = np.mean(draws), np.hypot(mcse_mean(draws), right["mcse_mean"])
    if not abs(mean - right["mean"]) <= 4 * error:
        yield f"{name}: mean {mean:.5g} ± {error:.2g}, not {right['mean']:.5g}"
    if not 0.9 <= np.std(draws, ddof=1) / right["sd"] <= 1.1:
        yield f"{name}: sd {np.std(draws, ddof=1):.5g}, not {right['sd']:.5g}"

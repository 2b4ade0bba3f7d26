"""A fitted guide as a preconditioner: the same posterior, in coordinates in which it is rounder."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.data import Data, batch_of
from kprob.density import find_log_density, preconditioned
from kprob.errors import CompileError, KprobError

GUIDES = ["Normal", "MultivariateNormal", "InverseAutoregressiveFlow", "MaskedAutoregressiveFlow", "RealNVP"]
GUIDES += ["NeuralSplineFlow"]


@kprob.probmodel
def shape(covariate):
    """A vector, a positive number and one for each row."""
    w = kprob.sample("w", tfd.Independent(tfd.Normal(np.zeros(2, "float32"), 1.0), 1))
    scale = kprob.sample("scale", tfd.HalfNormal(1.0))
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("y", tfd.Normal(w[0] + w[1] * covariate + 0.1 * z, scale))


DATA = {"covariate": np.linspace(-1.0, 1.0, 4), "y": np.array([0.1, -0.3, 0.4, 0.9])}


@pytest.mark.parametrize("name", GUIDES)
def test_the_density_is_that_of_the_noise(name):
    """Beside the guide's own density of what the noise becomes: log p(u) − log q(u) + log N(v)."""
    model = shape(inference=getattr(kprob.guides, name)(init_scale=0.7)).compile(
        kprob.ELBO(), keras.optimizers.Adam(0.01)
    )
    model.fit(DATA, epochs=5, verbose=0)
    batch = batch_of(Data({k: np.asarray(v, "float32") for k, v in DATA.items()}, {}, 4))
    plain = find_log_density(model.networks, batch)
    density = preconditioned(plain, model.guide)
    v = np.random.default_rng(0).normal(size=density.size).astype("float32")

    def carried(vector):
        return plain.vector(density.transport(density.position(vector), batch)[0])

    # The Jacobian by differences, in place of the guide's own.
    numbers = [np.asarray(keras.ops.convert_to_numpy(carried(keras.ops.convert_to_tensor(v + d)))) for d in _steps(v)]
    columns = [(a - b) / (2.0 * _STEP) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    log_det = np.linalg.slogdet(np.stack(columns, axis=1).astype("float64"))[1]
    u = carried(keras.ops.convert_to_tensor(v))
    found = float(density(keras.ops.convert_to_tensor(v), batch))
    assert found == pytest.approx(float(plain(u, batch)) + log_det, abs=0.02)
    values = density.values(keras.ops.convert_to_tensor(v), batch)
    assert {key: tuple(value.shape) for key, value in values.items()} == {"w": (2,), "scale": (), "z": (4,)}


_STEP = 0.01


def _steps(v):
    for i in range(len(v)):
        yield _STEP * np.eye(len(v), dtype="float32")[i]
        yield -_STEP * np.eye(len(v), dtype="float32")[i]


@kprob.probmodel
def funnel():
    v = kprob.sample("v", tfd.Normal(0.0, 3.0))
    kprob.sample("x", tfd.Independent(tfd.Normal(np.zeros(9, "float32"), keras.ops.exp(0.5 * v)), 1))


@pytest.mark.slow
def test_the_funnel(tmp_path):
    guide = kprob.guides.InverseAutoregressiveFlow()
    model = funnel(inference=guide).compile(kprob.ELBO(num_samples=16), keras.optimizers.Adam(0.005))
    model.fit(epochs=3000, verbose=0)
    model.compile(kprob.NUTS(500, 1000, 4, target_accept_rate=0.9, preconditioner="guide", block_size=500))
    model.fit({}, verbose=0, check=False)
    v, x = (model.draws.values[name].astype("float64") for name in ("v", "x"))
    assert abs(v.mean()) < 5 * kprob.diagnostics.mcse_mean(v)
    # Without the guide NUTS stays out of the neck: a variance of 5.5, a mean of 1.7 and 80 effective draws.
    assert v.var() == pytest.approx(9.0, rel=0.15)
    assert kprob.diagnostics.ess_bulk(v) > 200 and kprob.diagnostics.rhat(v) < 1.02
    assert model.draws.statistics["diverging"].mean() < 0.05
    assert (x / np.exp(v / 2.0)[..., None]).std() == pytest.approx(1.0, abs=0.03)
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"funnel": funnel})
    assert again.sampler.preconditioner == "guide"
    before = again.draws.num_draws
    again.fit({}, epochs=1, verbose=0, check=False)
    assert again.draws.num_draws == before + 500  # the same run goes on


@kprob.probmodel
def narrow():
    """Two latents with a correlation of 0.999."""
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    kprob.sample("b", tfd.Normal(a, 0.0447))


def test_a_normal_guide_makes_a_narrow_posterior_round_and_a_new_fit_of_it_begins_anew():
    model = narrow(inference=kprob.guides.MultivariateNormal()).compile(kprob.ELBO(), "adam")
    model.fit(epochs=1, verbose=0)
    weights = model.guide.parameters
    weights["loc"].assign([0.0, 0.0])
    weights["scale"].assign(np.log(np.expm1([1.0, 0.0447])))
    weights["factor"].assign([1.0 / 0.0447])  # L = diag(scale) (1 + factor)
    model.compile(
        kprob.samplers.HMC(0, 300, 2, step_size=1.2, num_leapfrog_steps=2, preconditioner="guide", block_size=300)
    )
    model.fit({}, verbose=0)
    a, b = (model.draws.values[name].astype("float64") for name in ("a", "b"))
    assert model.draws.statistics["accept_rate"].mean() > 0.6  # none at all at such steps without the guide
    assert a.std() == pytest.approx(1.0, abs=0.15) and (b - a).std() == pytest.approx(0.0447, rel=0.15)
    model.guide.parameters["loc"].assign([0.5, 0.5])
    model.fit({}, epochs=1, verbose=0)
    assert model.draws.num_draws == 300  # positions of another guide's noise would be elsewhere


def test_what_it_needs():
    with pytest.raises(CompileError, match="preconditioner"):
        kprob.NUTS(preconditioner="flow")
    with pytest.raises(CompileError, match="`init`"):
        kprob.NUTS(preconditioner="guide", init="median")
    with pytest.raises(CompileError, match="a model without a guide that was fitted"):
        narrow().compile(kprob.NUTS(10, 10, 1, preconditioner="guide")).fit({}, verbose=0)
    model = narrow(inference=kprob.guides.LowRankMultivariateNormal(rank=1)).compile(kprob.ELBO(), "adam")
    model.fit(epochs=1, verbose=0)
    model.compile(kprob.NUTS(10, 10, 1, preconditioner="guide"))
    with pytest.raises(KprobError, match="LowRankMultivariateNormal can't be a preconditioner"):
        model.fit({}, verbose=0)

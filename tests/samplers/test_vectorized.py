"""Chains in one program: what they draw is what they draw one after the other."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError

only_jax = pytest.mark.skipif(keras.backend.backend() != "jax", reason="refused on TensorFlow")


@kprob.probmodel
def line(x):
    w = kprob.sample("w", tfd.Normal(0.0, 1.0))
    scale = kprob.sample("scale", tfd.HalfNormal(1.0))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(w * x, scale))


X = np.linspace(-1.0, 1.0, 50)
DATA = {"x": X, "y": 0.5 * X + 0.3 * np.random.default_rng(0).normal(size=50)}


def fitted(sampler, seed=5):
    model = line().compile(sampler)
    model.seed_generator.state.assign(np.full(model.seed_generator.state.shape, seed, "uint32"))
    model.fit(DATA, verbose=0, check=False)
    return model


@only_jax
@pytest.mark.parametrize("kind", ["NUTS", "HMC", "MALA"])
def test_the_same_chains(kind):
    one, other = (
        fitted(getattr(kprob.samplers, kind)(0, 20, 3, chain_method=method, block_size=20)).draws
        for method in ("sequential", "vectorized")
    )
    # Sums in another order, which chaos makes large in time: so the beginning only, and every chain, untuned.
    np.testing.assert_allclose(one.positions[:, :3], other.positions[:, :3], atol=2e-2)
    assert one.positions.shape == other.positions.shape == (3, 20, 2)
    assert np.ptp(other.positions[:, -1], axis=0).min() > 0.0


@only_jax
def test_the_right_answer_and_going_on():
    model = fitted(kprob.NUTS(200, 500, 4, chain_method="vectorized", block_size=350))
    w = model.draws.values["w"].astype("float64")
    precision = (X @ X) / 0.3**2 + 1.0
    assert kprob.diagnostics.rhat(w) < 1.02
    assert abs(w.mean() - (X @ DATA["y"]) / 0.3**2 / precision) < 0.03
    assert w.std() == pytest.approx(precision**-0.5, rel=0.2)
    model.fit(DATA, epochs=1, verbose=0)
    assert model.draws.num_draws == 850


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="a limit of the other backend")
def test_tensorflow_says_that_it_cannot():
    with pytest.raises(CompileError, match="can't move in one program on TensorFlow"):
        fitted(kprob.NUTS(0, 5, 2, chain_method="vectorized"))

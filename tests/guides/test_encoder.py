"""Amortised guides: an encoder's features of a row's data give the parameters of its latents."""

import keras
import numpy as np
import pytest
from guides import guided_models

import kprob
from kprob import guides, tfd


@kprob.probmodel
def pairs():
    """z ~ N(0, 1)²,  x | z ~ N(z, 0.5): the posterior of z is N(0.8 x, 0.2)."""
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.MultivariateNormalDiag([0.0, 0.0], [1.0, 1.0]))
        kprob.sample("x", tfd.MultivariateNormalDiag(z, [0.5, 0.5]))


def data(rows, seed=0):
    generator = np.random.RandomState(seed)
    z = generator.normal(size=(rows, 2))
    return {"x": (z + 0.5 * generator.normal(size=(rows, 2))).astype("float32")}


def encoder():
    return keras.Sequential([keras.layers.Dense(8, "elu")])


def test_an_encoder_finds_the_posterior_of_rows_that_it_never_saw(tmp_path):
    model = pairs(inference=guides.Normal(encoder=encoder(), inputs=["x"]))
    model.compile(kprob.ELBO(), guided_models.adam(0.03, 3000))
    model.fit(data(500), batch_size=50, epochs=300, verbose=0, check=False)
    assert not model.guide.has_rows
    new = data(7, seed=9)
    posterior = model.posterior("z", new)
    np.testing.assert_allclose(posterior.mean(), 0.8 * new["x"], atol=0.15)
    np.testing.assert_allclose(posterior.stddev(), 0.2**0.5, rtol=0.15)
    np.testing.assert_allclose(model.guide.median(new)["z"], posterior.mean(), atol=1e-5)
    with pytest.raises(kprob.errors.DataError, match="encoder needs `x`, which the data lacks"):
        model.guide.median()
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.posterior("z", new).sample(3, seed=1), posterior.sample(3, seed=1))


MAKERS = {name: make for name, make in guided_models.GUIDES.items() if name not in ("Group", "Laplace", "Normal")}


@pytest.mark.parametrize("name", MAKERS)
def test_every_guide_takes_an_encoder(name):
    guide = MAKERS[name](encoder=encoder(), inputs="x")
    again = type(guide).from_config(guide.get_config())
    assert again.inputs == ("x",) and isinstance(again.encoder, keras.Sequential)
    model = pairs(inference=guide).compile(kprob.ELBO(num_samples=2), "adam", jit_compile=False)
    history = model.fit(data(10), batch_size=5, epochs=2, verbose=0).history
    assert np.isfinite(history["elbo"]).all()
    assert model.posterior("z", data(3)).sample(5).shape == (5, 3, 2)


@pytest.mark.parametrize(
    "options",
    [{"encoder": keras.layers.Dense(2)}, {"inputs": ["x"]}, {"encoder": keras.layers.Dense(2), "inputs": [3]}],
)
def test_encoder_and_inputs_come_together(options):
    with pytest.raises(kprob.errors.MismatchError, match="encoder together with the names"):
        guides.Normal(**options)


def test_an_encoder_returns_a_vector_for_each_row():
    guide = guides.Normal(encoder=keras.layers.Reshape((2, 1)), inputs="x")
    with pytest.raises(kprob.errors.MismatchError, match="must return a vector for each row"):
        pairs(inference=guide).compile(kprob.ELBO(), "adam").evaluate(data(4), verbose=0)

"""Stein variational gradient descent: particles become draws of the posterior."""

import keras
import numpy as np
import pytest

import kprob
from kprob import objectives, tfd


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


def fitted(objective, number, epochs=600, rate=0.2):
    steps = keras.optimizers.schedules.CosineDecay(rate, epochs)
    model = temperature(inference=kprob.guides.Particles(number)).compile(objective, keras.optimizers.Adam(steps))
    model.fit({"sensor": 18.0}, epochs=epochs, verbose=0)
    return model


def points(model):
    return np.asarray(keras.ops.convert_to_numpy(model.guide.points["temp"]), "float64")


def test_particles_find_the_posterior(tmp_path):
    model = fitted(kprob.objectives.Stein(), 30)
    assert points(model).mean() == pytest.approx(17.4, abs=0.02)
    assert points(model).std() == pytest.approx(0.894, rel=0.07)
    drawn = model.posterior("temp").sample(200, seed=0)
    assert np.isin(drawn, points(model).astype("float32")).all()
    assert model.posterior("temp").mean(num_samples=3000, seed=0) == pytest.approx(17.4, abs=0.07)
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"temperature": temperature})
    np.testing.assert_array_equal(points(again), points(model))
    assert isinstance(again.objective.kernel, objectives.RBF)


def test_one_particle_finds_the_mode():
    assert points(fitted(kprob.objectives.Stein(objectives.RBF(1.0)), 1, rate=0.1)) == pytest.approx(17.4, abs=0.01)


def test_the_linear_kernel_rests_where_mean_and_variance_are_the_posteriors():
    from kprob.backend import gradients

    z = np.random.RandomState(1).normal(size=(5, 1))
    z = ((z - z.mean()) / z.std() * 0.8**0.5 + 1.5).astype("float32")

    def objective(spread, particles):
        together, extra = kprob.objectives.Stein("linear").directed(particles)
        return -keras.ops.mean(keras.ops.sum((together - 1.5) ** 2, axis=-1)) / (2 * spread) + extra

    _, (at_rest,) = gradients(lambda x: objective(0.8, x), keras.ops.convert_to_tensor(z))
    _, (moving,) = gradients(lambda x: objective(0.4, x), keras.ops.convert_to_tensor(z))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(at_rest), 0.0, atol=1e-5)
    assert np.abs(keras.ops.convert_to_numpy(moving)).max() > 0.5


@pytest.mark.parametrize("kernel", [objectives.RBF(), objectives.RBF(0.7), objectives.Linear()])
def test_the_gradient_of_particles_is_the_formula(kernel):
    from kprob.backend import gradients

    z = np.random.RandomState(0).normal(size=(6, 2)).astype("float32")
    slope = -2.0 * z  # of log p = -|z|²

    def objective(particles):
        together, extra = kprob.objectives.Stein(kernel).directed(particles)
        return -keras.ops.mean(keras.ops.sum(together**2, axis=-1)) + extra

    _, (found,) = gradients(objective, keras.ops.convert_to_tensor(z))
    scale = kernel.scale(keras.ops.convert_to_tensor(z))
    matrix = keras.ops.convert_to_numpy(kernel.matrix(*[keras.ops.convert_to_tensor(z)] * 2, scale))
    expected = np.zeros_like(z)
    for i in range(6):
        for j in range(6):
            if isinstance(kernel, objectives.Linear):
                push = z[i]
            else:
                push = 2.0 / float(scale) * (z[i] - z[j]) * matrix[i, j]
            expected[i] += (matrix[i, j] * slope[j] + push) / 6
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, rtol=1e-4, atol=1e-5)


def test_particles_on_a_constrained_support():
    # rate ~ Gamma(2, 1), count ~ Poisson(rate) = 3: the posterior is Gamma(5, 2).
    @kprob.probmodel
    def poisson():
        rate = kprob.sample("rate", tfd.Gamma(2.0, 1.0))
        kprob.sample("count", tfd.Poisson(rate))

    model = poisson(inference=kprob.guides.Particles(30))
    model.compile(kprob.objectives.Stein(), keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 600)))
    model.fit({"count": 3.0}, epochs=600, verbose=0)
    draws = model.posterior("rate").sample(5000, seed=0)
    assert draws.mean() == pytest.approx(2.5, rel=0.05)
    assert draws.std() == pytest.approx(5**0.5 / 2, rel=0.12)


def test_particles_are_asked_for():
    model = temperature().compile(kprob.objectives.Stein(), "adam")
    with pytest.raises(kprob.errors.CompileError, match="Stein moves particles, and .* has none"):
        model.fit({"sensor": 18.0}, epochs=1, verbose=0)


def test_latents_of_rows_have_no_particles():
    @kprob.probmodel
    def local():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("x", tfd.Normal(z, 1.0))

    model = local(inference=kprob.guides.Particles(3)).compile(kprob.objectives.Stein(), "adam")
    with pytest.raises(kprob.errors.MismatchError, match="Particles can't stand for latent `z`"):
        model.fit({"x": [1.0, 2.0]}, epochs=1, verbose=0)

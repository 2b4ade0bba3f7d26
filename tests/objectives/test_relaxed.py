"""Relaxed coins and categories in both networks: at a low temperature, where most draws are 0 or 1 to the last digit."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import backend, layers, tfd

ops = keras.ops
SEEN = 0.5


class Relaxed(kprob.ProbabilisticModel):
    """A relaxed variable that the data say nothing of: the best q is the prior, and its ELBO the evidence."""

    def __init__(self, layer, logits, start, temperature=0.1, own_temperature=0.1, **kwargs):
        super().__init__(**kwargs)
        self.b = layer(temperature=temperature, logits=logits)
        self.x = layers.Normal(loc=0.0, scale=1.0)
        self.own_temperature = own_temperature
        self.q = layer(name="b")
        start = np.asarray(start, "float32")
        self.q_logits = self.add_weight(
            shape=start.shape, initializer=keras.initializers.Constant(start), name="q_logits"
        )

    def generative(self):
        self.b()
        self.x()

    def inference(self):
        self.q(temperature=self.own_temperature, logits=ops.convert_to_tensor(self.q_logits))


CASES = {
    "coin": (layers.RelaxedBernoulli, 1.0, 8.0),
    "category": (layers.RelaxedOneHotCategorical, [1.0, 0.0, -1.0], [9.0, -9.0, 0.0]),
}


@pytest.mark.parametrize("name", CASES)
def test_q_comes_back_from_the_corner(name):
    layer, logits, start = CASES[name]
    model = Relaxed(layer, logits, start)
    steps = 1500
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    model.compile(kprob.ELBO(num_samples=8), keras.optimizers.Adam(rate))
    keras.utils.set_random_seed(0)
    history = model.fit({"x": SEEN}, epochs=steps, verbose=0, check=False).history["elbo"]
    assert np.all(np.isfinite(history))
    found = ops.convert_to_numpy(model.q_logits)
    centre = np.mean(found) - np.mean(logits) if found.ndim else 0.0  # a category's logits may all move together
    np.testing.assert_allclose(found - centre, logits, atol=0.15)
    model.compile(kprob.ELBO(num_samples=200), "adam")
    assert model.evaluate({"x": SEEN}, return_dict=True, seed=0)["elbo"] == pytest.approx(
        stats.norm.logpdf(SEEN), abs=0.02
    )


def test_the_divergence_of_coins_is_the_integral_over_logits():
    # E_q[log q − log p] on the scale of the logit, where q and p are logistic; half of the draws are in a corner.
    a, b, temperature, other = 1.5, 0.0, 0.2, 0.25
    u = (np.arange(200_000) + 0.5) / 200_000
    z = (a + np.log(u / (1 - u))) / temperature
    log_q = stats.logistic(a / temperature, 1 / temperature).logpdf(z)
    log_p = stats.logistic(b / other, 1 / other).logpdf(z)
    expected = stats.norm.logpdf(SEEN) - np.mean(log_q - log_p)
    model = Relaxed(layers.RelaxedBernoulli, b, a, temperature=other, own_temperature=temperature)
    model.compile(kprob.ELBO(num_samples=20_000), "adam")
    found = model.evaluate({"x": SEEN}, return_dict=True, seed=0)["elbo"]
    assert found == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_coin_at_its_corner(value):
    layer = layers.RelaxedBernoulli(temperature=0.5, logits=0.3)
    density, (slope,) = backend.gradients(lambda y: layer.distribution().log_prob(y), ops.convert_to_tensor(value))
    assert np.isfinite(float(density)) and np.isfinite(float(slope))
    inside = np.array([0.1, 0.9], "float32")
    plain = tfd.RelaxedBernoulli(0.5, logits=0.3).log_prob(inside)
    np.testing.assert_allclose(layer.distribution().log_prob(inside), plain, rtol=1e-6)


def test_a_category_at_its_corner():
    layer = layers.RelaxedOneHotCategorical(3, temperature=0.5, logits=[0.3, 0.0, 1.0])
    corner = ops.convert_to_tensor([0.0, 1.0, 0.0])
    density, (slope,) = backend.gradients(lambda y: layer.distribution().log_prob(y), corner)
    assert np.isfinite(float(density)) and np.all(np.isfinite(slope))


class Rows(kprob.ProbabilisticModel):
    """A relaxed coin for each row, by layers in one network and TFP's class in the other."""

    def generative(self):
        with kprob.plate("data"):
            b = kprob.sample("b", tfd.RelaxedBernoulli(0.1, logits=1.0))
            kprob.sample("x", tfd.Normal(2.0 * b, 1.0))

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.q = layers.RelaxedBernoulli(temperature=0.1, name="b")
        self.head = keras.layers.Dense(1, kernel_initializer="zeros", bias_initializer="ones")

    def inference(self, x):
        with kprob.plate("data"):
            self.q(logits=self.head(x[:, None])[:, 0])


@pytest.mark.parametrize("objective", ["ELBO", "plain", "doubly_reparameterized"])
def test_draws_folded_into_rows_keep_their_logits(objective):
    # q is the prior, so that the weights are the likelihoods: the bound is known without the relaxed densities.
    x = np.array([0.5, 2.0], "float32")
    if objective == "ELBO":
        model = Rows().compile(kprob.ELBO(num_samples=4000), "adam")
    else:
        model = Rows().compile(kprob.objectives.ImportanceWeightedELBO(4000, objective), "adam")
    u = (np.arange(200_000) + 0.5) / 200_000
    b = 1 / (1 + np.exp(-(1.0 + np.log(u / (1 - u))) / 0.1))
    each = stats.norm(2.0 * b[:, None], 1.0).logpdf(x)
    expected = each.mean(0) if objective == "ELBO" else np.log(np.exp(each).mean(0))
    found = model.evaluate({"x": x}, return_dict=True, seed=0)["elbo"]
    assert found == pytest.approx(expected.mean(), abs=0.03)
    history = model.fit({"x": x}, epochs=3, verbose=0, check=False).history["loss"]
    assert np.all(np.isfinite(history)) and np.all(np.isfinite(model.head.kernel))

"""Mixtures: densities, moments, gradients and fits against TFP and exact figures."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import backend, layers, tfd

ops = keras.ops
WEIGHTS = np.array([0.15, 0.3, 0.3, 0.25], "float32")
MEANS = np.array([-2.0, 0.0, 2.0, 4.0], "float32")


class Mixture(kprob.ProbabilisticModel):
    """c ~ Categorical(weights); x ~ N(means[c], scales[c]), all learned; `split` makes the network count on rows."""

    def __init__(self, split=False, **kwargs):
        super().__init__(**kwargs)
        self.split = split
        self.c, self.x = layers.Categorical(), layers.Normal()

    def generative(self):
        means = kprob.param("means", MEANS)
        scales = kprob.param("scales", np.full(4, 0.5, "float32"), constraint="positive")
        weights = kprob.param("weights", WEIGHTS, constraint="simplex")
        with kprob.plate("data") as rows:
            c = self.c(probs=weights)
            loc = ops.take(means, c)
            if self.split:
                loc = ops.concatenate([loc[:, None], ops.zeros((rows.size, 1))], axis=1)[:, 0]
            self.x(loc=loc, scale=ops.take(scales, c))


def reference(means, scales, weights):
    return tfd.MixtureSameFamily(tfd.Categorical(probs=weights), tfd.Normal(means, scales))


def fitted(split, data, **options):
    model = Mixture(split).compile(kprob.ELBO(), keras.optimizers.SGD(0.1), **options)
    model.evaluate({"x": data[:7]})  # the plan is made on other rows
    return model


@pytest.mark.parametrize("split", [False, True], ids=["one value for all rows", "a value for each row"])
def test_density_and_gradient_are_those_of_tfp(split):
    data = np.random.default_rng(0).normal(1, 3, 50).astype("float32")
    model = fitted(split, data)
    assert model.networks.plan.compact is not split
    found = model.evaluate({"x": data}, return_dict=True, batch_size=50)["elbo"]
    start = MEANS, np.full(4, 0.5, "float32"), WEIGHTS
    expected = float(ops.mean(reference(*start).log_prob(data)))
    assert found == pytest.approx(expected, abs=1e-5)
    # One SGD step shows the gradient, through `fit`, its minibatches and scales.
    slope = backend.gradients(lambda m: ops.mean(reference(m, *start[1:]).log_prob(data)), ops.convert_to_tensor(MEANS))
    model.fit({"x": data}, batch_size=50, epochs=1, verbose=0)
    moved = next(v for v in model.trainable_variables if v.name == "means")
    np.testing.assert_allclose(moved, MEANS + 0.1 * ops.convert_to_numpy(slope[1][0]), atol=1e-5)


def test_an_epoch_of_minibatches_has_the_mean_of_all_rows():
    data = np.random.default_rng(0).normal(1, 3, 50).astype("float32")
    model = Mixture().compile(kprob.ELBO(), keras.optimizers.SGD(0.0))
    history = model.fit({"x": data}, batch_size=16, epochs=1, verbose=0).history
    expected = float(ops.mean(reference(MEANS, np.full(4, 0.5, "float32"), WEIGHTS).log_prob(data)))
    assert history["elbo"][0] == pytest.approx(expected, abs=1e-5)


def test_numbers_of_double_precision():
    # NumPy's own: the density of the labels comes in another precision than that of the data.
    @kprob.probmodel
    def mixture():
        with kprob.plate("data"):
            c = kprob.sample("c", tfd.Categorical(probs=np.array([0.25, 0.75])))
            kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor([-1.0, 1.0]), c), 1.0))

    x = np.array([-0.5, 0.3, 2.0])
    model = mixture().compile(kprob.ELBO(), "sgd")
    expected = np.log(0.25 * stats.norm.pdf(x, -1.0) + 0.75 * stats.norm.pdf(x, 1.0)).mean()
    assert model.evaluate({"x": x}, return_dict=True)["elbo"] == pytest.approx(expected, abs=1e-6)


def test_moments_and_conditional_of_the_categorical_toy():
    grid = np.linspace(-6, 8, 2801).astype("float32")
    model = fitted(False, grid)
    assert model.prior("x", size=50).sample(400, seed=1).var() == pytest.approx(4.36, abs=0.15)
    log = [model.evaluate({"x": grid[i : i + 1]}, return_dict=True)["elbo"] for i in (1300, 1500)]
    np.testing.assert_allclose(log, reference(MEANS, np.float32(0.5), WEIGHTS).log_prob(grid[[1300, 1500]]), atol=1e-5)
    probs = model.posterior("c", {"x": grid}).probs()
    joint = WEIGHTS * np.exp(-0.5 * ((grid[:, None].astype("float64") - MEANS) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(probs, joint / joint.sum(1, keepdims=True), atol=1e-5)
    # Moments of the density that the sum left, by the rectangle rule.
    density = joint.sum(1) * 0.005
    mean = (density * grid).sum()
    assert mean == pytest.approx(1.3, abs=1e-4)
    assert (density * (grid - mean) ** 2).sum() == pytest.approx(4.36, abs=1e-3)


def test_masked_rows_do_not_count():
    kept = np.array([True, False, True, True])

    @kprob.probmodel
    def network():
        with kprob.plate("data"), kprob.handlers.mask(mask=kept):
            c = kprob.sample("c", tfd.Categorical(probs=WEIGHTS))
            kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor(MEANS), c), 0.5))

    data = np.array([0.1, 50.0, 2.0, 3.0], "float32")
    model = network().compile(kprob.ELBO(), "adam")
    expected = ops.sum(reference(MEANS, np.float32(0.5), WEIGHTS).log_prob(data[kept]))
    assert 4 * model.evaluate({"x": data}, return_dict=True)["elbo"] == pytest.approx(float(expected), abs=1e-4)


def test_scale_multiplies_the_sum_and_not_its_terms():
    @kprob.probmodel
    def network():
        with kprob.plate("data"), kprob.handlers.scale(factor=0.5):
            c = kprob.sample("c", tfd.Categorical(probs=WEIGHTS))
            kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor(MEANS), c), 0.5))

    data = np.array([0.1, 1.0, 2.0, 3.0], "float32")
    expected = 0.5 * ops.mean(reference(MEANS, np.float32(0.5), WEIGHTS).log_prob(data))
    found = network().compile(kprob.ELBO(), "adam").evaluate({"x": data}, return_dict=True)["elbo"]
    assert found == pytest.approx(float(expected), abs=1e-5)


def test_impossible_values_leave_finite_gradients():
    logits = np.array([[0.0, -np.inf], [-np.inf, 0.0]], "float32")

    @kprob.probmodel
    def network():
        shift = kprob.param("shift", 0.0)
        with kprob.plate("data"):
            a = kprob.sample("a", tfd.Categorical(logits=ops.zeros(2)))
            b = kprob.sample("b", tfd.Categorical(logits=ops.take(ops.convert_to_tensor(logits), a, axis=0)))
            kprob.sample("x", tfd.Normal(shift + ops.cast(a + b, "float32"), 1.0))

    data = np.array([0.0, 2.0], "float32")
    model = network().compile(kprob.ELBO(), keras.optimizers.SGD(0.1))
    model.fit({"x": data}, epochs=1, verbose=0)
    assert np.isfinite(np.asarray(model.trainable_variables[0]))


def test_means_and_weights_by_the_automatic_guide_and_labels_summed_out():
    random = np.random.default_rng(3)
    data = np.concatenate([random.normal(-3, 1, 60), random.normal(3, 1, 140)]).astype("float32")

    @kprob.probmodel
    def network():
        weight = kprob.sample("weight", tfd.Beta(1.0, 1.0))
        low = kprob.sample("low", tfd.Normal(-3.0, 3.0))
        high = kprob.sample("high", tfd.Normal(3.0, 3.0))
        with kprob.plate("data"):
            label = kprob.sample("label", tfd.Bernoulli(probs=weight))
            kprob.sample("x", tfd.Normal(ops.where(label == 1, high, low), 1.0))

    steps = keras.optimizers.schedules.CosineDecay(0.1, 300)
    model = network().compile(kprob.ELBO(), keras.optimizers.Adam(steps))
    model.fit({"x": data}, batch_size=200, epochs=300, verbose=0)
    assert model.posterior("weight").mean() == pytest.approx(0.7, abs=0.03)
    assert model.posterior("low").mean() == pytest.approx(data[:60].mean(), abs=0.15)
    assert model.posterior("high").mean() == pytest.approx(data[60:].mean(), abs=0.15)
    found = model.posterior("label", {"x": data})
    assert (found.mode()[60:] == 1).mean() > 0.97 and (found.mode()[:60] == 0).mean() > 0.97
    np.testing.assert_allclose(found.probs(50, seed=1)[:, 1], found.sample(400, seed=2).mean(0), atol=0.12)
    lines = []
    model.summary(print_fn=lines.append)
    assert any("Summed out exactly" in line and "`label`" in line for line in lines)
    again = model.posterior_predictive("x", {"x": data}).sample(200, seed=1)
    assert again[:, :60].mean() == pytest.approx(-3, abs=0.4) and again[:, 60:].mean() == pytest.approx(3, abs=0.3)


def test_save_and_load_keep_what_is_summed_out(tmp_path):
    data = np.random.default_rng(0).normal(1, 3, 20).astype("float32")
    model = Mixture(name="m").compile(kprob.ELBO(), "adam")
    model.fit({"x": data}, epochs=1, verbose=0)
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects={"Mixture": Mixture})
    assert again.evaluate({"x": data}) == pytest.approx(model.evaluate({"x": data}), abs=1e-6)
    np.testing.assert_allclose(again.posterior("c", {"x": data}).probs(), model.posterior("c", {"x": data}).probs())

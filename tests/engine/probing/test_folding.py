"""Draws share a run only where nobody can see it: networks that look across rows, against NumPy draw by draw."""

import itertools

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import layers, tfd
from kprob.errors import DataError, MismatchError, SiteError

ops = keras.ops
ROWS = 5


def at(n, start=0):
    return np.arange(start, start + n, dtype="float32")


# By name: what a network does with its rows z, given the plate, and the same in NumPy.
ACROSS = {
    "counts": (lambda z, plate: z + ops.cast(ops.arange(ops.shape(z)[0]), "float32"), lambda z: z + at(len(z))),
    "cumulates": (lambda z, plate: ops.cumsum(z), lambda z: np.cumsum(z)),
    "shifts": (lambda z, plate: ops.concatenate([ops.zeros((1,)), z[:-1]]), lambda z: np.r_[0.0, z[:-1]]),
    "ranks": (lambda z, plate: ops.cast(ops.argsort(ops.argsort(z)), "float32"), lambda z: z.argsort().argsort()),
    "centres": (lambda z, plate: z - ops.mean(z), lambda z: z - z.mean()),
    "takes the first": (lambda z, plate: z - z[0], lambda z: z - z[0]),
    "takes the last": (lambda z, plate: z * z[-1], lambda z: z * z[-1]),
    "weighs by a softmax": (lambda z, plate: ops.softmax(z, axis=0), lambda z: np.exp(z) / np.exp(z).sum()),
    "divides by the rows": (lambda z, plate: z / ops.shape(z)[0], lambda z: z / len(z)),
    "asks the plate": (lambda z, plate: z / plate.size, lambda z: z / len(z)),
    "makes an array of the plate's size": (lambda z, plate: z + ops.ones((plate.size,)), lambda z: z + 1.0),
    "multiplies all pairs": (lambda z, plate: ops.mean(z[:, None] * z[None], axis=1), lambda z: z * z.mean()),
    "turns around": (lambda z, plate: ops.flip(z), lambda z: z[::-1]),
    "sorts": (lambda z, plate: ops.sort(z), lambda z: np.sort(z)),
    "takes the largest": (lambda z, plate: z - ops.max(z), lambda z: z - z.max()),
    "scales by the length": (lambda z, plate: z / ops.sqrt(ops.sum(z**2)), lambda z: z / np.sqrt((z**2).sum())),
}
BY_ROW = {
    "squares": (lambda z, plate: z**2, lambda z: z**2),
    "adds a number": (lambda z, plate: z + 1.0, lambda z: z + 1.0),
    "cumulates along a new axis": (lambda z, plate: ops.cumsum(ops.stack([z, z], -1), -1)[:, 1], lambda z: 2 * z),
}
ALL = {**ACROSS, **BY_ROW}
# What is compiled takes seconds each: some of each kind go all the way.
SOME = [
    pytest.param(*ALL[name], id=name) for name in ("counts", "centres", "asks the plate", "takes the first", "squares")
]


def model_of(function, prior_scale=1.0):
    def generative():
        with kprob.plate("data") as plate:
            z = kprob.sample("z", tfd.Normal(0.5, prior_scale))
            f = kprob.deterministic("f", function(z, plate))
            kprob.sample("x", tfd.Normal(f, 0.5))

    return generative


def inference(x):
    with kprob.plate("data"):
        kprob.sample("z", tfd.Normal(0.3 * x + kprob.param("shift", 0.1), 1e-6))


def fitted(function, objective, **options):
    model = kprob.ProbabilisticModel(generative=model_of(function), inference=inference)
    model.compile(objective, keras.optimizers.SGD(0.0))
    model.fit({"x": X}, epochs=1, verbose=0, **options)
    return model


X = np.array([0.3, -1.0, 2.0, 0.7, -0.2], "float32")


@pytest.mark.parametrize("name", ALL)
def test_what_looks_across_rows_is_found(name):
    model = kprob.ProbabilisticModel(generative=model_of(ALL[name][0]), inference=inference)
    model.compile(kprob.ELBO(), keras.optimizers.SGD(0.0)).fit({"x": X}, epochs=0, verbose=0)
    assert model.networks.folding.generative == (name in BY_ROW or name == "asks the plate")
    assert model.networks.folding.inference


@pytest.mark.parametrize(("function", "expected"), SOME)
def test_prior_draws(function, expected):
    model = kprob.ProbabilisticModel(generative=model_of(function))
    draws = model.prior(["z", "f"], size=ROWS).sample(4, seed=1)
    assert draws["f"].shape == (4, ROWS)
    for z, f in zip(draws["z"], draws["f"], strict=True):
        np.testing.assert_allclose(f, expected(z), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("function", "expected"), SOME)
def test_objective_of_several_draws(function, expected):
    # q is a point: every draw is the same, and so is the likelihood of one draw and of many.
    known = np.mean(tfd.Normal(expected(0.3 * X + 0.1).astype("float32"), 0.5).log_prob(X))
    model = fitted(function, kprob.ELBO(num_samples=3))
    assert np.isclose(model.evaluate({"x": X}, seed=3, return_dict=True)["log_likelihood"], known, rtol=1e-3)
    draws = model.posterior(["z", "f"], {"x": X}).sample(3, seed=1)
    for z, f in zip(draws["z"], draws["f"], strict=True):
        np.testing.assert_allclose(f, expected(z), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.predict({"x": X}, num_samples=4), expected(0.3 * X + 0.1), rtol=1e-3, atol=1e-4)


def test_the_evidence_of_rows_that_share_their_mean():
    def generative():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("x", tfd.Normal(ops.mean(z) + 0.0 * z, 1.0))

    def inference():
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(0.0 * kprob.param("m", 0.0), 1.0))

    x = np.array([1.0, 2.0, 1.5], "float32")
    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    model.compile(kprob.ELBO(), keras.optimizers.SGD(0.0)).fit({"x": x}, epochs=1, verbose=0)
    known = stats.multivariate_normal(np.zeros(3), np.eye(3) + np.full((3, 3), 1 / 3)).logpdf(x)
    estimate = model.log_marginal_likelihood({"x": x}, num_samples=20_000, seed=1)
    assert estimate.per_datum is None
    assert abs(estimate - known) < 5 * estimate.standard_error < 0.2
    # Rows with weights of their own would give this.
    assert abs(estimate - stats.norm(0, np.sqrt(4 / 3)).logpdf(x).sum()) > 0.3
    # A bound of many draws is near the evidence from below.
    model.compile(kprob.objectives.ImportanceWeightedELBO(num_samples=2000), keras.optimizers.SGD(0.0))
    bound = 3 * model.evaluate({"x": x}, return_dict=True, seed=2)["elbo"]
    assert known - 0.3 < bound < known + 0.1


def test_the_gradient_of_coins_that_share_their_mean():
    x = np.array([0.9, 0.2, 0.7], "float32")

    def generative():
        with kprob.plate("data"):
            c = kprob.sample("c", tfd.Bernoulli(probs=0.4, dtype="float32"))
            kprob.sample("x", tfd.Normal(ops.mean(c) + 0.0 * c, 0.1))

    def inference():
        with kprob.plate("data"):
            kprob.sample("c", tfd.Bernoulli(logits=kprob.param("logit", 0.3), dtype="float32"))

    def elbo(logit):
        q, total = 1 / (1 + np.exp(-logit)), 0.0
        for c in itertools.product([0.0, 1.0], repeat=3):
            log_q = stats.bernoulli(q).logpmf(c).sum()
            log_p = stats.bernoulli(0.4).logpmf(c).sum() + stats.norm(np.mean(c), 0.1).logpdf(x).sum()
            total += np.exp(log_q) * (log_p - log_q)
        return total

    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    keras.utils.set_random_seed(1)
    model.compile(kprob.ELBO(num_samples=3000), keras.optimizers.SGD(1.0)).fit({"x": x}, epochs=1, verbose=0)
    moved = 3 * (float(ops.convert_to_numpy(model.trainable_variables[0])) - 0.3)
    slope = (elbo(0.3 + 1e-4) - elbo(0.3 - 1e-4)) / 2e-4
    assert abs(moved - slope) < 1.5, (moved, slope)  # where rows are taken for independent: -0.6 for 3.2


@pytest.mark.parametrize("size", [None, 4])
def test_coins_that_share_their_mean_are_not_summed_out(size):
    def generative():
        with kprob.plate("data" if size is None else "coins", size):
            c = kprob.sample("c", tfd.Bernoulli(probs=0.4, dtype="float32"))
            kprob.sample("x", tfd.Normal(c - ops.mean(c), 0.1))

    model = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam")
    with pytest.raises(SiteError, match="`x` at one place of plate"):
        model.fit({"x": np.ones(4, "float32")}, epochs=1, verbose=0)


def test_laplace_needs_independent_rows():
    model = kprob.ProbabilisticModel(generative=model_of(ALL["centres"][0]), inference=kprob.guides.Laplace())
    with pytest.raises(MismatchError, match="one by one"):
        model.compile(kprob.ELBO(), "adam").fit({"x": X}, epochs=1, verbose=0)


def test_a_network_that_looks_across_rows_sees_all_of_them():
    function, expected = ACROSS["cumulates"]
    x = np.linspace(-1, 1, 40).astype("float32")
    model = kprob.ProbabilisticModel(generative=model_of(function), inference=inference)
    model.compile(kprob.ELBO(), keras.optimizers.SGD(0.0))
    with pytest.raises(DataError, match="all rows at once"):
        model.fit({"x": x}, epochs=1, batch_size=8, verbose=0)
    model.fit({"x": x}, epochs=1, verbose=0)
    np.testing.assert_allclose(model.predict({"x": x}, num_samples=2), expected(0.3 * x + 0.1), rtol=1e-3, atol=1e-4)
    with pytest.raises(DataError, match="all rows at once"):
        model.predict({"x": x}, batch_size=8)
    with pytest.raises(DataError, match="all rows at once"):
        model.evaluate({"x": x}, batch_size=8)


class Centre(keras.layers.Layer):
    """Takes the mean of the batch off while it is trained, as user-made normalisations do."""

    def call(self, z, training=False):
        return z - ops.mean(z, axis=0) if training else z


class Decoded(kprob.ProbabilisticModel):
    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = layer
        self.z, self.x, self.q = layers.Normal(2), layers.Normal(2), layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(loc=self.layer(self.z()), scale=1.0)

    def inference(self, x):
        with kprob.plate("data"):
            self.q(loc=0.5 * x, scale=1e-6)


@pytest.mark.parametrize(
    ("layer", "in_training"),
    [
        (keras.layers.Dense(2), True),
        (keras.layers.Dropout(0.5), True),
        (keras.Sequential([keras.layers.Dense(3), keras.layers.GaussianNoise(1.0), keras.layers.Dense(2)]), True),
        (keras.layers.Dropout(0.5, noise_shape=(1, 2)), False),
        (keras.layers.BatchNormalization(), False),
        (Centre(), False),
    ],
    ids=["dense", "dropout", "noise inside", "one mask for all", "batch normalization", "own layer"],
)
def test_layers_that_look_across_rows_in_training(layer, in_training):
    model = Decoded(layer).compile(kprob.ELBO(), "adam")
    model.fit({"x": np.ones((7, 2), "float32")}, epochs=0, verbose=0)
    assert model.networks.folding.of_both
    assert model.networks.folding.in_training == in_training


def test_batch_statistics_are_those_of_one_draw():
    x = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
    logs = []
    for objective in (kprob.ELBO(), kprob.ELBO(num_samples=4)):
        model = Decoded(Centre()).compile(objective, keras.optimizers.SGD(0.0))
        logs.append(model.fit({"x": x}, epochs=1, verbose=0).history["log_likelihood"][-1])
    z = 0.5 * x
    known = stats.norm(z - z.mean(0), 1.0).logpdf(x).sum() / 6
    np.testing.assert_allclose(logs, known, rtol=1e-4)


class SumOfRows(kprob.objectives.Objective):
    """Written for one draw: it sums over whatever rows it sees."""

    def call(self, generative_trace, inference_trace):
        return ops.sum(generative_trace["x"].log_prob())


def test_an_objective_of_a_user_sees_one_draw():
    x = np.ones((6, 2), "float32")
    losses = []
    for number in (1, 3):
        model = Decoded(keras.layers.Activation("linear")).compile(SumOfRows(number), keras.optimizers.SGD(0.0))
        losses.append(model.fit({"x": x}, epochs=1, verbose=0).history["loss"][-1])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)


def test_the_plate_of_a_folded_run_is_that_of_one_draw():
    seen = []

    def generative():
        with kprob.plate("data") as plate:
            seen.append((plate.size, None if plate.indices is None else plate.indices.shape[0]))
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("x", tfd.Normal(z, 1.0))

    model = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(num_samples=3), "adam")
    model.fit({"x": X}, epochs=1, verbose=0)
    model.prior("x", size=ROWS).sample(7)
    assert model.networks.folding.in_training
    assert {size for size, _ in seen} <= {1, 3, ROWS}
    assert {number for _, number in seen} <= {None, 3, ROWS}


def test_rows_that_meet_by_groups():
    group = np.array([0, 1, 2, 3, 0, 1, 2, 3], "int32")

    def generative(group):
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            mean = ops.segment_sum(z, group, 4) / 2.0
            kprob.sample("x", tfd.Normal(ops.take(mean, group), 1.0))

    x = np.linspace(-1.0, 1.0, 8).astype("float32")
    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    model.compile(kprob.ELBO(), keras.optimizers.SGD(0.0)).fit({"x": x, "group": group}, epochs=1, verbose=0)
    assert not model.networks.folding.generative
    assert model.networks.coupling.plates == {"data"}  # the first rows are of a group each
    draws = model.posterior_predictive("x", {"group": group, "x": x}).mean(seed=1)
    assert draws.shape == (8,)

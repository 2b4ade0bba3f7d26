"""Ranks: their p-values, their bands, and simulation-based calibration of models that are right and that are wrong."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import layers, tfd
from kprob.diagnostics import Calibration, ecdf_bands, sbc
from kprob.errors import KprobError

ops = keras.ops


@pytest.mark.once
def test_uniform_ranks_leave_the_band_as_often_as_it_says():
    points, lower, upper = ecdf_bands(100, 50, 0.9)
    generator = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        ranks = generator.integers(0, 50, 100)
        ecdf = np.array([np.mean(ranks < place) for place in np.round(points * 50)])
        inside += bool(np.all((ecdf >= lower - 1e-9) & (ecdf <= upper + 1e-9)))
    # The band is of whole numbers, so its probability is at least 0.9, and not much more.
    assert 0.885 < inside / 2000 < 0.925


@pytest.mark.once
def test_p_values_of_uniform_ranks_are_uniform():
    ranks = np.random.default_rng(0).integers(0, 100, (300, 400))
    values = Calibration({"w": ranks}, 99).p_values["w"]
    assert stats.kstest(values, "uniform").pvalue > 0.01


@pytest.mark.once
@pytest.mark.parametrize(
    ("a", "b", "words"), [(0.4, 0.4, "narrow"), (3, 3, "wide"), (2, 1, "too low"), (1, 2, "too high")]
)
def test_ranks_that_are_not_uniform_are_told_and_described(a, b, words):
    ranks = np.floor(100 * np.random.default_rng(0).beta(a, b, 300)).astype(int)
    found = Calibration({"w": ranks, "b": np.random.default_rng(1).integers(0, 100, 300)}, 99)
    assert not found.uniform() and found.outside()["w"] and not found.outside()["b"]
    assert words in str(found) and "ranks flat" in str(found)


@pytest.mark.once
def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    found = Calibration({"w": np.random.default_rng(0).integers(0, 20, (100, 2)), "b": np.arange(100) % 20}, 19)
    figure = found.plot(tmp_path / "ranks.png")
    assert (tmp_path / "ranks.png").stat().st_size > 5000
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["w[0]", "w[1]", "b"]


X = np.random.default_rng(3).normal(size=(20, 2)).astype("float32")
PRECISION = X.T @ X / 0.25 + np.eye(2)
COVARIANCE = np.linalg.inv(PRECISION).astype("float32")


class Conjugate(kprob.ProbabilisticModel):
    """y = Xw + N(0, 0.5), w ~ N(0, I), with the exact posterior as q; `spread` and `shift` break it."""

    def __init__(self, spread=1.0, shift=0.0, **kwargs):
        super().__init__(**kwargs)
        self.spread, self.shift = spread, shift
        self.w = layers.Normal(2, loc=0.0, scale=1.0)
        self.y = layers.Normal(scale=0.5)

    def generative(self, features):
        w = self.w()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w))

    def inference(self, features, y):
        mean = ops.matmul(COVARIANCE, ops.matmul(ops.transpose(features), y)) / 0.25 + self.shift
        kprob.sample("w", tfd.MultivariateNormalTriL(mean, self.spread * np.linalg.cholesky(COVARIANCE)))


def ranks_of(model, number=300, **options):
    model.compile(kprob.ELBO(), "adam")
    return sbc(model, number, 49, data={"features": X}, observed="y", refit=False, seed=1, verbose=False, **options)


def test_an_exact_regression_is_calibrated():
    found = ranks_of(Conjugate())
    assert found.ranks["w"].shape == (300, 2) and found.uniform()
    assert not found.outside(0.99)["w"].any()


@pytest.mark.parametrize("broken", [{"spread": 0.5}, {"spread": 2.0}, {"shift": 0.1}])
def test_a_model_broken_on_purpose_is_not(broken):
    assert ranks_of(Conjugate(**broken), 200).min_p_value < 1e-4


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


def test_refits_start_anew_compile_once_and_leave_no_trace():
    keras.utils.set_random_seed(0)
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"sensor": 18.0}, epochs=3, verbose=0)
    before = [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]
    history, options = model.history, {"epochs": 150}
    first = sbc(model, 3, 9, fit=options, verbose=False, seed=5)
    programs = list(model.networks.programs.entries.items())
    again = sbc(model, 3, 9, fit=options, verbose=False, seed=5)
    assert np.array_equal(first.ranks["temp"], again.ranks["temp"])
    assert [(key, value) for key, value in model.networks.programs.entries.items()] == programs
    after = [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True)) and model.history is history


def test_a_model_or_what_makes_one():
    def make():
        return temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))

    found = sbc(make, 2, 9, observed="sensor", fit={"epochs": 2}, verbose=False)
    assert found.ranks["temp"].shape == (2,)


def test_what_is_data_must_be_known():
    model = temperature().compile(kprob.ELBO(), "adam")
    with pytest.raises(KprobError, match="which sites are data"):
        sbc(model, 2)
    with pytest.raises(KprobError, match="which sites are data"):
        sbc(model, 2, observed="sensors")


@pytest.mark.slow
def test_the_hierarchical_temperature_by_variational_inference():
    """q is normal and joint, so it can be exact; mean field is too narrow for the mean, and calibration tells."""

    @kprob.probmodel
    def ten():
        mean = kprob.sample("mean", tfd.Normal(15.0, 2.0))
        with kprob.plate("days", 10):
            temp = kprob.sample("temp", tfd.Normal(mean, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

    def joint():
        # Given the mean, each day's temperature depends on it linearly.
        loc = kprob.param("loc", 15.0)
        mean = kprob.sample("mean", tfd.Normal(loc, kprob.param("scale", 1.0, constraint="positive")))
        slope, start = kprob.param("slope", 0.0), kprob.param("start", np.full(10, 15.0, "float32"))
        with kprob.plate("days", 10):
            scale = kprob.param("scales", 1.0, constraint="positive")
            kprob.sample("temp", tfd.Normal(start + slope * (mean - 15.0), scale))

    def run(inference, number):
        steps = keras.optimizers.schedules.CosineDecay(0.2, 1500)
        model = ten(inference=inference).compile(kprob.ELBO(num_samples=10), keras.optimizers.Adam(steps))
        return sbc(model, number, 49, observed="sensor", fit={"epochs": 1500}, sites="mean", verbose=False)

    assert run(joint, 200).uniform()


@pytest.mark.slow
def test_a_mixture_with_its_labels_summed_out():
    @kprob.probmodel
    def mixture():
        weight = kprob.sample("weight", tfd.Beta(2.0, 2.0))
        with kprob.plate("data"):
            x = tfd.MixtureSameFamily(
                tfd.Categorical(probs=ops.stack([weight, 1 - weight])), tfd.Normal([-2.0, 2.0], 1.0)
            )
            kprob.sample("x", x)

    steps = keras.optimizers.schedules.CosineDecay(0.2, 600)
    model = mixture().compile(kprob.ELBO(num_samples=10), keras.optimizers.Adam(steps))
    found = sbc(model, 150, 49, observed="x", size=30, fit={"epochs": 600, "batch_size": 30}, verbose=False)
    assert found.uniform()

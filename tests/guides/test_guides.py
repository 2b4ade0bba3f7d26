"""Where guides start, their quantiles, groups, and what each of them is told wrongly."""

import keras
import numpy as np
import pytest
from guides import guided_models
from scipy import stats

import kprob
from kprob import guides, tfd
from kprob.errors import KprobError, MismatchError


@kprob.probmodel
def scaled():
    """A positive latent, a real one, and one whose support depends on another."""
    sigma = kprob.sample("sigma", tfd.Gamma(3.0, 2.0))
    mu = kprob.sample("mu", tfd.Normal(1.0, 2.0))
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(mu, 1.0))
        kprob.sample("x", tfd.Normal(z, sigma))


@kprob.probmodel
def bounded():
    """The upper bound of `part` is drawn."""
    whole = kprob.sample("whole", tfd.LogNormal(0.0, 1.0))
    part = kprob.sample("part", tfd.Uniform(0.0, whole))
    kprob.sample("x", tfd.Normal(part, 0.1))


X = {"x": np.arange(5, dtype="float32")}


def started(guide, model=scaled, data=X):
    found = model(inference=guide).compile(kprob.ELBO(), "adam")
    found.evaluate(data, verbose=0)
    return found


def test_starts():
    gamma = stats.gamma(3.0, scale=0.5)
    median = started(guides.Normal()).guide.median()
    assert median["sigma"] == pytest.approx(gamma.median(), rel=1e-4)
    assert median["z"] == pytest.approx(np.ones(5))
    assert started(guides.Normal(init="mean")).guide.median()["sigma"] == pytest.approx(1.5)
    given = {"sigma": 0.7, "z": X["x"]}
    found = started(guides.MultivariateNormal(init=given)).guide
    assert found.median()["sigma"] == pytest.approx(0.7) and found.median()["mu"] == pytest.approx(1.0)
    np.testing.assert_allclose(found.median()["z"], X["x"], atol=1e-6)
    again = guides.MultivariateNormal.from_config(found.get_config())
    assert again.get_config() == found.get_config()


def test_a_start_drawn_from_the_prior_is_another_for_another_seed():
    drawn = []
    for seed in (1, 2, 1):
        keras.utils.set_random_seed(seed)
        drawn.append(float(started(guides.Delta(init="sample")).guide.median()["mu"]))
    assert drawn[0] == drawn[2] != drawn[1]


@pytest.mark.parametrize(
    "init, match",
    [
        ("medain", "can't start from this. Did you mean 'median'?"),
        ({"sigma": -1.0}, "start value for latent `sigma` is outside its support"),
        ({"z": np.zeros(3)}, "start value for latent `z` has the wrong shape"),
    ],
)
def test_starts_that_are_none(init, match):
    with pytest.raises(MismatchError, match=match):
        started(guides.Normal(init=init))


def test_quantiles_are_exact_through_monotone_bijectors():
    q = started(guides.Normal(init_scale=0.5, init={"sigma": 0.7})).guide
    expected = 0.7 * np.exp(0.5 * stats.norm.ppf([0.05, 0.5, 0.95]))
    np.testing.assert_allclose(q.quantiles([0.05, 0.5, 0.95])["sigma"], expected, rtol=1e-4)
    assert q.quantiles([0.1, 0.9])["z"].shape == (2, 5)
    with pytest.raises(KprobError, match="`quantiles` takes probabilities"):
        q.quantiles([5, 95])


@pytest.mark.parametrize("make", [guides.Normal, guides.MultivariateNormal, guides.Structured, guides.RealNVP])
def test_supports_that_depend_on_other_latents(make):
    model = started(make(init_scale=0.8), bounded, {"x": 0.5})
    draws = model.posterior().sample(200, seed=0)
    assert (draws["part"] > 0).all() and (draws["part"] < draws["whole"]).all()
    assert np.corrcoef(draws["part"], draws["whole"])[0, 1] > 0.3
    median = model.guide.median(num_samples=500)
    assert 0 < median["part"] < median["whole"]


def test_groups():
    guide = guides.Group({("sigma", "mu"): guides.MultivariateNormal()}, default=guides.Delta())
    model = started(guide)
    assert {name: type(owner) for name, owner in guide.owners.items()} == {
        "sigma": guides.MultivariateNormal,
        "mu": guides.MultivariateNormal,
        "z": guides.Delta,
    }
    assert model.posterior("z").stddev() == pytest.approx(np.zeros(5))
    again = guides.Group.from_config(guide.get_config())
    assert again.named == [("sigma", "mu")] and isinstance(again.default, guides.Delta)


@pytest.mark.parametrize(
    "make, match",
    [
        (lambda: guides.Group({"sgima": guides.Delta()}), "no latent. Did you mean 'sigma'?"),
        (lambda: guides.Group({"mu": guides.Delta(), ("mu", "z"): guides.Delta()}), "two guides for latent `mu`"),
        (lambda: guides.Group({"mu": guides.Laplace()}), "Group takes guides"),
        (lambda: guides.Structured(parents={"mu": ["z"]}), "`mu` can't depend on `z`, which isn't drawn before it"),
        (lambda: guides.Structured(parents={"mu": ["sgima"]}), "that isn't there. Did you mean 'sigma'?"),
    ],
)
def test_latents_that_are_not_there(make, match):
    with pytest.raises(MismatchError, match=match.replace("?", r"\?")):
        started(make())


def test_structured_knows_the_models_graph_and_takes_another():
    assert started(guides.Structured()).guide.parents == {"sigma": (), "mu": (), "z": ("mu",)}
    guide = started(guides.Structured(parents={"mu": ["sigma"]})).guide
    assert guide.parents == {"sigma": (), "mu": ("sigma",), "z": ()}
    assert guide.parameters["mu_on_sigma"].shape == (1, 1)


def test_structured_pairs_the_elements_of_a_common_plate():
    @kprob.probmodel
    def schools():
        with kprob.plate("schools", 3):
            a = kprob.sample("a", tfd.Normal(0.0, 1.0))
            b = kprob.sample("b", tfd.MultivariateNormalDiag(keras.ops.stack([a, a], -1), [1.0, 1.0]))
        kprob.sample("x", tfd.Normal(keras.ops.sum(b), 1.0))

    guide = started(guides.Structured(), schools, {"x": 1.0}).guide
    assert guide.parameters["b_on_a"].shape == (3, 2, 1)


def test_a_mode_is_one_of_the_latent_itself_and_for_laplace_of_its_logarithm():
    # sigma ~ Gamma(3, 2) with nothing observed of it: its mode is 1, that of its logarithm's density is at 1.5.
    @kprob.probmodel
    def alone():
        sigma = kprob.sample("sigma", tfd.Gamma(3.0, 2.0))
        kprob.sample("x", tfd.Normal(0.0 * sigma, 1.0))

    for guide, expected in ((guides.Delta(), 1.0), (guides.Laplace(), 1.5)):
        model = alone(inference=guide).compile(kprob.ELBO(), guided_models.adam(0.1, 400))
        model.fit({"x": 0.0}, epochs=400, verbose=0)
        assert model.guide.median()["sigma"] == pytest.approx(expected, abs=1e-3)
    # log sigma has density 8 exp(3 u − 2 exp(u)) / 2: curvature 2 exp(u) = 3 at the mode.
    spread = np.log(model.guide.quantiles([stats.norm.cdf(1.0)])["sigma"][0] / 1.5)
    assert spread == pytest.approx(3**-0.5, rel=1e-3)


def test_laplace_needs_a_maximum():
    @kprob.probmodel
    def saddle():
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        kprob.factor("up", 2.0 * a**2)
        kprob.sample("x", tfd.Normal(0.0 * a, 1.0))

    model = saddle(inference=guides.Laplace()).compile(kprob.ELBO(), "adam")
    with pytest.raises(KprobError, match="Laplace found no maximum"):
        model.fit({"x": 0.0}, epochs=1, verbose=0)


def test_laplace_goes_on_from_the_mode_and_is_a_point_until_the_next_fit_ends():
    model = guided_models.temperature(inference=guides.Laplace())
    model.compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: seen.append(float(model.posterior("level").stddev()))
    )
    for _ in range(2):
        model.fit({"sensor": 18.0}, epochs=2, verbose=0, callbacks=[watch])
        assert seen[-1] == 0.0
        assert model.posterior("level").stddev() == pytest.approx(0.8944, rel=1e-3)


def test_laplace_of_a_stream_has_the_curvature_of_all_its_rows():
    @kprob.probmodel
    def mean():
        mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return {"x": np.arange(10, dtype="float32")[4 * i : 4 * i + 4]}

    model = mean(inference=guides.Laplace()).compile(kprob.ELBO(), "adam")
    model.fit(Batches(), epochs=1, verbose=0)
    assert model.posterior("mu").stddev() == pytest.approx((10 + 0.01) ** -0.5, rel=1e-4)
    again = mean(inference=guides.Laplace()).compile(kprob.ELBO(), "adam")
    with pytest.raises(kprob.errors.DataError, match="Laplace goes through the data once more"):
        again.fit(({"x": np.ones(4)} for _ in range(2)), num_data=8, epochs=1, verbose=0)

"""What queries say of values: many at once, outside supports, of sites that are covariates too, in double precision."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import layers, tfd
from kprob.errors import DataError, FitWarning, KprobError

ops = keras.ops
QUIET = {"verbose": 0, "check": False}
X = np.random.default_rng(0).normal(3.0, 1.0, 12).astype("float32")


def mean_of_rows():
    mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mu, 1.0))


class Encoded(kprob.ProbabilisticModel):
    """z_i ~ N(0, 1), y_i ~ N(5, 0.1), x_i ~ N(z_i + y_i - 5, 1); q has both z and y."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.z, self.y, self.x = layers.Normal(loc=0.0, scale=1.0), layers.Normal(scale=0.1), layers.Normal(scale=1.0)
        self.qz, self.qy = layers.Normal(name="z"), layers.Normal(name="y")

    def generative(self):
        with kprob.plate("data"):
            z = self.z()
            self.x(loc=z + self.y(loc=5.0 + 0.0 * z) - 5.0)

    def inference(self, x):
        with kprob.plate("data"):
            features = ops.stack([x, x], -1)
            self.qz(features)
            self.qy(100.0 * features)


@pytest.fixture(scope="module")
def trained():
    keras.utils.set_random_seed(1)
    model = kprob.ProbabilisticModel(generative=mean_of_rows).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"x": X}, epochs=5, **QUIET)
    return model


@pytest.fixture(scope="module")
def encoded():
    keras.utils.set_random_seed(1)
    model = Encoded().compile(kprob.ELBO(), keras.optimizers.Adam(0.01))
    model.evaluate({"x": X, "y": X - 5.0}, verbose=0)  # builds it with `y` observed
    return model


def count_calls(model, run):
    """Returns the number of times that compiled programs are called while something runs."""
    calls, programs = [], model.networks.programs
    compiled = programs.compiled

    def counted(key, program):
        found = compiled(key, program)
        return lambda *arguments: calls.append(key) or found(*arguments)

    programs.compiled = counted
    try:
        run()
    finally:
        programs.compiled = compiled
    return len(calls)


def same_as_one_by_one(query, values, names, **options):
    together = query.log_prob(values, **options)
    number = len(values[names[0]])
    for i in (0, number // 2, number - 1):
        alone = query.log_prob({n: v[i] if n in names else v for n, v in values.items()}, **options)
        for name, density in together.items():
            assert density.shape == (number, *alone[name].shape)
            np.testing.assert_allclose(density[i], alone[name], rtol=1e-5, atol=1e-5)
    return together


def test_many_draws_are_one_call(trained, encoded):
    draws = np.linspace(-1.0, 4.0, 2000).astype("float32")
    query = trained.posterior("mu")
    assert count_calls(trained, lambda: query.log_prob(draws)) == 1
    found = query.parameters()
    np.testing.assert_allclose(
        query.log_prob(draws), stats.norm(found["loc"], found["scale"]).logpdf(draws), rtol=1e-3, atol=1e-3
    )
    for name, query, values, names in (
        ("prior", trained.prior(["mu", "x"], size=3), {"mu": draws[:50], "x": np.ones((50, 3))}, ["mu", "x"]),
        ("prior, one for all", trained.prior(["mu", "x"], size=3), {"mu": draws[:50], "x": np.ones(3)}, ["mu"]),
        ("posterior", trained.posterior(["mu"]), {"mu": draws[:50]}, ["mu"]),
        (
            "predictive",
            trained.posterior_predictive(["x"], size=3),
            {"mu": draws[:9], "x": np.ones((9, 3))},
            ["mu", "x"],
        ),
        ("rows", encoded.posterior(["z"], {"x": X}), {"z": np.ones((7, 12))}, ["z"]),
    ):
        assert np.isfinite(next(iter(same_as_one_by_one(query, values, names).values()))).all(), name


def test_many_draws_of_what_is_summed_out():
    @kprob.probmodel
    def two():
        s = kprob.sample("s", tfd.Categorical(probs=[0.2, 0.8]))
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Normal(mu + ops.cast(s, "float32"), 1.0))

    model = two().compile(kprob.ELBO(), "adam")
    model.fit({"x": 1.0}, epochs=1, **QUIET)
    values = {"mu": np.array([0.0, 1.0, 2.0]), "s": np.array([0, 1, 1])}
    found = same_as_one_by_one(model.posterior(["mu", "s"], {"x": 1.0}), values, ["mu", "s"])
    weight = stats.norm.logpdf(1.0, np.array([[0.0], [1.0], [2.0]]) + np.array([0, 1])) + np.log([0.2, 0.8])
    right = weight[np.arange(3), values["s"]] - np.logaddexp(weight[:, 0], weight[:, 1])
    np.testing.assert_allclose(found["s"], right, rtol=1e-4)


def test_many_draws_where_python_decides():
    model = kprob.ProbabilisticModel(generative=mean_of_rows).compile(kprob.ELBO(), "adam", run_eagerly=True)
    model.evaluate({"x": X}, verbose=0)
    same_as_one_by_one(model.prior(["mu", "x"], size=2), {"mu": np.arange(4.0), "x": np.ones((4, 2))}, ["mu", "x"])


def test_values_that_no_parameters_make_possible():
    def network():
        with kprob.plate("data"):
            rate = kprob.sample("rate", tfd.Exponential(1.0))
            kprob.sample("coin", tfd.Bernoulli(probs=0.3 + 0.0 * rate))
            kprob.sample("label", tfd.Categorical(logits=ops.zeros(3)))

    model = kprob.ProbabilisticModel(generative=network)
    right = {"rate": [0.5, 2.0], "coin": [0, 1], "label": [2, 0]}
    found = model.prior(size=2).log_prob(right)
    np.testing.assert_allclose(found["rate"], [-0.5, -2.0], rtol=1e-5)
    np.testing.assert_allclose(found["coin"], np.log([0.7, 0.3]), rtol=1e-4)
    for name, wrong, index in (("rate", [0.5, -0.5], 1), ("coin", [7, 1], 0), ("label", [2, 3], 1)):
        words = rf"(?s)values for `{name}` are outside the support.*at index \({index},\)"
        with pytest.raises(DataError, match=words):
            model.prior(size=2).log_prob({**right, name: wrong})
        with pytest.raises(DataError, match=words):
            model.prior(None, {name: wrong})
        many = {n: np.tile(v, (8, 1)) for n, v in right.items()}
        many[name][7] = wrong
        with pytest.raises(
            DataError, match=rf"(?s)values for `{name}` are outside the support.*at index \(7, {index}\)"
        ):
            model.prior(size=2).log_prob(many)


def test_values_that_these_parameters_make_impossible_have_no_density():
    def network():
        low = kprob.sample("low", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Pareto(3.0, ops.exp(low)))
        n = kprob.sample("n", tfd.Poisson(3.0))
        kprob.sample("k", tfd.Binomial(n, probs=0.5))
        kprob.sample("u", tfd.Uniform(0.0, 1.0))

    query = kprob.ProbabilisticModel(generative=network).prior(["x", "k", "u"])
    values = {
        "low": [0.0, 1.0, 0.0],
        "x": [2.0, 2.0, 0.5],
        "n": [4.0, 4.0, 4.0],
        "k": [4.0, 5.0, 0.0],
        "u": [0.5, 2.0, -1.0],
    }
    found = query.log_prob(values)
    np.testing.assert_allclose(found["x"], [stats.pareto(3.0).logpdf(2.0), -np.inf, -np.inf], rtol=1e-4)
    np.testing.assert_allclose(found["k"], [4 * np.log(0.5), -np.inf, 4 * np.log(0.5)], rtol=1e-4)
    np.testing.assert_allclose(found["u"], [0.0, -np.inf, -np.inf])
    model = kprob.ProbabilisticModel(generative=network)
    with pytest.raises(DataError, match="data for `u` has values outside the support of its Uniform"):
        model.prior("x", {"u": 2.0})
    assert model.prior("u", {"x": 2.0}).sample(2).shape == (2,)  # what others make possible is no mistake


def test_impossible_data_of_a_trained_model(encoded, trained):
    def coins():
        p = kprob.sample("p", tfd.Beta(1.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Bernoulli(probs=p))

    model = kprob.ProbabilisticModel(generative=coins).compile(kprob.ELBO(), "adam")
    model.fit({"x": [0, 1, 1]}, epochs=1, **QUIET)
    wrong = {"x": [0, 7, 1]}
    verbs = [lambda x: model.posterior(None, x), lambda x: model.posterior_predictive(None, x), model.predict]
    for verb in (*verbs, model.diagnose, model.log_likelihood, model.log_marginal_likelihood):
        verb({"x": [0, 1, 1]})
        with pytest.raises(DataError, match="values for `x` are outside the support of its Bernoulli"):
            verb(wrong)


def test_a_covariate_of_a_sites_name_is_no_value_of_the_site():
    def walk(x, drift):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(x + drift, 0.5))

    model = kprob.ProbabilisticModel(generative=walk)
    for query in (model.prior("x", {"x": X, "drift": X}), model.prior(None, {"x": X, "drift": X})):
        draws = query.sample(2000, seed=1)
        draws = draws if query.single else draws["x"]
        np.testing.assert_allclose(draws.mean(axis=0), 2 * X, atol=0.06)
        np.testing.assert_allclose(draws.std(axis=0), 0.5, rtol=0.1)
    query = model.prior("x", {"x": X, "drift": X})
    np.testing.assert_allclose(query.mean(), 2 * X, rtol=1e-5)
    np.testing.assert_allclose(query.log_prob(), stats.norm.logpdf(X, 2 * X, 0.5), rtol=1e-4)


def test_the_prior_of_a_model_with_a_guide_of_rows_has_rows_of_its_own():
    def local():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("x", tfd.Normal(z, 1.0))

    model = kprob.ProbabilisticModel(generative=local).compile(kprob.ELBO(), "adam")
    model.fit({"x": X}, epochs=1, **QUIET)
    assert model.prior("x", size=3).sample(2).shape == (2, 3)
    assert model.prior("x").sample(2).shape == (2, 1)
    assert model.prior("x", {"z": X[:5]}).sample(2).shape == (2, 5)
    assert model.posterior("z").mean().shape == (12,)


def test_what_q_never_learnt_answers_nothing(encoded, tmp_path):
    model = encoded
    model.fit({"x": X, "y": np.full(12, 5.0)}, epochs=2, **QUIET)

    def predicted(one):
        return one.posterior_predictive("y", {"x": X}).mean(seed=1)

    np.testing.assert_allclose(predicted(model), 5.0, atol=0.02)  # an untrained head would say hundreds
    assert np.abs(model.posterior_predictive("x", {"x": X}).mean(seed=1)).max() < 20.0
    with pytest.raises(KprobError, match="`posterior` of Encoded has no site `y`"):
        model.posterior("y", {"x": X})
    model.evaluate({"x": X}, verbose=0)  # trains nothing
    np.testing.assert_allclose(predicted(model), 5.0, atol=0.02)
    model.save(tmp_path / "m.h5")
    np.testing.assert_allclose(
        predicted(kprob.load_model(tmp_path / "m.h5", custom_objects={"Encoded": Encoded})), 5.0, atol=0.02
    )
    model.fit({"x": X}, epochs=1, **QUIET)  # and now it has learnt something
    assert model.posterior("y", {"x": X}).sample(3).shape == (3, 12)
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects={"Encoded": Encoded})
    assert again.posterior("y", {"x": X}).sample(3).shape == (3, 12)


def test_weights_that_are_no_numbers_answer_nothing(tmp_path):
    model = kprob.ProbabilisticModel(generative=mean_of_rows).compile(kprob.ELBO(), keras.optimizers.SGD(1e38))
    with pytest.raises(KprobError, match="isn't finite any more"):
        model.fit({"x": X}, epochs=20, **QUIET)
    for verb in (model.posterior, model.posterior_predictive, model.prior, lambda: model.predict({})):
        with pytest.raises(KprobError, match=r"(?s)weights that aren't finite.*mu_loc"):
            verb()
    with pytest.raises(KprobError, match="weights that aren't finite"):
        model.diagnose({"x": X})
    for weight in model.trainable_variables:
        weight.assign(np.zeros(weight.shape))
    assert np.isfinite(model.posterior("mu").sample(3)).all()


def test_a_model_without_latents_has_no_k_hat_to_warn_of(recwarn):
    def only_parameters():
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(kprob.param("mu", 0.0), 1.0))

    model = kprob.ProbabilisticModel(generative=only_parameters).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"x": X}, epochs=1000, batch_size=12, verbose=0)
    assert not [warning for warning in recwarn if warning.category is FitWarning]
    assert float(ops.convert_to_numpy(model.weights[0])) == pytest.approx(X.mean(), abs=0.01)


def test_the_posterior_of_a_model_of_factors_needs_no_data():
    def network():
        s = kprob.sample("s", tfd.Categorical(probs=[0.2, 0.8]))
        kprob.factor("f", ops.where(s == 0, 2.0, 0.0))

    model = kprob.ProbabilisticModel(generative=network).compile(kprob.ELBO(), "adam")
    model.fit(**QUIET)
    right = np.array([0.2 * np.exp(2.0), 0.8]) / (0.2 * np.exp(2.0) + 0.8)
    for query in (model.posterior("s", {}), model.posterior("s"), model.posterior(["s"])):
        found = query.probs()
        np.testing.assert_allclose(found if query.single else found["s"], right, rtol=1e-4)
    assert model.posterior().names == ["s"]


def test_double_precision_reaches_the_prior():
    place = np.linspace(0.0, 1.0, 6)

    def process(place):
        length = kprob.sample("length", tfd.LogNormal(0.0, 0.2))
        distance = (place[:, None] - place[None, :]) / length
        kernel = ops.exp(-0.5 * ops.square(distance)) + 1e-10 * ops.eye(6, dtype=place.dtype)  # too little for float32
        kprob.sample("f", tfd.MultivariateNormalTriL(ops.zeros(6, dtype=place.dtype), ops.cholesky(kernel)))

    sampler = kprob.samplers.HMC(30, 30, 1, num_leapfrog_steps=2, dtype="float64", block_size=30)
    model = kprob.ProbabilisticModel(generative=process).compile(sampler)
    data = {"place": kprob.Whole(place), "f": np.sin(3.0 * place)}
    model.fit(data, **QUIET)
    query = model.prior(["length", "f"], {"place": kprob.Whole(place)})
    draws = query.sample(50, seed=1)
    assert draws["f"].dtype == draws["length"].dtype == "float64" and np.isfinite(draws["f"]).all()
    found = query.log_prob({"length": draws["length"], "f": draws["f"]})["f"]
    assert found.dtype == "float64" and np.isfinite(found).all()
    exact = [
        stats.multivariate_normal(
            np.zeros(6), np.exp(-0.5 * ((place[:, None] - place) / length) ** 2) + 1e-10 * np.eye(6)
        ).logpdf(f)
        for length, f in zip(draws["length"][:5], draws["f"][:5], strict=True)
    ]
    np.testing.assert_allclose(found[:5], exact, rtol=1e-3)

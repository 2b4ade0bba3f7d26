"""What InferPy 1.3 got wrong, each as a test that its behaviour would fail."""

import contextlib

import keras
import numpy as np
import pytest
from internals import prepare_data
from scipy import stats

import kprob
from kprob import tfd
from kprob.engine import find_dependencies
from kprob.errors import DataError, MismatchError

ops = keras.ops
FIVE = np.array([1.0, 2.0, 4.0, 0.0, 3.0], "float32")


def still(model, objective=None):
    """Compiles a model so that training changes nothing, and quickly."""
    return model.compile(objective or kprob.ELBO(), keras.optimizers.SGD(0.0), jit_compile=False)


def mean_of_rows():
    """mu ~ N(0, 3), x_i ~ N(mu, 1)."""
    mu = kprob.sample("mu", tfd.Normal(0.0, 3.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mu, 1.0))


def fixed_posterior():
    """q(mu) = N(3, 2), nothing to be learned."""
    kprob.sample("mu", tfd.Normal(3.0, 2.0))


def encoder_model():
    """z_i ~ N(0, 1), x_i ~ N(z_i, 1), q(z_i | x_i) = N(x_i / 2, 1e-6): exact means, drawn almost without noise."""

    def generative():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("x", tfd.Normal(z + kprob.param("shift", 0.0), 1.0))

    def inference(x):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(x / 2, 1e-6))

    return kprob.ProbabilisticModel(generative=generative, inference=inference)


# --- the KL of Bayesian layers, and what layers add to the loss, in the first fit


def test_the_kl_of_weights_is_in_the_first_epoch():
    model = still(kprob.ProbabilisticModel(generative=mean_of_rows), kprob.objectives.AnalyticKLELBO())
    history = model.fit({"x": FIVE}, epochs=1, verbose=0).history
    guide = model.posterior("mu").parameters()
    loc, scale = float(guide["loc"]), float(guide["scale"])
    kl = np.log(3 / scale) + (scale**2 + loc**2) / 18 - 0.5
    np.testing.assert_allclose(history["kl"], [kl / 5], rtol=1e-4)
    np.testing.assert_allclose(history["loss"], [-history["elbo"][0]], rtol=1e-6)


def test_what_layers_add_to_the_loss_is_in_every_epoch_of_the_first_fit():
    dense = keras.layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.5))

    def generative(features):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(dense(features)[:, 0], 1.0))

    model = still(kprob.ProbabilisticModel(generative=generative))
    history = model.fit({"features": np.ones((5, 2)), "x": FIVE}, epochs=2, verbose=0).history
    penalty = 0.5 * np.sum(keras.ops.convert_to_numpy(dense.kernel) ** 2)
    assert penalty > 0
    np.testing.assert_allclose(np.add(history["loss"], history["elbo"]), [penalty, penalty], rtol=1e-4)


# --- models side by side


def test_fitting_one_model_leaves_another_as_it_was():
    first, second = (kprob.ProbabilisticModel(generative=mean_of_rows) for _ in range(2))
    for model in (first, second):
        model.compile("elbo", "adam", jit_compile=False)
    first.fit({"x": FIVE}, epochs=50, verbose=0)
    weights, draws = first.get_weights(), first.posterior("mu").sample(5, seed=1)
    second.fit({"x": -FIVE}, epochs=50, verbose=0)
    for before, after in zip(weights, first.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(draws, first.posterior("mu").sample(5, seed=1))
    assert not np.array_equal(draws, second.posterior("mu").sample(5, seed=1))


# --- q's sites


@pytest.mark.parametrize("names", [[], ["mu", "nu"], ["mo"]], ids=["missing", "extra", "misspelt"])
def test_other_sites_in_q_are_errors(names):
    def inference():
        for name in names:
            kprob.sample(name, tfd.Normal(0.0, 1.0))

    model = still(kprob.ProbabilisticModel(generative=mean_of_rows, inference=inference))
    with pytest.raises(MismatchError, match="`mu`|`nu`|`mo`"):
        model.fit({"x": FIVE}, verbose=0)


# --- minibatches


def observed_rows():
    """mu is observed too, so that nothing is random: the minibatch objective has a known value."""
    mu = kprob.sample("mu", tfd.Normal(0.0, 3.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mu + kprob.param("shift", 0.0), 1.0))


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_the_expected_minibatch_elbo_is_the_full_one(batch_size):
    x = np.linspace(-3, 5, 20).astype("float32")
    wanted = stats.norm(0, 3).logpdf(1.5) + stats.norm(1.5, 1).logpdf(x).sum()
    model = still(kprob.ProbabilisticModel(generative=observed_rows))
    history = model.fit({"x": x, "mu": 1.5}, epochs=1, batch_size=batch_size, verbose=0).history
    np.testing.assert_allclose(history["elbo"], [wanted / 20], rtol=1e-5)
    np.testing.assert_allclose(history["log_likelihood"], [wanted / 20], rtol=1e-5)
    found = model.evaluate({"x": x, "mu": 1.5}, batch_size=batch_size, verbose=0, return_dict=True)
    np.testing.assert_allclose(found["elbo"], wanted / 20, rtol=1e-5)


def test_the_mean_over_minibatches_and_draws_is_the_exact_elbo():
    # E_q log p(x | mu) and KL(q, p) in closed form; q(mu) = N(3, 2).
    likelihood = -0.5 * np.sum((FIVE - 3) ** 2 + 4 + np.log(2 * np.pi))
    kl = np.log(3 / 2) + (4 + 9) / 18 - 0.5
    model = still(kprob.ProbabilisticModel(generative=mean_of_rows, inference=fixed_posterior), kprob.ELBO(20))
    model.fit({"x": FIVE}, epochs=0, verbose=0)
    found = [model.evaluate({"x": FIVE}, batch_size=2, verbose=0, return_dict=True)["elbo"] for _ in range(100)]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - (likelihood - kl) / 5) < 4 * error < 0.3


# --- other lengths than in training


@pytest.mark.parametrize("fitted, asked", [(10, 15), (1000, 1300), (10, 1), (1, 10)])
def test_queries_take_data_of_any_length(fitted, asked):
    model = still(encoder_model())
    model.fit({"x": np.zeros(fitted)}, epochs=0, verbose=0)
    x = np.linspace(-2, 2, asked).astype("float32")
    np.testing.assert_allclose(model.posterior("z", {"x": x}).sample(3), np.tile(x / 2, (3, 1)), atol=1e-4)
    np.testing.assert_allclose(model.posterior("z", {"x": x}).mean(), x / 2, atol=1e-6)
    assert model.posterior("z", {"x": x}).log_prob(x / 2).shape == (asked,)
    assert model.posterior_predictive("x", {"x": x}).sample(3).shape == (3, asked)


# --- predictive draws


def test_each_predictive_draw_has_its_own_posterior_draw():
    model = still(kprob.ProbabilisticModel(generative=mean_of_rows, inference=fixed_posterior))
    model.fit({"x": FIVE}, epochs=0, verbose=0)
    draws = model.posterior_predictive("x", {"x": FIVE}).sample(4000, seed=1)
    assert draws.shape == (4000, 5)
    # Variance 2² + 1², and rows of one draw share mu: a correlation of 4 / 5. With one posterior draw, 1 and 0.
    np.testing.assert_allclose(draws.std(), np.sqrt(5), rtol=0.04)
    np.testing.assert_allclose(draws.mean(), 3.0, atol=4 * np.sqrt(5 / 4000))
    np.testing.assert_allclose(np.corrcoef(draws[:, 0], draws[:, 1])[0, 1], 0.8, atol=0.03)


# --- prior after fit


def test_the_prior_after_fit_has_the_trained_network():
    dense = keras.layers.Dense(1)

    def generative():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.MultivariateNormalDiag(ops.zeros(2), 1e-3 * ops.ones(2)))
            kprob.sample("x", tfd.Normal(dense(z)[:, 0], 0.1))

    def inference(x):
        with kprob.plate("data"):
            kprob.sample("z", tfd.MultivariateNormalDiag(0.0 * x[:, None] * ops.ones(2), 1e-3 * ops.ones(2)))

    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    model.compile("elbo", keras.optimizers.Adam(0.3), jit_compile=False)
    assert abs(model.prior("x").sample(50, seed=1).mean()) < 0.2
    model.fit({"x": np.full(8, 7.0)}, epochs=150, verbose=0)
    assert abs(model.prior("x").sample(50, seed=1).mean() - 7.0) < 0.2


# --- densities and names


def test_sum_log_prob_sums():
    model = still(kprob.ProbabilisticModel(generative=mean_of_rows))
    values = {"mu": np.array([0.0, 1.0]), "x": np.stack([FIVE, FIVE])}
    found = model.prior(["mu", "x"], size=5).sum_log_prob(values)
    wanted = stats.norm(0, 3).logpdf(values["mu"]).sum() + stats.norm(values["mu"][:, None]).logpdf(values["x"]).sum()
    assert isinstance(found, float)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_name_of_several_letters_is_one_site():
    model = still(encoder_model())
    model.fit({"x": FIVE}, epochs=0, verbose=0)
    assert model.prior("x").sample(2).shape == (2, 1)

    @kprob.probmodel
    def weather():
        kprob.sample("sensor", tfd.Normal(kprob.sample("temp", tfd.Normal(15.0, 2.0)), 1.0))

    assert weather().prior("sensor").sample(3).shape == (3,)
    assert set(weather().prior(["sensor", "temp"]).sample(3)) == {"sensor", "temp"}


# --- the dependency graph


def test_the_graph_has_its_edges():
    def regression(features):
        w = kprob.sample("w", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            x = kprob.sample("x", tfd.Normal(features, 1.0))
            kprob.sample("y", tfd.Normal(w * x, 1.0))

    def chain():
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        b = kprob.sample("b", tfd.Normal(a, 1.0))
        kprob.sample("c", tfd.Normal(b, 1.0))

    def parents(network, data=None):
        found = find_dependencies(kprob.ProbabilisticModel(generative=network).networks, data)[0].parents
        return {name: set(above) for name, above in found.items()}

    assert parents(mean_of_rows) == {"mu": set(), "x": {"mu"}}
    assert parents(chain) == {"a": set(), "b": {"a"}, "c": {"b"}}
    model = kprob.ProbabilisticModel(generative=regression)
    data = prepare_data(model.networks, {"features": FIVE})
    assert parents(regression, data) == {"w": set(), "x": {"features"}, "y": {"w", "x"}}


# --- discrete latents


def plain_elbo(generative_trace, inference_trace):
    return generative_trace.log_prob() - inference_trace.log_prob()


def coin(logit, rows):
    """f(x) = x of a coin, as a factor; one coin for each row, or one for all."""
    if rows is None:
        return kprob.sample("x", tfd.Bernoulli(logits=logit, dtype="float32"))
    with kprob.plate("data"):
        return kprob.sample("x", tfd.Bernoulli(logits=logit, dtype="float32"))


@pytest.mark.parametrize(
    "objective, rows, steps",
    [(kprob.ELBO(), 40_000, 1), (kprob.ELBO(), None, 2000), (plain_elbo, None, 2000)],
    ids=["ELBO, a coin for each row", "ELBO, one coin", "a function, one coin"],
)
def test_the_gradient_of_a_discrete_latent_has_its_score_function_term(objective, rows, steps):
    # p and q are the same coin, so that the gradient in its logit t is that of E f alone, for f(x) = x: p (1 - p).
    # Without the term it is 0. It shows in steps of SGD, averaged over rows or over many tiny steps.
    t, rate = 0.7, 1.0 if steps == 1 else 1e-4

    def generative(features=None):
        x = coin(t, features)
        with kprob.plate("data") if rows else contextlib.nullcontext():
            kprob.factor("f", x)

    def inference(features=None):
        coin(kprob.param("t", t), features)

    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    model.compile(objective, keras.optimizers.SGD(rate), jit_compile=False)
    model.fit(None if rows is None else {"features": np.zeros(rows)}, batch_size=rows, epochs=steps, verbose=0)
    gradient = (float(model.trainable_variables[0]) - t) / (rate * steps)
    p = 1 / (1 + np.exp(-t))
    error = (1 - p) * np.sqrt(p * (1 - p)) / np.sqrt((rows or 1) * steps)
    assert abs(gradient - p * (1 - p)) < 4 * error < 0.02


# --- queries leave nothing behind


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def test_a_thousand_queries_neither_trace_nor_grow():
    runs = []

    def generative():
        runs.append(1)
        mean_of_rows()

    model = still(kprob.ProbabilisticModel(generative=generative))
    model.fit({"x": FIVE}, epochs=0, verbose=0)

    def ask(number):
        for i in range(number):
            model.posterior("mu").sample(5, seed=i)
            model.posterior_predictive("x", {"x": FIVE + i}).sample(5)
            model.prior("x", size=5).sample(5)
            model.prior(["mu", "x"], size=5).log_prob({"mu": float(i), "x": FIVE + i})

    ask(50)
    programs, before, memory = len(model.networks.programs.entries), len(runs), resident_bytes()
    ask(250)
    assert len(model.networks.programs.entries) == programs and len(runs) == before
    assert resident_bytes() - memory < 20e6


# --- no data


@pytest.mark.parametrize("network", [mean_of_rows, fixed_posterior])
def test_no_data_is_an_error_that_says_so(network):
    if network is mean_of_rows:  # a model without rows may know all that it knows from factors
        with pytest.raises(DataError, match="The data is empty"):
            still(kprob.ProbabilisticModel(generative=network)).fit({}, verbose=0)
    with pytest.raises(DataError, match="doesn't know: `muu`.*Did you mean 'mu'"):
        still(kprob.ProbabilisticModel(generative=network)).fit({"muu": 1.0}, verbose=0)

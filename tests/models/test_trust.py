"""`diagnose`, the evidence, importance resampling, and the warning of a bad fit, on models whose answers are known."""

import warnings

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import layers, tfd
from kprob.errors import DataError, FitWarning, KprobError, SiteError
from kprob.queries import importance_weights

ops = keras.ops
READINGS = np.array([18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1], "float32")


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


@kprob.probmodel
def ten():
    mean = kprob.sample("mean_temp", tfd.Normal(15.0, 2.0))
    with kprob.plate("data"):
        temp = kprob.sample("temp", tfd.Normal(mean, 2.0))
        kprob.sample("sensor", tfd.Normal(temp, 1.0))


def q_of(loc, scale):
    """The temperature model with a q that is never trained."""

    def q():
        kprob.sample("temp", tfd.Normal(loc, scale))

    model = temperature(inference=q).compile(kprob.ELBO(), "adam", jit_compile=False)
    model.evaluate({"sensor": 18.0})
    return model


def fitted(model, data, epochs=1500, rate=0.1, **options):
    keras.utils.set_random_seed(0)
    steps = keras.optimizers.schedules.CosineDecay(rate, epochs)
    model.compile(kprob.ELBO(), keras.optimizers.Adam(steps))
    model.fit(data, epochs=epochs, verbose=0, check=False, **options)
    return model


class LocalTemperature(kprob.ProbabilisticModel):
    """temp_i ~ N(15, 2), sensor_i ~ N(temp_i, 1): each row by itself; q has the exact form, or is too narrow."""

    def __init__(self, scale=0.8**0.5, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale

    def generative(self):
        with kprob.plate("data"):
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

    def inference(self, sensor):
        with kprob.plate("data"):
            kprob.sample("temp", tfd.Normal(0.2 * 15.0 + 0.8 * sensor, self.scale))


def local(scale=0.8**0.5, readings=READINGS):
    model = LocalTemperature(scale).compile(kprob.ELBO(), "adam", jit_compile=False)
    model.evaluate({"sensor": readings})
    return model


# The evidence


def test_at_the_posterior_every_draw_gives_the_evidence():
    found = q_of(17.4, 0.8**0.5).log_marginal_likelihood({"sensor": 18.0}, num_samples=100, seed=0)
    assert found == pytest.approx(-2.623657, abs=2e-6)
    assert isinstance(found, float) and found.standard_error < 1e-6 and found.per_datum is None


def test_the_standard_error_of_the_evidence_is_right():
    model = q_of(17.0, 1.2)
    found = [model.log_marginal_likelihood({"sensor": 18.0}, 500, seed=s) for s in range(40)]
    z = (np.array(found) + 2.623657) / np.array([f.standard_error for f in found])
    assert abs(np.mean(z)) < 0.64 and np.std(z) == pytest.approx(1.0, abs=0.45)


def test_the_evidence_of_each_row():
    model = local(1.1)
    found = model.log_marginal_likelihood({"sensor": READINGS}, 4000, seed=0)
    exact = stats.norm(15, 5**0.5).logpdf(READINGS)
    assert found.per_datum == pytest.approx(exact, abs=0.03)
    assert abs(found - exact.sum()) < 4 * found.standard_error < 0.1
    assert found.k_hat.shape == (10,) and "±" in str(found)


def test_the_evidence_of_the_hierarchy_by_a_fit():
    model = fitted(ten(), {"sensor": READINGS}, batch_size=10)
    found = model.log_marginal_likelihood({"sensor": READINGS}, 4000, seed=1)
    assert abs(found + 22.660632) < 3 * found.standard_error < 0.06


def test_parts_of_the_rows_give_what_all_rows_give(monkeypatch):
    whole = local(1.1).log_marginal_likelihood({"sensor": READINGS}, 4000, seed=0)
    monkeypatch.setattr("kprob.queries.importance_weights.MAX_FOLDED_ROWS", 12_000)  # three rows at a time
    parts = local(1.1).log_marginal_likelihood({"sensor": READINGS}, 4000, seed=0)
    assert parts.per_datum == pytest.approx(whole.per_datum, abs=0.05) and parts.per_datum.shape == (10,)


def test_the_values_of_what_is_summed_out_count_as_rows(monkeypatch):
    def p():
        with kprob.plate("data"):
            c = kprob.sample("c", tfd.Categorical(probs=[0.15, 0.3, 0.3, 0.25]))
            kprob.sample("x", tfd.Normal(keras.ops.take(keras.ops.convert_to_tensor([-2.0, 0.0, 2.0, 4.0]), c), 0.5))

    sizes, batches_of = [], importance_weights.batches_of
    monkeypatch.setattr(importance_weights, "MAX_FOLDED_ROWS", 40)  # two draws of four values: five rows at a time
    monkeypatch.setattr(
        importance_weights, "batches_of", lambda data, size, *more: sizes.append(size) or batches_of(data, size, *more)
    )
    x = np.linspace(-3.0, 5.0, 12).astype("float32")
    model = kprob.ProbabilisticModel(generative=p).compile(kprob.ELBO(), "adam")
    model.fit({"x": x}, verbose=0, check=False)  # nothing is left to learn, and that is no error
    found = model.log_marginal_likelihood({"x": x}, 2, seed=0)
    density = [0.15, 0.3, 0.3, 0.25] @ stats.norm([[-2.0], [0.0], [2.0], [4.0]], 0.5).pdf(x)
    assert sizes == [5] and found.per_datum == pytest.approx(np.log(density), abs=1e-4)


def test_missing_observations_are_an_error():
    with pytest.raises(DataError, match="`sensor` isn't there"):
        q_of(17.0, 1.0).log_marginal_likelihood()


# Held-out data


def test_the_predictive_density_of_new_rows():
    def q():
        kprob.sample("mu", tfd.Normal(2.0, 0.5))

    def p():
        mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    model = kprob.ProbabilisticModel(generative=p, inference=q).compile(kprob.ELBO(), "adam", jit_compile=False)
    model.evaluate({"x": np.zeros(5)})
    new = np.array([1.0, 2.0, 4.0])
    found = model.log_predictive_density({"x": new}, num_samples=4000, seed=0)
    exact = stats.norm(2.0, 1.25**0.5).logpdf(new)
    assert found.per_datum == pytest.approx(exact, abs=0.05)
    assert abs(found - exact.sum()) < 4 * found.standard_error < 0.2


def test_the_predictive_density_integrates_a_row_s_own_latents():
    def q(sensor):
        mean = kprob.sample("mean_temp", tfd.Normal(19.2222, 0.6667))
        with kprob.plate("data"):
            kprob.sample("temp", tfd.Normal(0.2 * mean + 0.8 * sensor, 1.0))

    model = ten(inference=q).compile(kprob.ELBO(), "adam", jit_compile=False)
    model.evaluate({"sensor": READINGS})
    new = np.array([17.0, 21.0], "float32")
    found = model.log_predictive_density({"sensor": new}, num_samples=4000, seed=0)
    assert found.per_datum == pytest.approx(stats.norm(19.2222, (5 + 0.4444) ** 0.5).logpdf(new), abs=0.06)


def test_the_predictive_density_without_a_data_plate():
    found = q_of(17.4, 0.8**0.5).log_predictive_density({"sensor": 16.0}, num_samples=4000, seed=0)
    assert found == pytest.approx(stats.norm(17.4, 1.8**0.5).logpdf(16.0), abs=0.03)


# Diagnosis


def test_a_perfect_fit_is_called_good():
    found = q_of(17.4, 0.8**0.5).diagnose({"sensor": 18.0}, seed=0)
    assert found.good and found.k_hat < 0.5 and found.ess == pytest.approx(1000)
    assert found.elbo == pytest.approx(-2.623657, abs=1e-5) and not found.per_row
    assert "close to the posterior" in str(found)


def test_a_narrow_q_is_found_out_and_its_site_named():
    found = q_of(16.0, 0.4).diagnose({"sensor": 18.0}, seed=0)
    assert not found.good and found.k_hat > 0.7 and found.share_above == 1
    text = str(found)
    assert "`temp`" in text and "higher" in text and "kprob.NUTS()" in text


def test_the_elbo_and_its_error():
    model = q_of(15.0, 2.0)
    found = [model.diagnose({"sensor": 18.0}, 500, seed=s) for s in range(30)]
    z = [(f.elbo + 7.418939) / f.elbo_error for f in found]
    assert abs(np.mean(z)) < 0.75 and np.std(z) == pytest.approx(1.0, abs=0.5)


def test_rows_have_their_own_k_hats():
    good = local().diagnose({"sensor": READINGS}, seed=0)
    assert good.per_row and good.k_hat.shape == (10,) and good.share_above == 0 and good.good
    assert good.elbo == pytest.approx(np.mean(stats.norm(15, 5**0.5).logpdf(READINGS)), abs=1e-4)
    bad = local(0.2).diagnose({"sensor": READINGS}, seed=0)
    assert bad.share_above > 0.5 and not bad.good and "standard deviation" in str(bad) and len(bad.worst_rows) == 5


def test_of_many_rows_some_are_looked_at():
    many = np.random.default_rng(0).normal(15, 5**0.5, 300).astype("float32")
    model = local(readings=many)
    found = model.diagnose({"sensor": many}, max_rows=20, seed=0)
    assert found.k_hat.shape == (20,) and len(np.unique(found.rows)) == 20 and found.rows.max() > 20
    assert found.num_data == 300


@pytest.mark.slow
def test_rows_of_a_guide_are_looked_up_where_some_are_chosen():
    @kprob.probmodel
    def model():
        with kprob.plate("data"):
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

    found = fitted(model(), {"sensor": READINGS}, epochs=800, batch_size=10)
    found = found.diagnose({"sensor": READINGS}, max_rows=4, seed=1)
    assert found.k_hat.shape == (4,) and np.all(found.k_hat < 0.7)  # other rows' parameters would be far off


def correlated(rows=60, features=6, seed=0):
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(rows, 1))
    x = (shared + 0.1 * generator.normal(size=(rows, features))).astype("float32")
    y = (x.sum(1) + generator.normal(size=rows)).astype("float32")

    @kprob.probmodel
    def regression(x):
        w = kprob.sample("w", tfd.Independent(tfd.Normal(ops.zeros(features), 1.0), 1))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(ops.matmul(x, w), 1.0))

    def full_rank():
        loc = kprob.param("loc", np.zeros(features, "float32"))
        scale = kprob.param("scale_tril", np.eye(features, dtype="float32"), constraint="lower_triangular")
        kprob.sample("w", tfd.MultivariateNormalTriL(loc, scale))

    covariance = np.eye(rows) + x @ x.T
    log_evidence = stats.multivariate_normal(np.zeros(rows), covariance).logpdf(y)
    return regression, full_rank, {"x": x, "y": y}, log_evidence


def test_mean_field_of_a_correlated_posterior_is_bad_and_full_rank_is_good():
    regression, full_rank, data, log_evidence = correlated()
    narrow = fitted(regression(), data, epochs=2000, rate=0.05, batch_size=60)
    joint = fitted(regression(inference=full_rank), data, epochs=3000, rate=0.05, batch_size=60)
    for seed in range(3):
        assert narrow.diagnose(data, 2000, seed=seed).k_hat > 0.7 > joint.diagnose(data, 2000, seed=seed).k_hat + 0.2
    assert "`w`" in str(narrow.diagnose(data, seed=0))
    found = joint.log_marginal_likelihood(data, 2000, seed=0)
    assert abs(found - log_evidence) < 4 * found.standard_error + 1e-3 < 0.1


def test_a_fit_that_still_rises_is_found_out():
    keras.utils.set_random_seed(0)
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.005))
    model.fit({"sensor": 300.0}, epochs=200, verbose=0, check=False)
    found = model.diagnose({"sensor": 300.0}, seed=0)
    assert found.still_rising and not found.good and "more epochs" in str(found)
    assert q_of(17.4, 0.9).diagnose({"sensor": 18.0}).still_rising is None


# The warning of `fit`


def fit_warnings(function):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        function()
    return [warning for warning in found if issubclass(warning.category, FitWarning)]


def test_fit_warns_in_one_line_where_the_elbo_still_rises_steeply():
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.005))
    found = fit_warnings(lambda: model.fit({"sensor": 300.0}, epochs=200, verbose=0))
    assert len(found) == 1 and "\n" not in str(found[0].message) and found[0].filename == __file__
    assert "still rose" in str(found[0].message)
    assert not fit_warnings(lambda: model.fit({"sensor": 300.0}, epochs=200, verbose=0, check=False))


@pytest.mark.slow
def test_fit_warns_of_a_posterior_that_is_far_off():
    regression, _, data, _ = correlated(features=20)
    keras.utils.set_random_seed(0)
    model = regression().compile(kprob.ELBO(), keras.optimizers.Adam(0.02))
    model.fit(data, epochs=2000, batch_size=60, verbose=0, check=False)
    found = fit_warnings(lambda: model.fit(data, epochs=1000, batch_size=60, verbose=0))
    assert len(found) == 1 and "k-hat" in str(found[0].message) and "\n" not in str(found[0].message)


def test_fit_is_silent_where_all_is_well():
    model = temperature().compile(kprob.ELBO(), keras.optimizers.Adam(0.05))
    assert not fit_warnings(lambda: model.fit({"sensor": 18.0}, epochs=2000, verbose=0))


# Importance resampling


def test_resampled_draws_are_the_posterior_s():
    draws = q_of(16.5, 1.5).posterior("temp", {"sensor": 18.0}).sample(4000, seed=0, importance_resample=10)
    assert draws.shape == (4000,)
    assert draws.mean() == pytest.approx(17.4, abs=0.06) and draws.std() == pytest.approx(0.894427, abs=0.04)


def test_each_row_is_resampled_by_itself():
    model = local(1.6)
    query = model.posterior("temp", {"sensor": READINGS})
    draws = query.sample(1000, seed=0, importance_resample=True)
    assert draws.shape == (1000, 10)
    assert draws.mean(0) == pytest.approx(3 + 0.8 * READINGS, abs=0.12)
    assert draws.std(0) == pytest.approx(np.full(10, 0.8**0.5), abs=0.08)
    assert np.array_equal(draws, query.sample(1000, seed=0, importance_resample=True))
    predicted = model.posterior_predictive("sensor", {"sensor": READINGS}).sample(1000, 0, importance_resample=True)
    assert predicted.std(0) == pytest.approx(np.full(10, 1.8**0.5), abs=0.12)


@pytest.mark.slow
def test_resampling_the_hierarchy_mends_mean_field():
    model = fitted(ten(), {"sensor": READINGS}, epochs=6000, batch_size=10)
    plain = model.posterior("mean_temp", {"sensor": READINGS})
    mended = plain.sample(2000, seed=0, importance_resample=10)
    assert plain.stddev() == pytest.approx(0.603, abs=0.03)
    assert mended.std() == pytest.approx(0.666667, abs=0.035)


def test_resampling_what_cannot_be_mended_warns():
    query = q_of(15.0, 0.2).posterior("temp", {"sensor": 18.0})
    with pytest.warns(FitWarning, match="may not mend"):
        query.sample(10, seed=0, importance_resample=True)


def test_resampling_asks_for_what_it_needs():
    with pytest.raises(KprobError, match="need no resampling"):
        q_of(17.0, 1.0).prior("temp").sample(3, importance_resample=True)
    with pytest.raises(DataError, match="`sensor` isn't there"):
        q_of(17.0, 1.0).posterior("temp").sample(3, importance_resample=True)
    with pytest.raises(SiteError):
        q_of(17.0, 1.0).posterior("sensor", {"sensor": 18.0})


class Regression(kprob.ProbabilisticModel):
    """Layers, covariates, a whole model to go through everything at once."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(2, loc=0.0, scale=1.0)
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.Normal()

    def generative(self, x):
        w, sigma = self.w(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(x, w), scale=sigma)


def test_one_compiled_program_serves_further_calls():
    x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
    model = fitted(Regression(), {"x": x, "y": x @ [1.0, -1.0]}, epochs=50, batch_size=50)
    data = {"x": x, "y": x @ [1.0, -1.0]}
    model.diagnose(data, 100)
    number = len(model.networks.programs.entries)
    first = model.diagnose(data, 100, seed=3)
    assert len(model.networks.programs.entries) == number
    assert first.elbo == model.diagnose(data, 100, seed=3).elbo

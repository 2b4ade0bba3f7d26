"""Particle filters: against Kalman's filter, the forward algorithm of hidden Markov chains, and their own laws."""

import math

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.backend import random
from kprob.errors import DataError, KprobError, SiteError
from kprob.filtering.particle_filter import effective_size, normalise
from kprob.filtering.resampling import SCHEMES, resample

ops = keras.ops
DECAY, NOISE, ERROR = 0.9, 1.0, 0.4
SENSORS = np.array([18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1], "float32")
SERIES = np.array([0.4, 1.1, 0.7, 2.0, 3.1, 1.9, 2.2, 0.3, -0.6, -1.8, -1.2, 0.1, 0.9, 0.2, 1.4], "float32")
LENGTH = len(SERIES)


def step_of(decay=DECAY, noise=NOISE):
    def step(level, t):
        level = kprob.sample("level", tfd.Normal(decay * level, noise))
        kprob.sample("y", tfd.Normal(level, ERROR))
        return level

    return step


def best_proposal(level, y):
    """q(z_t | z_{t-1}, y_t) of the same model, exact: with it all particles have one weight, p(y_t | z_{t-1})."""
    precision = NOISE**-2 + ERROR**-2
    mean = (DECAY * level / NOISE**2 + y / ERROR**2) / precision
    return kprob.sample("level", tfd.Normal(mean, precision**-0.5))


class LocalLevel(kprob.ProbabilisticModel):
    """z_t ~ N(0.9 z_{t-1}, 1), y_t ~ N(z_t, 0.4), z_0 = 0; q has the best proposal."""

    def generative(self):
        kprob.scan(step_of(), 0.0, len(SERIES))

    def inference(self, y):
        kprob.scan(best_proposal, 0.0, y)


class Rows(LocalLevel):
    """The same for each row of the data, in so many steps."""

    def __init__(self, length=LENGTH, **kwargs):
        super().__init__(**kwargs)
        self.length = length

    def generative(self):
        with kprob.plate("data"):
            kprob.scan(step_of(), 0.0, self.length)

    def inference(self, y):
        with kprob.plate("data"):
            kprob.scan(best_proposal, 0.0, y)


def exact(series=SERIES):
    """Log-likelihood, filtering means and standard deviations by Kalman's recursion in float64."""
    mean, variance, total, found = 0.0, 0.0, 0.0, []
    for y in np.asarray(series, "float64"):
        mean, variance = DECAY * mean, DECAY**2 * variance + NOISE**2
        spread = variance + ERROR**2
        total -= 0.5 * (math.log(2 * math.pi * spread) + (y - mean) ** 2 / spread)
        gain = variance / spread
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance
        found.append((mean, variance**0.5))
    return total, *np.array(found).T


@pytest.fixture(scope="module")
def local_level():
    return LocalLevel()


def run(model, number=20_000, seed=1, **options):
    return model.particle_filter({"y": SERIES}, number, seed=seed, **options)


def test_exact_likelihood_is_that_of_the_layer():
    chain = layers.LinearGaussianStateSpace(
        (len(SERIES), 1),
        name="y",
        transition_matrix=[[DECAY]],
        transition_scale_diag=[NOISE],
        observation_matrix=[[1.0]],
        observation_scale_diag=[ERROR],
        initial_scale_diag=[NOISE],
    )
    network = kprob.handlers.condition(lambda: chain(), {"y": SERIES[:, None]})
    assert float(kprob.handlers.trace(network).get_trace().log_prob()) == pytest.approx(exact()[0], abs=1e-3)


@pytest.mark.parametrize("proposal", ["generative", "inference"])
def test_states_and_likelihood_are_kalmans(local_level, proposal):
    total, means, stddevs = exact()
    found = run(local_level, proposal=proposal)
    assert found.log_likelihood == pytest.approx(total, abs=0.17)
    assert found.log_increments.sum() == pytest.approx(found.log_likelihood, abs=1e-4)
    assert found.particles["level"].shape == found.weights.shape == (20_000, len(SERIES))
    np.testing.assert_allclose(found.weights.sum(0), 1.0, atol=1e-4)
    np.testing.assert_allclose(found.mean("level"), means, atol=0.06)
    np.testing.assert_allclose(found.stddev("level"), stddevs, atol=0.05)
    np.testing.assert_allclose(found.ess, 1.0 / np.square(found.weights).sum(0), rtol=1e-3)
    positive = found.expectation(lambda values: values["level"] > 0)
    np.testing.assert_allclose(
        positive, [0.5 * math.erfc(-m / s / 2**0.5) for m, s in zip(means, stddevs, strict=True)], atol=0.05
    )


def estimates(number, repeats, length=LENGTH, **options):
    """Returns ratios of the estimated likelihood to the exact one: each row has a filter of its own."""
    series = SERIES[:length]
    found = Rows(length).particle_filter({"y": np.tile(series, (repeats, 1))}, number, seed=1, **options)
    return np.exp(found.log_likelihood - exact(series)[0]), found


def check_unbiased(ratios):
    error = ratios.std(ddof=1) / len(ratios) ** 0.5
    assert abs(ratios.mean() - 1.0) < 4 * error, (ratios.mean(), error)
    return ratios.var(ddof=1)


def test_the_likelihood_is_unbiased_and_the_guided_filter_varies_less():
    bootstrap = check_unbiased(estimates(100, 1000)[0])
    guided = check_unbiased(estimates(100, 1000, proposal="inference")[0])
    assert guided < 0.5 * bootstrap


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [*({"resampling": scheme} for scheme in SCHEMES), {"ess_threshold": 1.0}, {"ess_threshold": 0.0}],
    ids=str,
)
def test_every_way_of_resampling_is_unbiased(options):
    # Without resampling the estimate of a long series is nearly always far too small, and now and then enormous.
    length = 4 if options.get("ess_threshold") == 0.0 else len(SERIES)
    ratios, found = estimates(200, 1000, length, **options)
    check_unbiased(ratios)
    threshold = 200 * options.get("ess_threshold", 0.5)
    np.testing.assert_array_equal(found.resampled[:, 1:], found.ess[:, :-1] < threshold)


def test_a_seed_repeats_it_and_data_of_the_same_shape_does_not_retrace(local_level):
    first = run(local_level, 100, seed=3)
    traced = []
    model = kprob.ProbabilisticModel(lambda: traced.append(0) or kprob.scan(step_of(), 0.0, len(SERIES)))
    again = [run(model, 100, seed=3) for _ in range(2)]
    assert again[0].log_likelihood == again[1].log_likelihood == pytest.approx(first.log_likelihood, abs=1e-4)
    number = len(traced)
    other = model.particle_filter({"y": SERIES + 1}, 100, seed=3)
    assert len(traced) == number and other.log_likelihood != again[0].log_likelihood
    assert run(model, 100, seed=4).log_likelihood != again[0].log_likelihood


def chain(start):
    rows = ops.convert_to_tensor([[0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])

    def step(state, t):
        state = kprob.sample("state", tfd.Categorical(probs=ops.take(rows, state, axis=0)))
        kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor([18.0, 21.0]), state), 1.0))
        return state

    return kprob.scan(step, start, len(SENSORS))


def forward():
    """Filtering probabilities of the second state, by the forward algorithm; the evidence is in known-answers."""
    transition, state, found = np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([0.6, 0.4]), []
    for t, x in enumerate(SENSORS):
        state = (state if t == 0 else state @ transition) * np.exp(-0.5 * (x - np.array([18.0, 21.0])) ** 2)
        state /= state.sum()
        found.append(state[1])
    return np.array(found)


def test_hidden_markov_chain():
    found = kprob.ProbabilisticModel(lambda: chain(2)).particle_filter({"x": SENSORS}, 5000, seed=1)
    assert found.log_likelihood == pytest.approx(-17.355516, abs=0.1)
    np.testing.assert_allclose(found.expectation(lambda values: values["state"] == 1), forward(), atol=0.04)


def test_a_first_state_before_the_scan_and_what_is_seen_of_it():
    """z_0 ~ N(1, 2) is seen as y0 ~ N(z_0, 0.5) before it moves; in q, z_0 has its exact posterior or something else."""

    class Model(kprob.ProbabilisticModel):
        shift = 0.0

        def generative(self):
            first = kprob.sample("first", tfd.Normal(1.0, 2.0))
            kprob.sample("y0", tfd.Normal(first, 0.5))
            kprob.scan(step_of(), first, len(SERIES))

        def inference(self, y0, y):
            first = kprob.sample("first", tfd.Normal((0.25 + 4 * y0) / 4.25 + self.shift, 0.6))
            kprob.scan(best_proposal, first, y)

    # The joint density of (y0, y_1, ...) as a normal one.
    number = len(SERIES)
    powers = DECAY ** np.maximum(np.subtract.outer(np.arange(number + 1), np.arange(number + 1)), 0)
    lower = np.tril(powers) * np.r_[2.0, np.full(number, NOISE)]
    covariance = lower @ lower.T + np.diag(np.r_[0.5, np.full(number, ERROR)] ** 2)
    residual = np.r_[1.3, SERIES] - DECAY ** np.arange(number + 1)
    right = -0.5 * (residual @ np.linalg.solve(covariance, residual) + np.linalg.slogdet(2 * np.pi * covariance)[1])
    data = {"y0": 1.3, "y": SERIES}
    for shift, proposal in ((0.0, "generative"), (0.0, "inference"), (0.4, "inference")):
        Model.shift = shift
        found = Model().particle_filter(data, 20_000, proposal=proposal, seed=2)
        assert found.log_likelihood == pytest.approx(right, abs=0.15), (shift, proposal)


def test_a_scan_in_the_data_plate_filters_each_row_by_itself():
    def network():
        with kprob.plate("data"):
            first = kprob.sample("first", tfd.Normal(0.0, 1e-3))
            kprob.scan(step_of(), first, len(SERIES))

    rows = np.stack([SERIES, SERIES[::-1], 0.5 * SERIES])
    found = kprob.ProbabilisticModel(network).particle_filter({"y": rows}, 20_000, seed=1)
    assert found.log_likelihood.shape == (3,) and found.ess.shape == (3, 15) and found.weights.shape == (20_000, 3, 15)
    for i, row in enumerate(rows):
        total, means, _ = exact(row)
        assert found.log_likelihood[i] == pytest.approx(total, abs=0.2)
        np.testing.assert_allclose(found.mean("level")[i], means, atol=0.08)


def test_vectors_learned_numbers_and_sites_that_follow():
    """Two independent levels as a vector, with a learned noise: twice the likelihood of one."""

    def network():
        noise = kprob.param("noise", NOISE, constraint="positive")

        def step(level, t):
            loc = kprob.deterministic("loc", DECAY * level)
            level = kprob.sample("level", tfd.Independent(tfd.Normal(loc, noise), 1))
            kprob.sample("y", tfd.Independent(tfd.Normal(level, ERROR), 1))
            return level

        kprob.scan(step, ops.zeros(2), len(SERIES))

    data = {"y": np.stack([SERIES, SERIES], axis=-1)}
    found = kprob.ProbabilisticModel(network).particle_filter(data, 20_000, seed=1)
    assert found.log_likelihood == pytest.approx(2 * exact()[0], abs=0.4)
    assert found.particles["level"].shape == found.particles["loc"].shape == (20_000, 15, 2)
    np.testing.assert_allclose(found.mean("level")[:, 1], exact()[1], atol=0.1)


def test_what_steps_depend_on_must_be_given():
    def network():
        noise = kprob.sample("noise", tfd.LogNormal(0.0, 0.5))
        first = kprob.sample("first", tfd.Normal(0.0, 1e-3))
        kprob.scan(step_of(noise=noise), first, len(SERIES))

    model = kprob.ProbabilisticModel(network)
    with pytest.raises(SiteError, match="(?s)depend on `noise`, which.*given="):
        run(model)
    with pytest.raises(DataError, match="(?s)`given` has a value for `nois`.*Did you mean 'noise'"):
        run(model, given={"nois": 1.0})
    found = run(model, given={"noise": NOISE})
    assert found.log_likelihood == pytest.approx(exact()[0], abs=0.17)
    assert run(model, given={"noise": 0.2}).log_likelihood < found.log_likelihood - 5


def test_impossible_data_has_no_likelihood_and_spares_the_other_rows():
    def step(level, t):
        level = kprob.sample("level", tfd.Uniform(level, level + 1.0))
        kprob.sample("y", tfd.Uniform(level - 0.5, level + 0.5))
        return level

    def network():
        with kprob.plate("data"):
            kprob.scan(step, 0.0, 3)

    rows = np.array([[0.5, 1.0, 1.5], [0.5, 50.0, 1.5]], "float32")
    found = kprob.ProbabilisticModel(network).particle_filter({"y": rows}, 500, seed=1)
    assert np.isfinite(found.log_likelihood[0]) and found.log_likelihood[1] == -np.inf
    assert np.isfinite(found.weights).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_resampling_keeps_the_shares(scheme):
    shares = np.random.default_rng(2).dirichlet(np.ones(50), size=3).astype("float32")
    shares[1, :25], shares[2, 25:] = 0.0, 0.0
    shares /= shares.sum(-1, keepdims=True)
    many = ops.convert_to_tensor(np.tile(shares, (400, 1, 1)))
    chosen = ops.convert_to_numpy(resample(many, random.seed(1), scheme))
    counts = (chosen[..., None] == np.arange(50)).sum(-2)
    assert chosen.shape == (400, 3, 50) and (counts[:, shares == 0] == 0).all()
    # Of independent choices the number of copies is binomial; more even places leave less to chance.
    errors, spread = np.abs(counts - 50 * shares).max(), counts.var(0)
    binomial = 50 * shares * (1 - shares)
    np.testing.assert_allclose(counts.mean(0), 50 * shares, atol=5 * np.sqrt(binomial.max() / 400))
    if scheme == "multinomial":
        np.testing.assert_allclose(spread[shares > 0.02], binomial[shares > 0.02], rtol=0.4)
    else:
        assert errors < {"systematic": 1.001, "stratified": 2.001}[scheme]
        assert (spread < 0.6).all()


def test_weights_and_their_size():
    weights, total = normalise(ops.convert_to_tensor(np.log(np.array([[1.0, 3.0], [2.0, 2.0]], "float32"))))
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(weights)), [[0.25, 0.75], [0.5, 0.5]], rtol=1e-5)
    np.testing.assert_allclose(np.exp(ops.convert_to_numpy(total)), [4.0, 4.0], rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(effective_size(weights)), [1.6, 2.0], rtol=1e-5)


def late():
    level = kprob.scan(lambda z, t: kprob.sample("z", tfd.Normal(z, 1.0)), 0.0, 3)
    with kprob.plate("steps", 3):
        kprob.sample("y", tfd.Normal(level, 1.0))


def twice():
    kprob.scan(lambda z, t: kprob.sample("z", tfd.Normal(z, 1.0)), 0.0, 3)
    kprob.scan(lambda z, t: kprob.sample("y", tfd.Normal(z, 1.0)), 0.0, 3, name="again")


def none():
    kprob.sample("y", tfd.Independent(tfd.Normal([0.0] * 3, 1.0), 1))


@pytest.mark.parametrize(
    ("network", "message"),
    [(late, "`y` is declared after the scan"), (twice, "one scan"), (none, "has none")],
)
def test_networks_that_cannot_be_filtered(network, message):
    with pytest.raises(SiteError, match=message):
        kprob.ProbabilisticModel(network).particle_filter({"y": [0.0, 1.0, 2.0]})


def test_a_proposal_must_go_side_by_side():
    def network():
        kprob.scan(step_of(), 0.0, len(SERIES))

    def short(y):
        kprob.scan(best_proposal, 0.0, y[:-1])

    with pytest.raises(KprobError):
        run(kprob.ProbabilisticModel(network, inference=short), proposal="inference")
    automatic = kprob.ProbabilisticModel(network).compile(kprob.ELBO(), "adam")
    with pytest.raises(SiteError, match="(?s)the inference network of .* has none"):
        run(automatic, proposal="inference")


def test_there_must_be_data(local_level):
    with pytest.raises(DataError, match="(?s)nothing in the steps of LocalLevel is observed.*`level`, `y`"):
        local_level.particle_filter()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resampling": "residual"}, "`resampling` of a particle filter"),
        ({"proposal": "prior"}, "`proposal` of a particle filter"),
        ({"ess_threshold": 2.0}, "`ess_threshold`"),
        ({"number": 1}, "`num_particles` must be"),
    ],
)
def test_arguments_are_checked(local_level, wrong, message):
    with pytest.raises(KprobError, match=message):
        run(local_level, **wrong)

"""The mean gradient of each estimator is the exact one, and variances are in the right order."""

import keras
import numpy as np
import pytest
from objectives import exact
from objectives.models import Temperature, assert_mean, compiled, evaluations

import kprob
from kprob import tfd

Q = (14.0, 3.0)
DATA = {"sensor": 18.0}
ROW = {"sensor": [18.0]}


def elbo_gradient(loc=Q[0], scale=Q[1], beta=1.0):
    likelihood = np.array([18.0 - loc, -(scale**2)])
    divergence = np.array([(loc - 15.0) / 4.0, scale**2 / 4.0 - 1.0])
    return likelihood - beta * divergence


def test_the_formula_is_the_derivative_of_the_quadrature():
    np.testing.assert_allclose(elbo_gradient(), exact.gradient(exact.elbo, *Q), rtol=1e-5)


def bound(draws, alpha=0.0):
    return lambda: exact.gradient(lambda loc, scale: exact.bound(loc, scale, draws, alpha), *Q)


CASES = {
    "pathwise": (kprob.ELBO(), elbo_gradient),
    "analytic KL": (kprob.objectives.AnalyticKLELBO(), elbo_gradient),
    "sticking the landing": (kprob.objectives.StickingTheLandingELBO(2), elbo_gradient),
    "beta": (kprob.objectives.BetaELBO(beta=2.0), lambda: elbo_gradient(beta=2.0)),
    "free bits": (kprob.objectives.BetaELBO(free_bits=50.0), lambda: elbo_gradient(beta=0.0)),
    "doubly reparameterised": (kprob.objectives.ImportanceWeightedELBO(5), bound(5)),
    "importance weighted, plain": (kprob.objectives.ImportanceWeightedELBO(5, "plain"), bound(5)),
    "renyi": (kprob.objectives.RenyiELBO(0.5, 3), bound(3, 0.5)),
    "tail adaptive, flat": (kprob.objectives.TailAdaptive(4, beta=0.0), elbo_gradient),
    # KL(p ‖ q) of the prior, since q sees no data here.
    "forward": (kprob.objectives.ForwardKL(2), lambda: np.array([1.0 / 9.0, (1.0 + 4.0) / 9.0 - 1.0])),
}


@pytest.mark.parametrize("name", CASES)
def test_the_mean_gradient_is_the_exact_one(name):
    objective, expected = CASES[name]
    # One row of data: draws are folded into it. A global latent's are run one by one, as two cases show.
    plate = name not in ("sticking the landing", "renyi")
    data = {"sensor": [18.0]} if plate else DATA
    _, gradients = evaluations(compiled(Temperature(*Q, plate=plate), objective, data), data, 5_000)
    assert_mean(gradients, expected(), allowed=1e-4)


def test_a_function_of_the_traces_has_the_exact_gradient():
    def mc_elbo(generative_trace, inference_trace):
        return generative_trace.log_prob() - inference_trace.log_prob()

    _, gradients = evaluations(compiled(Temperature(*Q), mc_elbo, DATA), DATA, 5_000)
    assert_mean(gradients, elbo_gradient())


def test_reweighted_wake_sleep_follows_the_inclusive_divergence():
    # E of the score of q under the posterior N(17.4, 0.8); weights of 200 draws leave a bias of under 3 %.
    model = compiled(Temperature(*Q, plate=True), kprob.objectives.ReweightedWakeSleep(200), ROW)
    _, gradients = evaluations(model, ROW, 1000)
    expected = np.array([(17.4 - Q[0]) / 9.0, (0.8 + (17.4 - Q[0]) ** 2) / 9.0 - 1.0])
    assert_mean(gradients, expected, allowed=0.03 * np.abs(expected))


def test_tail_adaptive_weights_by_rank():
    # Two draws: the one with the larger weight counts 2/3, the other 1/3, whatever the weights are.
    model = compiled(Temperature(*Q, plate=True), kprob.objectives.TailAdaptive(2), ROW)
    _, gradients = evaluations(model, ROW, 10_000)
    noise = np.random.default_rng(0).normal(size=(200_000, 2))
    z = Q[0] + Q[1] * noise
    log_w = -((z - 15) ** 2) / 8 - (z - 18) ** 2 / 2 + noise**2 / 2
    slope = -(z - 15) / 4 - (z - 18) + noise / Q[1]
    first = log_w[:, :1] > log_w[:, 1:]
    rho = np.where(np.concatenate([first, ~first], 1), 2 / 3, 1 / 3)
    expected = [(rho * slope).sum(1), (rho * slope * Q[1] * noise).sum(1)]
    assert_mean(gradients, [e.mean() for e in expected], allowed=4 * np.array([e.std() for e in expected]) / 447)


def test_doubly_reparameterised_gradients_vary_less():
    variances = []
    for estimator in ("doubly_reparameterized", "plain"):
        model = compiled(Temperature(*Q, plate=True), kprob.objectives.ImportanceWeightedELBO(64, estimator), ROW)
        variances.append(evaluations(model, ROW, 1000)[1].var(0))
    assert np.all(variances[0] < 0.5 * variances[1])


class TwoPasses(kprob.objectives.ImportanceWeightedELBO):
    """The doubly reparameterised gradient by a second pass backwards for q alone."""

    def weigh(self, generative_trace, inference_trace, log_prob):
        frozen = log_prob(inference_trace.frozen())
        path = log_prob(generative_trace.frozen()) - frozen
        return {"log_weights": log_prob(generative_trace) - frozen, "path": path}


class TwoLevels(Temperature):
    """A latent that depends on another in both networks, and a number that both networks read."""

    def __init__(self, **kwargs):
        super().__init__(*Q, plate=True, **kwargs)
        self.slope = self.number(0.7, "slope")

    def generative(self):
        slope = keras.ops.convert_to_tensor(self.slope)
        with kprob.plate("data"):
            high = kprob.sample("high", tfd.Normal(15.0, 2.0))
            low = kprob.sample("low", tfd.Normal(slope * high, 1.0))
            self.sensor(loc=low + high)

    def inference(self, sensor):
        loc, slope = (keras.ops.convert_to_tensor(v) for v in (self.q_loc, self.slope))
        with kprob.plate("data"):
            high = kprob.sample("high", tfd.Normal(loc + 0.1 * sensor, keras.ops.exp(self.q_log_scale)))
            kprob.sample("low", tfd.Normal(slope * high - 0.2 * sensor, 1.5))


def test_one_pass_gives_the_doubly_reparameterised_gradient_of_two():
    data = {"sensor": np.array([18.0, 25.0, 31.0], "float32")}
    found = []
    for objective in (kprob.objectives.ImportanceWeightedELBO(6), TwoPasses(6)):
        found.append(evaluations(compiled(TwoLevels(), objective, data), data, 5))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-3)
    assert np.all(found[0][1].std(0) > 0.01)


def test_sticking_the_landing_varies_less_near_the_posterior():
    variances = []
    for objective in (kprob.objectives.StickingTheLandingELBO(), kprob.ELBO()):
        model = compiled(Temperature(17.3, 0.9), objective, DATA)
        variances.append(evaluations(model, DATA, 1000)[1].var(0))
    assert np.all(variances[0] < 0.1 * variances[1])


def test_parameters_of_p_have_the_gradient_of_the_bound():
    # One row with a learned prior mean m: the derivative of the bound with respect to it, by quadrature.
    class Learned(Temperature):
        def __init__(self, **kwargs):
            super().__init__(*Q, plate=True, **kwargs)
            self.mean = self.number(15.0, "mean")

        def generative(self):
            with kprob.plate("data"):
                temp = kprob.sample("temp", tfd.Normal(keras.ops.convert_to_tensor(self.mean), 2.0))
                self.sensor(loc=temp)

    def value(m):
        z = Q[0] + Q[1] * exact.NODES
        shifted = exact.log_weights(*Q) - ((z - m) ** 2 - (z - 15.0) ** 2) / 8.0
        return _bound_of(shifted, 5)

    expected = (value(15.01) - value(14.99)) / 0.02
    for estimator in ("doubly_reparameterized", "plain"):
        model = compiled(Learned(), kprob.objectives.ImportanceWeightedELBO(5, estimator), ROW)
        _, gradients = evaluations(model, ROW, 5000)
        place = [v.name for v in model.trainable_variables].index("mean")
        assert_mean(gradients[:, place], expected)


def _bound_of(log_weights, draws):
    original = exact.log_weights
    try:
        exact.log_weights = lambda loc, scale: log_weights
        return exact.bound(0.0, 1.0, draws)
    finally:
        exact.log_weights = original

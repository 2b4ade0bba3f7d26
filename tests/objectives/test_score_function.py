"""Score-function gradients: exact on average, over plates of any kind, and less noisy than without care."""

import itertools

import keras
import numpy as np
import pytest
from objectives.models import Coin, assert_mean, compiled, evaluations
from scipy import stats
from scipy.special import expit, logit

import kprob
from kprob import tfd

NETWORK = [keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]


def coin_gradient(t=0.5, y=1.5):
    """d/dt of E_q[f - log q], which is p(1 - p)(f(1) - f(0) - t)."""
    f = [np.log(prior) + stats.norm.logpdf(y, 2.0 * x, 1.0) for x, prior in ((0, 0.7), (1, 0.3))]
    p = expit(t)
    return p * (1 - p) * (f[1] - f[0] - t)


OBJECTIVES = {
    "none": kprob.ELBO(),
    "average": kprob.ELBO(baseline=kprob.objectives.MovingAverageBaseline()),
    "network": kprob.ELBO(baseline=kprob.objectives.NeuralBaseline(keras.Sequential(NETWORK))),
    "analytic KL": kprob.objectives.AnalyticKLELBO(),
    "sticking the landing": kprob.objectives.StickingTheLandingELBO(),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_mean_gradient_of_a_coin_is_exact(name):
    model = compiled(Coin(), OBJECTIVES[name], {"y": 1.5})
    _, gradients = evaluations(model, {"y": 1.5}, 4000)
    place = [v.name for v in model.trainable_variables].index("t")
    assert_mean(gradients[:, place], coin_gradient())


def test_the_textbook_coin():
    # f(x) = x: d/dt E f = p(1 - p).
    def value(generative_trace, inference_trace):
        return generative_trace["x"].value

    _, gradients = evaluations(compiled(Coin(), value, {"y": 1.5}), {"y": 1.5}, 4000)
    assert_mean(gradients[:, 0], expit(0.5) * (1 - expit(0.5)))


def test_a_baseline_lowers_the_variance():
    model = compiled(Coin(), kprob.ELBO(), {"y": 5.0})
    without = evaluations(model, {"y": 5.0}, 2000)[1].var()
    model.compile(kprob.ELBO(baseline=kprob.objectives.MovingAverageBaseline(0.9)), keras.optimizers.SGD(0.0))
    model.fit({"y": 5.0}, epochs=60, verbose=0)
    found = evaluations(model, {"y": 5.0}, 2000)[1].var()
    assert found < 0.7 * without


def test_a_baseline_learns_what_it_is_to_guess():
    average = kprob.objectives.MovingAverageBaseline(0.98)
    model = Coin().compile(kprob.ELBO(baseline=average), keras.optimizers.SGD(0.0))
    values = model.fit({"y": 1.5}, epochs=300, verbose=0).history["elbo"]
    expected = np.sum(np.array(values) * 0.98 ** np.arange(299, -1, -1)) * 0.02 / (1 - 0.98**300)
    sums, weights = (float(keras.ops.convert_to_numpy(t["x"])) for t in (average.sums, average.weights_of_sums))
    assert sums / weights == pytest.approx(expected, rel=1e-3)
    model.evaluate({"y": 1.5}, verbose=0)
    assert float(keras.ops.convert_to_numpy(average.sums["x"])) == sums, "evaluation must not teach it"


def test_a_network_learns_what_it_is_to_guess():
    network = keras.Sequential([keras.layers.Dense(1)])
    objective = kprob.ELBO(baseline=kprob.objectives.NeuralBaseline(network, inputs="y"))
    model = Coin(t=6.0).compile(objective, keras.optimizers.SGD(0.05))
    model.t.trainable = False
    history = model.fit({"y": 1.5}, epochs=300, verbose=0).history["elbo"]
    copy = objective.baseline.copies["x"]
    guess = float(keras.ops.convert_to_numpy(copy(keras.ops.full((1, 1), 1.5)))[0, 0])
    assert guess == pytest.approx(np.mean(history[-100:]), abs=0.1)


Y = np.array([[0.3, 1.9, -0.5], [2.2, 0.1, 1.4]], "float32")  # [data, group]
CHANGE = np.array([0.4, -1.0, 0.7])


class Plates(kprob.ProbabilisticModel):
    """c global; b in a plate of groups; a in data and groups: each a coin, each next one depending on those before."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.free = self.add_weight(shape=(7,), initializer=keras.initializers.Constant(0.3), name="free")

    def generative(self):
        c = kprob.sample("c", tfd.Bernoulli(probs=0.4, dtype="float32"))
        with kprob.plate("groups", 3):
            b = kprob.sample("b", tfd.Bernoulli(logits=c - 0.5, dtype="float32"))
        with kprob.plate("data"), kprob.plate("groups", 3):
            a = kprob.sample("a", tfd.Bernoulli(logits=b - c, dtype="float32"))
            kprob.sample("y", tfd.Normal(a + b * CHANGE.astype("float32") - c, 1.0))

    def inference(self):
        free = keras.ops.convert_to_tensor(self.free)
        kprob.sample("c", tfd.Bernoulli(logits=free[0], dtype="float32"))
        with kprob.plate("groups", 3):
            b = kprob.sample("b", tfd.Bernoulli(logits=free[1:4], dtype="float32"))
        with kprob.plate("data"), kprob.plate("groups", 3):
            kprob.sample("a", tfd.Bernoulli(logits=free[4:7] + b, dtype="float32"))


def plates_elbo(free):
    """The ELBO by summing over all coins."""
    total = 0.0
    for c in (0, 1):
        q_c = expit(free[0]) if c else 1 - expit(free[0])
        inner = np.log(0.4 if c else 0.6) - np.log(q_c)
        for g in range(3):
            for b in (0, 1):
                q_b = expit(free[1 + g]) if b else 1 - expit(free[1 + g])
                p_b = expit(c - 0.5) if b else 1 - expit(c - 0.5)
                term = np.log(p_b) - np.log(q_b)
                for n, a in itertools.product(range(2), (0, 1)):
                    q_a = expit(free[4 + g] + b) if a else 1 - expit(free[4 + g] + b)
                    p_a = expit(b - c) if a else 1 - expit(b - c)
                    log_y = stats.norm.logpdf(Y[n, g], a + b * CHANGE[g] - c, 1.0)
                    term += q_a * (np.log(p_a) - np.log(q_a) + log_y)
                inner += q_b * term
        total += q_c * inner
    return total


def plates_gradient():
    free = np.full(7, 0.3)
    step = 1e-4 * np.eye(7)
    return np.array([(plates_elbo(free + e) - plates_elbo(free - e)) / 2e-4 for e in step])


def naive(generative_trace, inference_trace):
    return generative_trace.log_prob() - inference_trace.log_prob()


@pytest.mark.parametrize(
    "objective", [kprob.ELBO(), kprob.objectives.AnalyticKLELBO(), kprob.ELBO(2)], ids=["1", "KL", "2"]
)
def test_latents_in_plates_of_many_kinds(objective):
    values, gradients = evaluations(compiled(Plates(), objective, {"y": Y}), {"y": Y}, 6000)
    assert_mean(values, plates_elbo(np.full(7, 0.3)))
    assert_mean(gradients, plates_gradient())


def test_only_terms_that_can_depend_on_a_draw_make_noise():
    found = evaluations(compiled(Plates(), kprob.ELBO(), {"y": Y}), {"y": Y}, 3000)[1].var(0)
    without = evaluations(compiled(Plates(), naive, {"y": Y}), {"y": Y}, 3000)[1].var(0)
    assert np.all(found[1:] < 0.5 * without[1:])


def test_minibatches_of_plates_have_the_exact_gradient_on_average():
    model = compiled(Plates(), kprob.ELBO(), {"y": Y})
    each = [evaluations(model, {"y": Y[i : i + 1]}, 6000, seed=i, num_data=2)[1] for i in range(2)]
    assert_mean((each[0] + each[1]) / 2, plates_gradient())


def test_importance_weighted_coins():
    # The bound of two draws by summing over both; draws serve as each other's baseline.
    def bound(t, y=1.5):
        log_w = [
            np.log(prior) + stats.norm.logpdf(y, 2.0 * x, 1.0) - np.log(q)
            for x, prior, q in ((0, 0.7, 1 - expit(t)), (1, 0.3, expit(t)))
        ]
        q = [1 - expit(t), expit(t)]
        pairs = itertools.product((0, 1), (0, 1))
        return sum(q[i] * q[j] * (np.logaddexp(log_w[i], log_w[j]) - np.log(2)) for i, j in pairs)

    values, gradients = evaluations(
        compiled(Coin(), kprob.objectives.ImportanceWeightedELBO(2), {"y": 1.5}), {"y": 1.5}, 6000
    )
    assert_mean(values, bound(0.5))
    assert_mean(gradients[:, 0], (bound(0.5001) - bound(0.4999)) / 2e-4)


def test_reweighted_wake_sleep_finds_the_posterior_of_a_coin():
    model = Coin(t=0.0).compile(kprob.objectives.ReweightedWakeSleep(20), keras.optimizers.Adam(0.03))
    model.fit({"y": 1.5}, epochs=600, verbose=0)
    posterior = logit(0.3) + stats.norm.logpdf(1.5, 2, 1) - stats.norm.logpdf(1.5, 0, 1)
    assert float(keras.ops.convert_to_numpy(model.t)) == pytest.approx(posterior, abs=0.3)


def test_a_baseline_for_no_latent_is_an_error():
    with pytest.raises(kprob.errors.MismatchError, match="There is a baseline for `w`, which needs none"):
        compiled(Coin(), kprob.ELBO(baseline={"w": kprob.objectives.MovingAverageBaseline()}), {"y": 1.5})


def test_a_baseline_must_be_one():
    with pytest.raises(kprob.errors.CompileError, match="`baseline` isn't one"):
        kprob.ELBO(baseline=0.9)
    with pytest.raises(kprob.errors.CompileError, match="`decay` must be a number from 0 to 1, without 1"):
        kprob.objectives.MovingAverageBaseline(decay=1.0)
    with pytest.raises(kprob.errors.CompileError, match="NeuralBaseline needs a network"):
        kprob.objectives.NeuralBaseline("dense")


def test_an_input_that_is_drawn_later_is_an_error():
    objective = kprob.ELBO(baseline=kprob.objectives.NeuralBaseline(keras.Sequential(NETWORK), inputs=["x"]))
    with pytest.raises(kprob.errors.MismatchError, match="baseline of latent `x` has no input `x`"):
        compiled(Coin(), objective, {"y": 1.5})


def test_draws_that_must_move_are_asked_for():
    with pytest.raises(kprob.errors.CompileError, match="TailAdaptive needs draws that move"):
        compiled(Coin(), kprob.objectives.TailAdaptive(4), {"y": 1.5})

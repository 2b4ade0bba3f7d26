"""Every objective under masks and scales that stand in p alone, in q alone and in both: against sums by hand.

The model has a latent for each row; the batch is a part of the data, and its rows have weights. A second model has a latent of
all rows too.
"""

import contextlib
import types

import keras
import numpy as np
import pytest
from contracts import as_numpy
from internals import prepare_data
from objectives.models import assert_mean, compiled, evaluations
from scipy import stats
from scipy.special import logsumexp

import kprob
from kprob import handlers, tfd
from kprob.backend import random
from kprob.data import batch_of
from kprob.objectives import FunctionObjective

ROWS, NUM_DATA = 6, 18
RNG = np.random.RandomState(1)
X = RNG.normal(size=ROWS).astype("float32")
WEIGHTS = np.array([1.0, 2.0, 0.5, 1.0, 0.0, 3.0], "float32")
MASKS = {"p": np.array([1, 1, 0, 1, 0, 1], bool), "q": np.array([0, 1, 1, 1, 1, 0], bool)}
SCALES = {
    "p": np.array([0.5, 2.0, 1.0, 1.5, 3.0, 0.25], "float32"),
    "q": np.array([2.0, 1.0, 0.0, 0.5, 1.0, 4.0], "float32"),
}
Q_SCALE, P_SCALE = 0.7, 1.3
WHERE = ("", "p", "q", "pq")


@contextlib.contextmanager
def weighed(network, where, data):
    """Opens a mask and a scale where a network has them; they come with the data, so that they are cut into batches with it."""
    with contextlib.ExitStack() as stack:
        if network in where:
            stack.enter_context(handlers.mask(mask=data[f"mask_{network}"]))
            stack.enter_context(handlers.scale(factor=data[f"scale_{network}"]))
        yield


def local_model(where, with_global=False):
    """w ~ N(0, 1) where asked, z ~ N(w, 1.3), x ~ N(z, 0.5); q: w ~ N(0.2, 0.4), z ~ N(0.5 x, 0.7)."""

    def generative(mask_p, scale_p):
        w = kprob.sample("w", tfd.Normal(0.0, 1.0)) if with_global else 0.0
        with kprob.plate("data"):
            with weighed("p", where, {"mask_p": mask_p, "scale_p": scale_p}):
                z = kprob.sample("z", tfd.Normal(w, P_SCALE))
            kprob.sample("x", tfd.Normal(z, 0.5))

    def inference(x, mask_q, scale_q):
        if with_global:
            kprob.sample("w", tfd.Normal(0.2, 0.4))
        with kprob.plate("data"), weighed("q", where, {"mask_q": mask_q, "scale_q": scale_q}):
            kprob.sample("z", tfd.Normal(0.5 * x, Q_SCALE))

    return kprob.ProbabilisticModel(generative=generative, inference=inference)


def batch_for(model):
    """The batch, weighted, one of three of the data set."""
    data = {"x": X} | {f"mask_{n}": MASKS[n] for n in MASKS} | {f"scale_{n}": SCALES[n] for n in SCALES}
    prepared = prepare_data(model.networks, data)
    return batch_of(type(prepared)(prepared.rows, prepared.whole, prepared.num_rows, WEIGHTS), NUM_DATA)


def by_hand(p, q, where, x=X):
    """Weighed log-densities by row, draws leading, each without the weights of rows: of x and z under p, and of z under q."""
    draws = p.num_draws or 1
    z = as_numpy(q["z"].value).reshape(draws, ROWS)
    w = as_numpy(p["w"].value) if "w" in p else 0.0
    factor = {n: MASKS[n] * SCALES[n] if n in where else np.ones(ROWS) for n in "pq"}
    location = 0.5 * np.asarray(x).reshape(-1, ROWS)
    divergence = np.log(P_SCALE / Q_SCALE) + (Q_SCALE**2 + (location - w) ** 2) / (2 * P_SCALE**2) - 0.5
    entropy = 0.5 * np.log(2 * np.pi * np.e * Q_SCALE**2)
    return types.SimpleNamespace(
        x=stats.norm(z, 0.5).logpdf(x),
        p=factor["p"] * stats.norm(w, P_SCALE).logpdf(z),
        q=factor["q"] * stats.norm(location, Q_SCALE).logpdf(z),
        kl=np.broadcast_to(factor["p"] * (divergence + entropy) - factor["q"] * entropy, (draws, ROWS)),
        w=0.0 if "w" not in p else stats.norm(0, 1).logpdf(w) - stats.norm(0.2, 0.4).logpdf(w),
        kl_w=0.0 if "w" not in p else np.log(1.0 / 0.4) + (0.4**2 + 0.2**2) / 2 - 0.5,
    )


def total(rows):
    """The sum over the rows of a batch, weighted, and scaled up to the whole data; the mean over draws."""
    return float(np.mean(np.sum(rows * WEIGHTS, axis=-1))) * NUM_DATA / ROWS


def elbo(h):
    return total(h.x + h.p - h.q) + h.w


OBJECTIVES = {
    "ELBO": (kprob.ELBO, {}, elbo),
    "StickingTheLandingELBO": (kprob.objectives.StickingTheLandingELBO, {}, elbo),
    "AnalyticKLELBO": (kprob.objectives.AnalyticKLELBO, {}, lambda h: total(h.x - h.kl) - h.kl_w),
    "BetaELBO": (kprob.objectives.BetaELBO, {"beta": 2.5}, lambda h: total(h.x) - 2.5 * (total(h.kl) + h.kl_w)),
    "InfoVAE": (kprob.objectives.InfoVAE, {"alpha": 0.4, "scale": 0.6}, lambda h: total(h.x - 0.6 * h.kl)),
    "MMD": (kprob.objectives.MMD, {"scale": 0.0}, lambda h: total(h.x)),
    "ImportanceWeightedELBO": (
        kprob.objectives.ImportanceWeightedELBO,
        {},
        lambda h: total(logsumexp(h.x + h.p - h.q, axis=0) - np.log(len(h.x))),
    ),
    "plain ImportanceWeightedELBO": (
        kprob.objectives.ImportanceWeightedELBO,
        {"estimator": "plain"},
        lambda h: total(logsumexp(h.x + h.p - h.q, axis=0) - np.log(len(h.x))),
    ),
    "RenyiELBO": (
        kprob.objectives.RenyiELBO,
        {"alpha": 0.5},
        lambda h: total(2.0 * (logsumexp(0.5 * (h.x + h.p - h.q), axis=0) - np.log(len(h.x)))),
    ),
    "ReweightedWakeSleep": (
        kprob.objectives.ReweightedWakeSleep,
        {},
        lambda h: total(logsumexp(h.x + h.p - h.q, axis=0) - np.log(len(h.x))),
    ),
    "TailAdaptive": (kprob.objectives.TailAdaptive, {}, lambda h: total((h.x + h.p - h.q).mean(0))),
}


@pytest.fixture(scope="module")
def models():
    """Built models by where their weights stand, and whether there is a latent of all rows."""
    made = {}

    def model_of(where, with_global=False):
        key = where, with_global
        if key not in made:
            model = local_model(*key).compile(kprob.ELBO(), "adam")
            data = {"x": X} | {f"mask_{n}": MASKS[n] for n in MASKS} | {f"scale_{n}": SCALES[n] for n in SCALES}
            model.fit(data, epochs=0, verbose=0)
            made[key] = model
        return made[key]

    return model_of


def compare(names, p, q, where, num_samples):
    """Each objective's value on two traces is that of the sum by hand."""
    hand = by_hand(p, q, where)
    for name in names:
        objective_class, options, expected = OBJECTIVES[name]
        objective = objective_class(num_samples=num_samples, **options)
        if not (p.shared and not objective.shares_inference):
            value = float(objective.values(p, q).objective)
            assert value == pytest.approx(expected(hand), rel=2e-5, abs=2e-4), name


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("num_draws, shared", [(None, False), (3, False), (3, True)])
def test_objectives_of_rows(models, where, num_draws, shared):
    p, q = models(where).networks.pair(batch_for(models(where)), random.seed(5), num_draws, shared)
    p.shared = shared  # for `compare`
    compare(OBJECTIVES, p, q, where, num_draws or 1)
    if num_draws is None:
        plain = FunctionObjective(lambda p, q: p.log_prob() - q.log_prob())
        assert float(plain.values(p, q).objective) == pytest.approx(elbo(by_hand(p, q, where)), rel=2e-5)
        # q alone judges what p has drawn.
        value = float(kprob.objectives.ForwardKL().values(p, q).objective)
        drawn = p.simulated()
        hand = by_hand(drawn, drawn, where, as_numpy(drawn["x"].value))
        assert value == pytest.approx(total(hand.q), rel=2e-5)


@pytest.mark.parametrize("where", WHERE)
def test_objectives_beside_a_latent_of_all_rows(models, where):
    model = models(where, True)
    pairs = [model.networks.pair(batch_for(model), random.seed(seed)) for seed in range(2)]
    p, q = pairs[0]
    p.shared = False
    compare(["ELBO", "StickingTheLandingELBO", "AnalyticKLELBO", "BetaELBO"], p, q, where, 1)
    # The importance-weighted bound is one of the model as a whole: rows aren't judged one by one.
    objective = kprob.objectives.ImportanceWeightedELBO(2, "plain")
    draws = [objective.weigh_draws(p, q) for p, q in pairs]
    both = keras.tree.map_structure(lambda *values: keras.ops.stack(values), *draws)
    expected = logsumexp([elbo(by_hand(p, q, where)) for p, q in pairs]) - np.log(2)
    assert float(objective.combine(both).objective) == pytest.approx(expected, rel=2e-5)


def test_particles_weigh_as_p_does():
    model = kprob.ProbabilisticModel(
        generative=lambda: handlers.scale(lambda: kprob.sample("z", tfd.Normal(0.0, 1.0)), 3.0)(),
        inference=kprob.guides.Particles(4),
    )
    model.compile(kprob.objectives.Stein(), "adam").evaluate({}, verbose=0)
    found = model.evaluate({}, verbose=0, return_dict=True)
    z = model.posterior("z").sample(200)
    particles = np.unique(z)
    assert len(particles) == 4
    assert found["elbo"] == pytest.approx(3.0 * stats.norm.logpdf(particles).mean(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("where", WHERE)
def test_scores_are_those_of_the_draws(where):
    # E_q[f] = Σ q(c) f(c) with f = s_p log p − s_q log q, exactly, and its derivative in q's logit t by differences.
    p_scale, q_scale = 2.0 if "p" in where else 1.0, 0.5 if "q" in where else 1.0

    class Coin(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.t = self.add_weight(shape=(), initializer=keras.initializers.Constant(0.4), name="t")

        def generative(self):
            with handlers.scale(factor=p_scale):
                kprob.sample("c", tfd.Bernoulli(probs=0.3, dtype="float32"))

        def inference(self):
            with handlers.scale(factor=q_scale):
                kprob.sample("c", tfd.Bernoulli(logits=keras.ops.convert_to_tensor(self.t), dtype="float32"))

    def exact(t):
        q = stats.bernoulli(1 / (1 + np.exp(-t)))
        return sum(q.pmf(c) * (p_scale * stats.bernoulli(0.3).logpmf(c) - q_scale * q.logpmf(c)) for c in (0, 1))

    slope = (exact(0.401) - exact(0.399)) / 0.002
    for objective in (kprob.ELBO(), kprob.objectives.AnalyticKLELBO(), lambda p, q: p.log_prob() - q.log_prob()):
        values, gradients = evaluations(compiled(Coin(), objective, {}), {}, 4000)
        assert_mean(values, exact(0.4))
        assert_mean(gradients, [slope])

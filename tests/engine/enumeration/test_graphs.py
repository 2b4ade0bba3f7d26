"""Elimination against brute force, on graphs of several shapes with random tables."""

import keras
import numpy as np
import pytest
from brute_force import sums

import kprob
from kprob import tfd

ops = keras.ops
K = 2
ROWS = 2


class Tables:
    """Random parameters, the same for each name at every call."""

    def __init__(self, seed):
        self.random, self.made = np.random.default_rng(seed), {}

    def logits(self, name, *parents):
        table = self.made.setdefault(name, self.random.normal(size=(K,) * (len(parents) + 1)).astype("float32"))
        flat, index = ops.reshape(ops.convert_to_tensor(table), (-1, K)), 0
        for parent in parents:
            index = index * K + parent
        return ops.take(flat, index, axis=0)

    def draw(self, name, *parents):
        return kprob.sample(name, tfd.Categorical(logits=self.logits(name, *parents)))

    def observe(self, name, *parents):
        kprob.sample(name, tfd.Normal(self.logits(name, *parents)[..., 0], 0.7))


def chain(t):
    with kprob.plate("data"):
        a = t.draw("a")
        b = t.draw("b", a)
        c = t.draw("c", b)
        t.observe("x", a)
        t.observe("y", c)


def tree(t):
    with kprob.plate("data"):
        a = t.draw("a")
        t.observe("x", t.draw("b", a))
        t.observe("y", t.draw("c", a))


def two_parents(t):
    with kprob.plate("data"):
        a, b = t.draw("a"), t.draw("b")
        c = t.draw("c", a, b)
        t.observe("x", c, a)
        t.observe("y", b)


def plate_in_plate(t):
    with kprob.plate("data"):
        a = t.draw("a")
        t.observe("y", a)
        with kprob.plate("inner", 2):
            t.observe("x", t.draw("b", a[:, None]))


def global_parent(t):
    a = t.draw("a")
    b = t.draw("b", a)
    with kprob.plate("data"):
        c = t.draw("c", b)
        t.observe("x", c)
        t.observe("y", a)


def global_and_plates(t):
    a = t.draw("a")
    with kprob.plate("side", 2):
        t.observe("z", t.draw("d", a))
    with kprob.plate("data"):
        b = t.draw("b", a)
        with kprob.plate("inner", 2):
            t.observe("x", b[:, None], a)
        kprob.factor("f", 0.3 * ops.cast(b * a, "float32"))


GRAPHS = {
    "chain": (chain, {"a": (ROWS,), "b": (ROWS,), "c": (ROWS,)}, {"x": (ROWS,), "y": (ROWS,)}),
    "tree": (tree, {"a": (ROWS,), "b": (ROWS,), "c": (ROWS,)}, {"x": (ROWS,), "y": (ROWS,)}),
    "two parents": (two_parents, {"a": (ROWS,), "b": (ROWS,), "c": (ROWS,)}, {"x": (ROWS,), "y": (ROWS,)}),
    "plate in plate": (plate_in_plate, {"a": (ROWS,), "b": (ROWS, 2)}, {"x": (ROWS, 2), "y": (ROWS,)}),
    "global parent": (global_parent, {"a": (), "b": (), "c": (ROWS,)}, {"x": (ROWS,), "y": (ROWS,)}),
    "global and plates": (global_and_plates, {"a": (), "b": (ROWS,), "d": (2,)}, {"x": (ROWS, 2), "z": (2,)}),
}


@pytest.fixture(params=GRAPHS)
def solved(request):
    """Yields a fitted model, its data, and what brute force says."""
    network, latents, observed = GRAPHS[request.param]
    tables, random = Tables(len(request.param)), np.random.default_rng(1)
    data = {name: random.normal(size=shape).astype("float32") for name, shape in observed.items()}
    run = lambda: network(tables)  # noqa: E731
    model = kprob.ProbabilisticModel(generative=run).compile(kprob.ELBO(), "adam")
    elbo = ROWS * model.evaluate(data, return_dict=True)["elbo"]
    return model, data, list(latents), elbo, sums(run, latents, K, data)


def test_sums_and_conditionals_are_those_of_brute_force(solved):
    model, data, latents, elbo, (evidence, marginals, best, each) = solved
    assert elbo == pytest.approx(evidence, abs=1e-5)
    posterior = model.posterior(latents, data)
    found = posterior.probs()
    for name in latents:
        np.testing.assert_allclose(found[name], marginals[name], atol=2e-5)
    for name, value in posterior.mode().items():
        np.testing.assert_array_equal(value, best[name])
    values, log = each[len(each) // 3]
    assert posterior.sum_log_prob(values) == pytest.approx(log - evidence, abs=1e-4)


def test_draws_come_from_the_joint_conditional(solved):
    model, data, latents, _, (evidence, _, _, each) = solved
    draws = model.posterior(latents, data).sample(4000, seed=1)
    flat = np.concatenate([draws[name].reshape(4000, -1) for name in latents], axis=1)
    numbers = flat @ (K ** np.arange(flat.shape[1])[::-1])
    found = np.bincount(numbers, minlength=len(each)) / 4000
    expected = np.exp([log - evidence for _, log in each])
    # Total variation of 4,000 draws over at most 64 assignments.
    assert 0.5 * np.abs(found - expected).sum() < 0.06

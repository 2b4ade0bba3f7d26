"""Trajectories of the No-U-Turn sampler: which points they see, which one they draw, and when they end."""

import numpy as np
import pytest
from keras import ops

import kprob
from kprob.backend import compile_function, random
from kprob.samplers.kernels.evaluated_point import evaluate
from kprob.samplers.kernels.no_u_turn import _bookkeeping, no_u_turn


def normal(vector):
    return -0.5 * ops.sum(ops.square(vector))


def draw(log_density, start, seeds, step_size, max_depth=6, scale=None):
    """Returns the draw of a trajectory for each seed, as arrays by field."""

    def once(vector, seed):
        width = ops.ones_like(vector) if scale is None else ops.convert_to_tensor(scale, "float32")
        found = no_u_turn(seed, evaluate(vector, log_density), log_density, width, step_size, max_depth)
        return found._asdict() | found.point._asdict()

    program = compile_function(once, jit=True)
    found = [program(ops.convert_to_tensor(start, "float32"), random.seed(seed)) for seed in seeds]
    names = ("position", "slope", "log_density", "accept_rate", "num_steps", "depth", "diverging", "energy")
    return {name: np.stack([ops.convert_to_numpy(one[name]) for one in found]) for name in names}


def test_bookkeeping_counts_the_subtrees_that_end_with_a_leaf():
    writes, last, first = _bookkeeping(4)
    # Leaf 3 (of 0 to 7) ends the subtrees that leaves 2 and 0 begin, leaf 5 the one of 4, leaf 7 those of 6, 4 and 0.
    assert writes.tolist() == [0, 4, 1, 4, 1, 4, 2, 4]
    kept = {}
    begins = {}
    for leaf in range(8):
        kept[writes[leaf]] = leaf
        begins[leaf] = [kept[place] for place in range(last[leaf], first[leaf] - 1, -1)]
    assert begins == {0: [], 1: [0], 2: [], 3: [2, 0], 4: [], 5: [4], 6: [], 7: [6, 4, 0]}


def test_one_transition_keeps_the_distribution():
    # From exact draws of a normal distribution, one transition leads to such draws again.
    starts = np.random.default_rng(0).normal(size=(1500, 2))

    def once(vector, seed):
        found = no_u_turn(seed, evaluate(vector, normal), normal, ops.ones_like(vector), 1.4, 5)
        return found.point.position, found.num_steps

    program = compile_function(once, jit=True)
    found = [program(ops.convert_to_tensor(start, "float32"), random.seed(i)) for i, start in enumerate(starts)]
    positions = np.stack([ops.convert_to_numpy(position) for position, _ in found])
    np.testing.assert_allclose(positions.mean(0), 0.0, atol=0.1)
    np.testing.assert_allclose(positions.var(0), 1.0, atol=0.13)
    np.testing.assert_allclose((positions**4).mean(0), 3.0, atol=0.7)
    assert {int(steps) for _, steps in found} <= {1, 2, 3, 4, 5, 6, 7, 11, 15}


def test_what_is_known_belongs_to_the_draw():
    scale = np.array([0.5, 2.0], "float32")

    def wide(vector):
        return normal(vector / ops.convert_to_tensor(scale))

    found = draw(wide, [0.3, -1.0], range(20), 0.7, scale=scale)
    np.testing.assert_allclose(found["slope"], -found["position"] / scale**2, rtol=1e-4, atol=1e-5)
    expected = -0.5 * np.sum((found["position"] / scale) ** 2, axis=1)
    np.testing.assert_allclose(found["log_density"], expected, rtol=1e-4)
    assert (found["energy"] >= -found["log_density"] - 1e-4).all()  # the kinetic part is positive


def test_a_trajectory_on_a_slope_never_turns():
    found = draw(lambda vector: 1e-3 * ops.sum(vector), [0.0, 0.0], range(5), 0.1, max_depth=4)
    assert found["num_steps"].tolist() == [15.0] * 5 and found["depth"].tolist() == [4] * 5
    assert not found["diverging"].any() and (found["accept_rate"] > 0.99).all()


def test_a_trajectory_turns_where_it_has_gone_half_round():
    # The orbit of a standard normal takes 2 π; after half of it everything has turned.
    found = draw(normal, [1.0], range(40), 0.1, max_depth=10)
    length = found["num_steps"] * 0.1
    assert 1.0 < length.mean() < np.pi and length.max() < 2 * np.pi
    assert not found["diverging"].any()


@pytest.mark.parametrize("log_density", [lambda v: -1e6 * ops.sum(v**4), lambda v: ops.log(ops.sum(v) - 0.99)])
def test_diverging_and_impossible_places_end_it(log_density):
    found = draw(log_density, [1.0], range(20), 3.0)
    assert found["diverging"].any()
    assert np.isfinite(found["position"]).all() and np.isfinite(found["slope"]).all()
    assert np.isfinite(found["accept_rate"]).all()


def test_chains_go_on_from_what_they_know():
    # The gradient that a state carries is that of its position, whatever was tuned in between.
    sampler = kprob.NUTS(num_warmup=30, num_chains=1, dense_mass=True)

    def log_density(position):
        return normal(position["x"] / np.array([0.1, 1.0, 10.0], "float32"))

    state = sampler.init({"x": np.array([0.1, 1.0, -3.0], "float32")}, log_density)
    step = compile_function(lambda seed, state: sampler.step(seed, state), jit=True)
    for seed in range(35):
        state, _ = step(random.seed(seed), state)
    expected = -ops.convert_to_numpy(state.position) / np.array([0.01, 1.0, 100.0])
    np.testing.assert_allclose(ops.convert_to_numpy(state.known[0]), expected, rtol=1e-3, atol=1e-4)

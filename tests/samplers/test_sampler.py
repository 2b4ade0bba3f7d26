"""The pure transitions: `init` and `step` on positions by name."""

from typing import NamedTuple

import keras
import numpy as np
import pytest
from keras import ops

import kprob
from kprob.backend import compile_function, random
from kprob.errors import CompileError
from kprob.samplers import Info, Kernel


def compiled(sampler, position, log_density, number):
    """Returns `seed -> (last state, positions, infos by name)`, transitions of a chain in one compiled loop."""
    begun = sampler.init(position, log_density)
    size = int(begun.position.shape[0])

    def loop(state, seed):
        def body(i, state, positions, infos):
            state, info = sampler.step(random.fold_in(seed, i), state)
            row = ops.stack([ops.cast(value, "float32") for value in info])
            positions = ops.slice_update(positions, (i, 0), state.position[None])
            return i + 1, state, positions, ops.slice_update(infos, (i, 0), row[None])

        start = ops.zeros((), "int32"), state, ops.zeros((number, size)), ops.zeros((number, 7))
        return ops.while_loop(lambda i, *_: i < number, body, start)[1:]

    program = compile_function(loop, jit=True)

    def chain(seed):
        state, positions, infos = program(begun, random.seed(seed))
        infos = {name: ops.convert_to_numpy(infos)[:, i] for i, name in enumerate(Info._fields)}
        return state, ops.convert_to_numpy(positions), infos

    return chain


def run(sampler, position, log_density, number, seed=0):
    """Makes transitions in one compiled loop; returns the last state, positions by name and the infos' fields."""
    return compiled(sampler, position, log_density, number)(seed)


def correlated(position):
    """Two numbers with standard deviations 1 and 0.1 and correlation 0.99; and one that is N(3, 2)."""
    a, b = position["pair"][0], position["pair"][1] * 10.0
    quadratic = (a * a - 2 * 0.99 * a * b + b * b) / (1 - 0.99**2)
    return -0.5 * quadratic - 0.5 * ops.square((position["alone"] - 3.0) / 2.0)


START = {"pair": np.zeros(2, "float32"), "alone": np.float32(0.0)}


@pytest.mark.parametrize(
    "sampler",
    [
        kprob.samplers.HMC(num_warmup=300, num_leapfrog_steps=2, dense_mass=True),
        pytest.param(kprob.NUTS(num_warmup=300, dense_mass=True), marks=pytest.mark.slow),
        pytest.param(kprob.NUTS(num_warmup=500), marks=pytest.mark.slow),
    ],
    ids=["HMC", "NUTS, dense", "NUTS"],
)
def test_correlated_normal(sampler):
    state, draws, infos = run(sampler, START, correlated, 2300)
    draws, dense = draws[sampler.num_warmup :], sampler.dense_mass
    np.testing.assert_allclose(draws.mean(0), [0, 0, 3], atol=0.3)
    np.testing.assert_allclose(draws.std(0, ddof=1), [1, 0.1, 2], rtol=0.12)
    assert abs(np.corrcoef(draws.T)[0, 1] - 0.99) < 0.005
    assert not infos["diverging"][sampler.num_warmup :].any()
    if dense:  # the Cholesky factor has the target's shape, so that steps are long in spite of the correlation
        covariance = np.cov(ops.convert_to_numpy(state.scale) @ np.random.default_rng(0).normal(size=(3, 9999)))
        assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) > 0.95
        assert 0.05 < np.sqrt(covariance[1, 1] / covariance[0, 0]) < 0.2
        assert infos["step_size"][-1] > 0.4


def test_position_by_name():
    sampler = kprob.samplers.HMC(num_warmup=10)
    state = sampler.init(START, correlated)
    position = sampler.position(state)
    assert set(position) == {"pair", "alone"}
    assert tuple(position["pair"].shape) == (2,) and tuple(position["alone"].shape) == ()
    np.testing.assert_array_equal(ops.convert_to_numpy(position["pair"]), START["pair"])


def test_step_is_pure():
    sampler = kprob.samplers.HMC(num_warmup=10, step_size=0.01)
    state = sampler.init(START, correlated)
    once, again, other = (ops.convert_to_numpy(sampler.step(random.seed(s), state)[0].position) for s in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)
    assert int(state.iteration) == 0  # what came in is as it was


def test_nan_and_infinite_densities_are_places_where_one_cant_be():
    # x e^{-x²/2} over the positive numbers: log gives NaN below zero. Its mean is sqrt(pi / 2).
    def rayleigh(position):
        return ops.log(position["x"]) - 0.5 * ops.square(position["x"])

    sampler = kprob.samplers.HMC(num_warmup=300, num_leapfrog_steps=4)
    state, draws, infos = run(sampler, {"x": np.float32(1.0)}, rayleigh, 3300)
    assert np.isfinite(draws).all() and (draws > 0).all()
    assert np.isfinite([float(value) for value in state.step]).all() and np.isfinite(infos["step_size"]).all()
    assert 0.3 < infos["step_size"][-1] < 3.0
    assert abs(draws[300:].mean() - np.sqrt(np.pi / 2)) < 0.08
    assert abs(draws[300:].std() - np.sqrt(2 - np.pi / 2)) < 0.08


def test_step_before_init():
    with pytest.raises(CompileError, match="came before init"):
        kprob.samplers.HMC().step(random.seed(0), None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_warmup": -1}, "num_warmup"),
        ({"num_samples": 0}, "num_samples"),
        ({"num_chains": 1.5}, "num_chains"),
        ({"target_accept_rate": 1.0}, "between 0 and 1"),
        ({"chain_method": "thread"}, r"(?s)Did you mean.*threads"),
        ({"init": "prio"}, r"(?s)Did you mean.*prior"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(CompileError, match=message):
        kprob.NUTS(**wrong)


@pytest.mark.parametrize(
    "sampler", [kprob.NUTS(7, 8, 9, init="median"), kprob.samplers.HMC(7, 8, num_leapfrog_steps=3)]
)
def test_config(sampler):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(sampler))
    assert type(again) is type(sampler) and again.get_config() == sampler.get_config()


def test_trees_are_accepted_as_often_as_those_of_stan_and_numpyro():
    # A normal distribution of ten very different widths. With their step sizes 0.883 on average, and 0.017 is the standard
    # deviation of a chain; 0.821 where the step size goes on being averaged with the last mass matrix.
    def log_density(position):
        return -0.5 * ops.sum(ops.square(position["x"] / np.logspace(-1, 1, 10).astype("float32")))

    chain = compiled(kprob.NUTS(num_warmup=1000), {"x": np.ones(10, "float32")}, log_density, 1400)
    rates = [chain(seed)[2]["accept_rate"][1000:].mean() for seed in range(4)]
    assert 0.85 < np.mean(rates) < 0.92


def test_samplers_say_how_they_want_to_be_run():
    everything = [getattr(kprob.samplers, name) for name in kprob.samplers.__all__]
    samplers = [cls for cls in everything if issubclass(cls, kprob.samplers.Sampler)]

    def names(attribute):
        return {cls.__name__ for cls in samplers if getattr(cls, attribute)}

    assert names("population") == {"SMC"}
    assert names("ensemble") == {"ChEES"}
    assert names("minibatches") == {"SGLD", "SGHMC"}
    assert names("within_gibbs") == {"NUTS", "HMC", "MALA", "RandomWalkMetropolis"}
    assert kprob.NUTS(max_tree_depth=7).max_tree_depth == 7 and kprob.samplers.HMC().max_tree_depth is None


class WalkState(NamedTuple):
    position: object
    iteration: object


class Walk(kprob.samplers.Sampler):
    """The least that a sampler must have."""

    def kernel(self, log_density):
        def step(seed, state):
            noise, luck = random.normal((2,), random.fold_in(seed, 0)), random.uniform((1,), random.fold_in(seed, 1))[0]
            proposal = state.position + noise[: state.position.shape[0]]
            ratio = log_density(proposal) - log_density(state.position)
            position = ops.where(ops.log(luck) < ratio, proposal, state.position)
            zero = ops.zeros_like(ratio)
            rate = ops.exp(ops.minimum(ratio, 0.0))
            info = Info(log_density(position), rate, zero + 1.0, zero + 1.0, zero, zero, zero + float("nan"))
            return WalkState(position, state.iteration + 1), info

        return Kernel(lambda vector: WalkState(vector, ops.zeros((), "int32")), step)


def test_a_kernel_is_all_that_a_sampler_needs():
    @kprob.probmodel
    def temperature():
        temp = kprob.sample("temp", kprob.tfd.Normal(15.0, 2.0))
        kprob.sample("sensor", kprob.tfd.Normal(temp, 1.0))

    model = temperature().compile(Walk(200, 4000, 2, block_size=1000))
    model.fit({"sensor": 18.0}, verbose=0, check=False)
    assert model.draws.values["temp"].mean() == pytest.approx(17.4, abs=0.15)
    assert model.draws.values["temp"].std() == pytest.approx(0.894427, abs=0.1)

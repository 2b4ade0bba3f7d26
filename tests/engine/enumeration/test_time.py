"""Markov chains: by a loop of Python, by `scan`, by the layer; exact, and in linear time."""

import keras
import numpy as np
import pytest
from brute_force import sums
from internals import prepare_data

import kprob
from kprob import backend, layers, tfd
from kprob.errors import SiteError

ops = keras.ops
SENSORS = np.array([18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1], "float32")
INITIAL = np.array([0.6, 0.4], "float32")
TRANSITION = np.array([[0.8, 0.2], [0.3, 0.7]], "float32")
MEANS = np.array([18.0, 21.0], "float32")
EVIDENCE = -17.355516


def compiled(network):
    return kprob.ProbabilisticModel(generative=network).compile(kprob.ELBO(), "adam")


def loop(steps):
    """The chain by a loop of Python: sites z0, x0, z1, x1, ..."""

    def network():
        z = None
        for t in range(steps):
            probs = INITIAL if t == 0 else ops.take(ops.convert_to_tensor(TRANSITION), z, axis=0)
            z = kprob.sample(f"z{t}", tfd.Categorical(probs=probs))
            kprob.sample(f"x{t}", tfd.Normal(ops.take(ops.convert_to_tensor(MEANS), z), 1.0))

    return network


def scanned(steps, plate=False):
    """The chain by `scan`; the state before the first step is 2, whose row of the table is the initial one."""
    rows = ops.convert_to_tensor(np.concatenate([TRANSITION, INITIAL[None]]))

    def step(z, t):
        z = kprob.sample("z", tfd.Categorical(probs=ops.take(rows, z, axis=0)))
        kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor(MEANS), z), 1.0))
        return z

    def network():
        if not plate:
            kprob.scan(step, 2, steps)
            return
        with kprob.plate("data"):
            kprob.scan(step, 2, steps)

    return network


def by_layer():
    chain = {"initial_probs": INITIAL, "transition_probs": TRANSITION}
    x = layers.HiddenMarkovModel("Normal", 10, loc=MEANS, scale=1.0, name="x", **chain)
    return lambda: x()


def by_steps(prefix):
    return [f"{prefix}{t}" for t in range(10)]


def all_paths():
    """Returns the states' probabilities and the most probable path, by all 1,024 paths."""
    paths = np.array(list(np.ndindex(*[2] * 10)))
    log = np.log(INITIAL)[paths[:, 0]] + np.log(TRANSITION)[paths[:, :-1], paths[:, 1:]].sum(1)
    log = log - 0.5 * ((SENSORS - MEANS[paths]) ** 2 + np.log(2 * np.pi)).sum(1)
    evidence = np.log(np.exp(log).sum())
    assert evidence == pytest.approx(EVIDENCE, abs=1e-4)
    on = np.exp(log - evidence) @ paths
    return np.stack([1 - on, on], axis=1), paths[log.argmax()]


def test_evidence_by_loop_scan_and_layer():
    one_by_one = dict(zip(by_steps("x"), SENSORS, strict=True))
    for network, data in ((loop(10), one_by_one), (scanned(10), {"x": SENSORS}), (by_layer(), {"x": SENSORS})):
        assert compiled(network).evaluate(data, return_dict=True)["elbo"] == pytest.approx(EVIDENCE, abs=1e-5)


def test_states_by_loop_and_scan_are_those_of_brute_force():
    data = dict(zip(by_steps("x"), SENSORS, strict=True))
    expected, path = all_paths()
    model = compiled(scanned(10))
    model.evaluate({"x": SENSORS})
    posterior = model.posterior("z", {"x": SENSORS})
    np.testing.assert_allclose(posterior.probs(), expected, atol=1e-5)
    np.testing.assert_array_equal(posterior.mode(), path)
    draws = posterior.sample(2000, seed=1)
    np.testing.assert_allclose(draws.mean(0), expected[:, 1], atol=0.04)
    # Neighbours move together in draws as they do in the joint conditional.
    joint = compiled(loop(10))
    joint.evaluate(data)
    others = joint.posterior(by_steps("z"), data).sample(2000, seed=2)
    pairs = np.mean([others[f"z{t}"] != others[f"z{t + 1}"] for t in range(9)], axis=1)
    np.testing.assert_allclose((draws[:, 1:] != draws[:, :-1]).mean(0), pairs, atol=0.05)


def test_many_series_in_the_data_plate_and_learned_parameters():
    series = np.stack([SENSORS, SENSORS[::-1], SENSORS - 1])
    model = compiled(scanned(10, plate=True))
    whole = 3 * model.evaluate({"x": series}, return_dict=True)["elbo"]
    single = compiled(scanned(10))
    each = [single.evaluate({"x": one}, return_dict=True)["elbo"] for one in series]
    assert whole == pytest.approx(sum(each), abs=1e-4)
    single.evaluate({"x": series[2]})
    expected = single.posterior("z", {"x": series[2]}).probs()
    np.testing.assert_allclose(model.posterior("z", {"x": series}).probs()[2], expected, atol=1e-5)


def test_a_global_parameter_a_second_variable_and_an_observed_step():
    """z moves, w belongs to a time; both are summed out, together with a global g."""
    rng = np.random.default_rng(4)
    move, choose = (ops.convert_to_tensor(rng.normal(size=(2, 2, 2)).astype("float32")) for _ in range(2))
    x = rng.normal(size=4).astype("float32")

    def tables(table, a, b):
        return ops.take(ops.reshape(table, (4, 2)), 2 * a + b, axis=0)

    def network():
        g = kprob.sample("g", tfd.Categorical(logits=ops.zeros(2)))

        def step(z, t):
            z = kprob.sample("z", tfd.Categorical(logits=tables(move, g, z)))
            w = kprob.sample("w", tfd.Categorical(logits=tables(choose, z, g)))
            kprob.sample("x", tfd.Normal(ops.cast(z + 2 * w, "float32"), 1.0))
            return z

        kprob.scan(step, 0, 4)

    evidence, marginals, best, _ = sums(network, {"g": (), "z": (4,), "w": (4,)}, 2, {"x": x})
    model = compiled(network)
    assert model.evaluate({"x": x}, return_dict=True)["elbo"] == pytest.approx(evidence, abs=1e-5)
    posterior = model.posterior(["g", "z", "w"], {"x": x})
    for name, found in posterior.probs().items():
        np.testing.assert_allclose(found, marginals[name], atol=1e-5)
    for name, found in posterior.mode().items():
        np.testing.assert_array_equal(found, best[name])


def test_prior_draws_follow_the_chain_and_continuous_latents_need_no_sum():
    def walk(previous, drift):
        state = kprob.sample("state", tfd.Normal(previous + drift, 0.1))
        kprob.sample("seen", tfd.Normal(state, 0.1))
        return state

    def network():
        with kprob.plate("data"):
            kprob.scan(walk, 1.0, ops.ones((1, 20)))

    model = compiled(network)
    draws = model.prior(["state", "seen"], size=100).sample(2, seed=1)
    assert draws["state"].shape == (2, 100, 20)
    steps = np.diff(draws["state"], axis=-1, prepend=1.0)
    assert steps.mean() == pytest.approx(1.0, abs=0.01) and steps.std() == pytest.approx(0.1, rel=0.05)
    assert (draws["seen"] - draws["state"]).std() == pytest.approx(0.1, rel=0.05)
    model.fit({"seen": draws["seen"][0]}, epochs=1, verbose=0)
    assert model.posterior("state").mean().shape == (100, 20)


def test_a_step_that_remembers_more_than_its_state_is_refused():
    def step(previous, t):
        z = kprob.sample("z", tfd.Bernoulli(probs=0.3))
        total = previous + ops.cast(z, "float32")
        kprob.sample("x", tfd.Normal(total, 1.0))
        return total

    with pytest.raises(SiteError, match=r"(?s)can't be summed out along time.*return the state itself"):
        compiled(lambda: kprob.scan(step, 0.0, 4)).evaluate({"x": np.zeros(4, "float32")})


def evidence_program(steps):
    model = compiled(scanned(steps))
    x = np.resize(SENSORS, steps)
    model.evaluate({"x": x})
    return model, x


@pytest.mark.once
def test_programs_grow_with_the_digits_of_the_length():
    def operations(steps):
        model, x = evidence_program(steps)
        batch = kprob.data.batch_of(prepare_data(model.networks, {"x": x}))
        traced = backend.compile_function(lambda b: model.networks.pair(b, backend.random.seed(0))[0].log_prob())
        return len(traced.get_concrete_function(batch).graph.get_operations())

    short, long = operations(16), operations(1024)
    assert long < 2.5 * short


@pytest.mark.once
def test_the_numbers_of_a_program_grow_as_the_length():
    def numbers(steps):
        model, x = evidence_program(steps)
        batch = kprob.data.batch_of(prepare_data(model.networks, {"x": x}))
        traced = backend.compile_function(lambda b: model.networks.pair(b, backend.random.seed(0))[0].log_prob())
        outputs = [out for op in traced.get_concrete_function(batch).graph.get_operations() for out in op.outputs]
        return sum(out.shape.num_elements() or 0 for out in outputs if out.shape.is_fully_defined())

    assert numbers(4096) / numbers(512) < 14  # eight, times the digits of the length; a square would be 64


def forward_pass(x):
    """The evidence of the chain in double precision."""
    forward, total = INITIAL.astype("float64"), 0.0
    for t, value in enumerate(x.astype("float64")):
        forward = (forward if t == 0 else forward @ TRANSITION) * np.exp(-0.5 * (value - MEANS) ** 2)
        total, forward = total + np.log(forward.sum()), forward / forward.sum()
    return total - len(x) / 2 * np.log(2 * np.pi)


def by_long_layer(x):
    chain = {"initial_probs": INITIAL, "transition_probs": TRANSITION}
    layer = layers.HiddenMarkovModel("Normal", len(x), loc=MEANS, scale=1.0, **chain)
    program = backend.compile_function(lambda x: layer.distribution().log_prob(x), jit=True)
    return float(program(ops.convert_to_tensor(x)))


@pytest.mark.parametrize("steps", [17, 3001])
def test_the_layer_keeps_its_digits(steps):
    # A sum that grows with time is rounded at every step: TFP's own is 5e-5 off after 3,000.
    x = np.resize(SENSORS, steps)
    assert by_long_layer(x) == pytest.approx(forward_pass(x), rel=1e-6)


def test_impossible_observations_of_the_layer():
    layer = layers.HiddenMarkovModel(
        "Uniform", 3, initial_probs=[1.0, 0.0], transition_probs=np.eye(2), low=0.0, high=1.0
    )
    assert layer.distribution().log_prob(np.array([0.5, 2.0, 0.5], "float32")) == -np.inf


def test_building_draws_nothing_step_by_step(monkeypatch):
    import sys

    def simulate(*arguments):
        raise AssertionError("drawn one after the other")

    monkeypatch.setattr(sys.modules["kprob.effects.scan"], "_simulate", simulate)
    model = compiled(scanned(10))
    assert model.evaluate({"x": SENSORS}, return_dict=True)["elbo"] == pytest.approx(EVIDENCE, rel=1e-5)
    with pytest.raises(AssertionError, match="drawn one after the other"):
        model.prior("x").sample(1)


@pytest.mark.slow
def test_evidence_of_ten_thousand_steps():
    x = np.resize(SENSORS, 10_000)
    # A sum in pairs rounds as often as the length has digits.
    found = compiled(scanned(10_000)).evaluate({"x": x}, return_dict=True)["elbo"]
    assert found == pytest.approx(forward_pass(x), rel=1e-6)
    assert by_long_layer(x) == pytest.approx(forward_pass(x), rel=1e-6)

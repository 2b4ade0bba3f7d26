"""The law of each handler, as the first sentence of its docstring states it."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import handlers, tfd
from kprob.effects import STATE
from kprob.errors import SiteError

ops = keras.ops


def network():
    """a ~ N(0, 1), b ~ N(a, 2)."""
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    return kprob.sample("b", tfd.Normal(a, 2.0))


def run(network, seed=3):
    """The trace of a network with a seed."""
    return handlers.trace(handlers.seed(network, seed)).get_trace()


def values(trace):
    return {name: float(value) for name, value in trace.values().items()}


def log_normal(x, loc=0.0, scale=1.0):
    return stats.norm(loc, scale).logpdf(x)


def test_trace_returns_all_sites_and_changes_nothing():
    def everything():
        rate = kprob.param("rate", 2.0)
        x = kprob.sample("x", tfd.Normal(rate, 1.0))
        kprob.factor("penalty", -1.5)
        return kprob.deterministic("twice", 2 * x)

    trace = run(everything)
    assert list(trace) == ["rate", "x", "penalty", "twice"]
    assert [str(site.kind) for site in trace.sites.values()] == ["param", "sample", "factor", "deterministic"]
    bare = handlers.seed(everything, 3)()
    assert float(bare) == values(trace)["twice"] == 2 * values(trace)["x"]
    np.testing.assert_allclose(trace.log_prob(), log_normal(values(trace)["x"], 2.0) - 1.5, rtol=1e-6)
    assert [site.name for site in trace.random_sites()] == ["x"]


def test_trace_starts_anew_each_time():
    traced = handlers.trace(handlers.seed(network, 1))
    first, second = traced.get_trace(), traced.get_trace()
    assert first is not second and values(first) == values(second)


def test_condition_pins_and_observes_and_leaves_the_others():
    free, pinned = run(network), run(handlers.condition(network, {"b": 5.0}))
    assert values(pinned) == {"a": values(free)["a"], "b": 5.0}
    assert pinned["b"].observed and not pinned["a"].observed
    wanted = log_normal(values(free)["a"]) + log_normal(5.0, values(free)["a"], 2.0)
    np.testing.assert_allclose(pinned.log_prob(), wanted, rtol=1e-6)


def test_condition_leaves_names_that_the_network_lacks():
    assert values(run(handlers.condition(network, {"z": 5.0}))) == values(run(network))


def test_condition_refuses_what_follows_from_others():
    with pytest.raises(SiteError, match="`twice`.*follows from others"):
        handlers.condition(lambda: kprob.deterministic("twice", 2.0), {"twice": 3.0})()


def test_substitute_gives_values_that_stay_latent():
    def with_parameter():
        return kprob.sample("x", tfd.Normal(kprob.param("loc", 0.0), 1.0))

    trace = run(handlers.substitute(with_parameter, {"x": 2.0, "loc": 1.5}))
    assert float(trace["x"].value) == 2.0 and not trace["x"].observed
    np.testing.assert_allclose(trace.log_prob(), log_normal(2.0, 1.5), rtol=1e-6)


def test_replay_takes_the_values_of_another_run_and_keeps_observed_ones():
    first = run(network, 1)
    again = run(handlers.replay(network, first), 2)
    assert values(again) == values(first)
    observed = run(handlers.replay(handlers.condition(network, {"b": 5.0}), first), 2)
    assert values(observed) == {"a": values(first)["a"], "b": 5.0}
    only_a = handlers.trace(handlers.seed(lambda: kprob.sample("a", tfd.Normal(0.0, 1.0)), 1)).get_trace()
    partly = run(handlers.replay(network, only_a), 2)
    assert values(partly)["a"] == values(only_a)["a"] and values(partly)["b"] != values(first)["b"]


def test_replay_passes_gradients_on():
    # d/dloc of log N(z; 0, 1) at z = loc + noise is -z: the value is the guide's own tensor.
    def log_prob(loc):
        guide = handlers.trace(handlers.seed(lambda: kprob.sample("a", tfd.Normal(loc, 1.0)), 1)).get_trace()
        return run(handlers.replay(lambda: kprob.sample("a", tfd.Normal(0.0, 1.0)), guide)).log_prob()

    _, gradient = kprob.backend.gradients(log_prob, ops.convert_to_tensor(0.5))
    gradient = gradient[0] if isinstance(gradient, list | tuple) else gradient
    guide = handlers.seed(lambda: kprob.sample("a", tfd.Normal(0.5, 1.0)), 1)
    np.testing.assert_allclose(gradient, -float(guide()), rtol=1e-6)


@pytest.mark.parametrize(
    "options, visible",
    [
        ({}, []),
        ({"hide": ["a"]}, ["b"]),
        ({"expose": ["a"]}, ["a"]),
        ({"hide": lambda site: site.name == "b"}, ["a"]),
    ],
)
def test_block_hides_sites_from_handlers_outside(options, visible):
    outside = run(handlers.block(network, **options))
    assert list(outside) == visible
    inner = handlers.trace()
    with handlers.trace() as outer, handlers.block(hide=["a"]), inner:
        network()
    assert list(inner.result) == ["a", "b"] and list(outer.result) == ["b"]


def test_block_keeps_outside_values_away():
    trace = run(handlers.substitute(handlers.block(network, hide=["a"]), {"a": 100.0, "b": 1.0}))
    assert values(trace) == {"b": 1.0}
    assert abs(float(trace["b"].distribution.loc)) < 10


def test_do_fixes_a_site_without_density_and_without_parents():
    trace = run(handlers.do(network, {"b": 9.0}))
    np.testing.assert_allclose(trace.log_prob(), log_normal(values(trace)["a"]), rtol=1e-6)
    assert values(trace)["b"] == 9.0
    # What depends on it sees the value: here a is fixed, and b's own density stays.
    trace = run(handlers.do(network, {"a": 9.0}))
    np.testing.assert_allclose(trace.log_prob(), log_normal(values(trace)["b"], 9.0, 2.0), rtol=1e-6)
    assert "a" not in [site.name for site in trace.weighed_sites()]


def test_scale_multiplies_the_log_density_of_every_site():
    def everything():
        network()
        kprob.factor("penalty", -1.5)

    once, scaled = run(everything), run(handlers.scale(handlers.scale(everything, 2.0), 3.0))
    assert values(once) == values(scaled)
    np.testing.assert_allclose(scaled.log_prob(), 6.0 * float(once.log_prob()), rtol=1e-6)


def test_scale_of_part_of_a_network():
    def partly():
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        with handlers.scale(factor=ops.convert_to_tensor(10.0)):
            kprob.sample("b", tfd.Normal(a, 2.0))

    trace, plain = run(partly), run(network)
    wanted = float(plain["a"].log_prob()) + 10.0 * float(plain["b"].log_prob())
    np.testing.assert_allclose(trace.log_prob(), wanted, rtol=1e-6)


def test_mask_makes_the_log_density_zero_where_it_is_false():
    def rows():
        with kprob.plate("pixels", 4):
            kprob.sample("x", tfd.Normal(0.0, 1.0))

    pinned = handlers.condition(rows, {"x": [0.0, 1.0, np.inf, 3.0]})
    one = handlers.mask(pinned, np.array([True, True, False, True]))
    np.testing.assert_allclose(
        run(one)["x"].log_prob(), [*log_normal(np.array([0.0, 1.0])), 0.0, log_normal(3.0)], rtol=1e-6
    )
    both = run(handlers.mask(one, np.array([False, True, True, True])))
    np.testing.assert_allclose(both.log_prob(), log_normal(1.0) + log_normal(3.0), rtol=1e-6)
    assert float(run(handlers.mask(network, False)).log_prob()) == 0.0


def test_seed_makes_every_draw_a_function_of_number_and_order():
    assert values(run(network, 1)) == values(run(network, 1))
    assert values(run(network, 1)) != values(run(network, 2))

    def twice():
        kprob.sample("a", tfd.Normal(0.0, 1.0))
        kprob.sample("b", tfd.Normal(0.0, 1.0))

    drawn = values(run(twice, 1))
    assert drawn["a"] != drawn["b"]
    named = run(lambda: kprob.sample("z", tfd.Normal(0.0, 1.0)), 1)
    assert values(named)["z"] == drawn["a"], "the order of a site, not its name, is what counts"


def test_seed_starts_anew_whenever_it_opens():
    seeded = handlers.seed(network, 4)
    assert float(seeded()) == float(seeded())
    with seeded:
        inside = float(network())
    assert inside == float(seeded())


def test_an_inner_seed_counts():
    assert float(handlers.seed(handlers.seed(network, 1), 2)()) == float(handlers.seed(network, 1)())


def test_draws_have_the_moments_of_their_distributions():
    with handlers.seed(seed=5), kprob.plate("draws", 10_000):
        drawn = np.array(network())
    assert abs(drawn.mean()) < 4 * np.sqrt(5 / 10_000) and abs(drawn.var() - 5) < 4 * 5 * np.sqrt(2 / 10_000)


def test_neighbouring_seeds_give_independent_draws():
    def normals(number):
        with handlers.seed(seed=number), kprob.plate("draws", 10_000):
            return np.array(kprob.sample("x", tfd.Normal(0.0, 1.0)))

    first, second = normals(7), normals(8)
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.04


def test_rows_makes_the_data_plate_as_long_as_it_says():
    def data():
        with kprob.plate("data") as plate:
            return kprob.sample("x", tfd.Normal(0.0, 1.0)), plate

    x, plate = handlers.rows(data, 5, scale=4.0, weights=np.ones(5), indices=np.arange(5))()
    assert x.shape == (5,) and plate.scale == 4.0 and list(plate.indices) == [0, 1, 2, 3, 4]
    trace = run(handlers.rows(lambda: data()[0], 5, scale=4.0, weights=np.array([1.0, 0, 0, 0, 2.0])))
    wanted = 4.0 * np.dot([1, 0, 0, 0, 2], log_normal(np.array(trace["x"].value)))
    np.testing.assert_allclose(trace.log_prob(), wanted, rtol=1e-5)


def test_the_innermost_of_two_handlers_counts():
    assert values(run(handlers.condition(handlers.condition(network, {"a": 1.0}), {"a": 2.0})))["a"] == 1.0
    both = run(handlers.condition(handlers.do(network, {"a": 1.0}), {"a": 2.0}))
    assert values(both)["a"] == 1.0 and not both["a"].observed
    both = run(handlers.do(handlers.condition(network, {"a": 2.0}), {"a": 1.0}))
    assert values(both)["a"] == 2.0 and both["a"].observed


def test_handlers_of_different_sites_commute():
    one = run(handlers.condition(handlers.substitute(network, {"a": 1.0}), {"b": 2.0}))
    other = run(handlers.substitute(handlers.condition(network, {"b": 2.0}), {"a": 1.0}))
    assert values(one) == values(other) == {"a": 1.0, "b": 2.0}
    assert float(one.log_prob()) == float(other.log_prob())


def test_an_error_in_a_network_closes_its_handlers_and_plates():
    def failing():
        with kprob.plate("data"), handlers.scale(factor=2.0):
            raise RuntimeError("in the network")

    with pytest.raises(RuntimeError, match="in the network"):
        run(failing)
    assert STATE.handlers == [] and STATE.plates == []


def test_an_unknown_site_of_a_trace_is_an_error_with_the_closest_name():
    with pytest.raises(SiteError, match="no site `aa`.*Did you mean 'a'"):
        run(network)["aa"]


@pytest.mark.parametrize(
    "handler, setting",
    [(handlers.scale, 0.5), (handlers.mask, np.array([True])), (handlers.condition, {"a": 1.0}), (handlers.seed, 3)],
)
def test_a_setting_in_the_networks_place(handler, setting):
    # Taken for the network, it would be forgotten: the block would run with the default.
    with pytest.raises(TypeError, match=rf"name the setting, as in `with kprob.handlers.{handler.__name__}\(\w+="):
        handler(setting)

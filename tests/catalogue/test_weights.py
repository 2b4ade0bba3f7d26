"""What weighs a network's densities, fixes its sites or records values, used wrongly, and rightly beside it."""

import keras
import numpy as np
import pytest
from programs import Catalogue, X, Y, assert_error, fit, fit_networks, global_mean, local_latent, regression

import kprob
from kprob import handlers, layers, tfd
from kprob.errors import DataError, MismatchError, SiteError

ops = keras.ops
programs = Catalogue()


def weighed(handler):
    """A mean of rows that a handler is around."""

    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
        with kprob.plate("data"), handler():
            kprob.sample("x", tfd.Normal(mu, 1.0))

    return fit_networks(generative, {"x": Y})


def log_prob(network):
    """The log-density of a run, without any model."""
    return handlers.trace(network).get_trace().log_prob()


@programs.wrong("mask around site `x` doesn't fit its plates: `data` (20)", "shape (20, 1)", "(20,)", "mask[:, 0]")
def a_mask_of_one_column():
    weighed(lambda: handlers.mask(mask=np.ones((20, 1), bool)))


@programs.wrong("scale around site `x` doesn't fit its plates: `data` (20)", "shape (20, 1)", "factor[:, 0]")
def a_scale_of_one_column():
    weighed(lambda: handlers.scale(factor=np.ones((20, 1), "float32")))


@programs.wrong("mask around site `x`", "shape (7,)", "broadcasts to (20,)", "an argument of the network")
def a_mask_of_another_length():
    weighed(lambda: handlers.mask(mask=np.ones(7, bool)))


@programs.wrong("scale around site `x`", "shape (7,)", "broadcasts to (20,)", "an argument of the network")
def a_scale_of_another_length():
    weighed(lambda: handlers.scale(factor=np.ones(7, "float32")))


@programs.wrong_for_each(
    [-1.0, float("nan"), float("inf"), np.array([1.0, -2.0])], "scale around site `x` is none", "isn't negative"
)
def a_scale_of(factor):
    weighed(lambda: handlers.scale(factor=factor))


@programs.wrong_for_each(["2", None, 1j, ["a"]], "scale around site `x` is none", "of type", "factor=2.0")
def a_scale_that_is_no_number(factor):
    weighed(lambda: handlers.scale(factor=factor))


@programs.wrong_for_each([0.5, float("nan"), 2, -1], "mask around site `x` is none", "neither 0 nor 1", "values > 0")
def a_mask_of(mask):
    weighed(lambda: handlers.mask(mask=mask))


@programs.wrong_for_each(["yes", None, {}], "mask around site `x` is none", "a boolean", "of type")
def a_mask_that_is_no_boolean(mask):
    weighed(lambda: handlers.mask(mask=mask))


@programs.wrong("mask around site `mu`", "no plate", "shape (20,)", "inside the plate alone")
def a_mask_of_rows_around_the_whole_network():
    with handlers.rows(size=20):
        log_prob(handlers.mask(global_mean, np.ones(20, bool)))


@programs.wrong("mask around site `x`", "shape (20, 3)", "open a plate", '"pixels", 3', error=SiteError)
def a_mask_of_the_numbers_of_one_value():
    def generative():
        with kprob.plate("data", 20), handlers.mask(mask=np.ones((20, 3), bool)):
            kprob.sample("x", tfd.MultivariateNormalDiag(ops.zeros(3), ops.ones(3)))

    log_prob(generative)


@programs.wrong("around site `x`", "shape (3,)", "broadcasts to (4,)")
def two_masks_that_do_not_fit_each_other():
    def generative():
        with kprob.plate("schools", 4), handlers.mask(mask=np.ones(3, bool)), handlers.mask(mask=np.ones(4, bool)):
            kprob.sample("x", tfd.Normal(0.0, 1.0))

    log_prob(generative)


@programs.wrong("isn't finite", "site x (generative)")
def a_negative_scale_among_the_data():
    # Known on the device alone: the rows after the first thousand are in no run of the build.
    def generative(weight):
        mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
        with kprob.plate("data"), handlers.scale(factor=weight):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    weights = np.ones(1100, "float32")
    weights[-1] = -1.0
    model = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), "adam")
    model.fit({"x": np.zeros(1100, "float32"), "weight": weights}, epochs=1, verbose=0)


@programs.wrong(
    "doesn't fit its plates: `data` (20)", "log-density of site `x`", "shape (20, 20)", "one number for each"
)
def a_distribution_whose_density_has_another_shape():
    class Odd(tfd.Normal):
        def _log_prob(self, x):
            return super()._log_prob(x)[:, None] + ops.zeros(20)

    def generative():
        with kprob.plate("data"):
            kprob.sample("x", Odd(ops.zeros(20), 1.0))

    with handlers.rows(size=20):
        log_prob(generative)


@programs.wrong_for_each(["b", None, 1j, {}], "log-weight of factor `a` is no number", "of type", "-1.0")
def a_factor_of(log_weight):
    kprob.factor("a", log_weight)


@programs.wrong("declares the factor `tilt`", "would subtract it", "in `generative`", error=MismatchError)
def a_factor_in_q():
    def inference():
        kprob.sample("mu", tfd.Normal(0.0, 1.0))
        kprob.factor("tilt", 5.0)

    fit_networks(global_mean, {"x": Y}, inference)


@programs.wrong("gives `mu` a value instead of drawing it", "`observed=`", error=MismatchError)
def q_observes_a_latent():
    fit_networks(global_mean, {"x": Y}, lambda: kprob.sample("mu", tfd.Normal(0.0, 1.0), observed=1.0))


@programs.wrong("gives `mu` a value instead of drawing it", "kprob.handlers.do", error=MismatchError)
def q_fixes_a_latent():
    def inference():
        with handlers.do(values={"mu": 1.0}):
            kprob.sample("mu", tfd.Normal(0.0, 1.0))

    fit_networks(global_mean, {"x": Y}, inference)


def fixed():
    """A row's mean of two numbers, one of which is fixed from outside."""
    with handlers.do(values={"a": 1.0}):
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("b", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(a + b, 1.0))


@programs.wrong("declares `a`, which the generative network fixes by `do`", "remove `a`", error=MismatchError)
def q_infers_what_p_fixes():
    def inference():
        kprob.sample("a", tfd.Normal(0.0, 1.0))
        kprob.sample("b", tfd.Normal(0.0, 1.0))

    fit_networks(fixed, {"x": Y}, inference)


@programs.wrong("data gives `a` a value", "fixes by kprob.handlers.do", "out of the data", error=DataError)
def data_for_what_p_fixes():
    fit_networks(fixed, {"x": Y, "a": 2.0})


@programs.wrong("data gives `a` a value", "fixes by `observed=`", error=DataError)
def data_for_what_p_observes():
    def generative():
        a = kprob.sample("a", tfd.Normal(0.0, 1.0), observed=1.0)
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(a, 1.0))

    fit_networks(generative, {"x": Y, "a": 2.0})


@programs.wrong("has no site `a`", "`b`")
def the_posterior_of_what_p_fixes():
    fit_networks(fixed, {"x": Y}).posterior("a")


@programs.wrong(
    "value of `d` doesn't fit its plates: `data` (20)", "shape (3,)", "begins with (20,)", "before the plate"
)
def a_vector_recorded_inside_the_plate():
    with handlers.rows(size=20), kprob.plate("data"):
        kprob.deterministic("d", ops.ones(3))


@programs.wrong("value of `d` doesn't fit", "`data` (20), `pixels` (4)", "shape (20,)", "begins with (20, 4)")
def a_value_of_one_plate_recorded_inside_two():
    with handlers.rows(size=20), kprob.plate("data"), kprob.plate("pixels", 4):
        kprob.deterministic("d", ops.ones(20))


@programs.wrong_for_each(["a", None, {"a": 1.0}, [1.0, [2.0]]], "value of `d` is no tensor", "by a name of its own")
def a_recorded_value_of(value):
    kprob.deterministic("d", value)


@programs.wrong("A particle filter can't weigh the scan `time`", "mask or a scale is around it", "inside the steps")
def a_particle_filter_of_a_scan_inside_a_mask():
    def generative():
        def step(previous, t):
            s = kprob.sample("s", tfd.Normal(previous, 1.0))
            kprob.sample("y", tfd.Normal(s, 1.0))
            return s

        with handlers.scale(factor=2.0):
            kprob.scan(step, 0.0, 5)

    kprob.ProbabilisticModel(generative=generative).particle_filter({"y": np.zeros(5)}, num_particles=10)


def in_network(network, data, kind="features"):
    """A network that goes wrong with its covariate."""

    def generative(c):
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(network(c, mu), 1.0))

    fit_networks(generative, {"c": data, "y": Y})


@programs.wrong(
    "In `generative`", "shapes don't fit", "after site `w`", "ops.matmul(features, w)", "features (3, 20)", "w (3,)"
)
def transposed_features():
    fit_networks(regression, {"features": X.T, "y": Y})


@programs.wrong(
    "In `generative`", "shapes don't fit", "features (20, 3, 1)", "transpose or reshape", "kprob: this happened in"
)
def features_of_three_axes():
    fit_networks(regression, {"features": X[..., None], "y": Y})


@programs.wrong("In `generative`", "shapes don't fit", "features (20, 2)")
def features_that_lack_a_column():
    fit_networks(regression, {"features": X[:, :2], "y": Y})


@programs.wrong("In `generative`", "types of numbers", "keras.ops.cast", "keras.ops.take", "c (20,)")
def an_index_of_floats():
    in_network(lambda c, mu: ops.take(mu * ops.ones(20), c, axis=0), np.arange(20) + 0.5)


@programs.wrong("out of range", "4", "number what is looked up from 0")
def an_index_beyond_the_end():
    in_network(lambda c, mu: ops.take(mu * ops.ones(4), c, axis=0), np.arange(20) % 5)


@programs.wrong("out of range", "number what is looked up from 0")
def an_index_before_the_start():
    in_network(lambda c, mu: ops.take(mu * ops.ones(4), c, axis=0), np.arange(20) % 4 - 9)


@programs.wrong(
    "index of ProbabilisticModel is out of range", "index 9", "4 values are looked up", "`group` has it at (1500,)"
)
def an_index_beyond_the_end_in_a_late_row():
    fit_networks(groups, {"group": np.where(np.arange(2000) == 1500, 9, 0), "y": np.zeros(2000, "float32")})


@programs.wrong(
    "index of ProbabilisticModel is out of range", "index 4", "indices from 0 to 3", "`group` has it at (1,)"
)
def an_index_beyond_the_end_in_a_query():
    model = fit_networks(groups, {"group": np.arange(20) % 4, "y": Y})
    model.predict({"group": np.array([3, 4])})


@programs.wrong("out of range", "4")
def an_index_beyond_the_end_of_an_embedding():
    class Model(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.table = keras.layers.Embedding(4, 1)
            self.mu = layers.Normal(loc=0.0, scale=1.0)
            self.y = layers.Normal(scale=1.0)

        def generative(self, group):
            mu = self.mu()
            with kprob.plate("data"):
                self.y(loc=mu + self.table(group)[:, 0])

    fit(Model(), {"group": np.arange(20) % 5, "y": Y})


@programs.wrong("out of range", "number what is looked up from 0")
def a_category_beyond_the_end():
    def generative():
        with kprob.plate("parts", 3):
            means = kprob.sample("means", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            part = kprob.sample("part", tfd.Categorical(logits=ops.zeros(4)))
            kprob.sample("y", tfd.Normal(ops.take(means, part, axis=0), 1.0))

    fit_networks(generative, {"y": Y})


def groups(group):
    """A mean for each of four groups."""
    with kprob.plate("groups", 4):
        means = kprob.sample("means", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(ops.take(means, group, axis=0), 1.0))


@programs.wrong(
    "parameters of site `x`", "batch shape (2,)", "kprob.tfd.Independent(distribution, 1)", "layers.Normal(2)"
)
def a_vector_for_each_row():
    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu * ops.ones(2), 1.0))

    fit_networks(generative, {"x": X[:, :2]})


@programs.wrong("my own words about shapes that must fit", "kprob: this happened in `generative`", error=ValueError)
def an_error_of_the_network_itself():
    def generative():
        kprob.sample("mu", tfd.Normal(0.0, 1.0))
        raise ValueError("my own words about shapes that must fit")

    fit_networks(generative, {})


@programs.wrong("'missing'", "kprob: this happened in the objective own of ProbabilisticModel", error=KeyError)
def an_error_of_an_objective():
    def own(generative_trace, inference_trace):
        return {}["missing"]

    model = kprob.ProbabilisticModel(generative=global_mean).compile(own, "adam")
    model.fit({"x": Y}, epochs=1, verbose=0)


@programs.right
def masks_and_scales_of_all_kinds():
    def rows():
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, 1.0))

    with handlers.rows(size=20):
        for mask in (True, np.True_, np.arange(20) > 3, [1] * 20, np.ones(20, "float32"), ops.ones(20, "bool"), [True]):
            assert log_prob(handlers.mask(rows, mask)) < 0
        for factor in (2, np.float64(0.5), np.arange(20), np.ones(20), ops.ones(20), [1.0]):
            assert log_prob(handlers.scale(rows, factor)) < 0
        assert log_prob(handlers.scale(rows, 0.0)) == 0


@programs.right
def handlers_around_the_whole_network():
    with handlers.rows(size=20):
        log_prob(handlers.scale(handlers.mask(global_mean, True), 0.5))


@programs.right
def values_recorded_inside_the_plate():
    def generative(features):
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.deterministic("one", mu)
            kprob.deterministic("number", 3)
            kprob.deterministic("row", features[:, 0] * mu)
            kprob.deterministic("vector", features * mu)
            kprob.sample("x", tfd.Normal(mu, 1.0))

    model = fit_networks(generative, {"features": X, "x": Y})
    names = ["one", "number", "row", "vector"]
    drawn = model.posterior(names, {"features": X}).sample(2)
    assert [drawn[name].shape for name in names] == [(2, 20), (2, 20), (2, 20), (2, 20, 3)]
    assert (drawn["number"] == 3).all() and (drawn["one"] == drawn["one"][:, :1]).all()


@programs.right
def negative_indices_count_from_the_end():
    fit_networks(groups, {"group": np.arange(20) % 4 - 1, "y": Y})


@programs.right
def what_the_network_observes_comes_as_its_argument():
    def generative(x):
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0), observed=x)

    fit_networks(generative, {"x": Y})


@programs.right
def a_latent_of_rows_inside_a_mask_of_rows():
    def generative(seen):
        with handlers.mask(mask=seen) if len(seen.shape) else handlers.mask():
            with kprob.plate("data"):
                z = kprob.sample("z", tfd.Normal(0.0, 1.0))
                kprob.sample("x", tfd.Normal(z, 1.0))

    fit_networks(generative, {"x": Y, "seen": Y > 0})
    fit_networks(local_latent, {"x": Y})


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()

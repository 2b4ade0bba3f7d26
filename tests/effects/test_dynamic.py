"""Networks whose structure depends on what they draw: a Python `if` on a value, with `run_eagerly=True`."""

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import handlers, tfd
from kprob.errors import SiteError


def generative():
    z = kprob.sample("z", tfd.Normal(0.0, 1.0))
    mean = z
    if z > 0:
        mean = z + kprob.sample("jump", tfd.Normal(5.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mean, 1.0))


def inference():
    z = kprob.sample("z", tfd.Normal(kprob.param("z_loc", 0.0), 0.5))
    if z > 0:
        kprob.sample("jump", tfd.Normal(kprob.param("jump_loc", 5.0), 0.5))


def test_a_trace_has_the_sites_of_the_branch_that_was_taken():
    taken = {}
    for number in range(40):
        trace = handlers.trace(handlers.seed(generative, number)).get_trace()
        assert ("jump" in trace) == (float(trace["z"].value) > 0)
        taken["jump" in trace] = True
    assert taken == {True: True, False: True}
    trace = handlers.trace(handlers.substitute(generative, {"z": 1.0, "jump": 2.0})).get_trace()
    wanted = stats.norm().logpdf(1.0) + stats.norm(5.0).logpdf(2.0) + stats.norm(3.0).logpdf(float(trace["x"].value[0]))
    np.testing.assert_allclose(trace.log_prob(), wanted, rtol=1e-5)


@pytest.fixture(scope="module")
def model():
    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    model.compile(kprob.ELBO(), keras.optimizers.Adam(0.3), run_eagerly=True)
    model.fit({"x": [6.2, 5.8, 6.0, 6.1]}, epochs=25, verbose=0)
    return model


def test_it_trains(model):
    # All data lies near 6. The branch with the jump explains it, at an ELBO near -2; the other one stays at -20.
    assert (model.posterior("z").sample(20, seed=1) > 0).mean() > 0.9
    assert np.median(model.history.history["elbo"][-5:]) > -6
    loc = {variable.name: float(variable) for variable in model.trainable_variables}
    assert abs(loc["z_loc"] + loc["jump_loc"] - 6.0) < 1.5


def test_queries_take_either_branch(model):
    assert set(model.structure().random_sites()) == {"z", "jump", "x"}
    assert model.prior("x").sample(8, seed=1).shape == (8, 1)
    assert model.posterior_predictive("x").sample(8, seed=1).shape == (8, 1)
    assert np.isfinite(model.evaluate({"x": [6.0, 6.0]}, verbose=0)).all()


def test_a_parameter_in_a_branch_that_is_never_taken_is_an_error():
    def rare():
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        if z > 100:
            kprob.param("late", 1.0)
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(z, 1.0))

    model = kprob.ProbabilisticModel(generative=rare).compile("elbo", "adam", run_eagerly=True)
    model.fit({"x": [1.0]}, epochs=0, verbose=0)
    with pytest.raises(SiteError, match="`late` is declared for the first time after the model was built"):
        model.prior("x", {"z": 101.0}).sample()

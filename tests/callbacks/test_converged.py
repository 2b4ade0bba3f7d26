"""Stopping a sampler when R-hat and the effective sample size are both good, and the warning where they aren't."""

import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.errors import CompileError, FitWarning
from kprob.samplers import Info


class Stub:
    stop_training = False


@pytest.mark.parametrize(
    ("logs", "stops"),
    [
        ({"max_rhat": 1.005, "min_ess": 500.0}, True),
        ({"max_rhat": 1.005, "min_ess": 300.0}, False),
        ({"max_rhat": 1.02, "min_ess": 500.0}, False),
        ({"max_rhat": float("nan"), "min_ess": 500.0}, False),
    ],
)
def test_both_must_hold(logs, stops):
    callback = kprob.callbacks.Converged(max_rhat=1.01, min_ess=400)
    callback.set_model(Stub())
    callback.on_train_begin()
    callback.on_epoch_end(3, logs)
    assert callback.model.stop_training is stops
    assert callback.stopped_epoch == (3 if stops else None)


def test_bounds_and_logs_are_checked():
    with pytest.raises(CompileError, match="takes a bound for R-hat"):
        kprob.callbacks.Converged(max_rhat=0.9)
    with pytest.raises(CompileError, match="doesn't log"):
        kprob.callbacks.Converged().on_epoch_end(0, {"elbo": 1.0})


@kprob.probmodel
def temperature():
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, 1.0))


def test_a_sampler_stops_after_the_first_block_that_is_good():
    model = temperature().compile(kprob.samplers.HMC(200, 20_000, 2, num_leapfrog_steps=4, block_size=200))
    stop = kprob.callbacks.Converged(max_rhat=1.02, min_ess=300)
    history = model.fit({"sensor": 18.0}, callbacks=[stop], verbose=0).history
    good = [r < 1.02 and e > 300 for r, e in zip(history["max_rhat"], history["min_ess"], strict=True)]
    assert good[-1] and not any(good[:-1]) and len(good) < 20
    assert stop.stopped_epoch == len(good) - 1
    # A second fit looks at the draws of both, and stops at once.
    assert len(model.fit({"sensor": 18.0}, callbacks=[stop], verbose=0).epoch) == 1


@kprob.probmodel
def two_modes():
    kprob.sample("x", tfd.MixtureSameFamily(tfd.Categorical(probs=[0.5, 0.5]), tfd.Normal([-20.0, 20.0], 1.0)))


def test_chains_that_disagree_are_warned_of_in_one_line():
    model = two_modes().compile(kprob.samplers.HMC(100, 200, 2, num_leapfrog_steps=4, init={"x": 20.0}, block_size=100))
    model.fit({}, verbose=0, check=False)
    draws = model.draws
    draws.positions[1] *= -1.0
    with pytest.warns(FitWarning, match=r"(?s)^(?!.*\n).*two_modes.*largest R-hat.*print\(model\.diagnose\(\)\)"):
        model.fit({}, verbose=0)
    assert not model.diagnose().good or np.ptp(draws.positions) > 30.0


def test_divergences_are_warned_of_and_can_be_kept_quiet(recwarn):
    model = temperature().compile(kprob.samplers.HMC(200, 400, 2, num_leapfrog_steps=4, block_size=200))
    model.fit({"sensor": 18.0}, verbose=0)
    model.draws.infos[0, :5, Info._fields.index("diverging")] = 1.0
    with pytest.warns(FitWarning, match="temperature aren't to be trusted yet: 5 of 1600 transitions diverged"):
        model.fit({"sensor": 18.0}, verbose=0)
    recwarn.clear()
    model.fit({"sensor": 18.0}, verbose=0, check=False)
    assert not [w for w in recwarn if issubclass(w.category, FitWarning)]


def test_a_good_run_and_a_short_one_say_nothing(recwarn):
    for numbers in ((200, 500, 2), (5, 10, 2)):
        model = temperature().compile(kprob.samplers.HMC(*numbers, num_leapfrog_steps=4))
        model.fit({"sensor": 18.0}, verbose=0)
    assert not [w for w in recwarn if issubclass(w.category, FitWarning)]

"""kprob's samplers on case (h)'s posteriors, on either backend: `fit` as a user calls it."""

import keras

import kprob
from benchmarks import problems
from benchmarks.contestant import Measurement
from benchmarks.effective import effective_draws
from benchmarks.ours.kprob_posteriors import MODELS


def new_model(problem: str, sampler: kprob.samplers.Sampler):
    """Returns a compiled model."""
    keras.utils.set_random_seed(0)
    return MODELS[problem]().compile(sampler)


def nuts() -> kprob.NUTS:
    """Returns the sampler."""
    return kprob.NUTS(problems.WARMUP, problems.DRAWS, problems.CHAINS, target_accept_rate=problems.TARGET_ACCEPT_RATE)


def fit(model, problem: str, callbacks=()):
    """Warms up anew and draws; returns the draws by site."""
    # A second `fit` would go on where the first one ended; this one is to start again with the same programs.
    model._state.context.draws = None
    model.fit(problems.sampler_data(problem), verbose=0, callbacks=list(callbacks))
    return model.draws.values


def measurement(problem: str, sampler: kprob.samplers.Sampler) -> Measurement:
    """Returns a whole run of a sampler."""
    model = new_model(problem, sampler)
    return Measurement(lambda: fit(model, problem), answer=effective_draws)


def prepare(problem: str) -> dict[str, Measurement]:
    """Returns NUTS and microcanonical Langevin dynamics."""
    steps = problems.STEPS_OF_A_DRAW[problem]
    mclmc = kprob.samplers.MCLMC(problems.WARMUP, problems.DRAWS, problems.CHAINS, num_steps=steps)
    return {"NUTS": measurement(problem, nuts()), "MCLMC": measurement(problem, mclmc)}


class Enough(keras.callbacks.Callback):
    """Stops where there are as many effective draws as wanted."""

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Looks at the logs."""
        del epoch
        self.model.stop_training = (logs or {}).get("min_ess", 0.0) >= problems.EFFECTIVE_DRAWS


def first_result(problem: str):
    """Builds, compiles and draws until there are 400 effective draws."""
    return fit(new_model(problem, nuts()), problem, [Enough()])


first_answer = effective_draws

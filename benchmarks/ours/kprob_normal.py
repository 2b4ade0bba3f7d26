"""kprob's fit of a normal's mean and scale, on either backend, with the automatic mean-field q."""

import keras

import kprob
from benchmarks import problems
from benchmarks.contestant import Measurement
from kprob import layers
from kprob.engine import prepare_data
from kprob.training.compiled_loop import CompiledLoop
from kprob.training.plan import FitPlan


class Normal(kprob.ProbabilisticModel):
    """loc, scale and the data"""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.loc = layers.Normal(loc=0.0, scale=problems.NORMAL_PRIOR_SCALE)
        self.scale = layers.HalfNormal(scale=problems.NORMAL_PRIOR_SCALE)
        self.x = layers.Normal()

    def generative(self):
        """p"""
        loc, scale = self.loc(), self.scale()
        with kprob.plate("data"):
            self.x(loc=loc, scale=scale)


def new_model() -> Normal:
    """Returns a compiled model."""
    keras.utils.set_random_seed(0)
    return Normal().compile(kprob.ELBO(), keras.optimizers.Adam(problems.NORMAL_LEARNING_RATE))


def fit(model: Normal) -> float:
    """Runs all steps, each an epoch, and returns the last loss."""
    history = model.fit(
        {"x": problems.normal_data()},
        batch_size=problems.NORMAL_ROWS,
        epochs=problems.NORMAL_STEPS,
        verbose=0,
    )
    return history.history["loss"][-1]


class BareLoop:
    """The compiled loop that `fit` calls, without what `fit` does around it.

    It uses kprob's inside, since no user has a reason to: if `CompiledLoop` changes, so must this.
    """

    def __init__(self):
        self.model = new_model()
        fit(self.model)
        data = prepare_data(self.model.networks, {"x": problems.normal_data()})
        trainee = self.model._state.inference.trainee
        loop = CompiledLoop(trainee, data, FitPlan(verbose=0), problems.NORMAL_ROWS, None, False)
        self.program = loop.program
        steps = problems.NORMAL_STEPS  # an epoch is a step here
        self.arguments = (loop.device_data, loop._orders(steps), steps, 0, 1, loop._fresh())

    def run(self) -> float:
        """Runs all steps and returns the last loss."""
        logs, _ = self.program(*self.arguments)
        return float(logs[-1, 0])


def prepare() -> dict[str, Measurement]:
    """Returns `fit` and its compiled loop alone."""
    model, loop = new_model(), BareLoop()
    return {"fit": Measurement(lambda: fit(model)), "bare loop": Measurement(loop.run)}


def first_result() -> float:
    """Builds, compiles and runs all steps."""
    return fit(new_model())

"""Keras's own hooks in a subclass: whatever overrides a step is what runs, in `fit` and in `evaluate`."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers

X = np.array([0.5, -1.0, 2.0, 0.1], "float32")
DATA = {"x": X}


class Mean(kprob.ProbabilisticModel):
    """mu ~ N(0, 1), x ~ N(mu, 1)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mu, self.x = layers.Normal(loc=0.0, scale=1.0), layers.Normal(scale=1.0)

    def generative(self):
        mu = self.mu()
        with kprob.plate("data"):
            self.x(loc=mu)


def compiled(model):
    return model.compile(kprob.ELBO(), keras.optimizers.SGD(0.01))


def reference():
    """What the model gives without any override: its losses of a fit, and of an evaluation after it."""
    keras.utils.set_random_seed(1)
    model = compiled(Mean())
    losses = model.fit(DATA, batch_size=2, epochs=2, verbose=0, shuffle=False).history["loss"]
    return losses, model.evaluate(DATA, batch_size=2, seed=1, return_dict=True)["loss"]


def overridden(model_class):
    keras.utils.set_random_seed(1)
    model = compiled(model_class())
    losses = model.fit(DATA, batch_size=2, epochs=2, verbose=0, shuffle=False).history["loss"]
    return losses, model.evaluate(DATA, batch_size=2, seed=1, return_dict=True)["loss"]


def test_compute_loss_of_a_subclass_is_what_is_minimised_and_evaluated():
    class Penalized(Mean):
        def compute_loss(self, *args, **kwargs):
            return super().compute_loss(*args, **kwargs) + 1000.0

    (plain, plain_after), (losses, after) = reference(), overridden(Penalized)
    # A constant changes no gradient: the same steps with another loss.
    assert losses == pytest.approx(np.add(plain, 1000.0), abs=2e-3)
    assert after == pytest.approx(plain_after + 1000.0, abs=2e-3)


def test_train_step_and_test_step_of_a_subclass_are_called():
    called = set()

    class Stepping(Mean):
        def train_step(self, *args):
            called.add("train")
            return super().train_step(*args)

        def test_step(self, *args):
            called.add("test")
            return super().test_step(*args)

    model = compiled(Stepping())
    model.fit(DATA, verbose=0)
    assert called == {"train"}
    model.evaluate(DATA)
    assert called == {"train", "test"}


def test_call_of_a_subclass_is_for_users_and_leaves_training_alone():
    class Calling(Mean):
        def call(self, data):
            return 7

    model = compiled(Calling())
    assert model(DATA) == 7
    assert np.isfinite(model.fit(DATA, verbose=0).history["loss"]).all()
    assert model.own_steps("train") == []


def test_the_steps_of_a_model_that_overrides_none_are_kprobs():
    model = compiled(Mean())
    assert not any(model.own_steps(verb) for verb in ("train", "test", "predict"))
    model.train_step = lambda *args: None
    assert model.own_steps("train") == ["train_step"]


def test_test_on_batch_is_evaluate_of_all_rows():
    model = compiled(Mean())
    model.fit(DATA, verbose=0)
    found = model.test_on_batch(DATA, return_dict=True)
    assert set(found) == {"loss", "elbo", "log_likelihood", "kl"}
    assert found["loss"] == pytest.approx(-found["elbo"], rel=1e-5)

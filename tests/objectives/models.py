"""Small models whose objectives and gradients are known, and the gradients of many single evaluations."""

import functools

import keras
import numpy as np
from internals import evaluate_objective, prepare_data

import kprob
from kprob import layers, tfd
from kprob.backend import compile_function, gradients, map_draws, random
from kprob.data import batch_of

EVIDENCE = -2.623657


class Temperature(kprob.ProbabilisticModel):
    """temp ~ N(15, 2), sensor ~ N(temp, 1); q's location and log-scale are variables."""

    def __init__(self, loc=15.0, scale=2.0, plate=False, **kwargs):
        super().__init__(**kwargs)
        self.plate = plate
        self.temp = layers.Normal(loc=15.0, scale=2.0)
        self.sensor = layers.Normal(scale=1.0)
        self.q = layers.Normal(name="temp")
        self.q_loc = self.number(loc, "q_loc")
        self.q_log_scale = self.number(np.log(scale), "q_log_scale")

    def number(self, value, name):
        return self.add_weight(shape=(), initializer=keras.initializers.Constant(value), name=name)

    def generative(self):
        with kprob.plate("data") if self.plate else kprob.handlers.scale(factor=1.0):
            self.sensor(loc=self.temp())

    def inference(self):
        scale = keras.ops.exp(keras.ops.convert_to_tensor(self.q_log_scale))
        with kprob.plate("data") if self.plate else kprob.handlers.scale(factor=1.0):
            self.q(loc=keras.ops.convert_to_tensor(self.q_loc), scale=scale)


class Coin(kprob.ProbabilisticModel):
    """x ~ Bernoulli(0.3), one observation of it; q(x) = Bernoulli(sigmoid(t))."""

    def __init__(self, t=0.5, **kwargs):
        super().__init__(**kwargs)
        self.t = self.add_weight(shape=(), initializer=keras.initializers.Constant(t), name="t")

    def generative(self):
        x = kprob.sample("x", tfd.Bernoulli(probs=0.3, dtype="float32"))
        kprob.sample("y", tfd.Normal(2.0 * x, 1.0))

    def inference(self):
        kprob.sample("x", tfd.Bernoulli(logits=keras.ops.convert_to_tensor(self.t), dtype="float32"))


class Autoencoder(kprob.ProbabilisticModel):
    """Two numbers of three, by linear networks."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.layers.Dense(3)
        self.encoder = keras.layers.Dense(4, "tanh")
        self.z = layers.Normal(2)
        self.x = layers.Normal(3, scale=0.5)
        self.z_given_x = layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(loc=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def rows(number=10):
    """Data of the autoencoder."""
    return {"x": np.random.RandomState(0).normal(size=(number, 3)).astype("float32")}


def compiled(model, objective, data):
    """A built model."""
    model.compile(objective, "adam")
    if not model.built:
        model.evaluate(data, verbose=0)
    return model


def evaluations(model, data, number, seed=0, num_data=None):
    """Objective and gradient of `number` evaluations: arrays (number,) and (number, parameters)."""
    batch = batch_of(prepare_data(model.networks, data), num_data)
    program = model.networks.programs.cached(
        ("evaluations", id(model.objective), number),
        lambda: compile_function(_program(model, number), lambda: model.variables, jit=True),
    )
    found = np.asarray(keras.ops.convert_to_numpy(program(batch, random.seed(seed))), "float64")
    return found[:, 0], found[:, 1:]


def _program(model, number):
    variables = model.trainable_variables

    def objective(batch, seed, *values):
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return evaluate_objective(model, batch, seed).objective

    def once(batch, seed):
        values = [keras.ops.convert_to_tensor(variable) for variable in variables]
        value, found = gradients(functools.partial(objective, batch, seed), *values)
        found = [keras.ops.zeros_like(v) if g is None else g for g, v in zip(found, values, strict=True)]
        return keras.ops.concatenate([keras.ops.reshape(part, (-1,)) for part in (value, *found)])

    return lambda batch, seed: map_draws(functools.partial(once, batch), random.split(seed, number), model.variables)


def assert_mean(draws, expected, allowed=0.0):
    """The mean of draws is what is expected, within 4 standard errors."""
    draws, expected = np.asarray(draws), np.asarray(expected)
    error = draws.std(0) / np.sqrt(len(draws))
    assert np.all(np.abs(draws.mean(0) - expected) <= 4.0 * error + allowed + 1e-5 * np.abs(expected)), (
        draws.mean(0),
        expected,
        error,
    )

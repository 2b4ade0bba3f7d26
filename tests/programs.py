"""What the catalogue of wrong programs is made of: a program, and the words that its error must have."""

import functools
import re

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import KprobError

ops = keras.ops

RNG = np.random.default_rng(7)
X = RNG.normal(size=(20, 3)).astype("float32")
Y = (X @ np.array([1.0, 2.0, 3.0]) + RNG.normal(size=20)).astype("float32")


class Catalogue:
    """Programs that must fail, with what their messages must say, and programs that must not."""

    def __init__(self):
        self.wrong_ones, self.right_ones = [], []

    def wrong(self, *words, error=KprobError):
        """Marks a program that must raise `error` with all of `words` in its message."""

        def mark(program):
            self.wrong_ones.append(pytest.param(program, words, error, id=program.__name__))
            return program

        return mark

    def wrong_for_each(self, values, *words, error=KprobError):
        """Marks a program of one argument that must fail for each of `values`."""

        def mark(program):
            for value in values:
                # Without addresses, so that parallel workers collect the same names.
                name = f"{program.__name__}-{re.sub(r' at 0x[0-9a-f]+', '', repr(value))}"
                bound = functools.partial(program, value)
                self.wrong_ones.append(pytest.param(bound, words, error, id=name))
            return program

        return mark

    def right(self, program):
        """Marks a program that must run."""
        self.right_ones.append(pytest.param(program, id=program.__name__))
        return program


def assert_error(program, words, error=KprobError):
    """Runs a program; its error says what came, what was expected and how to mend it, in few words."""
    with pytest.raises(error) as caught:
        program()
    message = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", ())])
    missing = [word for word in words if word not in message]
    assert not missing, f"lacks {missing}:\n{message}"
    if isinstance(caught.value, KprobError):
        silent = [part for part in ("Received:", "Expected:", "Fix:") if part not in message]
        assert not silent, f"lacks {silent}:\n{message}"
        assert "Exception encountered" not in message, message
        assert len(message) < 2000, message


def fit(model, data, **options):
    """Compiles and builds a model with all its checks, without a step of training."""
    if not model.compiled:
        model.compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit(data, epochs=0, verbose=0, **options)
    return model


def fit_networks(generative, data, inference=None, **options):
    """Builds a model of two functions."""
    return fit(kprob.ProbabilisticModel(generative=generative, inference=inference), data, **options)


def observe(distribution, data, **options):
    """Builds a model whose data has the distribution that `distribution(latent)` returns."""

    def generative():
        latent = kprob.sample("latent", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", distribution(latent))

    return fit_networks(generative, {"x": data}, **options)


def latent_pair(p, q, data=True):
    """Builds a model with one global latent, p's and q's distributions of it given as functions."""

    def generative():
        latent = kprob.sample("latent", p())
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(ops.sum(ops.cast(latent, "float32")), 1.0))

    def inference():
        kprob.sample("latent", q())

    return fit_networks(generative, {"x": Y}, inference)


def local_latent():
    """A network with a latent for each row."""
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Normal(z, 1.0))


def global_mean():
    """A network with one latent for all rows."""
    mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mu, 1.0))


def regression(features):
    """A linear regression."""
    w = kprob.sample("w", tfd.Independent(tfd.Normal(ops.zeros(3), 1.0), 1))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(ops.matmul(features, w), 1.0))


class LayerRegression(kprob.ProbabilisticModel):
    """The same by layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(3, loc=0.0, scale=1.0)
        self.y = layers.Normal(scale=1.0)

    def generative(self, features):
        w = self.w()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w))

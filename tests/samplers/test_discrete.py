"""Finite discrete latents are summed out while a sampler moves on the others, and drawn afterwards."""

import keras
import numpy as np
import pytest
from scipy import special, stats

import kprob
from kprob import tfd
from kprob.data import Data, batch_of
from kprob.density import find_log_density
from kprob.errors import MismatchError

X = np.array([-1.5, -0.8, 2.9, 3.3, -1.1, 2.7], "float32")


@kprob.probmodel
def mixture():
    """Two components that can't be taken for each other."""
    share = kprob.sample("share", tfd.Beta(2.0, 2.0))
    first = kprob.sample("first", tfd.Normal(-1.0, 0.5))
    with kprob.plate("data"):
        label = kprob.sample("label", tfd.Bernoulli(probs=share, dtype="int32"))
        kprob.sample("x", tfd.Normal(keras.ops.where(label == 1, 3.0, first), 0.5))


def exact(u, v):
    """Returns the log-density at the logit of `share` and at `first`, labels summed out by hand."""
    share = special.expit(u)
    parts = np.stack([np.log1p(-share) + stats.norm.logpdf(X, v, 0.5), np.log(share) + stats.norm.logpdf(X, 3.0, 0.5)])
    prior = stats.beta.logpdf(share, 2, 2) + np.log(share * (1 - share)) + stats.norm.logpdf(v, -1, 0.5)
    return prior + special.logsumexp(parts, axis=0).sum()


@pytest.mark.parametrize(("u", "v"), [(0.3, -1.2), (-1.0, 0.4)])
def test_the_density_is_the_sum_over_all_labels(u, v):
    model = mixture()
    batch = batch_of(Data({"x": X}, {}, len(X)))
    density = find_log_density(model.networks, batch)
    assert [latent.name for latent in density.latents] == ["share", "first"]
    found = float(density(keras.ops.convert_to_tensor(np.array([u, v], "float32")), batch))
    assert abs(found - exact(u, v)) < 1e-3


@pytest.mark.slow
def test_labels_are_drawn_from_their_exact_conditional():
    keras.utils.set_random_seed(0)
    model = mixture().compile(kprob.NUTS(300, 500, 2))
    model.fit({"x": X}, verbose=0)
    labels = model.posterior("label", {"x": X}).sample(200, seed=0)
    assert labels.shape == (200, 6)
    np.testing.assert_array_equal(labels.mean(0).round(), (X > 1).astype(float))
    # Beta(2 + 3, 2 + 3), since the labels are as good as known.
    assert abs(model.posterior("share").mean() - 0.5) < 0.03


def test_counts_without_end_are_refused():
    @kprob.probmodel
    def counts():
        number = kprob.sample("number", tfd.Poisson(3.0))
        kprob.sample("x", tfd.Normal(number, 1.0))

    with pytest.raises(MismatchError, match="can't move on the discrete latent `number`"):
        counts().compile(kprob.NUTS(10, 10, 1)).fit({"x": 2.0}, verbose=0)

"""Posteriors that are known, by the No-U-Turn sampler."""

import csv

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd
from kprob.diagnostics import mcse_mean, rhat

ops = keras.ops
pytestmark = pytest.mark.slow


def check_mean(draws, mean):
    assert abs(draws.mean() - mean) < 4 * mcse_mean(draws), (draws.mean(), mean)


def test_a_label_that_is_summed_out_leaves_a_mixture():
    @kprob.probmodel
    def toy():
        label = kprob.sample("label", tfd.Categorical(probs=[0.15, 0.3, 0.3, 0.25]))
        kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor([-2.0, 0.0, 2.0, 4.0]), label), 0.5))

    model = toy().compile(kprob.NUTS(500, 10_000, 4, block_size=2000))
    model.fit({}, verbose=0)
    x = model.draws.values["x"].astype("float64")
    check_mean(x, 1.3)
    check_mean(np.square(x - 1.3), 4.36)
    labels = model.posterior("label").sample(4000, seed=1)
    assert np.bincount(labels, minlength=4) / 4000 == pytest.approx([0.15, 0.3, 0.3, 0.25], abs=0.04)


@kprob.probmodel
def terrain(features):
    """The regression of Nunn and Puga (2012), with a Gamma precision."""
    w = kprob.sample("w", tfd.Sample(tfd.Normal(0.0, 1.0), 3))
    b = kprob.sample("b", tfd.Normal(0.0, 1000.0))
    precision = kprob.sample("precision", tfd.Gamma(1.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(ops.matmul(features, w) + b, precision**-0.5))


def test_terrain(requires_shared):
    with open(requires_shared("rugged", "rugged_data.csv"), encoding="latin-1") as file:
        rows = [row for row in csv.DictReader(file) if row["rgdppc_2000"] not in ("", "NA")]
    africa, rugged = (np.array([float(row[name]) for row in rows]) for name in ("cont_africa", "rugged"))
    income = np.log([float(row["rgdppc_2000"]) for row in rows])
    model = terrain().compile(kprob.NUTS(1000, 10_000, 4, block_size=2000))
    model.fit({"features": np.stack([africa, rugged, africa * rugged], 1), "y": income}, verbose=0)
    draws = {name: value.astype("float64") for name, value in model.draws.values.items()}
    means = {"w": [-1.84258, -0.18371, 0.34676], "b": 9.18221, "precision": 1.11994}
    stddevs = {"w": [0.22225, 0.07706, 0.12975], "b": 0.13888, "precision": 0.12229}
    for name, value in draws.items():
        assert np.all(rhat(value) < 1.01)
        assert np.all(np.abs(value.mean((0, 1)) - means[name]) < 4 * mcse_mean(value) + 2e-5)  # the last digit known
        assert value.std((0, 1)) == pytest.approx(np.array(stddevs[name]), rel=0.03)
    slope = draws["w"][..., 1] + draws["w"][..., 2]
    check_mean(slope, 0.16305)
    assert slope.std() == pytest.approx(0.10596, rel=0.03)
    assert (slope > 0).mean() == pytest.approx(0.938, abs=0.01)

"""A posterior whose steps must be short: a Poisson regression on a Gaussian process (posteriordb's gp_pois_regr)."""

import json

import numpy as np
import pytest
from keras import ops

import kprob
from kprob import tfd


@kprob.probmodel
def process(x):
    rho = kprob.sample("rho", tfd.Gamma(25.0, 4.0))
    alpha = kprob.sample("alpha", tfd.HalfNormal(2.0))
    with kprob.plate("points", 11):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
    distances = ops.square(x[:, None] - x[None, :])
    little = 1e-10 if "float64" in str(rho.dtype) else 1e-4  # models are built in float32
    covariance = ops.square(alpha) * ops.exp(-0.5 * distances / ops.square(rho))
    covariance = covariance + little * ops.eye(11, dtype=distances.dtype)
    with kprob.plate("points", 11):
        kprob.sample("k", tfd.Poisson(log_rate=ops.matmul(ops.cholesky(covariance), z)))


@pytest.mark.slow
def test_few_trajectories_diverge(requires_shared):
    file = json.loads((requires_shared("posteriordb", "gp_pois_regr-gp_regr") / "data.json").read_text())
    model = process().compile(kprob.NUTS(dtype="float64", block_size=1000))
    model.fit({"x": np.asarray(file["x"], "float64"), "k": np.asarray(file["k"], "float64")}, verbose=0)
    # Of 4,000: about 12, as many as NumPyro's; 150 to 260 with steps that are accepted in 0.8 of the cases.
    assert model.draws.statistics["diverging"].sum() <= 40
    assert model.draws.statistics["accept_rate"].mean() > 0.89

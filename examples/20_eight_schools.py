"""Eight schools: did coaching for a test help, and how does one sample a funnel?

    mu ~ N(0, 5)      tau ~ HalfCauchy(5)      theta_j ~ N(mu, tau)      y_j ~ N(theta_j, sigma_j),      j = 1 ... 8

Where tau is small all theta_j must be alike: the posterior is a funnel, in whose neck steps that suit the rest are too long.
Written with theta_j = mu + tau · noise_j it has no neck. `reparam` does so without a change of the model.

Expected answer (Rubin 1981; long runs): mu 4.4 ± 3.3, tau 3.6 ± 3.2, theta_1 6.2 ± 5.6, and of the two forms the
non-centred one has by far fewer divergences.
"""

import keras
import numpy as np

import kprob
from kprob import layers

EFFECTS = np.array([28, 8, -3, 7, -1, 1, 18, 12], "float32")
ERRORS = np.array([15, 10, 16, 11, 9, 11, 10, 18], "float32")


class Schools(kprob.ProbabilisticModel):
    """A mean effect, its spread, and an effect for each school."""

    def __init__(self, errors, **kwargs):
        super().__init__(**kwargs)
        self.errors = errors
        self.mu = layers.Normal(loc=0.0, scale=5.0)
        self.tau = layers.HalfCauchy(scale=5.0)
        self.theta = layers.Normal()
        self.y = layers.Normal()

    def generative(self):
        """p"""
        mu, tau = self.mu(), self.tau()
        with kprob.plate("schools", 8):
            theta = self.theta(loc=mu, scale=tau)
            self.y(loc=theta, scale=keras.ops.convert_to_tensor(self.errors))


def sample(reparam, smoke):
    """Returns the model, fitted in one of the two forms."""
    keras.utils.set_random_seed(1)
    number = 200 if smoke else 1000
    model = Schools(ERRORS).compile(kprob.NUTS(number, number, 2 if smoke else 4), reparam=reparam)
    model.fit({"y": EFFECTS}, verbose=0)
    return model


def main(smoke=False):
    """Samples both forms and compares."""
    centred, non_centred = sample(None, smoke), sample({"theta": kprob.LocScale(centered=0.0)}, smoke)
    counts = {}
    for name, model in (("centred", centred), ("non-centred", non_centred)):
        counts[name] = int(model.draws.statistics["diverging"].sum())
        theta = model.posterior("theta").sample(2000, seed=0)[:, 0]
        mu, tau = model.posterior("mu"), model.posterior("tau")
        print(
            f"{name:12s} divergences {counts[name]:4d}   mu {mu.mean():.2f} ± {mu.stddev():.2f}   "
            f"tau {tau.mean():.2f} ± {tau.stddev():.2f}   theta_1 {theta.mean():.2f} ± {theta.std():.2f}"
        )
    loose = 3.0 if smoke else 1.0
    assert abs(non_centred.posterior("mu").mean() - 4.4) < 0.5 * loose
    assert abs(non_centred.posterior("tau").mean() - 3.6) < 0.5 * loose
    assert counts["non-centred"] <= counts["centred"] and counts["non-centred"] < 20


if __name__ == "__main__":
    main()

"""`compile(..., reparam=...)`: non-centred forms without rewriting the model."""

import keras
import numpy as np
import pytest

import kprob
from kprob import LocScale, Transform, layers, tfd
from kprob.errors import CompileError, SiteError

# Above 15 degrees: far from 0, locations and centring would be learned along a narrow valley.
SENSORS = np.array([18, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1], "float32") - 15.0


@kprob.probmodel
def ten_sensors():
    """A hierarchy whose posterior is known: mean_temp 4.2222 / 0.6667, temp_0 3.2444 / 0.9043."""
    mean = kprob.sample("mean_temp", tfd.Normal(0.0, 2.0))
    with kprob.plate("sensors", 10):
        temp = kprob.sample("temp", tfd.Normal(mean, 2.0))
        kprob.sample("sensor", tfd.Normal(temp, 1.0))


def fitted(reparam, epochs=6000):
    keras.utils.set_random_seed(3)
    rate = keras.optimizers.schedules.CosineDecay(0.05, epochs)
    model = ten_sensors().compile(kprob.ELBO(num_samples=2), keras.optimizers.Adam(rate), reparam=reparam)
    model.fit({"sensor": SENSORS}, epochs=epochs, verbose=0)
    return model


@pytest.fixture(scope="module")
def learned():
    return fitted("auto")


def test_the_choice_is_what_depends_on_latents(learned):
    assert learned.reparam == {"temp": LocScale(centered=None)}
    assert "temp_decentered" in learned.structure().sites


def test_learned_centring_comes_closer_than_mean_field(learned):
    # Mean field of the model as written stops at -22.760967; the evidence is -22.660632. Normals are conjugate here: with
    # the best centring latents are independent in the posterior, and the mean-field family holds it.
    bounds = [learned.evaluate({"sensor": SENSORS}, return_dict=True, seed=s)["elbo"] for s in range(100)]
    assert np.mean(bounds) > -22.70
    draws = learned.posterior(["mean_temp", "temp"]).sample(4000, seed=1)
    assert abs(draws["mean_temp"].mean() - 4.2222) < 0.06 and abs(draws["mean_temp"].std() - 0.6667) < 0.04
    assert abs(draws["temp"][:, 0].mean() - 3.2444) < 0.06 and abs(draws["temp"][:, 0].std() - 0.9043) < 0.04


def test_queries_know_the_site_by_its_own_name(learned):
    assert set(learned.posterior().sample(2)) == {"mean_temp", "temp"}
    assert learned.posterior("temp").sample(3).shape == (3, 10)
    assert learned.prior("temp").sample(3).shape == (3, 10)
    assert set(learned.prior().sample(1)) == {"mean_temp", "temp", "sensor"}
    again = learned.posterior_predictive("sensor").sample(2000, seed=0)
    assert abs(again[:, 0].std() - np.hypot(0.9043, 1.0)) < 0.1


def test_it_is_saved(learned, tmp_path):
    learned.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5")
    assert again.reparam == learned.reparam
    np.testing.assert_array_equal(
        again.posterior("temp").sample(3, seed=5), learned.posterior("temp").sample(3, seed=5)
    )
    again.fit({"sensor": SENSORS}, epochs=1, verbose=0)


def test_given_sites_in_a_class():
    class Schools(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.mu = layers.Normal(loc=0.0, scale=5.0)
            self.tau = layers.LogNormal(loc=0.0, scale=1.0)
            self.theta = layers.Normal()
            self.y = layers.Normal(scale=10.0)

        def generative(self):
            mu, tau = self.mu(), self.tau()
            with kprob.plate("schools", 8):
                self.y(loc=self.theta(loc=mu, scale=tau))

    data = {"y": np.array([28, 8, -3, 7, -1, 1, 18, 12], "float32")}
    model = Schools().compile(kprob.ELBO(), "adam", reparam={"theta": LocScale(centered=0.0), "tau": Transform()})
    assert model.reparam == {"theta": LocScale(centered=0.0), "tau": Transform()}
    model.fit(data, epochs=2, verbose=0)
    assert set(model.posterior().sample(1)) == {"mu", "tau", "theta"}
    assert set(model.guide.latents) == {"mu", "tau_base", "theta_decentered"}
    with pytest.raises(CompileError, match="has been built with other latents"):
        model.compile(kprob.ELBO(), "adam", reparam={"theta": LocScale(centered=1.0)})


def test_wrong_settings():
    with pytest.raises(CompileError, match="a dict of kprob.LocScale"):
        ten_sensors().compile(kprob.ELBO(), "adam", reparam={"temp": 0.0})
    with pytest.raises(SiteError, match="from 0 .non-centred. to 1"):
        LocScale(centered=2.0)
    model = ten_sensors().compile(kprob.ELBO(), "adam", reparam={"tmp": LocScale()})
    with pytest.raises(SiteError, match="Did you mean 'temp'"):
        model.fit({"sensor": SENSORS}, verbose=0)


def test_a_site_with_data_stays_what_it_is():
    model = ten_sensors().compile(kprob.ELBO(), "adam", reparam={"temp": LocScale(centered=0.0)})
    model.fit({"sensor": SENSORS}, epochs=1, verbose=0)
    assert np.isfinite(model.evaluate({"sensor": SENSORS}, return_dict=True)["elbo"])


def test_beside_a_latent_whose_support_only_the_network_knows():
    # HalfCauchy's support starts at its location: the guide is then drawn along the network, in its new form too.
    @kprob.probmodel
    def schools():
        scale = kprob.sample("scale", tfd.HalfCauchy(0.0, 5.0))
        with kprob.plate("schools", 8):
            effect = kprob.sample("effect", tfd.Normal(0.0, scale))
            kprob.sample("y", tfd.Normal(effect, 10.0))

    model = schools().compile(kprob.ELBO(), "adam", reparam={"effect": LocScale(centered=0.0)})
    model.fit({"y": np.arange(8.0)}, epochs=2, verbose=0)
    assert set(model.guide.latents) == {"scale", "effect_decentered"}
    assert model.posterior("effect").sample(3).shape == (3, 8)

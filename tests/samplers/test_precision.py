"""`dtype="float64"`: a posterior that float32 can't tell from a point."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import CompileError, FitWarning

CENTRE, SD = 1e6 + 0.005, 0.01 / 2**0.5  # float32's steps are of 0.0625 there
OBSERVED = {"x": 1e6 + 0.01}


@kprob.probmodel
def far():
    mu = kprob.sample("mu", tfd.Normal(1e6, 0.01))
    kprob.sample("x", tfd.Normal(mu, 0.01))


class FarLayers(kprob.ProbabilisticModel):
    """The same by layers, by way of a network whose weights are float32, and a parameter."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mu = layers.Normal(loc=1e6, scale=0.01)
        self.identity = keras.layers.Dense(1, kernel_initializer="ones")
        self.x = layers.Normal()

    def generative(self):
        moved = self.identity(keras.ops.reshape(self.mu(), (1, 1)))[0, 0]
        self.x(loc=moved + kprob.param("zero", 0.0), scale=0.01)


SAMPLERS = {
    "NUTS": (kprob.NUTS, (200, 500, 2), {}),
    "HMC": (kprob.samplers.HMC, (200, 500, 2), {}),
    "MALA": (kprob.samplers.MALA, (300, 1500, 2), {}),
    "RandomWalkMetropolis": (kprob.samplers.RandomWalkMetropolis, (300, 3000, 2), {}),
    "Slice": (kprob.samplers.Slice, (200, 1000, 2), {}),
    "MCLMC": (kprob.samplers.MCLMC, (300, 1500, 2), {}),
    "AdjustedMCLMC": (kprob.samplers.AdjustedMCLMC, (300, 1500, 2), {}),
    "ChEES": (kprob.samplers.ChEES, (200, 100, 16), {}),
    "SGLD": (kprob.samplers.SGLD, (200, 4000, 2), {"step_size": 1e-5}),
    "SGHMC": (kprob.samplers.SGHMC, (200, 4000, 2), {"step_size": 1e-6}),
    "ParallelTempering": (kprob.samplers.ParallelTempering, (200, 1000, 2), {}),
}


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler(name):
    kind, numbers, options = SAMPLERS[name]
    model = far().compile(kind(*numbers, dtype="float64", init={"mu": 1e6}, block_size=500, **options))
    model.fit(OBSERVED, verbose=0)
    draws = model.draws.values["mu"]
    assert draws.dtype == model.draws.positions.dtype == model.draws.infos.dtype == "float64"
    assert draws.mean() == pytest.approx(CENTRE, abs=0.0015)
    assert draws.std() == pytest.approx(SD, rel=0.15)
    assert keras.config.floatx() == "float32"


def test_sequential_monte_carlo_and_its_evidence():
    model = far().compile(kprob.samplers.SMC(1000, 2, dtype="float64"))
    model.fit(OBSERVED, verbose=0)
    draws = model.draws.values["mu"]
    assert draws.dtype == "float64"
    assert draws.mean() == pytest.approx(CENTRE, abs=0.0015) and draws.std() == pytest.approx(SD, rel=0.1)
    assert abs(model.log_evidence - (-0.25 - np.log(0.02 * np.sqrt(np.pi)))) < 0.1


def test_float32_gets_it_wrong():
    model = far().compile(kprob.NUTS(100, 200, 2, init={"mu": 1e6}))
    with pytest.warns(FitWarning, match="aren't to be trusted"):
        model.fit(OBSERVED, verbose=0)
    assert abs(model.draws.values["mu"].astype("float64").std() / SD - 1.0) > 0.5


def test_layers_networks_parameters_and_saving(tmp_path):
    def fresh():
        model = FarLayers().compile(kprob.NUTS(200, 300, 2, dtype="float64", init={"mu": 1e6}, block_size=100))
        model.seed_generator.state.assign(np.full(model.seed_generator.state.shape, 5, "uint32"))
        return model

    model = fresh()
    model.fit(OBSERVED, verbose=0)
    draws = model.draws.values["mu"]
    assert draws.mean() == pytest.approx(CENTRE, abs=0.0015) and draws.std() == pytest.approx(SD, rel=0.15)
    assert all(keras.backend.standardize_dtype(v.dtype) == "float32" for v in model.trainable_variables)
    assert model.identity.dtype_policy.name == "float32" and type(model.identity.dtype_policy) is keras.DTypePolicy
    predicted = model.posterior_predictive("x").sample(2000, seed=1)
    assert predicted.dtype == "float64"
    assert predicted.mean() == pytest.approx(CENTRE, abs=0.002)
    assert predicted.std() == pytest.approx((SD**2 + 1e-4) ** 0.5, rel=0.1)
    found = model.log_likelihood(OBSERVED)
    right = -0.5 * ((OBSERVED["x"] - draws.ravel()) / 0.01) ** 2 - np.log(0.01 * np.sqrt(2.0 * np.pi))
    np.testing.assert_allclose(found, right, rtol=1e-6)

    begun = fresh()
    begun.fit(OBSERVED, epochs=3, verbose=0)
    begun.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"FarLayers": FarLayers})
    assert again.sampler.dtype == "float64" and again.draws.positions.dtype == "float64"
    again.fit(OBSERVED, epochs=2, verbose=0)
    np.testing.assert_array_equal(again.draws.values["mu"], draws)


def test_rows_and_a_fitted_guide_to_start_at():
    @kprob.probmodel
    def rows(covariate):
        w = kprob.sample("w", tfd.Normal(0.0, 10.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(1e6 + w * covariate, 0.01))

    covariate = np.random.default_rng(0).normal(size=200)
    data = {"covariate": covariate, "y": 1e6 + 0.001 * covariate}
    model = rows().compile(kprob.ELBO(), "adam")
    model.fit(data, epochs=1, verbose=0)
    model.guide.parameters["w_loc"].assign(0.1)
    model.guide.parameters["w_scale"].assign(-5.0)
    model.compile(kprob.NUTS(200, 300, 2, dtype="float64", init="guide"))
    model.fit(data, verbose=0)
    sd = 0.01 / np.sqrt((covariate**2).sum())
    assert model.draws.values["w"].mean() == pytest.approx(0.001, abs=4 * sd / np.sqrt(200))
    assert model.draws.values["w"].std() == pytest.approx(sd, rel=0.15)


def test_a_word_that_is_no_type():
    with pytest.raises(CompileError, match="Did you mean 'float64'"):
        kprob.NUTS(dtype="float46")

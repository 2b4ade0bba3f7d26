"""What a model answers, it answers with the weights of today: a compiled program must not keep those it was compiled with."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd

ops = keras.ops
X = np.linspace(-1.0, 1.0, 6).astype("float32")


class Line(kprob.ProbabilisticModel):
    """A regression through a network that is learned; its latents are outside the data plate."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.network = keras.layers.Dense(1)
        self.w = layers.Normal(loc=0.0, scale=1.0)
        self.y = layers.Normal(scale=0.5)

    def generative(self, x):
        w = self.w()
        with kprob.plate("data"):
            self.y(loc=w + self.network(x[:, None])[:, 0])


class Rows(kprob.ProbabilisticModel):
    """A latent in the data plate, with an amortised q."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.network = keras.layers.Dense(1)
        self.z = layers.Normal(loc=0.0, scale=1.0)
        self.y = layers.Normal(scale=0.5)
        self.z_given_y = layers.Normal((), name="z")

    def generative(self, x):
        with kprob.plate("data"):
            self.y(loc=self.z() + self.network(x[:, None])[:, 0])

    def inference(self, y):
        with kprob.plate("data"):
            self.z_given_y(y[:, None])


@kprob.probmodel
def mixture(x):
    """A label that is summed out."""
    scale = kprob.param("spread", 1.0, constraint="positive")
    centre = kprob.sample("centre", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        label = kprob.sample("label", tfd.Categorical(probs=[0.4, 0.6]))
        kprob.sample("y", tfd.Normal(centre + x + ops.cast(label, "float32"), scale))


DATA = {"x": X, "y": X + 0.3}


def answers(model):
    """Returns all kinds of answers, by kind."""
    latent = model.posterior().names[0]
    table = model.diagnose(DATA, seed=5)
    found = {
        "posterior": model.posterior(latent, DATA).sample(3, seed=1),
        "one draw": model.posterior(latent, DATA).sample(seed=1),
        "mean": model.posterior(latent, DATA).mean(),
        "predictive": model.posterior_predictive("y", DATA).sample(3, seed=2),
        "predict": model.predict({"x": X}, seed=3) if not isinstance(model, Rows) else model.predict(DATA, seed=3),
        "log_prob": model.posterior(latent, DATA).log_prob(model.posterior(latent, DATA).mean()),
        "evaluate": model.evaluate(DATA, seed=4, verbose=0, return_dict=True)["elbo"],
        "diagnose": table.elbo,
        "evidence": float(model.log_marginal_likelihood(DATA, 20, seed=6)),
        "resampled": model.posterior(latent, DATA).sample(3, seed=7, importance_resample=20),
    }
    if not isinstance(model, Rows):
        found["predictive density"] = float(model.log_predictive_density(DATA, num_samples=20, seed=8))
        found["arviz"] = model.to_arviz(DATA, num_samples=4, seed=9).posterior[latent].values
    if model.name == "mixture":
        found["labels"] = model.posterior("label", DATA).probs(num_samples=5, seed=10)
    return {name: np.asarray(value, "float64") for name, value in found.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", [Line, Rows, mixture], ids=lambda make: make.__name__)
def test_other_weights_other_answers(make):
    pytest.importorskip("arviz")
    model = make().compile(kprob.ELBO(), "adam")
    model.fit(DATA, epochs=1, verbose=0)
    before = answers(model)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.3)
    now = answers(model)
    model.networks.programs.entries.clear()
    anew = answers(model)
    for name, value in now.items():
        assert not np.array_equal(value, before[name]), f"{name} is that of the weights before"
        np.testing.assert_allclose(value, anew[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    "sampler", [kprob.samplers.HMC(0, 3, 2, num_leapfrog_steps=1), kprob.samplers.ChEES(0, 3, 4)], ids=["HMC", "ChEES"]
)
def test_samplers_move_on_the_density_of_the_weights(sampler):
    model = Line().compile(sampler)
    model.fit(DATA, verbose=0, check=False)

    def draws():
        model._state.context.draws = None
        model.seed_generator.state.assign(np.full(model.seed_generator.state.shape, 3, "uint32"))
        model.fit(DATA, verbose=0, check=False)
        return model.draws.positions

    before = draws()
    for variable in model.network.trainable_variables:
        variable.assign(variable + 1.0)
    now = draws()
    model.networks.programs.entries.clear()
    assert not np.array_equal(now, before)
    np.testing.assert_allclose(now, draws(), rtol=1e-4, atol=1e-5)


class Look(keras.callbacks.Callback):
    """Asks the model while it trains."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.log_marginal_likelihood({"y": X}, 20, seed=1)


def test_a_guide_that_does_another_thing_after_training():
    @kprob.probmodel
    def mean():
        loc = kprob.sample("loc", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(loc, 1.0))

    model = mean(inference=kprob.guides.Laplace()).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"y": X}, epochs=200, callbacks=[Look()], verbose=0)
    # Laplace's approximation is exact here; at the mode alone, where it is while it trains, there is no evidence.
    precision = len(X) + 1.0
    evidence = -0.5 * (len(X) * np.log(2 * np.pi) + np.log(precision) + X @ X - X.sum() ** 2 / precision)
    found = model.log_marginal_likelihood({"y": X}, 20, seed=1)
    assert float(found) == pytest.approx(evidence, abs=1e-3) and found.standard_error < 1e-3

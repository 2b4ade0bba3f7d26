"""Models written as functions, and inference networks of every kind."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import KprobError


@kprob.probmodel
def reading(sensor_scale=1.0):
    """temp ~ N(15, 2), sensor ~ N(temp, sensor_scale)."""
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, sensor_scale))


@kprob.probmodel
def exact():
    """The posterior given a sensor of 18."""
    kprob.sample("temp", tfd.Normal(17.4, 0.8**0.5))


def plain():
    """The same as a plain function."""
    kprob.sample("temp", tfd.Normal(17.4, 0.8**0.5))


@pytest.mark.parametrize("q", [plain, exact()], ids=["function", "probmodel"])
def test_inference_networks(q):
    model = reading(inference=q).compile(kprob.ELBO(), "adam")
    assert model.evaluate({"sensor": 18.0}, return_dict=True)["elbo"] == pytest.approx(-2.623657, abs=1e-4)
    assert model.posterior("temp").mean() == pytest.approx(17.4)


def test_a_plain_function_is_an_objective():
    seen = []

    def mc_elbo(generative_trace, inference_trace):
        seen.append((sorted(generative_trace), sorted(inference_trace)))
        return generative_trace.log_prob() - inference_trace.log_prob()

    model = reading(inference=plain).compile(mc_elbo, "adam")
    assert model.evaluate({"sensor": 18.0}, return_dict=True)["loss"] == pytest.approx(2.623657, abs=1e-4)
    assert seen[0] == (["sensor", "temp"], ["temp"])


def test_networks_passed_as_arguments_are_trained_and_covariates_looked_up():
    @kprob.probmodel
    def regression(network, features):
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(network(features)[:, 0], 1.0))

    keras.utils.set_random_seed(0)
    features = np.random.RandomState(0).normal(size=(50, 2)).astype("float32")
    y = features @ [2.0, -1.0] + 0.5
    model = regression(keras.layers.Dense(1)).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"features": features, "y": y}, epochs=200, batch_size=50, verbose=0)
    assert len(model.trainable_variables) == 2
    assert model.predict({"features": features[:3]}, num_samples=2) == pytest.approx(y[:3], abs=0.05)


def test_networks_that_a_function_refers_to_are_trained():
    network = keras.layers.Dense(1)

    def generative(features):
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(network(features)[:, 0], 1.0))

    model = kprob.ProbabilisticModel(generative=generative).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"features": np.ones((4, 2), "float32"), "y": np.ones(4)}, epochs=1, verbose=0)
    assert len(model.trainable_variables) == 2


def test_a_module_is_part_of_the_model():
    layer = keras.layers.Dense(1)

    @kprob.probmodel
    def network(features):
        dense = kprob.module("dense", layer)
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(dense(features)[:, 0], 1.0))

    model = network().compile(kprob.ELBO(), "adam")
    model.fit({"features": np.ones((4, 2), "float32"), "y": np.ones(4)}, epochs=1, verbose=0)
    assert len(model.trainable_variables) == 2


@pytest.mark.parametrize(
    "constraint, init", [("positive", 2.0), ("unit", 0.3), ("simplex", [0.2, 0.3, 0.5]), ("real", -1.0)]
)
def test_constrained_parameters_start_where_they_should(constraint, init):
    @kprob.probmodel
    def network():
        value = kprob.param("value", init, constraint=constraint)
        kprob.deterministic("copy", value)
        kprob.sample("x", tfd.Normal(keras.ops.sum(value), 1.0))

    assert network().prior("copy").sample(seed=0) == pytest.approx(np.array(init), rel=1e-4)


def test_two_models_of_one_function_are_two_models():
    one, two = (reading().compile(kprob.ELBO(), keras.optimizers.Adam(0.1)) for _ in range(2))
    one.fit({"sensor": 18.0}, epochs=300, verbose=0)
    before = one.posterior("temp").mean()
    two.fit({"sensor": 0.0}, epochs=300, verbose=0)
    assert one.posterior("temp").mean() == before
    assert two.posterior("temp").mean() < 5


def test_layers_in_lists_are_named_by_their_place():
    class Stack(kprob.ProbabilisticModel):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.levels = [layers.Normal(), layers.Normal()]

        def generative(self):
            self.levels[1](loc=self.levels[0]())

    assert set(Stack().prior().sample()) == {"levels_0", "levels_1"}


def test_messages_and_the_summary_call_it_by_the_functions_name():
    @kprob.probmodel
    def rainfall():
        kprob.sample("x", tfd.Normal(0.0, 1.0))

    model = rainfall()
    assert model.name == "rainfall" and rainfall(name="mine").name == "mine"
    with pytest.raises(KprobError, match="rainfall"):
        model.prior("y").sample()
    with pytest.raises(KprobError, match="rainfall has no draws yet"):
        model.compile(kprob.NUTS()).diagnose()

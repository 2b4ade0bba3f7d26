"""Wrong names, attributes and things in a model's definition."""

import keras
import numpy as np
import pytest
from programs import Catalogue, X, Y, assert_error, fit, fit_networks, global_mean, local_latent, regression

import kprob
from kprob import layers, tfd

ops = keras.ops
programs = Catalogue()
RESERVED = (
    "loss name metrics optimizer layers weights inputs outputs input path variables losses dtype built compiled history "
    "trainable generative inference prior posterior summary structure objective networks guide modules seed_generator"
).split()


class Free(kprob.ProbabilisticModel):
    """A model whose network is given as a function of the model."""

    def __init__(self, network, **variables):
        super().__init__()
        for name, variable in variables.items():
            setattr(self, name, variable)
        self.network = network

    def generative(self):
        self.network(self)


@programs.wrong_for_each(RESERVED, "can't be the attribute", "the model itself uses it", "_ = layers.Normal(..., name=")
def an_attribute_that_is_taken(name):
    Free(None, **{name: layers.Normal()})


@programs.wrong("can't be the attribute `metrics`", 'name="metrics"')
def a_list_of_variables_at_an_attribute_that_is_taken():
    Free(None, metrics=[layers.Normal(), layers.Normal()])


@programs.wrong("Site `a` is declared twice", "`a` again, after `a`", "rename one of the two")
def a_site_declared_twice():
    def generative():
        kprob.sample("a", tfd.Normal(0.0, 1.0))
        kprob.sample("a", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {"a": 1.0})


@programs.wrong("Site `w` is declared twice", "a layer", "called once in a run")
def a_layer_called_twice():
    fit(Free(lambda model: model.w(loc=model.w()), w=layers.Normal()), {"w": 1.0})


@programs.wrong("Site `x` is declared twice", "`mu`, `x`")
def a_parameter_named_like_a_site():
    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))
        kprob.param("x", 1.0)

    fit_networks(generative, {"x": Y})


@programs.wrong("Parameter `scale` is declared in two ways", "shape (2,)", "after shape ()", "another name")
def a_parameter_of_two_shapes():
    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, kprob.param("scale", 1.0)))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    fit_networks(generative, {"x": Y}, lambda: kprob.sample("mu", tfd.Normal(kprob.param("scale", [1.0, 2.0])[0], 1.0)))


@programs.wrong_for_each(["", None, 3, ["a"], ("a",), {"a": 1}, "a/b"], "the site's name", "a string", "no `/`")
def a_site_named(name):
    kprob.sample(name, tfd.Normal(0.0, 1.0))


@programs.wrong("the site's name", "of type Normal", 'kprob.sample("name", distribution)')
def a_site_without_a_name():
    kprob.sample(tfd.Normal(0.0, 1.0))


@programs.wrong("the site's name", "of type Normal")
def name_and_distribution_swapped():
    kprob.sample(tfd.Normal(0.0, 1.0), "x")


@programs.wrong_for_each(
    [3.0, np.ones(3), None, tfd.Normal], "Site `x` needs a distribution", 'kprob.deterministic("x"'
)
def a_site_distributed_as(distribution):
    kprob.sample("x", distribution)


@programs.wrong("Site `x` needs a distribution", "a random-variable layer is called on its own")
def a_site_distributed_as_a_layer():
    kprob.sample("x", layers.Normal())


@programs.wrong("Site `x` needs a distribution", "over one value")
def a_site_distributed_as_a_joint_distribution():
    kprob.sample("x", tfd.JointDistributionSequential([tfd.Normal(0.0, 1.0), tfd.Normal(0.0, 1.0)]))


@programs.wrong("Parameter `a`", "unknown constraint", "'positve'", "Did you mean 'positive'?")
def an_unknown_constraint():
    kprob.param("a", 1.0, constraint="positve")


@programs.wrong("Parameter `rate` starts outside its constraint", "-1", '"positive"', "change the initial value")
def a_parameter_that_starts_outside():
    def generative():
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, kprob.param("rate", -1.0, constraint="positive")))

    fit_networks(generative, {"x": Y})


@programs.wrong("has no generative network", "override it", error=NotImplementedError)
def no_generative_network():
    fit(kprob.ProbabilisticModel(), {"x": Y})


@programs.wrong("Model was made without its base class", "super().__init__(**kwargs)")
def no_super_init():
    class Model(kprob.ProbabilisticModel):
        def __init__(self):
            self.latent_dim = 3

        def generative(self):
            global_mean()

    Model().compile("elbo", "adam")


@programs.wrong("The generative network", "uses a layer, which isn't part of the model", "in `__init__`")
def a_network_made_inside_a_network():
    def generative():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.MultivariateNormalDiag(ops.zeros(2), ops.ones(2)))
            kprob.sample("x", tfd.Normal(keras.layers.Dense(1)(z)[:, 0], 1.0))

    fit_networks(generative, {"x": Y})


@programs.wrong("Two runs of the generative network", "first at site `x`", "rather than by NumPy")
def numbers_drawn_by_numpy():
    def generative():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu + np.random.normal(), 1.0))

    fit_networks(generative, {"x": Y})


@programs.wrong("The inference network", "uses a layer, which isn't part of the model")
def an_encoder_made_inside_q():
    def inference(x):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(keras.layers.Dense(1)(x[:, None])[:, 0], 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("Network `decoder` is another layer", "make the layer once", "pass it in")
def a_module_made_anew():
    def generative():
        decoder = kprob.module("decoder", keras.layers.Dense(1))
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.MultivariateNormalDiag(ops.zeros(2), ops.ones(2)))
            kprob.sample("x", tfd.Normal(decoder(z)[:, 0], 1.0))

    fit_networks(generative, {"x": Y})


@programs.wrong("Model `thermometer` can't take these arguments", "sensor_scal", "Did you mean 'sensor_scale'?")
def an_unknown_argument_of_a_model():
    thermometer(sensor_scal=0.5)


@programs.wrong("takes *args or **kwargs", "named arguments", "name each argument")
def a_model_function_without_names():
    @kprob.probmodel
    def anything(**settings):
        kprob.sample("x", tfd.Normal(settings.get("loc", 0.0), 1.0))

    anything()


@programs.wrong("in `generative` of ProbabilisticModel", "after site `w`", "features (20, 2)", error=Exception)
def an_error_in_the_users_own_network():
    fit_networks(regression, {"features": X[:, :2], "y": Y})


@programs.wrong("no attribute 'weight'", "in `inference` of", "before its first site", "x (20,)", error=AttributeError)
def an_error_in_the_users_own_inference():
    fit_networks(local_latent, {"x": Y}, lambda x: x.weight)


@kprob.probmodel
def thermometer(sensor_scale=1.0):
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    kprob.sample("sensor", tfd.Normal(temp, sensor_scale))


@programs.right
def randomness_of_keras_layers():
    # Dropout that stays on draws anew in each run, from a seed that the model owns.
    dropout, dense = keras.layers.Dropout(0.5), keras.layers.Dense(1)

    def generative(features):
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
            kprob.sample("y", tfd.Normal(dense(dropout(features, training=True))[:, 0] + z, 1.0))

    fit_networks(generative, {"features": X, "y": Y})


@programs.right
def attributes_that_are_free():
    def network(model):
        scale = model.scale(scale=1.0)
        model.x_[0](scale=scale)
        model.pair["left"](scale=scale)

    variables = {"scale": layers.HalfNormal(), "x_": [layers.Normal(name="x")], "pair": {"left": layers.Normal()}}
    fit(Free(network, **variables), {"x": 1.0, "pair_left": 2.0})


@programs.right
def names_with_spaces_and_settings():
    fit_networks(
        lambda: kprob.sample("mean of x", tfd.Normal(kprob.sample("mu", tfd.Normal(0.0, 1.0)), 1.0)), {"mu": 1.0}
    )
    fit(thermometer(sensor_scale=0.5), {"sensor": 18.0})
    fit(thermometer(), {"sensor": 18.0})


@programs.right
def one_parameter_of_both_networks():
    def generative():
        mu = kprob.sample("mu", tfd.Normal(kprob.param("loc", 0.0), 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    fit_networks(generative, {"x": Y}, lambda: kprob.sample("mu", tfd.Normal(kprob.param("loc", 0.0), 1.0)))


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()

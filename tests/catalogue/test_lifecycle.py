"""Programs that change a model, or share its parts, in ways that it can't follow, and those in which it can."""

import types

import keras
import numpy as np
import pytest
from programs import Catalogue, assert_error

import kprob
from kprob import layers, tfd

ops = keras.ops
programs = Catalogue()
X = np.array([[0.5], [-1.0], [2.0], [0.1]], "float32")
DATA = {"x": X}
FLAG = types.SimpleNamespace(extra=False)
DENSE = keras.layers.Dense(1, name="a_global_layer")
NETWORKS = types.SimpleNamespace(decoder=DENSE)
WEIGHT = keras.Variable(1.0, name="a_global_weight")


class Model(kprob.ProbabilisticModel):
    """z ~ N(0, 1), x ~ N(decoder(z), 1)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder, self.blocks = keras.layers.Dense(1), [keras.layers.Dense(1)]
        self.z, self.x = layers.Normal(1, loc=0.0, scale=1.0), layers.Normal(1, scale=1.0)
        self.size = 1.0

    def decode(self, z):
        for block in self.blocks:
            z = block(z)
        return self.decoder(z)

    def generative(self):
        with kprob.plate("data"):
            self.x(loc=self.decode(self.z()))


def built(model=None, data=DATA, **options):
    model = Model() if model is None else model
    if not model.compiled:
        model.compile(kprob.ELBO(), keras.optimizers.Adam(0.1), **options)
    model.fit(data, epochs=0, verbose=0)
    return model


def decoding(decode, **attributes):
    """Builds a model whose decoder is a function."""
    made = type("Decoding", (Model,), {"decode": decode})()
    for name, value in attributes.items():
        setattr(made, name, value)
    return built(made)


# Layers that aren't the model's.


@programs.wrong("`DENSE`, which isn't part of the model", "a_global_layer/kernel", "self.network = layer")
def a_layer_of_a_global():
    decoding(lambda self, z: DENSE(z))


@programs.wrong("`NETWORKS.decoder`, which isn't part of the model", "a_global_layer/kernel")
def a_layer_of_a_plain_object():
    decoding(lambda self, z: NETWORKS.decoder(z))


@programs.wrong("`other.decoder`, which isn't part of the model", "no fit would train it")
def a_layer_of_another_model():
    other = built()
    decoding(lambda self, z: other.decoder(z))


@programs.wrong("`WEIGHT`, which isn't part of the model", "kprob.param")
def a_variable_of_a_global():
    decoding(lambda self, z: z * WEIGHT)


@programs.wrong("isn't part of the model", "a_closed_one/kernel")
def a_layer_in_a_list_in_a_dict_of_a_function():
    nets = {"decoders": [keras.layers.Dense(1, name="a_closed_one")]}

    def network():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Sample(tfd.Normal(0.0, 1.0), 1))
            kprob.sample("x", tfd.Independent(tfd.Normal(nets["decoders"][0](z), 1.0), 1))

    built(kprob.ProbabilisticModel(network))


@programs.wrong("isn't part of the model", "a_helpers_layer/kernel")
def a_layer_that_a_helper_closes_over():
    layer = keras.layers.Dense(1, name="a_helpers_layer")

    def helper(z):
        return layer(z)

    @kprob.probmodel
    def network():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Sample(tfd.Normal(0.0, 1.0), 1))
            kprob.sample("x", tfd.Independent(tfd.Normal(helper(z), 1.0), 1))

    built(network())


@programs.wrong("The inference network of", "isn't part of the model")
def a_layer_of_a_global_in_the_inference_network():
    class Amortized(Model):
        def inference(self, x):
            with kprob.plate("data"):
                kprob.sample("z", tfd.Independent(tfd.Normal(DENSE(x), 1.0), 1))

    built(Amortized())


@programs.right
def a_layer_of_a_global_that_isnt_to_be_trained():
    frozen = keras.layers.Dense(1, trainable=False)
    decoding(lambda self, z: frozen(z))


@programs.right
def a_layer_of_a_global_by_kprob_module():
    layer = keras.layers.Dense(1)
    made = decoding(lambda self, z: kprob.module("net", layer)(z))
    assert layer.kernel in made.trainable_variables


@programs.right
def layers_that_a_function_refers_to():
    one, others = keras.layers.Dense(1), [keras.layers.Dense(1)]

    @kprob.probmodel
    def network():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.Sample(tfd.Normal(0.0, 1.0), 1))
            kprob.sample("x", tfd.Independent(tfd.Normal(others[0](one(z)), 1.0), 1))

    made = built(network())
    assert {id(one.kernel), id(others[0].kernel)} <= {id(v) for v in made.trainable_variables}


# Layers that change after the build.


@programs.wrong_for_each(["decoder", "x", "z"], "The layers of Model can't change any more", "set_weights")
def a_layer_that_is_replaced(name):
    setattr(built(), name, keras.layers.Dense(1))


@programs.wrong("The layers of Model can't change any more", "it was Dense")
def a_layer_that_is_replaced_by_another_of_the_model():
    made = built()
    made.decoder = made.blocks[0]


@programs.wrong("The layers of Model can't change any more", "self.extra = Dense")
def a_layer_that_is_added():
    built().extra = keras.layers.Dense(1)


@programs.wrong("The layers of Model can't change any more", "del self.decoder")
def a_layer_that_is_taken_away():
    del built().decoder


@programs.wrong("The layers of Model can't change any more", "self.guide = MultivariateNormal")
def a_guide_that_is_replaced():
    built().guide = kprob.guides.MultivariateNormal()


@programs.wrong("has got new weights after it was built", "`Model.blocks` changed")
def a_layer_that_is_added_to_a_list():
    made = built()
    made.blocks.append(keras.layers.Dense(1))
    made.evaluate(DATA)


@programs.right
def a_layer_that_is_replaced_before_the_build():
    made = Model()
    made.decoder = keras.layers.Dense(1, use_bias=False)
    built(made)


@programs.right
def a_layer_that_is_taken_out_of_a_list():
    made = built()
    made.blocks.pop()
    made.evaluate(DATA)


# Sites that change after the build.


class Flagged(Model):
    """A model with a further site while a flag is up."""

    weighs = False

    def generative(self):
        super().generative()
        if FLAG.extra and self.weighs:
            kprob.factor("extra", -1.0)
        elif FLAG.extra:
            kprob.sample("extra", tfd.Normal(0.0, 1.0))


def with_flag(program):
    FLAG.extra = True
    try:
        program()
    finally:
        FLAG.extra = False


@programs.wrong("`extra`", "`FLAG.extra` changed after Flagged was built")
def a_latent_that_comes_later():
    made = built(Flagged())
    with_flag(lambda: made.evaluate(DATA))


@programs.wrong("have other sites than when the model was built", "`extra (generative)`", "`FLAG.extra`")
def a_factor_that_comes_later():
    made = built(Flagged())
    made.weighs = True
    with_flag(lambda: made.evaluate(DATA))


@programs.wrong("other sites than when the model was built", "make a new model")
def a_latent_that_comes_later_to_a_sampler():
    made = Flagged().compile(kprob.NUTS(num_warmup=5, num_samples=5, num_chains=1))
    made.fit(DATA, verbose=0, check=False)
    with_flag(lambda: made.fit(DATA, verbose=0, check=False))


@programs.wrong("`Wide.width` changed after Wide was built", "shape")
def a_shape_that_changes():
    class Wide(Model):
        def generative(self):
            w = kprob.sample("w", tfd.Sample(tfd.Normal(0.0, 1.0), self.width))
            with kprob.plate("data"):
                self.x(loc=ops.sum(w))

    made = Wide()
    made.width = 2
    built(made)
    made.width = 3
    made.evaluate(DATA)


@programs.wrong("in the middle of a fit", "which were frozen when the fit began", "call `fit` again")
def a_callback_that_releases_a_layer():
    class Release(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.decoder.trainable = True

    made = Model().compile(kprob.ELBO(), "adam")
    made.decoder.trainable = False
    made.fit(DATA, epochs=3, verbose=0, callbacks=[Release()])


# Parts that two models share.


@programs.wrong("The guide Normal of", "is another model's guide", "inference=kprob.guides.Normal(...)")
def a_guide_of_two_models():
    guide = kprob.guides.Normal()
    built(Model(inference=guide))
    built(Model(inference=guide))


@programs.wrong("The guide MultivariateNormal of a Group is another model's guide")
def a_member_of_two_groups():
    member = kprob.guides.MultivariateNormal()
    built(Model(inference=kprob.guides.Group({"z": member})))
    built(Model(inference=kprob.guides.Group({"z": member})))


@programs.wrong("The optimizer of Model belongs to another model", "keras.optimizers.Adam(...)")
def an_optimizer_of_two_models():
    optimizer = keras.optimizers.Adam(0.1)
    both = [Model().compile(kprob.ELBO(), optimizer) for _ in range(2)]
    for each in both:
        built(each)


@programs.wrong("The optimizer['guide'] of Model belongs to another model")
def an_optimizer_of_parts_of_two_models():
    optimizer = keras.optimizers.Adam(0.1)
    both = [
        Model().compile(kprob.ELBO(), kprob.optimizers.Optimizers({"guide": optimizer}, rest="adam")) for _ in range(2)
    ]
    for each in both:
        built(each)


@programs.wrong("one optimizer for two parts of the model", "the same object twice")
def an_optimizer_of_two_parts():
    optimizer = keras.optimizers.Adam(0.1)
    kprob.optimizers.Optimizers({"guide": optimizer, "decoder": optimizer})


@programs.right
def an_objective_and_a_sampler_of_two_models():
    objective = kprob.ELBO()
    for made in (Model(), Model()):
        built(made.compile(objective, "adam"))


@programs.right
def one_optimizer_for_a_model_that_is_compiled_twice():
    optimizer = keras.optimizers.Adam(0.1)
    made = built(Model().compile(kprob.ELBO(), optimizer))
    built(made.compile(kprob.objectives.RenyiELBO(0.5), optimizer))


# Keras's own steps.


@programs.wrong("no `train_on_batch`", "num_data")
def train_on_batch():
    built().train_on_batch(DATA)


@programs.wrong("`predict` of Stepping has no steps of Keras's", "`predict_step`")
def a_predict_step():
    class Stepping(Model):
        def predict_step(self, *args):
            return super().predict_step(*args)

    built(Stepping()).predict({})


@programs.wrong("`call` of a kprob model is no part of its training", "kprob.factor")
def a_call_that_adds_a_loss():
    class Calling(Model):
        def call(self, data, training=None):
            self.add_loss(1.0)
            return self.decoder(data)


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="TensorFlow's steps call it")
def test_an_optimizer_whose_step_keras_never_calls():
    class Halving(keras.optimizers.SGD):
        def apply_gradients(self, grads_and_vars, **kwargs):
            return super().apply_gradients([(g / 2.0, v) for g, v in grads_and_vars], **kwargs)

    assert_error(
        lambda: Model().compile(kprob.ELBO(), Halving(0.1)),
        ("never call `apply_gradients`", "Halving", "`apply` or `update_step`"),
    )

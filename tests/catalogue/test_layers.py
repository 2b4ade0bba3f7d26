"""Random-variable layers called or made wrongly."""

import keras
import numpy as np
import pytest
from programs import Catalogue, Y, assert_error, fit, fit_networks

import kprob
from kprob import layers, tfd

ops = keras.ops
programs = Catalogue()


@programs.wrong("has no parameter `lok`", "`loc`, `scale`", "Did you mean 'loc'?")
def a_misspelt_parameter_of_the_constructor():
    layers.Normal(lok=0.0)


@programs.wrong("has no parameter `scal`", "parameters of Normal", "Did you mean 'scale'?")
def a_misspelt_parameter_of_the_call():
    layers.Normal()(loc=0.0, scal=1.0)


@programs.wrong("got both `logits` and `probs`", "one of `logits`, `probs`", "leave one of them out")
def both_logits_and_probs():
    layers.Bernoulli()(logits=0.0, probs=0.5)


@programs.wrong("got both `logits` and `probs`", "one of")
def both_logits_and_probs_in_the_constructor():
    layers.Bernoulli(logits=0.0, probs=0.5)


@programs.wrong("lacks parameters", "Gamma also needs `concentration`", "features for learned heads")
def a_missing_parameter():
    layers.Gamma()()


@programs.wrong_for_each([0.5, 3, np.float32(1.0)], "got a number as features", "by keyword", "such as loc=...")
def a_number_by_position(number):
    layers.Normal()(number)


@programs.wrong("takes its parameters by keyword", "2 arguments by position", "layers.Normal(3, loc=0.0, scale=1.0)")
def parameters_by_position():
    layers.Normal(0.0, 1.0)


@programs.wrong("first argument", "0.0", "layers.Normal(3, loc=0.0, scale=1.0)")
def one_parameter_by_position():
    layers.Normal(0.0)


@programs.wrong("takes its parameters by keyword", "2 arguments by position")
def parameters_by_position_in_the_call():
    layers.Normal()(0.0, 1.0)


@programs.wrong_for_each(["zero", "lerned"], "parameter `loc`", "no number", '"learned"')
def a_parameter_that_is_a_word(word):
    layers.Normal(loc=word)()


@programs.wrong("parameter `loc`", "a random variable is called first", "no number")
def a_layer_as_a_parameter():
    layers.Normal(loc=layers.Normal())()


@programs.wrong("parameter `loc`", "no number", "kprob.sample")
def a_distribution_as_a_parameter():
    layers.Normal(loc=tfd.Normal(0.0, 1.0))()


@programs.wrong_for_each([-1.0, np.array([1.0, -2.0]), np.nan], "Parameter `scale`", "outside its constraint", "scale=")
def a_scale_of(scale):
    layers.Normal(scale=scale)()


@programs.wrong_for_each([-0.1, 1.5], "Parameter `probs`", "outside its constraint", "0 to 1")
def a_probability_of(probs):
    layers.Bernoulli(probs=probs)()


@programs.wrong("Parameter `scale`", "outside its constraint")
def a_negative_scale_in_the_call():
    layers.Normal()(loc=0.0, scale=-1.0)


@programs.wrong("Parameter `loc`", "is None", "see that it has a `return`")
def a_parameter_from_a_function_without_return():
    layers.Normal()(loc=None)


@programs.wrong("Parameter `probs`", "outside its constraint", "sum to 1")
def probabilities_that_do_not_sum_to_one():
    layers.Categorical(probs=[0.5, 0.2, 0.2])()


@programs.wrong("no family of distributions called 'Normall'", "Did you mean 'Normal'?")
def an_unknown_family():
    layers.RandomVariable("Normall")


@programs.wrong_for_each([3, tfd.Normal(0.0, 1.0)], "family", "pass the class")
def a_family_that_is_none(family):
    layers.RandomVariable(family)


@programs.wrong("Random variable `x` was made inside a network", "every run makes a new one", "in `__init__`")
def a_layer_with_heads_made_inside_a_network():
    def generative():
        with kprob.plate("data"):
            z = kprob.sample("z", tfd.MultivariateNormalDiag(ops.zeros(2), ops.ones(2)))
            layers.Normal(name="x")(z)

    fit_networks(generative, {"x": Y})


@programs.wrong("made inside a network", "in `__init__`", "kprob.sample")
def a_layer_without_a_name_made_inside_a_network():
    def generative():
        mu = layers.Normal()(loc=0.0)
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    fit_networks(generative, {"x": Y})


@programs.right
def numbers_of_every_kind():
    for loc in (0, 0.0, np.float64(0.0), [0.0], (0.0, 1.0), np.zeros(2), ops.zeros(2)):
        layers.Normal()(loc=loc, scale=1)
        layers.Normal(loc=loc, scale=2.0)()
        layers.Normal(scale=2.0)(loc=loc)


@programs.right
def features_of_every_kind():
    for features in (np.zeros((2, 3)), np.zeros((2, 3), "int32"), ops.zeros((2, 3)), [[0.0, 1.0]]):
        layers.Normal(2)(features)


@programs.right
def a_call_replaces_a_default():
    layers.Bernoulli(logits=0.0)(probs=0.5)
    layers.Bernoulli(probs=1.0)()
    layers.Bernoulli(probs=0.0)()


@programs.right
def a_scale_at_the_limit():
    assert float(layers.Normal(loc=3.0, scale=0.0)()) == 3.0


@programs.right
def a_named_layer_without_weights_made_inside_a_network():
    def generative():
        mu = layers.Normal(name="mu")(loc=0.0, scale=1.0)
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    fit_networks(generative, {"x": Y})


@programs.right
def a_layer_that_a_function_closes_over():
    mean = layers.Normal(loc=0.0)

    def generative():
        mu = mean()
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    model = fit_networks(generative, {"x": Y})
    assert list(model.structure().sites) == ["mean", "x"]
    fit(model, {"x": Y})


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()

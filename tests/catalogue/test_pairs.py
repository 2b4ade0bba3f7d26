"""Wrong pairs of a generative and an inference network, and right ones beside them."""

import keras
import numpy as np
import pytest
from programs import Catalogue, Y, assert_error, fit, fit_networks, global_mean, latent_pair, local_latent

import kprob
from kprob import tfd

ops = keras.ops
programs = Catalogue()


@programs.wrong("declares `zz`", "generative network lacks", "`z`, `x`", "Did you mean 'z'?")
def q_misspells_a_site():
    def inference(x):
        with kprob.plate("data"):
            kprob.sample("zz", tfd.Normal(x, 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("declares `noise`", "generative network lacks", "inference: `z`, `noise`", "remove it")
def q_has_one_site_more():
    def inference(x):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(x, 1.0))
            kprob.sample("noise", tfd.Normal(0.0, 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("Latent `z`", "no match in the inference network", "`data` (20)", "data: `x`")
def q_lacks_a_site():
    def inference(x):
        del x

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("Latent `z`", "other plates", "inference: no plate", "`data` (20)")
def q_forgets_the_plate():
    fit_networks(local_latent, {"x": Y}, lambda: kprob.sample("z", tfd.Normal(0.0, 1.0)))


@programs.wrong("Latent `z`", "other plates", "inference: `rows` (20)", "generative: `data` (20)", "same names")
def q_names_the_plate_otherwise():
    def inference():
        with kprob.plate("rows", 20):
            kprob.sample("z", tfd.Normal(0.0, 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("Latent `latent`", "another event shape", "inference: (3,)", "generative: (2,)", "`event_shape`")
def q_has_another_event_shape():
    latent_pair(
        lambda: tfd.MultivariateNormalDiag(ops.zeros(2), ops.ones(2)),
        lambda: tfd.MultivariateNormalDiag(ops.zeros(3), ops.ones(3)),
    )


@programs.wrong("Latent `z`", "another shape", "inference: (4,), in `schools` (4)", "generative: (3,)")
def q_has_a_plate_of_another_length():
    def generative():
        with kprob.plate("schools", 3):
            z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(ops.sum(z), 1.0))

    def inference():
        with kprob.plate("schools", 4):
            kprob.sample("z", tfd.Normal(0.0, 1.0))

    fit_networks(generative, {"x": Y}, inference)


@programs.wrong("Latent `latent`", "another support", "inference: Normal", "HalfNormal", "LogNormal or Gamma")
def q_is_real_and_p_is_positive():
    latent_pair(lambda: tfd.HalfNormal(1.0), lambda: tfd.Normal(0.0, 1.0))


@programs.wrong("Latent `latent`", "another support", "inference: Exponential", "network's Normal")
def q_is_positive_and_p_is_real():
    latent_pair(lambda: tfd.Normal(0.0, 1.0), lambda: tfd.Exponential(1.0))


@programs.wrong("Latent `latent`", "another support", "inference: Gamma", "network's Beta")
def q_is_positive_and_p_is_a_probability():
    latent_pair(lambda: tfd.Beta(1.0, 1.0), lambda: tfd.Gamma(2.0, 1.0))


@programs.wrong("Latent `latent`", "another support", "inference: Poisson", "network's Normal")
def q_is_a_count_and_p_is_real():
    latent_pair(lambda: tfd.Normal(0.0, 1.0), lambda: tfd.Poisson(3.0))


@programs.wrong("Latent `latent`", "another support", "inference: Normal", "network's Bernoulli")
def q_is_real_and_p_is_a_coin():
    latent_pair(lambda: tfd.Bernoulli(probs=0.3), lambda: tfd.Normal(0.0, 1.0))


@programs.wrong("Latent `latent`", "another support", "inference: Categorical", "network's Categorical")
def q_has_another_number_of_categories():
    latent_pair(lambda: tfd.Categorical(logits=ops.zeros(3)), lambda: tfd.Categorical(logits=ops.zeros(5)))


@programs.wrong("Latent `latent`", "another support", "inference: Uniform")
def q_reaches_beyond_an_interval():
    latent_pair(lambda: tfd.Uniform(0.0, 1.0), lambda: tfd.Uniform(0.0, 2.0))


@programs.wrong("`inference`", "needs `pixels`", "data for `x`", 'add "pixels" to the data')
def q_takes_what_the_data_lacks():
    def inference(pixels):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(pixels, 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("arguments of the inference network", "have no names", "**data", "looked up in the data by its name")
def q_takes_keywords_without_names():
    def inference(**data):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(data["x"], 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.wrong("arguments of the generative network", "have no names", "*features")
def p_takes_positional_arguments_without_names():
    fit_networks(lambda *features: global_mean(), {"x": Y})


@programs.wrong("the inference network of ProbabilisticModel is no function", "pass the function itself")
def q_is_no_function():
    fit_networks(global_mean, {"x": Y}, "mean field")


@programs.wrong("the inference network of ProbabilisticModel is no function", "or a guide", "make one: Normal()")
def q_is_the_class_of_a_guide():
    fit_networks(global_mean, {"x": Y}, kprob.guides.Normal)


@programs.wrong("guide Normal", "discrete latent `coin`", "Poisson", "finitely many values", "write `inference`")
def automatic_guide_of_a_discrete_latent():
    def generative():
        coin = kprob.sample("coin", tfd.Poisson(3.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(ops.cast(coin, "float32"), 1.0))

    fit_networks(generative, {"x": Y})


@programs.wrong("Latent `coin`", "no match in the inference network", "a Poisson has no finite number of values")
def q_lacks_a_discrete_latent_with_infinitely_many_values():
    def generative():
        with kprob.plate("data"):
            coin = kprob.sample("coin", tfd.Poisson(3.0))
            kprob.sample("x", tfd.Normal(ops.cast(coin, "float32"), 1.0))

    def inference(x):
        del x

    fit_networks(generative, {"x": Y}, inference)


def state_of_a_plate(outside: bool):
    def generative():
        with kprob.plate("data"):
            coin = kprob.sample("coin", tfd.Bernoulli(probs=0.3))
            if not outside:
                kprob.sample("total", tfd.Normal(ops.cast(coin, "float32"), 1.0))
        if outside:
            kprob.sample("total", tfd.Normal(ops.cast(ops.sum(coin), "float32"), 1.0))

    fit_networks(generative, {"total": np.float32(3.0) if outside else Y})


@programs.wrong(
    "`coin` can't be summed out", "`total` depends on it", "outside of its plate `data`", "in all plates of"
)
def discrete_latents_of_a_plate_meet_outside_of_it():
    state_of_a_plate(outside=True)


@programs.wrong("can't be summed out", "`a` in `rows`, `b` in `columns`", "plates inside each other", "a site `a`")
def discrete_latents_of_crossed_plates_meet():
    def generative():
        with kprob.plate("rows", 3):
            a = kprob.sample("a", tfd.Bernoulli(probs=0.3))
        with kprob.plate("columns", 2):
            b = kprob.sample("b", tfd.Bernoulli(probs=0.3))
        with kprob.plate("rows", 3), kprob.plate("columns", 2):
            kprob.sample("x", tfd.Normal(ops.cast(a[:, None] + b, "float32"), 1.0))

    fit_networks(generative, {"x": np.zeros((3, 2), "float32")})


@programs.wrong("`coin`", "can't be summed out in batches", "batches of 5 of the 20 rows", "batch_size=20")
def a_global_discrete_latent_in_batches():
    @kprob.probmodel
    def network():
        coin = kprob.sample("coin", tfd.Bernoulli(probs=0.3))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(ops.cast(coin, "float32"), 1.0))

    network().compile(kprob.ELBO(), "adam").fit({"x": Y}, batch_size=5, epochs=1, verbose=0)


@programs.right
def discrete_latents_are_summed_out():
    state_of_a_plate(outside=False)


@programs.wrong("Latent `x`", "no match in the inference network", "inference: `mu`", "data: `offset`")
def second_fit_forgets_what_was_observed():
    model = fit_networks(lambda offset=0.0: global_mean(), {"x": Y})
    model.fit({"offset": Y}, epochs=0, verbose=0)


@programs.right
def q_is_right():
    def inference(x):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(x, 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.right
def q_has_another_family_of_the_same_support():
    latent_pair(lambda: tfd.HalfNormal(1.0), lambda: tfd.LogNormal(0.0, 1.0))
    latent_pair(lambda: tfd.Gamma(1.0, 1.0), lambda: tfd.HalfNormal(1.0))
    latent_pair(lambda: tfd.StudentT(3.0, 0.0, 1.0), lambda: tfd.Normal(0.0, 1.0))


@programs.right
def q_has_a_site_that_the_data_observes():
    def inference(x):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(x, 1.0))
            kprob.sample("z", tfd.Normal(x, 1.0))

    fit_networks(local_latent, {"x": Y}, inference)


@programs.right
def supports_depend_on_other_latents():
    # p's prior draw of the bound and q's are different numbers: the check must not mix them up.
    def generative():
        bound = kprob.sample("bound", tfd.LogNormal(0.0, 1.0))
        z = kprob.sample("z", tfd.Uniform(0.0, bound))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(z, 1.0))

    def inference():
        bound = kprob.sample("bound", tfd.LogNormal(3.0, 0.1))
        kprob.sample("z", tfd.Uniform(0.0, bound))

    fit_networks(generative, {"x": Y}, inference)


@programs.right
def every_latent_is_observed():
    fit_networks(global_mean, {"x": Y, "mu": 1.0})


@programs.right
def q_of_a_discrete_latent_is_written():
    latent_pair(lambda: tfd.Bernoulli(probs=0.3), lambda: tfd.Bernoulli(probs=0.5))


@programs.right
def a_guide_and_a_second_fit():
    model = fit_networks(global_mean, {"x": Y}, kprob.guides.Normal())
    fit(model, {"x": Y[:7]})


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()

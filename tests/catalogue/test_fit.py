"""Wrong arguments of `compile`, `fit` and `evaluate`, and objectives that go wrong."""

import keras
import numpy as np
import pytest
from programs import Catalogue, X, Y, assert_error, fit, fit_networks, global_mean, regression

import kprob
from kprob import tfd

ops = keras.ops
programs = Catalogue()
DATA = {"features": X, "y": Y}


def model():
    return kprob.ProbabilisticModel(generative=regression)


@programs.wrong("objective first and the optimizer second", "Adam as the objective", "swap them")
def optimizer_first():
    model().compile(keras.optimizers.Adam(), kprob.ELBO())


@programs.wrong_for_each(
    [keras.optimizers.Adam(), keras.optimizers.SGD, "adam", "RMSprop"], "objective first and the optimizer second"
)
def optimizer_alone(optimizer):
    model().compile(optimizer)


@programs.wrong("There is no objective 'elboo'", "Did you mean 'elbo'?", "kprob.ELBO()")
def a_misspelt_objective():
    model().compile("elboo", "adam")


@programs.wrong_for_each(["mse", "binary_crossentropy"], "There is no objective", "losses of Keras have no place")
def the_name_of_a_loss_of_keras(name):
    model().compile(name, "adam")


@programs.wrong_for_each(
    [3, None, keras.losses.MeanSquaredError(), keras.losses.mean_squared_error, keras.metrics.Mean, dict],
    "`compile` needs an objective",
    "a function of (generative_trace, inference_trace)",
)
def an_objective_that_is(objective):
    model().compile(objective, "adam")


@programs.wrong_for_each(
    ["loss", "metrics", "loss_weights", "weighted_metrics"], "got Keras's", "takes the place of a loss"
)
def an_argument_of_keras(name):
    model().compile("elbo", "adam", **{name: ["mse"]})


@programs.wrong("unexpected keyword argument 'jit_compil'", error=TypeError)
def a_misspelt_argument_of_compile():
    model().compile("elbo", "adam", jit_compil=True)


@programs.wrong_for_each(["adamm", 0.1, keras.optimizers.Adam], "no optimizer as its second argument", "or its name")
def an_optimizer_that_is(optimizer):
    model().compile("elbo", optimizer)


@programs.wrong("An objective that is a function takes the two traces", "one_trace(trace)")
def an_objective_of_one_trace():
    def one_trace(trace):
        return trace.log_prob()

    model().compile(one_trace, "adam")


def follow(objective):
    trained = model().compile(objective, "adam", run_eagerly=True)
    trained.fit(DATA, verbose=0)


@programs.wrong("objective nothing must return one number", "Received: None")
def an_objective_without_return():
    def nothing(generative_trace, inference_trace):
        generative_trace.log_prob() - inference_trace.log_prob()

    follow(nothing)


@programs.wrong("objective rows must return one number", "shape (20,)", "sum over rows")
def an_objective_of_a_vector():
    def rows(generative_trace, inference_trace):
        return generative_trace["y"].log_prob()

    follow(rows)


@programs.wrong("The trace has no site `yy`", "Did you mean 'y'?", "one of `w`, `y`")
def an_objective_that_misspells_a_site():
    follow(lambda p, q: p["yy"].log_prob())


@programs.wrong("Site `w` is outside the data plate", "no rows", "use `log_prob()`")
def an_objective_row_by_row_with_a_global_latent():
    follow(lambda p, q: ops.sum(p.log_prob_rows() - q.log_prob_rows()))


@programs.wrong_for_each([0, -1, 1.5, "1", True, None], "ELBO needs a number of draws", "a positive int")
def a_number_of_draws(num_samples):
    kprob.ELBO(num_samples=num_samples)


@programs.wrong_for_each(["fit", "evaluate"], "needs a compiled model", "never compiled", "model.compile(kprob.ELBO()")
def before_compile(verb):
    getattr(model(), verb)(DATA)


@programs.wrong_for_each([0, -3, 2.5, "a", True], "`batch_size` must be a positive int", "batch_size=")
def a_batch_size(batch_size):
    fit(model(), DATA, batch_size=batch_size)


@programs.wrong_for_each([-1, 2.5, "3", None], "`epochs` must be an int of 0 or more")
def a_number_of_epochs(epochs):
    model().compile().fit(DATA, epochs=epochs)


@programs.wrong("unexpected argument `epoch`", "Did you mean 'epochs'?", error=TypeError)
def a_misspelt_argument_of_fit():
    model().compile().fit(DATA, epoch=3)


@programs.wrong_for_each([1.0, 1.5, -0.1, "a", True], "`validation_split` is the share of the rows", "from 0 up to")
def a_validation_split(share):
    fit(model(), DATA, validation_split=share)


@programs.wrong("`validation_split` leaves no rows on one side", "0.999 of 20 rows")
def a_validation_split_that_rounds_to_nothing():
    fit(model(), DATA, validation_split=0.999)


@programs.wrong("doesn't know: `yy`", "Did you mean 'y'?")
def validation_data_of_another_name():
    fit(model(), DATA, validation_data={"features": X, "yy": Y})


@programs.wrong("site `y` from the data", "shape (20, 1)")
def validation_data_of_a_wrong_shape():
    fit(model(), DATA, validation_data={"features": X, "y": Y[:, None]})


@programs.wrong("Latent `y`", "no match in the inference network", "data: `features`")
def validation_data_without_observations():
    fit(model(), DATA, validation_data={"features": X})


@programs.wrong("`sample_weight` doesn't fit", "shape (5,)", "shape (20,)")
def sample_weights_of_a_wrong_length():
    fit(model(), DATA, sample_weight=np.ones(5))


@programs.wrong("`sample_weight` has negative weights", "minimum of -1.0")
def negative_sample_weights():
    fit(model(), DATA, sample_weight=-np.ones(20))


@programs.wrong("`sample_weight` doesn't fit", "this model has no data plate")
def sample_weights_without_rows():
    fit_networks(lambda: kprob.sample("x", tfd.Normal(0.0, 1.0)), {"x": 1.0}, sample_weight=[1.0])


@programs.wrong("`class_weight` has no meaning here", "`sample_weight`")
def class_weights():
    fit(model(), DATA, class_weight={0: 1.0})


@programs.wrong_for_each([3, keras.callbacks.EarlyStopping, [print]], "`callbacks` are Keras's callbacks")
def callbacks_that_are(callbacks):
    fit(model(), DATA, callbacks=callbacks)


@programs.wrong("`num_data` is for streams", "num_data=5, and data of 20 rows")
def a_length_of_data_in_memory():
    fit(model(), DATA, num_data=5)


@programs.wrong("objective of", "isn't finite any more", "site x (generative)", "lower the learning rate")
def an_objective_that_is_not_a_number():
    def generative():
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Poisson(log_rate=200.0 + z * z))

    trained = kprob.ProbabilisticModel(generative=generative).compile("elbo", "adam", run_eagerly=True)
    trained.fit({"x": ops.abs(ops.round(Y))}, verbose=0)


@programs.right
def compile_in_every_way():
    for arguments in ((), ("elbo",), (kprob.ELBO, "adam"), (kprob.ELBO(3), keras.optimizers.Adam(0.1))):
        assert model().compile(*arguments).compiled
    model().compile(optimizer=keras.optimizers.SGD(0.1), objective=kprob.ELBO())
    model().compile(lambda p, q: p.log_prob() - q.log_prob(), "adam")


@programs.right
def fit_with_everything():
    options = {"validation_split": 0.5, "batch_size": np.int64(7), "callbacks": keras.callbacks.TerminateOnNaN()}
    fit(model(), DATA, sample_weight=np.linspace(0, 1, 20), **options)
    fit(model(), DATA, validation_data=({"features": X}, Y))
    fit_networks(global_mean, {"x": Y}, num_data=20)


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)


@pytest.mark.parametrize("program", programs.right_ones)
def test_right(program):
    program()

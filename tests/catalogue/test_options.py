"""Numbers that aren't what an option takes: of samplers, objectives, guides, layers, callbacks, and of the verbs of a model."""

import inspect
import numbers

import keras
import numpy as np
import pytest
from programs import Catalogue, X, Y, assert_error, regression

import kprob
from kprob import callbacks, diagnostics, guides, layers, objectives, samplers

programs = Catalogue()
DATA = {"features": X, "y": Y}
NOT_A_NUMBER = (float("nan"), float("inf"), "0.1", None, True, [0.1])
NOT_POSITIVE = (*NOT_A_NUMBER, 0.0, -0.1)
NOT_A_COUNT = (0, -3, 2.5, "2", True, float("nan"))

# By option: what it must not be, whoever has it.
WRONG_NUMBERS = {
    "step_size": NOT_POSITIVE,
    "first_step_size": (float("nan"), -1.0, "0.1", True),
    "target_accept_rate": (float("nan"), 0.0, 1.0, -0.5, "0.8", True),
    "target_ess": (*NOT_A_NUMBER, 0.0, 1.0),
    "lowest_power": (*NOT_A_NUMBER, 0.0, 1.0),
    "friction": (*NOT_A_NUMBER, 0.0, 1.0),
    "energy_variance": NOT_POSITIVE,
    "width": NOT_POSITIVE,
    "jitter": (float("nan"), float("inf"), "0.1", True, -0.1),
    "dense_mass": (2, "full", None, float("nan"), np.eye(2)),
    "init_scale": (*NOT_A_NUMBER, -0.1),
    "bound": NOT_POSITIVE,
    "bandwidth": (float("nan"), float("inf"), 0.0, -1.0, "1", True),
    "decay": (*NOT_A_NUMBER, -0.1, 1.0),
    "beta": (float("nan"), float("inf"), "1", None, True),
    "free_bits": (*NOT_A_NUMBER, -0.1),
    "alpha": NOT_A_NUMBER,
    "scale": (*NOT_A_NUMBER, -0.1),
    "max_rhat": (float("nan"), 1.0, -1.0, "1.01", None, True),
    "min_ess": (float("nan"), 0.0, -1.0, "400", None, True),
    "min_delta": (*NOT_A_NUMBER, -0.1),
    "start": NOT_A_NUMBER,
    "stop": NOT_A_NUMBER,
    "schedule": (1.0, "linear"),
    "restore_best_weights": (2, "yes", None),
    "hidden_units": (32, (0,), (2.5,), (True,), "32", None, (-1, 4)),
    "seed": (-1, 2.5, "1", True),
    "centered": (float("nan"), -0.1, 1.5, "no", True),
    "reparameterize": (2, "yes"),
}
NO_COUNTS = ("num_warmup", "epochs")  # none is a number of these too
NOT_OPTIONS = ("event_shape", "init", "name", "trainable")
MODULES = (samplers, objectives, guides, callbacks, layers)
OTHERS = (kprob.LocScale, kprob.NUTS, kprob.ELBO)
MADE_WITH = {
    "AutoregressiveNetwork": {"num_outputs": 2},
    "CouplingNetwork": {"size": 2, "num_outputs": 2},
    "Monitor": {"log_dir": "logs"},
    "DiscreteGibbs": {"sampler": samplers.HMC()},
    "Mixture": {"family": "Normal"},
    "HiddenMarkovModel": {"family": "Normal", "event_shape": 3},
}


def options_of(made):
    """Yields the options of a class that are numbers or counts."""
    for name, parameter in inspect.signature(made).parameters.items():
        number = isinstance(parameter.default, numbers.Real)
        text = str(parameter.annotation)
        known = name in WRONG_NUMBERS and not issubclass(made, layers.RandomVariable)  # whose `scale` is a parameter
        if name not in NOT_OPTIONS and (number or known or "int" in text or "float" in text):
            yield name


def every_option():
    """Returns a class, an option of it, and a value that the option can't have: of all public classes."""
    found = {}
    classes = [getattr(module, name) for module in MODULES for name in module.__all__]
    for made in [*classes, *OTHERS]:
        if inspect.isclass(made) and not inspect.isabstract(made) and not issubclass(made, tuple):
            for option in options_of(made):
                for value in WRONG_NUMBERS.get(option, NOT_A_COUNT):
                    if option not in NO_COUNTS or value != 0:
                        found[f"{made.__name__}-{option}-{value}"] = made, option, value
    return found


EVERY = every_option()


@pytest.mark.parametrize("made, option", {(made, option): None for made, option, _ in EVERY.values()})
def test_no_option_takes_what_it_can_not_be(made, option):
    for of, name, value in EVERY.values():
        if of is not made or name != option:
            continue
        with pytest.raises(ValueError, match=f"{option}") as caught:
            made(**{**MADE_WITH.get(made.__name__, {}), option: value})
        message = str(caught.value)
        assert all(part in message for part in ("Received:", "Expected:", "Fix:")), message


def test_the_options_that_are_known_are_all_there():
    options = {option for _, option, _ in EVERY.values()}
    assert set(WRONG_NUMBERS) <= options and len(EVERY) > 500


@pytest.mark.parametrize("number", [np.float32(0.25), np.float64(0.25), 0.25])
def test_numbers_of_every_kind_are_numbers(number):
    samplers.HMC(step_size=number, target_accept_rate=number, jitter=number)
    guides.Normal(init_scale=number)
    objectives.BetaELBO(beta=number, free_bits=number)
    kprob.LocScale(centered=number)
    callbacks.EarlyStopping(min_delta=number)


def test_whole_numbers_and_ends_are_numbers():
    kprob.NUTS(step_size=1, max_tree_depth=np.int64(5), dense_mass=np.bool_(True))
    samplers.HMC(jitter=0)
    samplers.HMC(jitter=1)
    objectives.RenyiELBO(alpha=0)
    objectives.BetaELBO(beta=0)
    objectives.InfoVAE(alpha=-1, scale=0)
    kprob.LocScale(centered=1)
    guides.RealNVP(hidden_units=[np.int64(8)])
    guides.RealNVP(hidden_units=())
    callbacks.Converged(max_rhat=float("inf"), min_ess=400)
    callbacks.Annealing(epochs=0)


def model(method="elbo"):
    return kprob.ProbabilisticModel(generative=regression).compile(method)


@programs.wrong_for_each([0, -5, 2.5, "5", True], "`batch_size` must be a positive int", "batch_size=")
def the_batch_size_of_evaluate(size):
    model().evaluate(DATA, batch_size=size)


@programs.wrong_for_each([0, -1, 2.5], "`steps` must be a positive int")
def the_steps_of_evaluate(steps):
    model().evaluate(DATA, steps=steps)


@programs.wrong_for_each([0, -1, 2.5], "`num_data` must be a positive int")
def the_number_of_data_of_evaluate(number):
    model().evaluate(DATA, num_data=number)


@programs.wrong_for_each([0, -1, 2.5, "1", None, [0], [2.5]], "`validation_freq` must be a positive int")
def how_often_to_validate(frequency):
    model().fit(DATA, validation_data=DATA, validation_freq=frequency, epochs=0)


@programs.wrong_for_each([2, "batch", None], "`shuffle` must be True or False")
def whether_to_shuffle(shuffle):
    model().fit(DATA, shuffle=shuffle, epochs=0)


@programs.wrong_for_each(
    ["steps_per_epoch", "validation_steps", "validation_batch_size"], "must be a positive int", "=0", "=1"
)
def no_steps(option):
    model().fit(DATA, epochs=0, **{option: 0})


@programs.wrong_for_each([-3, 2.5, "3", True], "`epochs` must be an int of 0 or more")
def the_epochs_of_a_sampler(epochs):
    model(kprob.NUTS()).fit(DATA, epochs=epochs)


@programs.wrong_for_each(["validation_steps", "validation_batch_size", "batch_size"], "has no use for", "=3")
def what_a_sampler_does_not_do(option):
    model(kprob.NUTS()).fit(DATA, **{option: 3})


@programs.wrong("`schedule(0)` must be a finite number", "nan")
def a_schedule_of_no_number():
    annealing = callbacks.Annealing(schedule=lambda epoch: float("nan"))
    model(objectives.BetaELBO()).fit(DATA, callbacks=annealing, verbose=0)


@programs.wrong_for_each([-0.1, 1.5, float("nan"), "a"], "`probability` must be a number from 0 to 1")
def a_quantile(probability):
    diagnostics.ess_quantile(np.zeros((4, 100)), probability)


@programs.wrong("`num_places` must be an int of 2 or more")
def bands_of_one_place():
    diagnostics.ecdf_bands(100, 1)


@programs.wrong_for_each([0, -1, 2.5], "`number` must be a positive int")
def a_number_of_indices(number):
    diagnostics.systematic_resample(np.ones(3) / 3, number, np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted():
    made = model()
    made.fit(DATA, epochs=1, verbose=0)
    return made


@pytest.mark.parametrize("size", [0, -1, 2.5, "3", True])
def test_predict_checks_its_batch_size(fitted, size):
    assert_error(lambda: fitted.predict(X, batch_size=size), ["`batch_size` must be a positive int"])


@pytest.mark.parametrize("number", [0, -1, 2.5])
def test_numbers_of_draws_are_checked(fitted, number):
    words = ["`num_samples` must be a positive int"]
    assert_error(lambda: fitted.log_likelihood(DATA, num_samples=number), words)
    assert_error(lambda: fitted.predict(X, num_samples=number), words)


def test_predict_knows_its_arguments(fitted):
    with pytest.raises(TypeError, match="batch_sise"):
        fitted.predict(X, batch_sise=3)
    assert fitted.predict({"features": X}, batch_size=np.int64(7), num_samples=2, verbose=0).shape == (20,)


@pytest.mark.parametrize(
    "frequency, expected", [(1, [0, 1, 2, 3]), (np.int64(2), [1, 3]), ([1, 4], [0, 3]), ((3,), [2])]
)
def test_how_often_to_validate(fitted, frequency, expected):
    seen = []

    class Epochs(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.extend([epoch] if "val_loss" in logs else [])

    fitted.fit(DATA, validation_data=DATA, validation_freq=frequency, epochs=4, verbose=0, callbacks=Epochs())
    assert seen == expected


@pytest.mark.parametrize("program, words, error", programs.wrong_ones)
def test_wrong(program, words, error):
    assert_error(program, words, error)

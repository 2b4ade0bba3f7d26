"""What changes in a model between two calls, or in the middle of a fit, is in the answers: compiled programs follow."""

import dataclasses
import functools
import types

import keras
import numpy as np
import pytest
from scipy import stats

import kprob
from kprob import layers, tfd

ops = keras.ops
X = np.array([0.5, -1.0, 2.0, 0.1], "float32")
DATA = {"x": X}


def exact(scale):
    """The log-likelihood of a datum under N(0, scale), which is the ELBO where nothing is latent."""
    return stats.norm(0.0, scale).logpdf(X).mean()


def elbo(model, data=DATA, **options):
    if not model.compiled:
        model.compile(kprob.ELBO(), keras.optimizers.SGD(0.0))
    return model.evaluate(data, return_dict=True, seed=1, **options)["elbo"]


class Scaled(kprob.ProbabilisticModel):
    """x ~ N(0, s), of an s that the subclass reads from somewhere."""

    size = 1.0

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.x = layers.Normal(loc=0.0)

    def spread(self):
        return self.size

    def generative(self):
        with kprob.plate("data"):
            self.x(scale=self.spread())


GLOBAL = 1.0
SETTINGS = {"noise": {"scale": 1.0}}
LIST = [1.0]
MODULE = types.ModuleType("settings_of_a_user")
MODULE.scale = 1.0


def helper():
    return GLOBAL


@dataclasses.dataclass
class Config:
    scale: float = 1.0

    def doubled(self):
        return 2.0 * self.scale / 2.0


class Slotted:
    __slots__ = ("scale",)

    def __init__(self):
        self.scale = 1.0


class Multiply(keras.layers.Layer):
    """A user's layer with a plain number."""

    def __init__(self):
        super().__init__()
        self.factor = 1.0

    def call(self, value):
        return value * self.factor


def of_attribute():
    model = Scaled()
    return model, lambda s: setattr(model, "size", s)


def of_class_attribute():
    class Model(Scaled):
        pass

    return Model(), lambda s: setattr(Model, "size", s)


def of_array_in_place():
    model = Scaled()
    model.size = np.array(1.0, "float32")
    return model, lambda s: model.size.fill(s)


def of_list_in_place():
    model = Scaled()
    model.size_of = [0.0, 1.0]
    model.spread = types.MethodType(lambda self: self.size_of[1], model)
    return model, lambda s: model.size_of.__setitem__(1, s)


def of_name_in_text():
    class Model(Scaled):
        def spread(self):
            return getattr(self, "hidden")  # noqa: B009

    model = Model()
    model.hidden = 1.0
    return model, lambda s: setattr(model, "hidden", s)


def of_object():
    class Model(Scaled):
        def spread(self):
            return self.config.doubled()

    model = Model()
    model.config = Config()
    return model, lambda s: setattr(model.config, "scale", s)


def of_slots():
    model = Scaled()
    slotted = Slotted()
    model.spread = lambda: slotted.scale
    return model, lambda s: setattr(slotted, "scale", s)


def of_property():
    class Model(Scaled):
        @property
        def width(self):
            return self.size

        def spread(self):
            return self.width

    model = Model()
    return model, lambda s: setattr(model, "size", s)


def of_global():
    class Model(Scaled):
        def spread(self):
            return helper()

    return Model(), lambda s: globals().update(GLOBAL=s)


def of_dict_of_dicts():
    class Model(Scaled):
        def spread(self):
            return SETTINGS["noise"]["scale"]

    return Model(), lambda s: SETTINGS["noise"].update(scale=s)


def of_module():
    class Model(Scaled):
        def spread(self):
            return MODULE.scale

    return Model(), lambda s: setattr(MODULE, "scale", s)


def of_closure():
    scale = 1.0

    def network():
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, scale))

    def change(s):
        nonlocal scale
        scale = s

    return kprob.ProbabilisticModel(network), change


def of_partial():
    numbers = np.ones(1, "float32")

    def network(numbers):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, numbers[0]))

    return kprob.ProbabilisticModel(functools.partial(network, numbers=numbers)), numbers.fill


def of_argument():
    @kprob.probmodel
    def network(numbers):
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(0.0, numbers[0]))

    numbers = np.ones(1, "float32")
    return network(numbers), numbers.fill


def of_layer():
    class Model(Scaled):
        def spread(self):
            return self.multiply(ops.ones(()))

    model = Model()
    model.multiply = Multiply()
    return model, lambda s: setattr(model.multiply, "factor", s)


def of_generative():
    model = Scaled()

    def change(s):
        def network():
            with kprob.plate("data"):
                model.x(scale=s)

        model.generative = network

    return model, change


WAYS = [value for name, value in list(globals().items()) if name.startswith("of_")]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_whatever_a_network_reads_is_seen_to_change(way):
    model, change = way()
    model.networks.refresh()
    read = model.networks.surroundings
    assert read.changes() == []
    change(3.0)
    assert read.changes()
    change(1.0)  # globals and classes as they were


def test_a_global_of_the_name_of_an_attribute_is_none_of_the_networks():
    model = Scaled()
    model.networks.refresh()
    globals().update(spread=1.0, x=2.0)  # as `self.spread` and `self.x`
    assert model.networks.surroundings.changes() == []


@pytest.mark.parametrize("way", [of_attribute, of_dict_of_dicts, of_closure, of_layer], ids=lambda way: way.__name__)
def test_a_number_that_a_network_reads_may_change(way):
    model, change = way()
    assert elbo(model) == pytest.approx(exact(1.0), rel=1e-5)
    change(3.0)
    assert elbo(model) == pytest.approx(exact(3.0), rel=1e-5)
    change(1.0)
    assert elbo(model) == pytest.approx(exact(1.0), rel=1e-5)


def test_queries_follow_too_those_that_were_asked_before_and_models_without_a_fit():
    model = Scaled()
    query = model.prior("x", size=4)
    assert query.log_prob({"x": X}) == pytest.approx(stats.norm(0, 1).logpdf(X), rel=1e-5)
    model.size = 3.0
    assert query.log_prob({"x": X}) == pytest.approx(stats.norm(0, 3).logpdf(X), rel=1e-5)
    assert model.prior("x", size=4).log_prob({"x": X}) == pytest.approx(stats.norm(0, 3).logpdf(X), rel=1e-5)


def test_nothing_is_compiled_anew_where_nothing_changed():
    class Counting(Scaled):
        runs = 0
        log: list = []

        def spread(self):
            self.runs += 1  # a network that notes its own runs isn't another one for that
            self.log.append(self.runs)
            return self.size

    model = Counting()
    for _ in range(3):
        elbo(model)
    before = model.runs
    programs = dict(model.networks.programs.entries)
    for _ in range(3):
        elbo(model)
    assert model.networks.programs.entries == programs
    assert model.runs == before


spread = x = 0.0


class Trained(kprob.ProbabilisticModel):
    """z ~ N(0, 1), x ~ N(decoder(z), size), q a normal of the encoder."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder, self.encoder = keras.layers.Dense(1), keras.layers.Dense(3)
        self.z, self.x = layers.Normal(1, loc=0.0, scale=1.0), layers.Normal(1)
        self.q_of_z = layers.Normal(1, name="z")
        self.size = 1.0

    def generative(self):
        with kprob.plate("data"):
            self.x(loc=self.decoder(self.z()), scale=self.size)

    def inference(self, x):
        with kprob.plate("data"):
            self.q_of_z(self.encoder(x))


ROWS = {"x": X[:, None]}


def weights_of(layer):
    return [np.array(value) for value in layer.get_weights()]


def moved(layer, before):
    return max(float(np.abs(a - b).max()) for a, b in zip(weights_of(layer), before, strict=True))


def trained(**options):
    model = Trained().compile(kprob.ELBO(), keras.optimizers.Adam(0.1), **options)
    model.fit(ROWS, batch_size=4, verbose=0)
    return model


def test_layers_are_frozen_and_released_between_fits():
    model = trained()
    model.decoder.trainable = False
    decoder, encoder = weights_of(model.decoder), weights_of(model.encoder)
    model.fit(ROWS, batch_size=4, epochs=2, verbose=0)
    assert moved(model.decoder, decoder) == 0.0
    assert moved(model.encoder, encoder) > 0.0
    model.decoder.trainable = True
    model.fit(ROWS, batch_size=4, epochs=2, verbose=0)
    assert moved(model.decoder, decoder) > 0.0


def test_a_layer_that_was_frozen_in_the_first_fit_is_trained_once_it_is_released():
    model = Trained().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.decoder.trainable = False
    model.fit(ROWS, batch_size=4, epochs=3, verbose=0)
    decoder, steps = weights_of(model.decoder), int(model.optimizer.iterations)
    model.decoder.trainable = True
    model.fit(ROWS, batch_size=4, epochs=2, verbose=0)
    assert moved(model.decoder, decoder) > 0.0
    assert int(model.optimizer.iterations) == steps + 2


class AfterEpoch(keras.callbacks.Callback):
    """Does something to the model after each epoch."""

    def __init__(self, action):
        super().__init__()
        self.action = action

    def on_epoch_end(self, epoch, logs=None):
        self.action(self.model, epoch)


def test_a_callback_changes_a_number_freezes_a_layer_and_sets_the_learning_rate():
    model, decoders, encoders = trained(), [], []

    def act(model, epoch):
        decoders.append(weights_of(model.decoder)[0])
        encoders.append(weights_of(model.encoder)[0])
        if epoch == 1:
            model.decoder.trainable = False
            model.size = 100.0
        if epoch == 3:
            model.optimizer.learning_rate = 0.0

    history = model.fit(ROWS, batch_size=4, epochs=6, verbose=0, callbacks=[AfterEpoch(act)]).history
    assert np.abs(np.diff(np.stack(decoders), axis=0)).max(axis=(1, 2)).astype(bool).tolist() == [True] + 4 * [False]
    assert np.abs(np.diff(np.stack(encoders), axis=0)).max(axis=(1, 2)).astype(bool).tolist() == 3 * [True] + 2 * [
        False
    ]
    expected = stats.norm(0.0, 100.0).logpdf(0.0)  # the data is nothing against a scale of 100
    assert history["log_likelihood"][2:] == pytest.approx([expected] * 4, rel=1e-2)
    assert min(history["log_likelihood"][:2]) > expected + 1.0


def test_a_callback_changes_a_number_in_the_loop_of_keras():
    model = trained()
    model.fit(
        ROWS,
        batch_size=4,
        epochs=2,
        steps_per_epoch=1,
        verbose=0,
        callbacks=[AfterEpoch(lambda m, _: setattr(m, "size", 100.0))],
    )
    expected = stats.norm(0.0, 100.0).logpdf(0.0)
    assert model.history.history["log_likelihood"][1] == pytest.approx(expected, rel=1e-2)


def test_settings_of_optimizer_and_objective_may_change():
    model = Trained().compile(kprob.objectives.RenyiELBO(0.5, num_samples=3), keras.optimizers.SGD(1.0))
    model.fit(ROWS, batch_size=4, verbose=0)
    model.optimizer.clipvalue = 1e-6
    before = weights_of(model.decoder)
    model.fit(ROWS, batch_size=4, epochs=1, verbose=0)
    assert 0.0 < moved(model.decoder, before) < 1e-5
    first = model.evaluate(ROWS, seed=1)[0]
    model.objective.alpha = 5.0
    assert model.evaluate(ROWS, seed=1)[0] > first  # a Renyi bound falls in alpha


def test_a_layer_in_two_models_is_trained_by_both():
    class Shared(Trained):
        def __init__(self, decoder, **kwargs):
            super().__init__(**kwargs)
            self.decoder = decoder

    first = trained()
    second = Shared(first.decoder).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    before = weights_of(first.decoder)
    second.fit(ROWS, batch_size=4, epochs=2, verbose=0)
    assert moved(first.decoder, before) > 0.0
    after = weights_of(first.decoder)
    first.fit(ROWS, batch_size=4, epochs=2, verbose=0)
    assert moved(second.decoder, after) > 0.0


def test_a_frozen_layer_from_elsewhere_is_read_as_it_is_now():
    other = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    other.build((None, 1))
    other.trainable = False

    class Model(Scaled):
        def generative(self):
            with kprob.plate("data"):
                self.x(scale=1.0 + other(ops.ones((1, 1)))[0, 0])

    model = Model()
    assert elbo(model) == pytest.approx(exact(1.0), rel=1e-5)
    other.kernel.assign([[2.0]])
    assert elbo(model) == pytest.approx(exact(3.0), rel=1e-5)


def test_draws_of_a_density_that_has_changed_are_not_gone_on_with():
    class Mean(kprob.ProbabilisticModel):
        def __init__(self):
            super().__init__()
            self.where = 0.0
            self.mu = layers.Normal(scale=0.1)
            self.x = layers.Normal(scale=1.0)

        def generative(self):
            mu = self.mu(loc=self.where)
            with kprob.plate("data"):
                self.x(loc=mu)

    model = Mean().compile(kprob.samplers.HMC(num_warmup=200, num_samples=200, num_chains=1, step_size=0.05))
    model.fit(DATA, verbose=0, check=False)
    assert abs(model.posterior("mu").mean()) < 0.1
    model.where = 50.0
    model.fit(DATA, verbose=0, check=False)
    assert abs(model.posterior("mu").mean() - (50.0 / 0.01 + X.sum()) / (100.0 + 4.0)) < 0.2
    assert model.draws.num_draws == 200

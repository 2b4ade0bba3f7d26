"""Freezing parts of a model, and giving each its own optimizer, by name."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import CompileError, SiteError

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")


class VAE(kprob.ProbabilisticModel):
    """A small one: networks as attributes, a parameter, a q of layers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(4, "tanh"), keras.layers.Dense(3)])
        self.encoder = keras.layers.Dense(4, "tanh")
        self.z = layers.Normal(1)
        self.x = layers.Normal(3)
        self.z_given_x = layers.Normal(1, name="z")

    def generative(self):
        noise = kprob.param("noise", 1.0, constraint="positive")
        with kprob.plate("data"):
            self.x(loc=self.decoder(self.z()), scale=noise)

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


@kprob.probmodel
def two():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("a_b", tfd.Normal(0.0, 1.0))
    kprob.sample("y", tfd.Normal(a + b, 1.0))


def weights(*parts):
    return [keras.ops.convert_to_numpy(v) for part in parts for v in part]


def same(before, after):
    return [bool(np.array_equal(a, b)) for a, b in zip(before, after, strict=True)]


def train(model, **options):
    model.fit({"x": X}, epochs=2, batch_size=20, verbose=0, **options)
    return model


def test_frozen_parts_stay_and_the_others_move():
    model = VAE().freeze("decoder", "noise").compile(kprob.ELBO(), keras.optimizers.Adam(0.1), jit_compile=False)
    model.evaluate({"x": X}, verbose=0)
    decoder, encoder = model.decoder.variables, model.encoder.variables
    before = weights(decoder, encoder)
    train(model)
    assert same(before, weights(decoder, encoder)) == [True] * 4 + [False] * 2
    assert len(model.trainable_variables) == 4 + 2  # heads of z's loc and scale, and the encoder


def test_freezing_in_the_middle_keeps_the_optimizer_s_state_of_the_rest():
    model = train(VAE().compile(kprob.ELBO(), keras.optimizers.Adam(0.1), jit_compile=False))
    state = {v.path: keras.ops.convert_to_numpy(v) for v in model.optimizer.variables}
    model.freeze("decoder")
    kept = {v.path: keras.ops.convert_to_numpy(v) for v in model.optimizer.variables}
    assert len(kept) < len(state) and all(np.array_equal(state[path], value) for path, value in kept.items())
    before = weights(model.decoder.variables)
    train(model)
    assert all(same(before, weights(model.decoder.variables)))
    train(model.unfreeze())
    assert not any(same(before, weights(model.decoder.variables)))
    assert model.frozen == {}


def test_a_latent_stands_for_the_guide_s_parameters_of_it_alone():
    model = two().freeze("a").compile(kprob.ELBO(), keras.optimizers.Adam(0.1), jit_compile=False)
    model.fit({"y": 3.0}, epochs=0, verbose=0)
    frozen = [v for v in model.variables if v.path.split("/")[-1] in ("a_loc", "a_scale")]
    free = [v for v in model.variables if v.path.split("/")[-1].startswith("a_b")]
    assert len(frozen) == 2 and len(free) == 2
    before = weights(frozen, free)
    model.fit({"y": 3.0}, epochs=5, verbose=0)
    assert same(before, weights(frozen, free)) == [True, True, False, False]


def test_a_site_stands_for_its_layers_in_both_networks():
    model = train(VAE().compile(kprob.ELBO(), "adam", jit_compile=False))
    model.freeze("z")
    assert not model.z_given_x.trainable_variables and model.encoder.trainable_variables


@pytest.mark.parametrize("suffix", [".h5", pytest.param(".keras", marks=pytest.mark.slow)])
def test_what_is_frozen_is_saved(suffix, tmp_path):
    model = train(VAE().freeze("decoder", "noise").compile(kprob.ELBO(), keras.optimizers.Adam(0.1), jit_compile=False))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    again = kprob.load_model(path)
    assert list(again.frozen) == ["decoder", "noise"]
    assert len(again.trainable_variables) == len(model.trainable_variables)
    before = weights(again.decoder.variables)
    train(again)
    assert all(same(before, weights(again.decoder.variables)))
    assert again.unfreeze("decoder").decoder.trainable_variables


def test_names_that_are_none_are_said():
    model = train(VAE().compile(kprob.ELBO(), "adam", jit_compile=False))
    with pytest.raises(SiteError, match="Did you mean 'decoder'"):
        model.freeze("decodr")
    assert model.frozen == {}
    with pytest.raises(SiteError, match="isn't frozen"):
        model.unfreeze("decoder")
    with pytest.raises(SiteError, match="take names"):
        model.freeze()


def test_each_part_has_its_own_optimizer():
    optimizer = {
        "decoder": keras.optimizers.SGD(0.0),
        "noise": "adam",
        "encoder": "adam",
        "z": keras.optimizers.Adam(0.1),
    }
    model = VAE().compile(kprob.ELBO(), optimizer, jit_compile=False)
    model.evaluate({"x": X}, verbose=0)
    before = weights(model.decoder.variables, model.encoder.variables, model.z_given_x.trainable_variables)
    train(model)
    after = weights(model.decoder.variables, model.encoder.variables, model.z_given_x.trainable_variables)
    assert same(before, after) == [True] * 4 + [False] * 6
    assert isinstance(model.optimizer, kprob.optimizers.Optimizers) and int(model.optimizer.iterations) == 4
    assert float(model.optimizer.groups["z"].iterations) == 4


def test_groups_take_the_steps_that_their_optimizers_take_alone():
    def run(optimizer):
        keras.utils.set_random_seed(0)
        model = two().compile(kprob.ELBO(), optimizer, jit_compile=False)
        model.fit({"y": 3.0}, epochs=20, verbose=0)
        return weights(model.trainable_variables)

    schedule = keras.optimizers.schedules.CosineDecay(0.1, 20)
    plain = run(keras.optimizers.Adam(schedule, clipnorm=1.0))
    grouped = run(
        {"a": keras.optimizers.Adam(schedule, clipnorm=1.0), "a_b": keras.optimizers.Adam(schedule, clipnorm=1.0)}
    )
    for one, other in zip(plain, grouped, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


@pytest.mark.slow
def test_optimizers_are_saved_with_their_state(tmp_path):
    optimizer = kprob.optimizers.Optimizers(
        {"decoder": keras.optimizers.SGD(0.01)}, rest=keras.optimizers.Adam(0.1, clipnorm=1.0)
    )
    keras.utils.set_random_seed(0)
    model = train(VAE().compile(kprob.ELBO(), optimizer, jit_compile=False))
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5")
    assert again.optimizer.rest.clipnorm == 1.0 and list(again.optimizer.groups) == ["decoder"]
    train(model), train(again)
    assert all(same(weights(model.variables), weights(again.variables)))


@pytest.mark.slow
def test_freezing_with_optimizers_by_part():
    optimizer = kprob.optimizers.Optimizers({"decoder": keras.optimizers.Adam(0.1)}, rest=keras.optimizers.Adam(0.1))
    model = train(VAE().compile(kprob.ELBO(), optimizer, jit_compile=False)).freeze("decoder")
    before = weights(model.decoder.variables, model.encoder.variables)
    train(model)
    assert same(before, weights(model.decoder.variables, model.encoder.variables)) == [True] * 4 + [False] * 2


def test_wrong_groups_are_said():
    with pytest.raises(CompileError, match="no optimizer"):
        train(VAE().compile(kprob.ELBO(), {"decoder": "adam"}))
    with pytest.raises(SiteError, match="Did you mean 'encoder'"):
        train(VAE().compile(kprob.ELBO(), {"encodr": "adam"}))
    with pytest.raises(CompileError, match="by the name"):
        kprob.optimizers.Optimizers({})
    with pytest.raises(CompileError, match="kprob model"):
        kprob.optimizers.Optimizers({"a": "adam"}).build([])
    model = two().compile(kprob.ELBO(), {"a": "adam", "a_b": "adam"})
    with pytest.raises(CompileError, match="as many learning rates"):
        model.optimizer.learning_rate = 0.1


@pytest.mark.parametrize("clipping", ["clipnorm", "global_clipnorm", "clipvalue"])
def test_gradients_are_clipped_in_the_compiled_loop(clipping):
    model = two().compile(kprob.ELBO(), keras.optimizers.SGD(1.0, **{clipping: 1e-3}))
    model.fit({"y": 3000.0}, epochs=0, verbose=0)
    before = weights(model.trainable_variables)
    model.fit({"y": 3000.0}, epochs=3, verbose=0, check=False)
    moved = [np.abs(a - b).max() for a, b in zip(before, weights(model.trainable_variables), strict=True)]
    assert 2e-3 < max(moved) < 3.1e-3

"""`fit`: one compiled loop, the same loop step by step, and Keras's own; callbacks, weights, validation."""

import csv

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd

X = (np.random.RandomState(0).rand(105, 12) < 0.3).astype("float32")


class VAE(kprob.ProbabilisticModel):
    """A small one, with dropout, so that layers' own random numbers are in the comparison."""

    def __init__(self, dropout=0.1, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(12)])
        self.encoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dropout(dropout)])
        self.z = layers.Normal(2)
        self.x = layers.Bernoulli(12)
        self.q = layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.q(self.encoder(x))


@kprob.probmodel
def maximum_likelihood():
    """No latent at all, so that every figure is exact."""
    mean = kprob.param("mean", 0.0)
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(mean, 1.0))


class EveryBatch(keras.callbacks.Callback):
    """Counts batches, as a user's callback might."""

    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        assert np.isfinite(logs["loss"])


def fitted(callbacks=None, dropout=0.1, **options):
    keras.utils.set_random_seed(3)
    model = VAE(dropout).compile(kprob.ELBO(), keras.optimizers.Adam(1e-3), jit_compile=True)
    history = model.fit({"x": X}, batch_size=10, epochs=2, verbose=0, callbacks=callbacks, **options)
    return [keras.ops.convert_to_numpy(w) for w in model.weights], history.history


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_step_at_a_time_is_bit_for_bit_the_compiled_loop(shuffle):
    counter = EveryBatch()
    weights, history = fitted(shuffle=shuffle)
    stepwise, stepwise_history = fitted([counter], shuffle=shuffle)
    assert counter.batches == 2 * 11
    assert all(np.array_equal(a, b) for a, b in zip(weights, stepwise, strict=True))
    assert history == stepwise_history


def test_keras_own_loop_finds_the_same():
    # (Without dropout: on JAX Keras's loop gives the layers' own generators other seeds.)
    weights, history = fitted(shuffle=False, dropout=0.0)
    keras_weights, keras_history = fitted(shuffle=False, dropout=0.0, steps_per_epoch=11)
    for a, b in zip(weights, keras_weights, strict=True):
        # XLA may order sums differently in another program: the last bit, and on JAX not even that.
        assert np.allclose(a, b, rtol=0, atol=2e-7)
    for name, values in history.items():
        assert values == pytest.approx(keras_history[name], rel=1e-5)


def test_many_epochs_in_one_call_are_the_same_as_one_by_one():
    class Epoch(keras.callbacks.Callback):
        seen = 0

        def on_epoch_end(self, epoch, logs=None):
            Epoch.seen += 1

    weights, history = fitted()
    one_by_one, other = fitted([Epoch()])
    assert Epoch.seen == 2 and history == other
    assert all(np.array_equal(a, b) for a, b in zip(weights, one_by_one, strict=True))


def test_history_is_exact_without_latents():
    x = np.array([1.0, 2.0, 4.0], "float32")
    model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(0.5))
    history = model.fit({"x": x}, epochs=1, batch_size=3, verbose=0).history
    expected = -0.5 * np.mean(x**2) - 0.5 * np.log(2 * np.pi)
    assert history["elbo"] == pytest.approx([expected], rel=1e-6)
    assert history["loss"] == pytest.approx([-expected], rel=1e-6)
    assert history["kl"] == pytest.approx([0.0], abs=1e-6)
    # One step of 0.5 towards the mean: the loss is per datum, so the rate doesn't depend on N.
    assert float(model.trainable_variables[0].numpy()) == pytest.approx(0.5 * x.mean(), rel=1e-6)


def test_a_weight_of_two_is_a_row_twice():
    def fit(x, weight):
        keras.utils.set_random_seed(0)
        model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(0.3))
        model.fit({"x": x}, sample_weight=weight, epochs=200, batch_size=4, verbose=0)
        return float(model.trainable_variables[0].numpy())

    assert fit([1.0, 2.0, 6.0], [1.0, 1.0, 2.0]) == pytest.approx(15 / 4, rel=1e-4)
    assert fit([1.0, 2.0, 6.0, 6.0], None) == pytest.approx(15 / 4, rel=1e-4)
    assert fit([1.0, 2.0, 6.0], [1.0, 1.0, 0.0]) == pytest.approx(1.5, rel=1e-4)


def test_validation_data_and_split():
    model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(1e-9))
    x = np.arange(10.0)
    split = model.fit({"x": x}, validation_split=0.2, epochs=1, verbose=0).history
    given = model.fit({"x": x[:8]}, validation_data={"x": x[8:]}, epochs=1, verbose=0).history
    expected = -0.5 * np.mean(x[8:] ** 2) - 0.5 * np.log(2 * np.pi)
    assert split["val_elbo"] == pytest.approx([expected], rel=1e-5)
    assert given["val_elbo"] == pytest.approx([expected], rel=1e-5)
    every_second = model.fit({"x": x}, validation_data={"x": x}, validation_freq=2, epochs=4, verbose=0).history
    assert len(every_second["val_loss"]) == 2 and len(every_second["loss"]) == 4


def test_early_stopping_restores_the_best_weights():
    model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(0.5))
    stop = keras.callbacks.EarlyStopping("val_elbo", mode="max", patience=2, restore_best_weights=True)
    # Training data pulls the mean away from what validates best, at about 1.
    history = model.fit({"x": [4.0] * 4}, validation_data={"x": [1.0] * 4}, epochs=50, verbose=0, callbacks=[stop])
    best = int(np.argmax(history.history["val_elbo"]))
    assert len(history.history["loss"]) == best + 3
    found = model.evaluate({"x": [1.0] * 4}, return_dict=True)["elbo"]
    assert found == pytest.approx(history.history["val_elbo"][best], rel=1e-5)


def test_keras_callbacks_work(tmp_path):
    model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(0.1))
    rates = []

    class Rate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            rates.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))

    model.fit(
        {"x": [1.0, 2.0]},
        epochs=3,
        verbose=0,
        callbacks=[
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
            keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (epoch + 1)),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.weights.h5", save_weights_only=True),
            Rate(),
        ],
    )
    assert rates == pytest.approx([0.1, 0.05, 0.1 / 3])
    assert sorted(path.name for path in tmp_path.glob("*.h5")) == ["1.weights.h5", "2.weights.h5", "3.weights.h5"]
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    # Keras names the columns of a validation too, for the case that one follows.
    assert len(rows) == 3 and {"epoch", "loss", "elbo", "log_likelihood", "kl"} <= set(rows[0])


@pytest.mark.once
def test_tensorboard(tmp_path):
    model = maximum_likelihood().compile(kprob.ELBO(), "sgd")
    model.fit({"x": [1.0]}, epochs=2, verbose=0, callbacks=[keras.callbacks.TensorBoard(tmp_path)])
    assert list(tmp_path.rglob("events*"))


def test_terminate_on_nan_stops_without_an_error():
    model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(1e30))
    history = model.fit({"x": [1.0]}, epochs=50, verbose=0, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.history["loss"]) < 50


def test_an_objective_that_is_not_finite_names_its_site():
    model = maximum_likelihood().compile(kprob.ELBO(), keras.optimizers.SGD(1e30))
    with pytest.raises(kprob.errors.KprobError, match=r"site x \(generative\)"):
        model.fit({"x": [1.0]}, epochs=50, verbose=0)


def test_initial_epoch_and_a_second_fit_go_on():
    model = maximum_likelihood().compile(kprob.ELBO(), "adam")
    history = model.fit({"x": [1.0, 2.0]}, initial_epoch=3, epochs=5, verbose=0)
    assert history.epoch == [3, 4]
    model.fit({"x": [1.0, 2.0]}, epochs=2, verbose=0)
    assert int(keras.ops.convert_to_numpy(model.optimizer.iterations)) == 4


def test_progress_bar_shows_every_epoch(capsys):
    model = maximum_likelihood().compile(kprob.ELBO(), "adam")
    model.fit({"x": [1.0, 2.0]}, epochs=3, verbose=2)
    assert capsys.readouterr().out.count("Epoch") == 3


def test_run_eagerly_allows_python_control_flow():
    @kprob.probmodel
    def branching():
        coin = kprob.sample("coin", tfd.Normal(0.0, 1.0))
        if float(keras.ops.convert_to_numpy(coin)) > 0:
            kprob.sample("x", tfd.Normal(coin, 1.0))
        else:
            kprob.sample("x", tfd.Normal(-coin, 2.0))

    if keras.backend.backend() == "jax":
        pytest.skip("Keras on JAX traces the step for its gradient even with run_eagerly")
    model = branching().compile(kprob.ELBO(), "adam", run_eagerly=True)
    history = model.fit({"x": 1.0}, epochs=3, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_evaluate_is_repeatable_by_seed():
    model = VAE().compile(kprob.ELBO(), "adam")
    first, again = (model.evaluate({"x": X}, seed=7, return_dict=True) for _ in range(2))
    assert first == again
    assert model.evaluate({"x": X}, seed=8, return_dict=True) != first


def test_same_seed_same_fit_and_another_seed_another():
    weights, history = fitted()
    again, same = fitted()
    assert history == same and all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))


def test_new_data_of_the_same_shape_does_not_compile_again():
    model = VAE().compile(kprob.ELBO(), "adam")
    model.fit({"x": X}, batch_size=50, epochs=1, verbose=0)
    before = dict(model.networks.programs.entries)
    model.fit({"x": 1 - X}, batch_size=50, epochs=1, verbose=0)
    assert model.networks.programs.entries == before


@pytest.mark.parametrize("num_samples", [1, 5, 20])
def test_draws_are_averaged_whether_folded_or_looped(num_samples):
    # E_q log p is exact for q = p = N(0, 1): every estimate has mean 0, and its spread falls with the draws.
    @kprob.probmodel
    def outside():
        kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Normal(0.0, 1.0))

    def q():
        kprob.sample("z", tfd.Normal(0.0, 1.0))

    model = outside(inference=q).compile(kprob.ELBO(num_samples=num_samples), "adam")
    found = model.evaluate({"x": 0.0}, return_dict=True, seed=0)
    assert found["kl"] == pytest.approx(0.0, abs=1e-6)
    assert found["elbo"] == pytest.approx(-0.5 * np.log(2 * np.pi), abs=1e-5)

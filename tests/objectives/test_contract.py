"""What every objective must do: config, saving, compiled and not, minibatches. A new one is tested by being exported."""

import inspect

import keras
import numpy as np
import pytest
from objectives.models import Autoencoder, Temperature, compiled, evaluations, rows

import kprob
from kprob import objectives

NOT_ALONE = (objectives.Objective, objectives.MultiSampleObjective, objectives.FunctionObjective, objectives.Stein)
CLASSES = [
    thing
    for name in objectives.__all__
    if inspect.isclass(thing := getattr(objectives, name))
    and issubclass(thing, objectives.Objective)
    and thing not in NOT_ALONE
]
ARGUMENTS = {
    kprob.ELBO: {"num_samples": 2, "baseline": kprob.objectives.MovingAverageBaseline(0.5)},
    kprob.objectives.ImportanceWeightedELBO: {"num_samples": 3, "estimator": "plain"},
    kprob.objectives.RenyiELBO: {"num_samples": 3, "alpha": 0.3},
    kprob.objectives.BetaELBO: {"beta": 2.0, "free_bits": 0.1},
    kprob.objectives.InfoVAE: {"alpha": 0.5, "scale": 3.0, "kernel": "linear"},
    kprob.objectives.MMD: {"scale": 3.0},
    kprob.objectives.TailAdaptive: {"num_samples": 3, "beta": -0.5},
}


def make(cls):
    return cls(**ARGUMENTS.get(cls, {"num_samples": 3}))


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_config(cls):
    config = make(cls).get_config()
    written = keras.saving.serialize_keras_object(make(cls))
    again = keras.saving.deserialize_keras_object(written)
    assert type(again) is cls
    for name, value in again.get_config().items():
        if not isinstance(value, dict):
            assert value == config[name], name
    assert getattr(kprob.objectives, cls.__name__) is cls


def fitted(cls, jit):
    """A model, and what two epochs logged: ten rows in batches of four, the last batch a part."""
    keras.utils.set_random_seed(3)
    model = Autoencoder().compile(make(cls), keras.optimizers.Adam(0.01), jit_compile=jit)
    return model, model.fit(rows(), batch_size=4, epochs=2, verbose=0).history


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_fitted_model_is_the_same_after_loading(cls, tmp_path):
    model, logs = fitted(cls, "auto")
    assert set(logs) == {"loss", "elbo", "log_likelihood", "kl"}
    assert np.all(np.isfinite(list(logs.values())))
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"Autoencoder": Autoencoder})
    assert type(again.objective) is cls
    one, other = (m.evaluate(rows(), seed=1, return_dict=True, verbose=0) for m in (model, again))
    assert one == pytest.approx(other, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_fit_is_the_same_compiled_or_not(cls):
    found = [fitted(cls, jit)[1]["loss"] for jit in (True, False)]
    np.testing.assert_allclose(found[0], found[1], rtol=2e-3, atol=2e-3)


QUICK = (kprob.ELBO, kprob.objectives.ImportanceWeightedELBO)
LINEAR = [
    # InfoVAE and free bits look at a batch as a whole, and aren't linear in its rows.
    pytest.param(cls, id=cls.__name__, marks=[] if cls in QUICK else pytest.mark.slow)
    for cls in CLASSES
    if not issubclass(cls, kprob.objectives.InfoVAE | kprob.objectives.BetaELBO)
]


@pytest.mark.parametrize("cls", LINEAR)
def test_the_mean_objective_of_minibatches_is_the_full_one(cls):
    data, number = np.linspace(12.0, 20.0, 10), 400
    model = compiled(Temperature(16.0, 1.5, plate=True), make(cls), {"sensor": data})
    full, full_gradient = evaluations(model, {"sensor": data}, number)
    for size in (1, 7):
        # Batches count by their rows, as `fit` picks them: the last of size 7 has 3.
        parts = [
            evaluations(model, {"sensor": data[i : i + size]}, number, seed=i, num_data=10) for i in range(0, 10, size)
        ]
        shares = [len(data[i : i + size]) / 10 for i in range(0, 10, size)]
        value = np.sum([share * value for share, (value, _) in zip(shares, parts, strict=True)], axis=0)
        error = np.sqrt(full.var() + value.var()) / np.sqrt(number)
        assert value.mean() == pytest.approx(full.mean(), abs=4 * error)
        gradient = np.sum([share * found for share, (_, found) in zip(shares, parts, strict=True)], axis=0)
        error = np.sqrt(full_gradient.var(0) + gradient.var(0)) / np.sqrt(number)
        assert np.all(np.abs(gradient.mean(0) - full_gradient.mean(0)) < 4 * error + 1e-5)


def test_sample_weights_count_rows_as_often():
    data = {"sensor": np.array([17.5, 18.5, 25.0])}
    weights = np.array([1.0, 2.0, 0.0])
    model = compiled(Temperature(17.4, 1.1, plate=True), kprob.objectives.ImportanceWeightedELBO(500), data)
    found = model.evaluate(data, sample_weight=weights, seed=0, verbose=0, return_dict=True)
    each = [
        model.evaluate({"sensor": data["sensor"][i : i + 1]}, seed=1, verbose=0, return_dict=True)["elbo"]
        for i in range(2)
    ]
    assert 3 * found["elbo"] == pytest.approx(each[0] + 2 * each[1], abs=0.15)


def test_the_encoder_runs_once_for_all_draws():
    # As many draws as one likes: q's network sees the rows of the batch, p's network all of them.
    seen = {"encoder": [], "decoder": []}

    class Spy(keras.layers.Layer):
        def __init__(self, units, what):
            super().__init__()
            self.dense, self.what = keras.layers.Dense(units), what

        def call(self, x):
            seen[self.what].append(x.shape[0])
            return self.dense(x)

    class Spied(Autoencoder):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = Spy(4, "encoder"), Spy(3, "decoder")

    model = compiled(Spied(), kprob.objectives.ImportanceWeightedELBO(7), rows())
    for calls in seen.values():
        calls.clear()
    model.fit(rows(), batch_size=10, epochs=1, verbose=0)
    assert set(seen["encoder"]) == {10} and 70 in seen["decoder"]


@pytest.mark.parametrize(
    "make_wrong, message",
    [
        (lambda: kprob.objectives.ImportanceWeightedELBO(5, estimator="double"), "There is no estimator 'double'"),
        (lambda: kprob.objectives.ImportanceWeightedELBO(0), "ImportanceWeightedELBO needs a number of draws"),
        (lambda: kprob.objectives.RenyiELBO(alpha="half"), "`alpha` must be a finite number"),
        (lambda: kprob.objectives.BetaELBO(beta=-1.0), "`beta` must be a number of 0 or more"),
        (lambda: kprob.objectives.InfoVAE(kernel="rbg"), "There is no such kernel"),
        (lambda: objectives.RBF(bandwidth=0.0), "`bandwidth` must be a positive number"),
    ],
)
def test_wrong_arguments(make_wrong, message):
    with pytest.raises(kprob.errors.CompileError, match=message):
        make_wrong()


def test_codes_of_rows_are_asked_for():
    with pytest.raises(kprob.errors.CompileError, match="InfoVAE compares the codes of many rows"):
        compiled(Temperature(), kprob.objectives.InfoVAE(), {"sensor": 18.0})


def test_a_trace_of_ones_own_has_no_other_runs():
    trace = kprob.handlers.trace(lambda: kprob.sample("x", kprob.tfd.Normal(0.0, 1.0))).get_trace()
    with pytest.raises(kprob.errors.SiteError, match="can't be run again, as `frozen` asks"):
        trace.frozen()

"""Weights never change places unnoticed because a class has changed between saving and loading."""

import dataclasses

import keras
import numpy as np
import pytest
from saving.saved_models import LINE, assert_same, build, state

import kprob
from kprob import layers
from kprob.errors import ArchiveError
from kprob.saving import Record


def two_networks(order, names=("net_a", "net_b"), cls="Pair", units=4):
    """Returns a class that makes two networks of the same shapes, in an order."""

    def __init__(self, **kwargs):
        kprob.ProbabilisticModel.__init__(self, **kwargs)
        for i in order:
            # These names sort after "layers", so that Keras stores them in the order of their making.
            setattr(self, names[i], keras.layers.Dense(units, name=f"network_{i}"))
        self.w = layers.Normal()
        self.y = layers.Normal(scale=1.0)

    def generative(self, features):
        first, second = (getattr(self, name) for name in names)
        hidden = keras.ops.sum(first(features) - second(features), axis=-1)
        w = self.w()
        with kprob.plate("data"):
            self.y(loc=w + hidden)

    body = {"__init__": __init__, "generative": generative, "__module__": __name__, "__qualname__": cls}
    return type(cls, (kprob.ProbabilisticModel,), body)


def saved(model, path):
    build(model.compile(kprob.ELBO(), keras.optimizers.Adam(0.01)), LINE)
    model.save(path)
    return model


def values(layer):
    return keras.ops.convert_to_numpy(layer.kernel)


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_attributes_in_another_order(ending, tmp_path):
    path = tmp_path / f"m.{ending}"
    saved(two_networks((0, 1))(), path)
    changed = two_networks((1, 0))
    with pytest.raises(
        ArchiveError, match="`net_a.kernel` got the values saved for `net_b.kernel`; in all 4 variables"
    ):
        kprob.load_model(path, custom_objects={"Pair": changed})


def test_attributes_in_another_order_in_a_file_of_weights(tmp_path):
    path = tmp_path / "m.weights.h5"
    build(model := two_networks((0, 1))().compile(kprob.ELBO(), "adam"), LINE)
    model.save_weights(path)
    build(other := two_networks((1, 0))().compile(kprob.ELBO(), "adam"), LINE)
    with pytest.raises(ArchiveError, match="`net_a.kernel` got the values saved for `net_b.kernel`"):
        other.load_weights(path)


def test_the_class_itself_in_the_same_order(tmp_path):
    model = saved(two_networks((0, 1))(), tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects={"Pair": two_networks((0, 1))})
    assert_same(state(again), state(model))


def test_the_optimizers_state_goes_by_the_order_too(tmp_path):
    # Keras finds networks whose names sort before "layers" by name, and the optimizer's moments by order.
    path = tmp_path / "m.h5"
    names = ("enc_a", "enc_b")
    model = saved(two_networks((0, 1), names)(), path)
    changed = {"Pair": two_networks((1, 0), names)}
    with pytest.raises(
        ArchiveError, match="saved as number 1 of 6: `enc_a.kernel`\n.*in the model, of 6: `enc_b.kernel`"
    ):
        kprob.load_model(path, custom_objects=changed)
    again = kprob.load_model(path, custom_objects=changed, compile=False)
    np.testing.assert_array_equal(values(again.enc_a), values(model.enc_a))


def test_an_attribute_by_another_name(tmp_path):
    saved(two_networks((0, 1))(), tmp_path / "m.h5")
    changed = {"Pair": two_networks((0, 1), ("net_a", "net_c"))}
    with pytest.raises(
        ArchiveError, match=r"saved: `net_b.kernel` \(3, 4\).*\n.*in the model: `net_c.kernel` \(3, 4\)"
    ):
        kprob.load_model(tmp_path / "m.h5", custom_objects=changed)


def test_another_shape(tmp_path):
    saved(two_networks((0, 1))(), tmp_path / "m.h5")
    changed = {"Pair": two_networks((0, 1), units=5)}
    with pytest.raises(
        ArchiveError, match=r"saved: `net_a.kernel` \(3, 4\).*\n.*in the model: `net_a.kernel` \(3, 5\)"
    ):
        kprob.load_model(tmp_path / "m.h5", custom_objects=changed)


def test_a_constructor_that_fails(tmp_path):
    saved(two_networks((0, 1))(), tmp_path / "m.h5")

    class Pair(kprob.ProbabilisticModel):
        def __init__(self, another):
            super().__init__()

    with pytest.raises(
        ArchiveError, match="The model in m.h5 can't be made again.\n.*TypeError: .*unexpected keyword argument 'name'"
    ):
        kprob.load_model(tmp_path / "m.h5", custom_objects={"Pair": Pair})


def test_networks_that_fit_no_more(tmp_path):
    saved(two_networks((0, 1))(), tmp_path / "m.h5")

    class Pair(two_networks((0, 1))):
        def inference(self):
            kprob.sample("v", kprob.tfd.Normal(0.0, 1.0))

    with pytest.raises(kprob.errors.MismatchError, match="declares `v`") as raised:
        kprob.load_model(tmp_path / "m.h5", custom_objects={"Pair": Pair})
    assert "kprob: this happened while m.h5 was being loaded." in raised.value.__notes__


def test_the_saved_version(tmp_path, monkeypatch):
    monkeypatch.setattr(kprob.saving.record, "VERSION", 2)
    saved(two_networks((0, 1))(), tmp_path / "m.h5")
    monkeypatch.setattr(kprob.saving.record, "VERSION", 1)
    with pytest.raises(ArchiveError, match="a record of version 2"):
        kprob.load_model(tmp_path / "m.h5", custom_objects={"Pair": two_networks((0, 1))})


def test_an_optimizer_that_did_not_come_back(tmp_path):
    model = saved(two_networks((0, 1))(), tmp_path / "m.h5")
    record = Record.from_array(kprob.saving.make_record(model).to_array())
    kprob.saving.check_values(model, record)
    model.optimizer.variables[-1].assign(model.optimizer.variables[-1] + 1.0)
    with pytest.raises(ArchiveError, match="The optimizer's state of this Pair didn't come back"):
        kprob.saving.check_values(model, record)
    kprob.saving.check_values(model, record, with_optimizer=False)
    record = dataclasses.replace(record, trained=(*record.trained, "net_c.kernel"))
    with pytest.raises(ArchiveError, match="saved as number 7 of 7: `net_c.kernel`\n.*in the model, of 6: `none`"):
        kprob.saving.check_values(model, record)


def test_a_record_of_nonsense():
    with pytest.raises(ArchiveError, match="The record of a saved model can't be read"):
        Record.from_array(np.frombuffer(b"{", dtype="uint8"))
    with pytest.raises(ArchiveError, match="The record of a saved model can't be read"):
        Record.from_array(np.frombuffer(b"{}", dtype="uint8"))


def test_an_optimizer_of_another_kind_is_left_alone(tmp_path):
    build(model := two_networks((0, 1))().compile(kprob.ELBO(), "adam"), LINE)
    model.save_weights(tmp_path / "m.weights.h5")
    build(other := two_networks((0, 1))().compile(kprob.ELBO(), "sgd"), LINE)
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(values(other.net_a), values(model.net_a))


def test_what_fits_can_be_taken(tmp_path):
    build(model := two_networks((0, 1))().compile(kprob.ELBO(), "adam"), LINE)
    model.save_weights(tmp_path / "m.weights.h5")
    build(other := two_networks((0, 1), ("net_a", "net_c"))().compile(kprob.ELBO(), "adam"), LINE)
    other.net_a.kernel.assign(np.zeros((3, 4), "float32"))
    with pytest.warns(UserWarning, match="could not be loaded"):
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(values(other.net_a), values(model.net_a))

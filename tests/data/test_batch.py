"""Batches of a data set."""

import keras
import numpy as np
import pytest

from kprob.data import Data, batches_of

DATA = Data({"x": np.arange(10.0, dtype="float32")}, {"u": np.ones(3, "float32")}, 10, np.linspace(0.0, 1.0, 10))


def as_numpy(value):
    return keras.ops.convert_to_numpy(value)


@pytest.mark.parametrize("num_data, expected", [(None, [4, 4, 2]), (10, [10, 10, 10])])
def test_batches_hold_every_row_once_and_stand_for_their_own_rows_or_for_all(num_data, expected):
    batches = list(batches_of(DATA, 4, num_data))
    for name, values in (("x", DATA.rows["x"]), ("index", np.arange(10)), ("weights", DATA.weights)):
        found = [as_numpy(batch["rows"][name] if name == "x" else batch[name]) for batch in batches]
        np.testing.assert_allclose(np.concatenate(found), values, rtol=1e-6)
    assert [float(batch["num_data"][0]) for batch in batches] == expected
    assert all(batch["whole"]["u"].shape == (3,) for batch in batches)


def test_rows_may_be_others_than_the_first():
    indices = np.array([7, 3, 11, 2])
    data = Data({"x": np.zeros(4, "float32")}, {}, 4)
    found = [as_numpy(batch["index"]) for batch in batches_of(data, 3, 20, indices)]
    np.testing.assert_array_equal(np.concatenate(found), indices)


def test_data_without_rows_is_one_batch():
    (batch,) = batches_of(Data({}, {"u": np.ones(3, "float32")}), 2)
    assert "index" not in batch and float(batch["num_data"][0]) == 1.0

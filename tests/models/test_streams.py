"""Every kind of data that `fit` takes gives the numbers that arrays give."""

import keras
import numpy as np
import pytest

import kprob
from kprob import tfd

X = np.arange(10, dtype="float32")
FEATURES = np.stack([X, X**2], 1).astype("float32")


@kprob.probmodel
def regression(features):
    """Least squares, with a global latent so that the number of rows matters."""
    slope = kprob.sample("slope", tfd.Normal(0.0, 1e-6))
    mean = kprob.param("mean", 0.0)
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(mean + slope * features[:, 0], 1.0))


def q():
    kprob.sample("slope", tfd.Normal(0.0, 1e-6))


def loss_of(data, **options):
    keras.utils.set_random_seed(0)
    model = regression(inference=q).compile(kprob.ELBO(), keras.optimizers.SGD(1e-12))
    return model.fit(data, epochs=2, verbose=0, shuffle=False, **options).history["loss"][-1]


EXPECTED = 0.5 * np.mean(X**2) + 0.5 * np.log(2 * np.pi)
NAMED = {"features": FEATURES, "y": X}


def test_arrays():
    assert loss_of(NAMED, batch_size=4) == pytest.approx(EXPECTED, rel=1e-4)


def test_lists_and_positional():
    assert loss_of({name: value.tolist() for name, value in NAMED.items()}) == pytest.approx(EXPECTED, rel=1e-4)
    keras.utils.set_random_seed(0)
    model = regression(inference=q).compile(kprob.ELBO(), keras.optimizers.SGD(1e-12))
    history = model.fit(FEATURES, X, verbose=0)
    assert history.history["loss"][-1] == pytest.approx(EXPECTED, rel=1e-4)


def test_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(FEATURES)
    assert loss_of({"features": frame, "y": pandas.Series(X)}) == pytest.approx(EXPECTED, rel=1e-4)


def test_py_dataset():
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            rows = slice(4 * i, 4 * i + 4)
            return {"features": FEATURES[rows], "y": X[rows]}

    assert loss_of(Batches()) == pytest.approx(EXPECTED, rel=1e-4)


def test_generator_needs_num_data():
    def batches():
        while True:
            yield NAMED

    with pytest.raises(kprob.errors.DataError, match="num_data"):
        loss_of(batches(), steps_per_epoch=2)
    assert loss_of(batches(), steps_per_epoch=2, num_data=10) == pytest.approx(EXPECTED, rel=1e-4)


def test_tf_data():
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices(NAMED).batch(4)
    assert loss_of(dataset) == pytest.approx(EXPECTED, rel=1e-4)
    pairs = tf.data.Dataset.from_tensor_slices((FEATURES, X)).batch(4).prefetch(1)
    assert loss_of(pairs) == pytest.approx(EXPECTED, rel=1e-4)
    model = regression(inference=q).compile(kprob.ELBO(), keras.optimizers.SGD(1e-12))
    model.fit(dataset, validation_data=dataset, epochs=1, verbose=0)
    assert model.history.history["val_loss"][0] == pytest.approx(EXPECTED, rel=1e-4)
    assert model.evaluate(dataset, verbose=0, return_dict=True)["loss"] == pytest.approx(EXPECTED, rel=1e-4)


def test_torch_data_loader():
    torch = pytest.importorskip("torch")

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, i):
            return {"features": FEATURES[i], "y": X[i]}

    assert loss_of(torch.utils.data.DataLoader(Rows(), batch_size=4)) == pytest.approx(EXPECTED, rel=1e-4)


def test_whole_data_goes_into_every_batch():
    @kprob.probmodel
    def counties(uranium, county):
        scale = kprob.param("scale", 1.0)
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(scale * keras.ops.take(uranium, county), 1.0))

    data = {"uranium": kprob.Whole([0.5, 1.5, 2.5]), "county": np.arange(10) % 3, "y": X}
    model = counties().compile(kprob.ELBO(), keras.optimizers.SGD(0.2))
    model.fit(data, epochs=300, batch_size=10, verbose=0)
    u = np.array([0.5, 1.5, 2.5])[np.arange(10) % 3]
    assert float(model.trainable_variables[0].numpy()) == pytest.approx((u @ X) / (u @ u), rel=1e-3)
    assert model.predict({"uranium": kprob.Whole([0.5, 1.5, 2.5]), "county": [2, 0]}).shape == (2,)

"""What `summary()` prints: every table is known beforehand."""

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import DataError

ops = keras.ops


def summary(model, data=None):
    """Returns the lines, and checks that nothing else happens."""
    lines = []
    assert model.summary(data, print_fn=lines.append) is None
    assert max(map(len, lines)) <= 100
    return lines


def cells(lines, first):
    """Returns the cells of the line that begins with a word."""
    line = next(line for line in lines if line.split("  ")[0] == first)
    return [cell.strip() for cell in line.split("   ") if cell.strip()]


class VAE(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(5)])
        self.encoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization()])
        self.z = layers.Normal(2)
        self.x = layers.Bernoulli(5)
        self.z_given_x = layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


# decoder 2·8 + 8 + 8·5 + 5, encoder 5·8 + 8 and 4·8 of normalisation, heads 2·(8·2 + 2).
VAE_SUMMARY = """\
Model "model" (VAE), {state}

Generative network p: generative()
{rule}
Site   Family      Event shape   {plates}   Parameters   Role
{rule}
z      Normal      (2,)          {data}            0   latent
x      Bernoulli   (5,)          {data}            0   observed

Inference network q: inference(x)
{short}
Site   Family   Event shape   {plates}   Parameters
{short}
z      Normal   (2,)          {data}           36

---------------------------------------------
Layer       Class        Network   Parameters
---------------------------------------------
decoder     Sequential   p                 69
encoder     Sequential   q                 80
z_given_x   Normal       q                 36

Total parameters: 185 (740 bytes); 69 in p, 116 in q
Trainable parameters: 169 (676 bytes)
Non-trainable parameters: 16 (64 bytes)"""


def expected_vae(state, data):
    width = max(len(data), len("Plates"))
    return VAE_SUMMARY.format(
        state=state,
        plates="Plates".ljust(width),
        data=data.ljust(width),
        rule="-" * (57 + width),
        short="-" * (43 + width),
    )


def test_an_amortised_model_before_and_after_it_is_built():
    model = VAE(name="model").compile(kprob.ELBO(), "adam")
    assert "\n".join(summary(model)) == expected_vae("not built yet", "data")
    model.fit({"x": np.zeros((40, 5))}, epochs=1, verbose=0)
    assert "\n".join(summary(model)) == expected_vae("built for 40 rows", "data (40)")


def test_it_changes_no_weight():
    model = VAE()
    summary(model)
    before = [ops.convert_to_numpy(v) for v in model.weights]
    summary(model)
    for old, variable in zip(before, model.weights, strict=True):
        assert np.array_equal(old, ops.convert_to_numpy(variable))


class Regression(kprob.ProbabilisticModel):
    def __init__(self, num_features, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(num_features, loc=0.0, scale=1.0)
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.Normal()

    def generative(self, features):
        w, sigma = self.w(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w), scale=sigma)


def test_the_automatic_guide():
    model = Regression(3).compile(kprob.ELBO(), "adam")
    data = {"features": np.zeros((20, 3)), "y": np.zeros(20)}
    before = summary(model, {"features": data["features"]})
    assert "Generative network p: generative(features)" in before
    assert "Inference network q: the automatic guide kprob.guides.Normal" in before
    assert any("known once the model is built" in line for line in before)
    # Nothing says yet that y is observed.
    assert cells(before, "Site")[-1] == "Parameters"
    assert cells(summary(model, data), "y") == ["y", "Normal", "()", "data", "0", "observed"]
    model.fit(data, epochs=1, verbose=0)
    after = summary(model)
    assert cells(after, "w") == ["w", "Normal", "(3,)", "-", "0", "latent"]
    assert cells(after, "y") == ["y", "Normal", "()", "data (20)", "0", "observed"]
    assert "sigma   Exp(Normal)   ()            -" in after
    assert cells(after, "guide") == ["guide", "Normal", "q", "8"]
    assert after[-3] == "Total parameters: 8 (32 bytes); 0 in p, 8 in q"


def test_a_guide_that_was_chosen():
    model = Regression(3, inference=kprob.guides.Normal())
    lines = summary(model, {"features": np.zeros((4, 3))})
    assert "Inference network q: the guide kprob.guides.Normal" in lines


def test_every_kind_of_site():
    @kprob.probmodel
    def network(x, net):
        rate = kprob.param("rate", [1.0, 2.0], constraint="positive")
        with kprob.plate("schools", 8), kprob.plate("classes", 3):
            kprob.sample("level", tfd.Normal(0.0, 1.0))
        kprob.factor("penalty", -1.0)
        with kprob.plate("data"):
            mean = kprob.deterministic("mean", net(x))
            kprob.sample("y", tfd.Independent(tfd.Gamma(rate, ops.exp(mean)), 1))

    lines = summary(network(net=keras.layers.Dense(2)), {"x": np.ones((10, 4)), "y": np.ones((10, 2))})
    assert cells(lines, "rate") == ["rate", "param", "(2,)", "-", "2"]
    assert cells(lines, "level") == ["level", "Normal", "()", "schools (8), classes (3)", "0", "latent"]
    assert cells(lines, "penalty") == ["penalty", "factor", "()", "-", "0"]
    assert cells(lines, "mean") == ["mean", "deterministic", "(2,)", "data", "0"]
    assert cells(lines, "y") == ["y", "Gamma", "(2,)", "data", "0", "observed"]
    assert cells(lines, "net") == ["net", "Dense", "p", "10"]
    assert lines[-3] == "Total parameters: 12 (48 bytes); 12 in p"


def test_long_names_are_cut_to_the_page():
    def network():
        with kprob.plate("a_plate_with_quite_a_long_name", 2):
            with kprob.plate("another_plate_with_a_longer_name", 3):
                kprob.sample("a_site_that_somebody_described_instead_of_naming", tfd.Normal(0.0, 1.0))

    lines = summary(kprob.ProbabilisticModel(generative=network))
    assert any("..." in line for line in lines)


def test_an_inference_network_that_lacks_data():
    def generative():
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(0.0, 1.0))

    def inference(u):
        with kprob.plate("data"):
            kprob.sample("z", tfd.Normal(u, 1.0))

    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    lines = summary(model)
    assert "Inference network q: inference(u)" in lines
    assert "Its sites are known once there is data for `u`: summary(data)." in lines
    assert cells(summary(model, {"u": np.zeros(5)})[8:], "z") == ["z", "Normal", "()", "data", "0"]


def test_a_covariate_is_needed():
    with pytest.raises(DataError, match="needs `features`, which the data lacks"):
        Regression(3).summary()


def test_it_prints_by_default(capsys):
    VAE().summary()
    assert "Generative network p: generative()" in capsys.readouterr().out

"""The models that these tests save: one of every kind, small, with data to fit."""

import keras
import numpy as np
from internals import build_on

import kprob
from kprob import layers, tfd

ROWS = 20


def rows(*shape, seed=0):
    """Returns standard normal numbers, the same each time."""
    return np.random.default_rng(seed).normal(size=(ROWS, *shape)).astype("float32")


class VAE(kprob.ProbabilisticModel):
    """A generative and an inference network, amortised, with dropout."""

    def __init__(self, latent_dim=2, hidden=4, data_dim=3, **kwargs):
        super().__init__(**kwargs)
        self.latent_dim = latent_dim
        self.decoder = keras.Sequential([keras.layers.Dense(hidden, "relu"), keras.layers.Dense(data_dim)])
        self.encoder = keras.Sequential([keras.layers.Dense(hidden, "relu"), keras.layers.Dropout(0.5)])
        self.z = layers.Normal(latent_dim)
        self.x = layers.Bernoulli(data_dim)
        self.z_given_x = layers.Normal(latent_dim, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x, training=True))


class Regression(kprob.ProbabilisticModel):
    """No inference network: an automatic guide, or one given to the constructor."""

    def __init__(self, num_features, scale=(0.0, 1.0), **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.w = layers.Normal(num_features, loc=scale[0], scale=scale[1])
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.Normal()

    def generative(self, features):
        w, sigma = self.w(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=keras.ops.matmul(features, w), scale=sigma)


class Networks(kprob.ProbabilisticModel):
    """Layers as constructor arguments: alone, in a dict and in a tuple, one of them twice."""

    def __init__(self, mean, more, pair, activation=keras.ops.tanh, size=3, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.more, self.pair, self.activation = mean, more, pair, activation
        self.w = layers.Normal(size)
        self.y = layers.Normal(scale=1.0)

    def generative(self, features):
        hidden = self.activation(self.pair[0](self.more["first"](features)))
        offset = keras.ops.sum(self.w())
        with kprob.plate("data"):
            self.y(loc=self.mean(hidden)[:, 0] + self.pair[1](hidden)[:, 0] + offset)


class Schools(kprob.ProbabilisticModel):
    """No data plate, a constant of the constructor, and a free parameter."""

    def __init__(self, spread, **kwargs):
        super().__init__(**kwargs)
        self.spread = spread
        self.theta = layers.Normal()
        self.y = layers.Normal()

    def generative(self):
        mu = kprob.param("mu", 1.5)
        with kprob.plate("schools", len(self.spread)):
            self.y(loc=self.theta(loc=mu, scale=1.0), scale=np.asarray(self.spread, "float32"))


class Containers(kprob.ProbabilisticModel):
    """Layers in lists and dicts, batch statistics, free parameters, private attributes."""

    def __init__(self, depth=2, **kwargs):
        super().__init__(**kwargs)
        self.stack = [keras.layers.Dense(3, "tanh") for _ in range(depth)]
        self._norm = keras.layers.BatchNormalization()
        self.zs = [layers.Normal(2), layers.Normal(2)]
        self.named = {"b": layers.Normal(), "a": layers.Normal()}
        self.q = {"zs_1": layers.Normal(2, name="zs_1"), "zs_0": layers.Normal(2, name="zs_0")}
        self.q_named = [layers.Normal(name=f"named_{key}", loc="learned", scale="learned") for key in "ab"]
        self.x = layers.Normal(3)

    def generative(self):
        offset = self.named["a"]() - self.named["b"]()
        with kprob.plate("data"):
            hidden = keras.ops.concatenate([z() for z in self.zs], axis=-1)
            for layer in self.stack:
                hidden = layer(hidden)
            self.x(loc=hidden + offset, scale=1.0)

    def inference(self, x):
        for q in self.q_named:
            q()
        with kprob.plate("data"):
            for q in self.q.values():
                q(self._norm(x, training=True))


def slope(features):
    """A generative network that is a plain function."""
    w = kprob.sample("w", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("y", tfd.Normal(w * features[:, 0], 1.0))


def slope_inference(y):
    """Its inference network."""
    loc = kprob.param("w_loc", 0.5)
    kprob.sample("w", tfd.Normal(loc, kprob.param("w_scale", 0.1, "positive")))


@kprob.probmodel
def temperature(sensor_scale=1.0, network=None):
    """InferPy's way, with a network as an argument."""
    temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
    loc = temp if network is None else temp + network(keras.ops.ones((1, 1)))[0, 0]
    kprob.sample("sensor", tfd.Normal(loc, sensor_scale))


def plain_elbo(generative_trace, inference_trace):
    """A function as an objective."""
    return generative_trace.log_prob() - inference_trace.log_prob()


def networks(**kwargs):
    """Returns a `Networks` whose constructor gets one layer twice."""
    shared = keras.layers.Dense(3)
    return Networks(shared, {"first": keras.layers.Dense(4)}, (keras.layers.Dense(2), shared), **kwargs)


BINARY = {"x": (rows(3) > 0).astype("float32")}
LINE = {"features": rows(3), "y": rows(seed=1)}
TESTS = {"y": np.array([28.0, 8.0, -3.0], "float32") / 10}

# Each: how to make it, its data, one of its latents.
MODELS = {
    "vae": (lambda: VAE(3, hidden=5), BINARY, "z"),
    "automatic guide": (lambda: Regression(3, scale=(0.5, 2.0)), LINE, "w"),
    "guide as argument": (lambda: Regression(3, inference=kprob.guides.Normal(init_scale=0.3)), LINE, "w"),
    "layers as arguments": (networks, LINE, "w"),
    "containers": (Containers, {"x": rows(3)}, "zs_0"),
    "no data plate": (lambda: Schools(np.array([1.0, 2.0, 0.5])), TESTS, "theta"),
    "functions": (lambda: kprob.ProbabilisticModel(slope, slope_inference), LINE, "w"),
    "function, automatic guide": (lambda: kprob.ProbabilisticModel(generative=slope), LINE, "w"),
    "probmodel": (lambda: temperature(sensor_scale=0.5), {"sensor": 18.0}, "temp"),
    "probmodel with a network": (
        lambda: temperature(network=keras.Sequential([keras.layers.Dense(2), keras.layers.Dense(1)])),
        {"sensor": 18.0},
        "temp",
    ),
}
# Functions that aren't models are found by nobody: they are passed in.
FUNCTIONS = {"slope": slope, "slope_inference": slope_inference, "plain_elbo": plain_elbo}


def make(kind, **options):
    """Returns a compiled model of a kind, its data and the name of one of its latents."""
    maker, data, latent = MODELS[kind]
    options = {"objective": kprob.ELBO(), "optimizer": keras.optimizers.Adam(0.01)} | options
    return maker().compile(**options), data, latent


def make_built(kind, **options):
    """Returns what `make` does, with variables that a training might have left, and a history; nothing is compiled."""
    model, data, latent = make(kind, **options)
    build(model, data)
    model.history = keras.callbacks.History()
    model.history.set_model(model)
    model.history.on_train_begin()
    for epoch in range(3):
        model.history.on_epoch_end(epoch, {"loss": 1.0 / 3.0 + epoch, "elbo": float("nan")})
    return model, data, latent


def build(model, data):
    """Builds a model and gives each of its variables values of its own, seeds too."""
    build_on(model, data)
    generator = np.random.default_rng(7)
    seeds = kprob.saving.variables_of(model)[1].values()
    for variable in (*model.weights, *model.optimizer.variables, *seeds):
        size = tuple(variable.shape)
        whole = "int" in variable.dtype
        values = generator.integers(0, 1000, size) if whole else generator.normal(size=size) / 10
        variable.assign(values.astype(variable.dtype))


def state(model):
    """Returns everything that a resumed run depends on, as arrays."""
    weights, seeds = kprob.saving.variables_of(model)
    variables = {**weights, **{f"seed {path}": variable for path, variable in seeds.items()}}
    if model.optimizer is not None:
        variables |= {f"optimizer {i}": variable for i, variable in enumerate(model.optimizer.variables)}
    return {name: np.array(keras.ops.convert_to_numpy(variable)) for name, variable in variables.items()}


def assert_same(one, other):
    """Asserts that two states are the same to the last bit."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value.dtype == other[name].dtype, name
        np.testing.assert_array_equal(value, other[name], err_msg=name)

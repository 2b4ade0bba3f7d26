"""The graph of a network, against graphs known from how the network is written."""

import keras
import numpy as np
import pytest
from internals import prepare_data

import kprob
from kprob import layers, tfb, tfd
from kprob.data import Data
from kprob.engine import find_dependencies
from kprob.errors import DataError

ops = keras.ops


def parents(generative, data=None, inference=None):
    """Returns p's parents, and q's where there is a q."""
    model = kprob.ProbabilisticModel(generative=generative, inference=inference)
    p, q = find_dependencies(model.networks, data)
    return p.parents if q is None else (p.parents, q.parents)


def rows(**arrays):
    arrays = {name: np.asarray(value) for name, value in arrays.items()}
    return Data(arrays, {}, len(next(iter(arrays.values()))))


def simplest():
    theta = kprob.sample("theta", tfd.Normal(0.0, 1.0))
    with kprob.plate("data"):
        kprob.sample("x", tfd.Normal(theta, 1.0))


def chain():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("b", tfd.Normal(a, 1.0))
    kprob.sample("c", tfd.Normal(b, 1.0))


def independent():
    for name in "abc":
        kprob.sample(name, tfd.Normal(0.0, 1.0))


def diamond():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("b", tfd.Normal(a, 1.0))
    c = kprob.sample("c", tfd.Gamma(2.0, ops.exp(a)))
    kprob.sample("d", tfd.Normal(b * c, 1.0))


def index():
    with kprob.plate("components", 3):
        mu = kprob.sample("mu", tfd.Normal(0.0, 5.0))
    weights = kprob.sample("weights", tfd.Dirichlet([1.0, 1.0, 1.0]))
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Categorical(probs=weights))
        kprob.sample("x", tfd.Normal(ops.take(mu, z), 1.0))


def rare_coin():
    coin = kprob.sample("coin", tfd.Bernoulli(probs=1e-6, dtype="int32"))
    kprob.sample("x", tfd.Normal(ops.take(ops.convert_to_tensor([0.0, 1.0]), coin), 1.0))


def threshold():
    # NaN compares like a negative number here: only other draws show the edge.
    a = kprob.sample("a", tfd.Normal(-3.0, 2.0))
    kprob.sample("b", tfd.Normal(ops.where(a > 0.0, 1.0, 0.0), 1.0))


def counts():
    rate = kprob.sample("rate", tfd.Gamma(5.0, 1.0))
    number = kprob.sample("number", tfd.Poisson(rate))
    kprob.sample("big", tfd.Bernoulli(probs=ops.where(number > 4, 0.9, 0.1)))


def wrapped():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("b", tfd.Independent(tfd.Normal(a * ops.ones((2,)), 1.0), 1))
    c = kprob.sample("c", tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), tfb.Shift(ops.sum(b))))
    parts = tfd.Normal(ops.stack([0.0 * c, c]), 1.0)
    d = kprob.sample("d", tfd.MixtureSameFamily(tfd.Categorical(logits=[0.0, 1.0]), parts))
    kprob.sample("e", tfd.MultivariateNormalTriL([0.0, 0.0], ops.eye(2) * ops.exp(d)))


def hidden_in_a_function():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    shift = tfb.Inline(
        forward_fn=lambda x: x + a,
        inverse_fn=lambda y: y - a,
        forward_log_det_jacobian_fn=lambda x: ops.zeros_like(x),
        forward_min_event_ndims=0,
    )
    kprob.sample("b", tfd.TransformedDistribution(tfd.Normal(0.0, 1.0), shift))


def followed_values():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    twice = kprob.deterministic("twice", 2.0 * a)
    b = kprob.sample("b", tfd.Normal(twice, 1.0))
    kprob.deterministic("noted", a + b)  # recorded, and nothing made of it
    kprob.factor("penalty", -ops.square(b))


def parameters():
    rate = kprob.param("rate", 2.0, constraint="positive")
    a = kprob.sample("a", tfd.Gamma(1.0, rate))
    kprob.sample("b", tfd.Normal(a, 1.0))


def masked():
    keep = kprob.sample("keep", tfd.Bernoulli(probs=0.5))
    with kprob.handlers.mask(mask=ops.equal(keep, 1)):
        kprob.sample("x", tfd.Normal(0.0, 1.0))


def branches():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    if a > 0:
        b = kprob.sample("b", tfd.Normal(0.0, 1.0))
        kprob.sample("y", tfd.Normal(b, 1.0))
    else:
        c = kprob.sample("c", tfd.Gamma(1.0, 1.0))
        kprob.sample("y", tfd.Normal(0.0, c))


def refuses_nan():
    a = kprob.sample("a", tfd.Normal(0.0, 1.0))
    b = kprob.sample("b", tfd.Normal(a, 1.0))
    if not np.isfinite(float(a)):
        raise RuntimeError("no such number")
    kprob.sample("c", tfd.Normal(a, 1.0))
    kprob.sample("d", tfd.Normal(b, 1.0))


def heavy_tails():
    a = kprob.sample("a", tfd.Normal(0.0, 100.0))
    b = kprob.sample("b", tfd.Normal(ops.exp(a), 1.0))
    kprob.sample("c", tfd.Normal(b, ops.exp(-a)))


GRAPHS = {
    simplest: {"theta": (), "x": ("theta",)},
    chain: {"a": (), "b": ("a",), "c": ("b",)},
    independent: {"a": (), "b": (), "c": ()},
    diamond: {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")},
    index: {"mu": (), "weights": (), "z": ("weights",), "x": ("mu", "z")},
    rare_coin: {"coin": (), "x": ("coin",)},
    threshold: {"a": (), "b": ("a",)},
    counts: {"rate": (), "number": ("rate",), "big": ("number",)},
    wrapped: {"a": (), "b": ("a",), "c": ("b",), "d": ("c",), "e": ("d",)},
    hidden_in_a_function: {"a": (), "b": ("a",)},
    followed_values: {
        "a": (),
        "twice": ("a",),
        "b": ("twice",),
        "noted": ("a", "b"),
        "penalty": ("b",),
    },
    parameters: {"rate": (), "a": ("rate",), "b": ("a",)},
    masked: {"keep": (), "x": ("keep",)},
    refuses_nan: {"a": (), "b": ("a",), "c": ("a",), "d": ("b",)},
    heavy_tails: {"a": (), "b": ("a",), "c": ("a", "b")},
}


@pytest.mark.parametrize("network", GRAPHS, ids=lambda network: network.__name__)
def test_known_graph(network):
    assert parents(network) == GRAPHS[network]


def test_all_branches_of_a_python_if_are_found():
    found = parents(branches)
    assert {name: set(of) for name, of in found.items()} == {
        "a": set(),
        "b": {"a"},
        "c": {"a"},
        "y": {"a", "b", "c"},
    }


class Regression(kprob.ProbabilisticModel):
    def __init__(self, num_features, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(num_features, loc=0.0, scale=1.0)
        self.b = layers.Normal(loc=0.0, scale=10.0)
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.Normal()

    def generative(self, features):
        w, b, sigma = self.w(), self.b(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w) + b, scale=sigma)


REGRESSION = {"w": (), "b": (), "sigma": (), "y": ("features", "w", "b", "sigma")}


def test_regression():
    model = Regression(3)
    p, q = find_dependencies(model.networks, rows(features=np.zeros((5, 3), "float32")))
    assert p.parents == REGRESSION and q is None
    assert p.arguments == {"features": True}
    assert p.ancestors(["y"]) == {"features", "w", "b", "sigma"}
    assert p.ancestors(["w", "b"]) == set()


def test_covariates_are_needed():
    with pytest.raises(DataError, match="needs `features`, which the data lacks"):
        find_dependencies(Regression(3).networks)


def test_the_automatic_guide_has_independent_latents():
    model = Regression(3).compile(kprob.ELBO(), "adam")
    data = {"features": np.ones((6, 3)), "y": np.ones(6)}
    model.fit(data, epochs=1, verbose=0)
    p, q = find_dependencies(model.networks, prepare_data(model.networks, data))
    assert p.parents == REGRESSION
    assert q.parents == {"w": (), "b": (), "sigma": ()}


def test_integer_covariates_and_groups():
    def network(county):
        with kprob.plate("counties", 4):
            level = kprob.sample("level", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(ops.take(level, county), 1.0))

    found = parents(network, rows(county=np.array([0, 1, 2, 3, 3])))
    assert found == {"level": (), "y": ("county", "level")}


class VAE(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.BatchNormalization()])
        # Zeros let no number through before training: here only NaN shows the edge.
        self.head = keras.layers.Dense(5, kernel_initializer="zeros")
        self.encoder = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5)])
        self.z = layers.Normal(2)
        self.x = layers.Bernoulli(5)
        self.z_given_x = layers.Normal(2, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.head(self.decoder(self.z(), training=True)))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x, training=True))


def test_paths_through_networks_and_the_weights_on_them():
    model = VAE()
    named = {n: getattr(model, n) for n in ("decoder", "head", "encoder")}
    p, q = find_dependencies(model.networks, layers=named)
    assert p.parents == {"z": (), "x": ("z",)}
    assert q.parents == {"z": ("x",)} and q.arguments == {"x": True}
    assert p.layers == {"z": (), "x": ("decoder", "head")}
    assert q.layers == {"z": ("encoder",)}


def test_the_search_leaves_the_model_as_it_was():
    # Its own batch normalisation learns as it runs, and the search sends NaN through it.
    model = VAE()
    find_dependencies(model.networks)
    variables = model.decoder.variables + model.head.variables
    before = [ops.convert_to_numpy(v) for v in variables]
    find_dependencies(model.networks, layers={"head": model.head})
    after = [ops.convert_to_numpy(v) for v in variables]
    assert all(np.isfinite(value).all() for value in after)
    for variable, old, new in zip(variables, before, after, strict=True):
        assert not variable.trainable or np.array_equal(old, new)


def test_noise_makes_no_edges():
    noise = keras.random.SeedGenerator(1)

    def network():
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        kprob.sample("b", tfd.Normal(keras.random.normal((), seed=noise), 1.0))
        kprob.sample("c", tfd.Normal(a + keras.random.normal((), seed=noise), 1.0))

    assert parents(network) == {"a": (), "b": (), "c": ("a",)}


def test_inference_network_with_a_chain_of_latents():
    def generative():
        with kprob.plate("data"):
            a = kprob.sample("a", tfd.Normal(0.0, 1.0))
            b = kprob.sample("b", tfd.Normal(a, 1.0))
            kprob.sample("x", tfd.Normal(b, 1.0))

    def inference(x):
        with kprob.plate("data"):
            b = kprob.sample("b", tfd.Normal(x, 1.0))
            kprob.sample("a", tfd.Normal(0.5 * b, 1.0))

    p, q = parents(generative, inference=inference)
    assert p == {"a": (), "b": ("a",), "x": ("b",)}
    assert q == {"b": ("x",), "a": ("b",)}


def test_a_network_that_counts_on_all_rows():
    def network(u):
        a = kprob.sample("a", tfd.Normal(0.0, 1.0))
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(a + ops.reshape(ops.reshape(u, (2, 5)), (10,)), 1.0))

    assert parents(network, rows(u=np.arange(10.0, dtype="float32"))) == {
        "a": (),
        "y": ("u", "a"),
    }


def test_a_rewritten_site_stands_between_its_base_and_its_children():
    def network():
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        with kprob.handlers.reparam(config={"theta": kprob.LocScale(centered=0.5)}):
            theta = kprob.sample("theta", tfd.Normal(mu, 2.0))
        kprob.sample("x", tfd.Normal(theta, 1.0))

    assert parents(network) == {
        "mu": (),
        "theta_decentered": ("mu",),
        "theta": ("mu", "theta_decentered"),
        "x": ("theta",),
    }

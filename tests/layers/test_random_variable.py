"""What all random-variable layers share: shapes, where parameters come from, names, errors."""

import keras
import numpy as np
import pytest
from contracts import as_numpy, compiled, run_once
from keras import ops

from kprob import backend, distributions, effects, handlers, layers, tfd
from kprob.errors import SiteError

FEATURES = np.ones((5, 3), "float32")


def in_plates(sizes, function):
    """Runs a function in nested plates of those sizes."""
    if not sizes:
        return function()
    with effects.plate(f"p{len(sizes)}", sizes[0]):
        return in_plates(sizes[1:], function)


# Event shape, sizes of the plates, shapes of loc and scale, shape of the value.
SHAPES = [
    (None, (), (), (), ()),
    (None, (), (3,), (), (3,)),
    (None, (), (2, 1), (3,), (2, 3)),
    (None, (4,), (), (), (4,)),
    (None, (4,), (4,), (), (4,)),
    (None, (4,), (4, 3), (3,), (4, 3)),
    (None, (4, 2), (2,), (4, 1), (4, 2)),
    (3, (), (), (), (3,)),
    (3, (4,), (), (), (4, 3)),
    (3, (4,), (4, 1), (3,), (4, 3)),
    (3, (4, 2), (2, 3), (), (4, 2, 3)),
    ((2, 3), (), (3,), (2, 1), (2, 3)),
    ((), (4,), (4,), (), (4,)),
]


@pytest.mark.parametrize(("event", "plates", "loc", "scale", "expected"), SHAPES)
def test_parameters_broadcast_to_plates_and_event(event, plates, loc, scale, expected):
    layer = layers.Normal(event)
    value = in_plates(plates, lambda: layer(loc=ops.zeros(loc), scale=ops.ones(scale)))
    assert tuple(value.shape) == expected
    assert len(np.unique(as_numpy(value))) == np.prod(expected), "every element is drawn on its own"


VECTORS = [
    (3, (), (3,), (), (3,)),
    (3, (4,), (4, 3), (3,), (4, 3)),
    ((2, 3), (), (2, 3), (), (2, 3)),
    ((2, 3), (4,), (4, 1, 3), (), (4, 2, 3)),
    (None, (4,), (4, 3), (), (4, 3)),
    (None, (4,), (4, 2, 3), (), (4, 2, 3)),
]


@pytest.mark.parametrize(("event", "plates", "loc", "scale", "expected"), VECTORS)
def test_vectors_have_their_own_axis_last(event, plates, loc, scale, expected):
    layer = layers.MultivariateNormalDiag(event)
    value = in_plates(plates, lambda: layer(loc=ops.zeros(loc), scale_diag=ops.ones(scale)))
    assert tuple(value.shape) == expected


def test_a_keyword_comes_before_the_constructor_a_head_and_the_standard_value():
    layer = layers.Normal(2, scale=3.0)
    distribution, _ = distributions.split_independent(layer.distribution(FEATURES, scale=0.5))
    np.testing.assert_allclose(as_numpy(distribution.scale), 0.5)
    distribution, _ = distributions.split_independent(layer.distribution(FEATURES))
    np.testing.assert_allclose(as_numpy(distribution.scale), 3.0)
    assert list(layer.heads) == ["loc"] and tuple(distribution.loc.shape) == (5, 2)
    distribution, _ = distributions.split_independent(layer.distribution(FEATURES, loc=np.zeros(2)))
    np.testing.assert_allclose(as_numpy(distribution.loc), 0.0)
    assert float(layers.Normal().distribution().scale) == 1.0


def test_a_keyword_replaces_its_alternative():
    layer = layers.Bernoulli(logits=2.0)
    assert layer.distribution(probs=0.25).logits is None
    assert float(layer.distribution(probs=0.25).probs) == 0.25


def test_heads_start_at_the_standard_values():
    layer = layers.Normal(2)
    distribution, _ = distributions.split_independent(layer.distribution(np.zeros((5, 3))))
    np.testing.assert_allclose(as_numpy(distribution.loc), np.zeros((5, 2)), atol=1e-6)
    np.testing.assert_allclose(as_numpy(distribution.scale), np.ones((5, 2)), rtol=1e-5)


def test_learned_values_start_at_the_standard_values_and_keep_their_constraint():
    layer = layers.MultivariateNormalTriL(2, loc="learned", scale_tril="learned")
    np.testing.assert_allclose(as_numpy(layer.distribution().scale.to_dense()), np.eye(2), atol=1e-5)
    assert [tuple(w.shape) for w in layer.weights[:2]] == [(2,), (3,)]


@pytest.mark.parametrize(
    ("layer", "ordered"),
    [
        (lambda: layers.Uniform(2), ("low", "high")),
        (lambda: layers.Triangular(2), ("low", "peak", "high")),
        (lambda: layers.TruncatedNormal(2, low="learned", high="learned"), ("low", "high")),
    ],
)
def test_learned_bounds_are_in_order(layer, ordered):
    features = np.random.default_rng(0).normal(size=(50, 3))
    distribution, _ = distributions.split_independent(layer().distribution(features))
    values = np.stack([np.broadcast_to(as_numpy(getattr(distribution, name)), (50, 2)) for name in ordered])
    assert np.all(np.diff(values, axis=0) > 0)


def test_the_site_is_named_by_name_else_by_its_attribute():
    assert layers.Normal(name="z").site_name == "z"
    layer = layers.Normal()
    layer.name_after("w")
    assert layer.site_name == "w"
    with handlers.seed(seed=0), handlers.trace() as trace:
        layer()
    assert list(trace.result) == ["w"]


def test_a_layer_on_its_own_draws_anew_at_each_call_of_a_compiled_function():
    layer = layers.Normal(3)
    draw = backend.compile_function(lambda _: layer(), variables=lambda: layer.variables)
    first = as_numpy(draw(0.0))
    if backend.name == "tensorflow":  # JAX hands states in and out
        assert np.all(first != as_numpy(draw(0.0)))
    assert np.all(as_numpy(layer()) != as_numpy(layer()))


def test_set_random_seed_repeats_draws():
    def run():
        keras.utils.set_random_seed(3)
        return as_numpy(layers.Gamma(4, concentration=2.0)())

    np.testing.assert_array_equal(run(), run())


def test_a_total_known_before_running_lists_the_values_also_inside_a_compiled_function():
    layer = layers.Binomial(total_count=3, name="x")

    def run(logits):
        distribution = layer.distribution(logits=logits)
        return distribution.log_prob(distributions.enumerate_support(distribution))

    probs = np.exp(as_numpy(compiled(run, ops.convert_to_tensor(0.3))))
    assert probs.shape == (4,) and abs(probs.sum() - 1.0) < 1e-5


def test_free_parameters_keep_float32_under_a_16_bit_policy():
    layer = layers.Normal(loc="learned", dtype="mixed_bfloat16")
    layer.build()
    layer.free["loc"].assign(1.2345678)
    outer = keras.layers.Lambda(lambda x: layer.distribution().loc, dtype="mixed_bfloat16")
    found = outer(ops.zeros((2,)))
    np.testing.assert_allclose(as_numpy(found), 1.2345678, rtol=1e-6)


def test_float64():
    if backend.name == "jax":
        pytest.skip("JAX has 64 bits only where jax_enable_x64 is set")
    layer = layers.Normal(2, dtype="float64")
    assert keras.backend.standardize_dtype(layer(loc=np.array([0.1, 0.2])).dtype) == "float64"
    assert keras.backend.standardize_dtype(layers.Bernoulli(dtype="float64")().dtype) == "float64"


def test_functional_models_take_features_and_keywords_together():
    features, scale = keras.Input((3,)), keras.Input((2,))
    z = layers.Normal(2, name="z")(features, scale=scale)
    model = keras.Model([features, scale], z)
    assert tuple(model.output_shape) == (None, 2)
    value = run_once(
        lambda: model([ops.ones((4, 3)), 1e-6 * ops.ones((4, 2))], training=True), variables=lambda: model.variables
    )
    assert tuple(value.shape) == (4, 2)
    np.testing.assert_allclose(as_numpy(value), np.repeat(as_numpy(value)[:1], 4, axis=0), atol=1e-4)


def test_a_functional_model_of_keywords_is_saved(tmp_path):
    loc = keras.Input((2,))
    model = keras.Model(loc, layers.Normal(2, scale=[1e-6, 1e-6], name="x")(loc=loc))
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(as_numpy(again(ops.ones((3, 2)))), 1.0, atol=1e-4)


WRONG = {
    "an axis that doesn't fit": (
        lambda: layers.Normal(3)(loc=np.zeros(4)),
        r"Parameter `loc` of random variable `\w+` doesn't fit its event shape.\s+Received: shape \(4,\)",
    ),
    "rows without an axis for the event": (
        lambda: layers.Normal(3)(loc=np.zeros(5), scale=np.ones((5, 3))),
        r"an axis of length 1 for each axis of the event: x\[:, None\]",
    ),
    "a vector that doesn't fit": (
        lambda: layers.Dirichlet(3)(concentration=np.ones(4)),
        r"Parameter `concentration`.*doesn't fit.\s+Received: shape \(4,\)\s+Expected: a shape that ends with \(3,\)",
    ),
    "a number for a matrix": (
        lambda: layers.MultivariateNormalTriL(2)(scale_tril=2.0),
        r"Received: shape \(\)\s+Expected: a shape that ends with \(2, 2\)",
    ),
    "a number where only the parameter could tell the size": (
        lambda: layers.Dirichlet()(concentration=1.0),
        r"Received: shape \(\)\s+Expected: a shape that ends with \(\?\)|ends with \(\?,\)",
    ),
    "parameters that don't broadcast": (
        lambda: layers.Normal()(loc=np.zeros(3), scale=np.ones(4)),
        r"don't broadcast to a common shape.\s+Received: \(3,\), \(4,\)",
    ),
    "too short an event shape": (lambda: layers.LinearGaussianStateSpace(3), "at least 2 axes"),
    "no event shape for a standard vector": (
        lambda: layers.MultivariateNormalDiag()(),
        r"also needs `loc`, `scale_diag` \(with `event_shape` a standard value may be known\)",
    ),
    "no number of classes for a head": (
        lambda: layers.Categorical()(FEATURES),
        r"`logits`.*can't be learned.*\s+.*\s+Expected: an event shape and `num_classes`",
    ),
    "another number of classes": (
        lambda: layers.Categorical(num_classes=3)(logits=np.zeros(4)),
        r"Received: shape \(4,\)\s+Expected: a shape that ends with \(3,\)",
    ),
    "features after a call without": (
        lambda: (layer := layers.Normal(2)) and (layer(loc=0.0), layer(FEATURES)),
        "was built without heads by an earlier call",
    ),
    "a learned distribution": (
        lambda: layers.RandomVariable(tfd.QuantizedDistribution, distribution="learned")(),
        "`distribution`.*can't be learned",
    ),
    "an unknown parameter of `distribution`": (lambda: layers.Normal().distribution(lok=1.0), "Did you mean 'loc'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name):
    program, message = WRONG[name]
    with pytest.raises(SiteError, match=message):
        program()

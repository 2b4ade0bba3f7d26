"""What every public class of a kind must do; a new one is tested by being exported.

`RANDOM_VARIABLE` lists the checks of a random-variable layer; each takes a case of `layers.cases`.
"""

import functools

import keras
import numpy as np
from keras import ops

from kprob import backend, distributions, effects, handlers, layers
from kprob.layers.parameter_sources import learnable

DRAWS = 20_000
ROWS = 3


def make(case, **changes):
    """Returns the case's layer, for calls with parameters."""
    return getattr(layers, case.name)(*case.args, **{**case.make, **changes})


def make_learned(case, **changes):
    """Returns the case's layer, for calls with features."""
    arguments = case.make if case.learned is None else case.learned
    return getattr(layers, case.name)(*case.args, **{**arguments, **changes})


@functools.cache
def layer_of(case):
    """Returns the case's layer, the same one each time: TensorFlow makes no variables inside a graph."""
    return make(case)


def distribution_of(case, parameters=None):
    """Returns the distribution of a call whose three rows are the batch."""
    with handlers.rows(size=ROWS), effects.plate("data"):
        return layer_of(case).distribution(**(case.parameters if parameters is None else parameters))


def as_numpy(value):
    """Returns an array, in float64 where it holds floats."""
    value = np.asarray(ops.convert_to_numpy(value))
    return value.astype("float64") if value.dtype.kind == "f" else value


def compiled(function, *arguments, jit=False):
    """Runs a function of tensors in a graph; JAX compiles it."""
    return backend.compile_function(function, jit=jit)(*arguments)


def run_once(function, *arguments, variables=lambda: ()):
    """Runs a function of tensors eagerly, but compiled on JAX, which would take minutes op by op."""
    if backend.name == "tensorflow":
        return function(*arguments)
    return backend.compile_function(function, variables=variables)(*arguments)


@functools.cache
def facts(case):
    """Returns what the checks ask of a case's distribution, computed in one compiled function: a dict of arrays."""
    changing = [name for name in case.parameters if name not in case.fixed]
    fixed = {name: case.parameters[name] for name in case.fixed}
    event = tuple(distribution_of(case).event_shape)
    outside = [np.broadcast_to(np.asarray(v, "float32"), (ROWS, *event)) for v in case.outside]
    continuous = case.bijector and not distributions.is_discrete(distribution_of(case))

    def run(*arguments):
        def distribution(*values):
            return distribution_of(case, {**fixed, **dict(zip(changing, values, strict=True))})

        own = distribution(*arguments)
        few = _fresh(distributions.draw(own, (6,), backend.random.seed(2)))
        found = {
            "draws": distributions.draw(own, (DRAWS,), backend.random.seed(1)),
            "few": few,
            "density": own.log_prob(few),
            "inside": distributions.contains(own, few),
            "outside": [distributions.contains(own, value) for value in outside],
            "density_gradients": _gradients(lambda *v: ops.sum(distribution(*v).log_prob(_fresh(few))), arguments),
        }
        if distributions.is_reparameterized(own):
            found["draw_gradients"] = _gradients(lambda *v: _mixed(distribution(*v)), arguments)
        return found | (_support_facts(own, few) if continuous else {})

    found = compiled(run, *(ops.convert_to_tensor(case.parameters[name]) for name in changing))
    return {name: _arrays(value) for name, value in found.items()}


def _arrays(value):
    if isinstance(value, list | tuple):
        return [None if one is None else as_numpy(one) for one in value]
    return as_numpy(value)


def _fresh(value):
    # A tensor of its own: TFP's bijectors remember the values that they made and met.
    return value * ops.ones_like(value)


def _gradients(function, arguments):
    return list(backend.gradients(function, *arguments)[1])


def _mixed(distribution):
    # Draws with different weights, since the elements of a simplex have a constant sum.
    draws = distributions.draw(distribution, (6,), backend.random.seed(3))
    return ops.sum(draws * ops.reshape(_count(draws) % 7, draws.shape))


def _support_facts(distribution, few):
    bijector = distributions.support_bijector(distribution)
    free = bijector.inverse(few)
    again = bijector.forward(_fresh(free))
    anywhere = bijector.forward(0.7 * ops.reshape(ops.cos(_count(free)), free.shape))
    return {
        "again": again,
        "log_jacobian": bijector.forward_log_det_jacobian(free, event_ndims=len(free.shape) - 2),
        "anywhere": distributions.contains(distribution, anywhere),
    }


def _count(values):
    return ops.arange(int(np.prod(values.shape)), dtype=values.dtype)


def check_density(case):
    """The log-density is the reference's, at draws."""
    found = facts(case)
    assert found["density"].shape == (6, ROWS)
    if case.reference is not None:
        expected = case.reference.logpdf(found["few"].astype("float64"))
        np.testing.assert_allclose(found["density"], expected, rtol=case.density, atol=case.density)


def check_draws(case):
    """20,000 draws have the reference's distribution function, or its means and covariances."""
    values = facts(case)["draws"].astype("float64")
    if case.reference is None:
        np.testing.assert_array_equal(values, np.broadcast_to(case.parameters["loc"], values.shape))
    elif hasattr(case.reference, "cdf"):
        _check_cdf(case.reference, values)
    else:
        _check_moments(np.asarray(case.reference.mean()), np.asarray(case.reference.cov()), values)


def _check_cdf(reference, values):
    # Kolmogorov and Smirnov: the largest distance from the distribution function is below 2.2 / sqrt(n) with
    # probability 0.9999; for discrete variables it's more.
    values = getattr(reference, "statistic", lambda x: x)(values)
    places = np.sort(values, axis=0)[np.linspace(0, DRAWS - 1, 200).astype(int)]
    expected = reference.cdf(places)
    for row in range(ROWS):
        found = np.searchsorted(np.sort(values[:, row]), places[:, row], side="right") / DRAWS
        assert np.max(np.abs(found - expected[:, row])) < 2.2 / np.sqrt(DRAWS), f"row {row}"


def _check_moments(mean, cov, values):
    # Means within five standard errors; covariances within five too, or 10 % of the standard deviations' product, where
    # tails are so heavy that the standard error itself isn't known from 20,000 draws.
    spread = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
    assert np.all(np.abs(values.mean(0) - mean) < 5 * spread / np.sqrt(DRAWS))
    centred = values - values.mean(0)
    products = centred[..., :, None] * centred[..., None, :]
    allowed = np.maximum(0.1 * spread[:, :, None] * spread[:, None, :], 5 * products.std(0) / np.sqrt(DRAWS))
    assert np.all(np.abs(products.mean(0) - cov) < allowed)


def check_support(case):
    """Draws are possible, impossible values aren't, and the support's bijector leads there and back."""
    found = facts(case)
    assert found["inside"].shape == (6, ROWS) and found["inside"].all()
    for value, inside in zip(case.outside, found["outside"], strict=True):
        assert inside.shape == (ROWS,) and not inside[0], value
    if "again" in found:
        np.testing.assert_allclose(found["again"], found["few"], rtol=2e-3, atol=2e-3)
        assert np.isfinite(found["log_jacobian"]).all()
        assert found["anywhere"].all(), "the bijector leads out of the support"


def check_values(case):
    """All values of a finite support are found, and their probabilities sum to one."""
    distribution = distribution_of(case)
    values = distributions.enumerate_support(distribution)
    if case.values is None:
        assert values is None
        return
    assert values.shape[0] == case.values
    probs = np.exp(as_numpy(distribution.log_prob(values)))
    assert probs.shape == (case.values, ROWS)
    np.testing.assert_allclose(probs.sum(0), 1.0, rtol=1e-5)


def check_gradients(case):
    """The density, and draws where they are reparameterised, have finite gradients for every parameter."""
    found, names = facts(case), [name for name in case.parameters if name not in case.fixed]
    assert ("draw_gradients" in found) == distributions.is_reparameterized(distribution_of(case))
    for kind in ("density_gradients", "draw_gradients"):
        for name, gradient in zip(names, found.get(kind, []), strict=False):
            if kind == "density_gradients" and name in case.flat:
                continue
            assert gradient is not None, f"{kind} of {name}"
            assert np.isfinite(gradient).all() and np.any(gradient != 0.0), f"{kind} of {name}: {gradient}"


def check_compiled(case):
    """Draws and densities are the same eagerly and compiled; under XLA too, where kprob draws itself."""
    eager = distribution_of(case)
    values = distributions.draw(eager, (6,), backend.random.seed(2))
    np.testing.assert_allclose(
        as_numpy(eager.log_prob(facts(case)["few"].astype(as_tensor_dtype(values)))),
        facts(case)["density"],
        rtol=1e-2,
        atol=2e-3,
    )
    if case.own_draws:
        np.testing.assert_allclose(as_numpy(values), facts(case)["few"], rtol=1e-3, atol=1e-4)
        check_xla(case)


def as_tensor_dtype(value):
    """Returns a tensor's type as a string."""
    return keras.backend.standardize_dtype(value.dtype)


def check_xla(case):
    """XLA compiles a call, draws the same where kprob draws itself, and computes the same density."""

    def run(*arguments):
        distribution = distribution_of(case, dict(zip(case.parameters, arguments, strict=True)))
        values = distributions.draw(distribution, (6,), backend.random.seed(2))
        return values, distribution.log_prob(values)

    values, density = compiled(run, *map(ops.convert_to_tensor, case.parameters.values()), jit=True)
    again = as_numpy(distribution_of(case).log_prob(values))
    np.testing.assert_allclose(as_numpy(density), again, rtol=1e-2, atol=2e-3)
    if case.own_draws:
        np.testing.assert_allclose(as_numpy(values), facts(case)["few"], rtol=1e-3, atol=1e-4)


def check_heads(case):
    """Called with features, a layer learns every parameter that it can; all are trained, and all values possible."""
    layer, features = make_learned(case), keras.random.normal((5, 3), seed=3)
    layer.distribution(features)
    assert set(layer.heads) == set(learnable(layer.family, layer._defaults))
    assert len(layer.trainable_variables) == 2 * len(layer.heads) > 0

    def run(*weights):
        with _with_weights(layer, weights):
            with handlers.seed(seed=0), handlers.rows(size=5), handlers.trace() as trace, effects.plate("data"):
                layer(features)
        site = trace.result[layer.site_name]
        assert tuple(site.distribution.batch_shape) == (5,)
        return distributions.contains(site.distribution, site.value), *_density_gradients(
            layer, (features,), site.value
        )

    inside, *gradients = run_once(run, *(w.value for w in layer.trainable_variables))
    assert bool(ops.all(inside))
    _assert_trained(case, layer, gradients)


def check_learned(case):
    """Parameters given as "learned" are variables that start at the family's standard values and are trained."""
    names = learnable(make_learned(case).family, make_learned(case)._defaults)
    layer = make_learned(case, **dict.fromkeys(names, "learned"))
    layer.distribution()
    assert len(layer.trainable_variables) == len(names)
    for name, parameter in layer.family.parameters.items():
        if name in names and parameter.standard == 0.0 and not parameter.spread:
            np.testing.assert_allclose(as_numpy(layer.free[name]), 0.0, atol=1e-6)

    def run(*weights):
        with _with_weights(layer, weights), handlers.seed(seed=0):
            value = layer()
        return value, *_density_gradients(layer, (), value)

    _, *gradients = run_once(run, *(w.value for w in layer.trainable_variables))
    _assert_trained(case, layer, gradients)


def _with_weights(layer, values):
    return keras.StatelessScope(list(zip(layer.trainable_variables, values, strict=True)))


def _density_gradients(layer, arguments, value):
    def density(*weights):
        with _with_weights(layer, weights):
            return ops.sum(layer.distribution(*arguments).log_prob(value))

    return _gradients(density, [w.value for w in layer.trainable_variables])


def _assert_trained(case, layer, gradients):
    for weight, gradient in zip(layer.trainable_variables, gradients, strict=True):
        if case.name != "Deterministic":
            assert gradient is not None, weight.path
            assert np.isfinite(as_numpy(gradient)).all(), weight.path


def check_config(case):
    """`get_config` and `from_config` make the same layer, of plain values."""
    for layer in (make(case, name="x"), make_learned(case, name="x")):
        written = keras.saving.serialize_keras_object(layer.get_config())
        again = type(layer).from_config(keras.saving.deserialize_keras_object(written))
        assert keras.saving.serialize_keras_object(again.get_config()) == written


def check_functional(case):
    """A layer works in a functional model by keywords: its shape and type are known before it runs."""
    inputs = {name: keras.Input(value.shape[1:], name=name) for name, value in case.parameters.items()}
    event = tuple(distribution_of(case).event_shape)
    outputs = make(case, name="x")(**inputs)
    assert tuple(outputs.shape) == (None, *event)
    model = keras.Model(inputs, outputs)
    given = {name: ops.convert_to_tensor(value) for name, value in case.parameters.items()}
    value = run_once(lambda values: model(values), given, variables=lambda: model.variables)
    assert tuple(value.shape) == (ROWS, *event)
    assert as_tensor_dtype(value) == outputs.dtype


def check_saved(case, folder):
    """A layer works in `Sequential` by features, and is the same after saving and loading."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), make_learned(case, name="x")])
    event = model.layers[-1].event_shape
    if event is None:
        event = tuple(distribution_of(case).event_shape)
    assert tuple(model.output_shape) == (None, *event)
    model.save(folder / "model.keras")
    again = keras.models.load_model(folder / "model.keras")
    assert type(again.layers[-1]) is type(model.layers[-1]) and again.layers[-1].site_name == "x"
    assert [w.name for w in again.layers[-1].weights] == [w.name for w in model.layers[-1].weights]
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(as_numpy(one), as_numpy(other))
    features = np.ones((2, 4), "float32")
    one, other = (m.layers[-1].distribution(features) for m in (model, again))
    for name, value in _parameters(one).items():
        np.testing.assert_array_equal(value, _parameters(other)[name])


def _parameters(distribution):
    base, _ = distributions.split_independent(distribution)
    return {n: as_numpy(v) for n, v in base.parameters.items() if backend.is_tensor(v)}


def check_precision(case):
    """Under a 16-bit policy draws have its type (counts stay whole), and densities are float32."""
    layer, features = make_learned(case, dtype="mixed_bfloat16"), ops.ones((2, 3), "bfloat16")
    symbolic = layer(keras.Input((3,), dtype="bfloat16"))

    def run(features):
        distribution = layer.distribution(features)
        value = distributions.draw(distribution, (), backend.random.seed(0))
        return layer(features), distribution.log_prob(value)

    value, density = run_once(run, features, variables=lambda: layer.variables)
    expected = layer.family.dtype or ("float32" if layer.family.discrete else "bfloat16")
    assert as_tensor_dtype(value) == symbolic.dtype == expected
    assert as_tensor_dtype(density) == "float32"


RANDOM_VARIABLE = (
    check_density,
    check_draws,
    check_support,
    check_values,
    check_gradients,
    check_compiled,
    check_heads,
    check_learned,
    check_config,
    check_functional,
    check_saved,
    check_precision,
)

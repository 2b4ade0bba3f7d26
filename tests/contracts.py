"""What every public class of a kind must do; a new one is tested by being exported.

`check_random_variable(case)` runs everything below on one case of `layers.cases`.
"""

import keras
import numpy as np
from keras import ops

from kprob import backend, distributions, handlers, layers

DRAWS = 20_000


def make(case, **changes):
    """Returns the case's layer, for calls with parameters."""
    return getattr(layers, case.name)(*case.args, **{**case.make, **changes})


def make_learned(case, **changes):
    """Returns the case's layer, for calls with features."""
    arguments = case.make if case.learned is None else case.learned
    return getattr(layers, case.name)(*case.args, **{**arguments, **changes})


def distribution_of(case):
    """Returns the distribution of a call whose three rows are the batch."""
    with handlers.rows(size=3), kprob_plate():
        return make(case).distribution(**case.parameters)


def kprob_plate():
    """Opens the data plate."""
    return layers.random_variable.effects.plate("data")


def as_numpy(value):
    """Returns an array in float64 where it holds floats."""
    value = np.asarray(ops.convert_to_numpy(value))
    return value.astype("float64") if value.dtype.kind == "f" else value


def drawn(case, number=6, seed=0):
    """Returns draws, shape (number, 3) + event."""
    return distributions.draw(distribution_of(case), (number,), backend.random.seed(seed))


def check_density(case):
    """The log-density is the reference's, at draws."""
    if case.reference is None:
        return
    values = drawn(case)
    found = as_numpy(distribution_of(case).log_prob(values))
    expected = case.reference.logpdf(as_numpy(values).astype("float64"))
    assert found.shape == (6, 3)
    np.testing.assert_allclose(found, expected, rtol=case.density, atol=case.density)


def check_draws(case):
    """20,000 draws have the reference's distribution function, or its means and covariances."""
    if case.reference is None:
        return
    values = as_numpy(drawn(case, DRAWS)).astype("float64")
    if hasattr(case.reference, "cdf"):
        _check_cdf(case, values)
    elif getattr(case.reference, "mean", lambda: None)() is not None:
        mean, cov = np.asarray(case.reference.mean()), np.asarray(case.reference.cov())
        spread = np.sqrt(np.diagonal(cov, axis1=-2, axis2=-1))
        # Five standard errors: one of 10,000 right means fails 0.006 times.
        assert np.all(np.abs(values.mean(0) - mean) < 5 * spread / np.sqrt(DRAWS))
        found = np.stack([np.cov(values[:, row].T) for row in range(3)])
        scale = spread[:, :, None] * spread[:, None, :]
        assert np.all(np.abs(found - cov) < 0.15 * scale)


def _check_cdf(case, values):
    # Kolmogorov and Smirnov: the largest distance from the distribution function is below 2.2 / sqrt(n) with
    # probability 0.9999; for discrete variables more so.
    places = np.sort(values, axis=0)
    places = places[np.linspace(0, DRAWS - 1, 200).astype(int)]
    for row in range(3):
        at = np.repeat(places[:, row : row + 1], 3, axis=1)
        expected = case.reference.cdf(at)[:, row]
        found = np.mean(values[:, row] <= places[:, row, None], axis=1)
        assert np.max(np.abs(found - expected)) < 2.2 / np.sqrt(DRAWS), f"row {row}"


def check_support(case):
    """Draws are possible, impossible values aren't, and the support's bijector leads there and back."""
    distribution, values = distribution_of(case), drawn(case)
    assert bool(ops.all(distributions.contains(distribution, values)))
    assert distributions.contains(distribution, values).shape == (6, 3)
    for value in case.outside:
        rows = np.broadcast_to(np.asarray(value, "float32"), (3, *np.shape(value)))
        assert not np.any(as_numpy(distributions.contains(distribution, rows))[:1]), value
    if distributions.is_discrete(distribution) or not case.bijector:
        return
    bijector = distributions.support_bijector(distribution)
    free = bijector.inverse(values)
    ndims = len(free.shape) - 2
    again = bijector.forward(ops.convert_to_tensor(ops.convert_to_numpy(free)))
    np.testing.assert_allclose(as_numpy(again), as_numpy(values), rtol=2e-3, atol=2e-3)
    assert np.all(np.isfinite(as_numpy(bijector.forward_log_det_jacobian(free, event_ndims=ndims))))
    # Any numbers are mapped into the support.
    anywhere = 0.5 * keras.random.normal(tuple(free.shape), seed=1)
    assert bool(ops.all(distributions.contains(distribution, bijector.forward(anywhere))))


def check_values(case):
    """All values of a finite support are found, and their probabilities sum to one."""
    values = distributions.enumerate_support(distribution_of(case))
    if case.values is None:
        assert values is None
        return
    assert values.shape[0] == case.values
    probs = np.exp(as_numpy(distribution_of(case).log_prob(values)))
    np.testing.assert_allclose(probs.sum(0), 1.0, rtol=1e-5)


def check_gradients(case):
    """The density, and draws where they are reparameterised, have finite gradients for every parameter."""
    names = [name for name in case.parameters if name not in case.fixed]
    given = [ops.convert_to_tensor(case.parameters[name]) for name in names]
    fixed = {name: case.parameters[name] for name in case.fixed}
    layer, values = make(case), drawn(case)
    smooth = distributions.is_reparameterized(distribution_of(case))

    def density(*arguments):
        with handlers.rows(size=3), kprob_plate():
            distribution = layer.distribution(**fixed, **dict(zip(names, arguments, strict=True)))
        return ops.sum(distribution.log_prob(values))

    def draws(*arguments):
        with handlers.rows(size=3), kprob_plate():
            distribution = layer.distribution(**fixed, **dict(zip(names, arguments, strict=True)))
        own = distributions.draw(distribution, (6,), backend.random.seed(1))
        # Weighted, since the elements of a simplex have a constant sum.
        return ops.sum(own * ops.reshape(ops.arange(int(np.prod(own.shape)), dtype="float32") % 7, own.shape))

    _, found = backend.gradients(density, *given)
    _assert_gradients(names, found, zero=("loc",) if case.name == "Deterministic" else ())
    if smooth:
        _, found = backend.gradients(draws, *given)
        _assert_gradients(names, found)


def _assert_gradients(names, gradients, zero=()):
    for name, gradient in zip(names, gradients, strict=True):
        if name in zero:
            continue
        assert gradient is not None, name
        # An infinite bound has a gradient of 0; nothing has NaN.
        assert np.all(np.isfinite(as_numpy(gradient))), name
        assert np.any(as_numpy(gradient) != 0.0), name


def check_compiled(case):
    """Graphs and XLA give the eager densities, and the eager draws where kprob draws itself."""
    names, given = list(case.parameters), [ops.convert_to_tensor(v) for v in case.parameters.values()]
    layer = make(case)
    if not layer.built:
        layer.build()

    def run(*arguments):
        with handlers.rows(size=3), kprob_plate():
            distribution = layer.distribution(**dict(zip(names, arguments, strict=True)))
        values = distributions.draw(distribution, (6,), backend.random.seed(2))
        return values, distribution.log_prob(values), distributions.contains(distribution, values)

    eager = run(*given)
    for jit in (False, True):
        values, density, inside = backend.compile_function(run, jit=jit)(*given)
        assert bool(ops.all(inside))
        if case.own_draws:
            np.testing.assert_allclose(as_numpy(values), as_numpy(eager[0]), rtol=1e-3, atol=1e-4)
            np.testing.assert_allclose(as_numpy(density), as_numpy(eager[1]), rtol=1e-2, atol=2e-3)
        else:
            again = distribution_of(case).log_prob(values)
            np.testing.assert_allclose(as_numpy(density), as_numpy(again), rtol=1e-2, atol=2e-3)


def check_heads(case):
    """Called with features, a layer learns every parameter that it can; all are trained, and all values possible."""
    layer = make_learned(case)
    features = keras.random.normal((5, 3), seed=3)
    with handlers.seed(seed=0), handlers.rows(size=5), handlers.trace() as trace, kprob_plate():
        layer(features)
    site = next(iter(trace.result.sites.values()))
    distribution, value = site.distribution, site.value
    assert tuple(distribution.batch_shape) == (5,)
    assert bool(ops.all(distributions.contains(distribution, value))) or case.name == "Deterministic"
    assert layer.heads and len(layer.trainable_variables) == 2 * len(layer.heads)
    assert _trained(layer, lambda: ops.sum(layer.distribution(features).log_prob(value))) or case.name == "Deterministic"


def check_learned(case):
    """Parameters given as "learned" are variables that start at the family's standard values and are trained."""
    names = [n for n in case.parameters if n not in case.fixed and n not in (case.learned or {})]
    layer = make_learned(case, **dict.fromkeys(names, "learned"))
    value = layer()
    assert len(layer.trainable_variables) == len(names)
    distribution = layer.distribution()
    assert tuple(distribution.batch_shape) == ()
    for name, parameter in layer.family.parameters.items():
        if name in names and parameter.standard == 0.0 and not parameter.spread:
            np.testing.assert_allclose(as_numpy(layer.free[name]), 0.0, atol=1e-6)
    if case.name != "Deterministic":
        assert _trained(layer, lambda: ops.sum(layer.distribution().log_prob(value)))


def _trained(layer, loss):
    # Whether every weight has a finite gradient that isn't zero everywhere.
    def of_values(*values):
        with keras.StatelessScope(list(zip(layer.trainable_variables, values, strict=True))):
            return loss()

    _, gradients = backend.gradients(of_values, *[v.value for v in layer.trainable_variables])
    return all(g is not None and np.all(np.isfinite(as_numpy(g))) for g in gradients)


def check_functional(case, folder):
    """A layer works in a functional model, by keyword and by features; its shapes are known; saving keeps it."""
    inputs = {n: keras.Input(v.shape[1:], dtype="float32", name=n) for n, v in case.parameters.items()}
    shape = _event_shape(case)
    outputs = make(case, event_shape=shape, name="x")(**inputs) if _takes_event(case) else make(case)(**inputs)
    assert tuple(outputs.shape) == (None, *shape), outputs.shape
    model = keras.Model(inputs, outputs)
    value = model({n: ops.convert_to_tensor(v) for n, v in case.parameters.items()})
    assert tuple(value.shape) == (3, *shape)
    assert keras.backend.standardize_dtype(value.dtype) == outputs.dtype
    sequential = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), make_learned(case, name="x")])
    assert tuple(sequential.output_shape) == (None, *_learned_shape(case))
    sequential.save(folder / "model.keras")
    again = keras.models.load_model(folder / "model.keras")
    assert [v.shape for v in again.weights] == [v.shape for v in sequential.weights]
    for one, other in zip(sequential.weights, again.weights, strict=True):
        np.testing.assert_array_equal(as_numpy(one), as_numpy(other))
    assert type(again.layers[-1]) is type(sequential.layers[-1]) and again.layers[-1].site_name == "x"
    features = np.ones((2, 3), "float32")
    one, other = (m.layers[-1].distribution(m.layers[0](features)) for m in (sequential, again))
    same = one.sample(seed=backend.random.seed(0))
    np.testing.assert_allclose(as_numpy(one.log_prob(same)), as_numpy(other.log_prob(same)), rtol=1e-6)


def _event_shape(case):
    return tuple(distribution_of(case).event_shape)


def _takes_event(case):
    return "event_shape" not in case.make and case.name != "HiddenMarkovModel" and not _event_shape(case)


def _learned_shape(case):
    layer = make_learned(case)
    return _event_shape(case) if layer.event_shape is None else layer.event_shape


def check_config(case):
    """`get_config` and `from_config` make the same layer, of plain values."""
    layer = make(case, name="x", **({} if case.args else {}))
    config = layer.get_config()
    again = type(layer).from_config(keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(config)))
    assert keras.saving.serialize_keras_object(again.get_config()) == keras.saving.serialize_keras_object(config)


def check_precision(case):
    """Under a 16-bit policy draws have its type (counts stay whole), and densities stay in float32."""
    layer = make_learned(case, dtype="mixed_bfloat16", name="x")
    features = ops.ones((2, 3), "bfloat16")
    value, distribution = layer(features), layer.distribution(features)
    expected = distribution.dtype if layer.family.discrete else "bfloat16"
    assert keras.backend.standardize_dtype(value.dtype) == keras.backend.standardize_dtype(expected)
    assert keras.backend.standardize_dtype(distribution.log_prob(value_like(distribution)).dtype) == "float32"
    symbolic = make_learned(case, dtype="mixed_bfloat16")(keras.Input((3,), dtype="bfloat16"))
    assert symbolic.dtype == keras.backend.standardize_dtype(value.dtype)


def value_like(distribution):
    """Returns one draw."""
    return distributions.draw(distribution, (), backend.random.seed(0))


CHECKS = (
    check_density,
    check_draws,
    check_support,
    check_values,
    check_gradients,
    check_compiled,
    check_heads,
    check_learned,
    check_config,
    check_precision,
    check_functional,
)

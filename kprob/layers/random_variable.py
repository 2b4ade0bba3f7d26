"""A random variable as a Keras layer: the shell around `kprob.sample` that all families share.

Where each parameter comes from, in this order: a keyword of the call, the constructor (a number, an array, or
`"learned"` for a free variable), a learned head where the call has features, the family's standard value.
"""

import keras
import numpy as np

from kprob import checks, effects
from kprob.backend import is_tensor, random, static_shape, tfd
from kprob.distributions import Family, draw, get_constraint, get_family
from kprob.distributions.from_class import family_from_class
from kprob.errors import SiteError, did_you_mean, explain, names
from kprob.layers.shapes import batch_shape_of, broadcast_batch, normalize_event_shape
from kprob.saving import register

LEARNED = "learned"


@register
class RandomVariable(keras.layers.Layer):
    """A random variable of any family.

    The named layers (`layers.Normal`, `layers.Bernoulli`, ...) are this layer with their family filled in.

    Called with keywords, they are the distribution's parameters: `x(loc=0.0, scale=1.0)`. Called with features, heads
    are learned for the parameters that neither a keyword nor the constructor gives: `z(features)`. Called with nothing,
    constructor and standard values hold. The value is drawn; inside a model's network it may be observed instead. The
    layer names a site: by `name`, else by the attribute of the model that holds it.

    Args:
        family: A class of TFP distributions, such as `tfd.Skellam`, or the name of a registered family.
        event_shape: Shape of one value, an int or a tuple; where it is left out, what the parameters' common shape has
            left of the plates' axes.
        name: Name of the site.
        dtype: Keras dtype or dtype policy. Densities are computed in float32 or better.
        trainable: Whether heads and free parameters are trained.
        **parameters: Values for parameters (numbers, arrays, `"learned"`), and settings of the family.

    Call arguments:
        features: Tensor (..., F) for the heads, or nothing.
        **kwargs: Parameters, which broadcast to `plate_shape + event_shape`, aligned right.

    Output shape:
        `plate_shape + event_shape`.

    Raises:
        SiteError: A parameter is unknown, missing, given twice, or has a shape that doesn't fit.

    Example:
        ```python
        from kprob import layers, tfd

        difference = layers.RandomVariable(tfd.Skellam, rate1=3.0, rate2=1.0)
        assert difference().shape == ()
        ```
    """

    def __init__(self, family, event_shape=None, *, name=None, dtype=None, trainable=True, **parameters):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        # Parameters keep their type: a bfloat16 policy is for networks, not for densities.
        self.autocast = False
        self._allow_non_tensor_positional_args = True
        self.family: Family = _resolve_family(family)
        self.event_shape = normalize_event_shape(event_shape)
        self.explicit_name = name is not None
        self.owner_name: str | None = None
        self.settings = {k: parameters.pop(k, v) for k, v in self.family.settings.items()}
        self._check_known(parameters)
        self._defaults = {k: v for k, v in parameters.items() if not _is_learned(v)}
        self.learned = tuple(k for k, v in parameters.items() if _is_learned(v))
        self.seed_generator = keras.random.SeedGenerator()
        self.heads: dict[str, keras.layers.Layer] = {}
        self.free: dict[str, keras.Variable] = {}
        self._head_names: tuple[str, ...] | None = None

    @property
    def site_name(self) -> str:
        """Name of the site that the layer declares."""
        return self.name if self.explicit_name or self.owner_name is None else self.owner_name

    def __call__(self, features=None, **kwargs):
        # Functional models hand Keras's own context arguments to every layer that takes keywords.
        kwargs = {k: v for k, v in kwargs.items() if k not in ("training", "mask")}
        self._check_known(kwargs)
        if features is not None and not self.built and self._head_names is None:
            self._head_names = self._free_names(kwargs)
        kwargs = {k: self._as_tensor(v) for k, v in kwargs.items()}
        if features is None:
            return super().__call__(**kwargs)
        return super().__call__(self._features(features), **kwargs)

    def build(self, features_shape=None):
        if features_shape is not None and self._head_names is None:
            self._head_names = self._free_names({})
        for name in self.learned:
            size = get_constraint(self.family.parameters[name].constraint).size(self._value_shape(name))
            self.free[name] = self.add_weight(
                shape=size, initializer=_FreeInitializer(self._initial(name)), name=name, trainable=True
            )
        for name in self._head_names or ():
            size = get_constraint(self.family.parameters[name].constraint).size(self._value_shape(name))
            head = keras.layers.Dense(int(np.prod(size, dtype=int)), name=f"{name}_head", dtype=self.dtype_policy)
            head.build(features_shape)
            self.heads[name] = head
        self._features_shape = features_shape
        self.built = True

    def call(self, features=None, **kwargs):
        value = self._sample(self.distribution(features, **kwargs))
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(value.dtype)):
            value = keras.ops.cast(value, self.compute_dtype)
        return value

    def distribution(self, features=None, **kwargs):
        """Builds the TFP distribution of a call, with the layer's event shape."""
        values = self._parameters(features, kwargs)
        family, settings = self.family, self.settings
        if self.event_shape is None:
            plates = len(effects.STATE.plates)
            common = batch_shape_of(family, values)
            extra = max(0, len(common) - plates)
        else:
            extra = len(self.event_shape) - family.event_ndims
            if extra < 0:
                raise SiteError(self._event_shape_message())
            values = broadcast_batch(self.site_name, family, values, self.event_shape[:extra])
        distribution = family.constructor(**values, **settings)
        self._check_event(distribution, extra)
        return tfd.Independent(distribution, extra) if extra else distribution

    def compute_output_spec(self, features=None, **kwargs):
        """Shape and type of the value for symbolic calls: batch axes of the parameters, then the event's."""
        family = self.family
        given = {k: v for k, v in {**self._defaults, **kwargs}.items() if k in family.parameters}
        shapes = []
        for name, value in given.items():
            shape = tuple(np.shape(value)) if not hasattr(value, "shape") else tuple(value.shape)
            shapes.append(shape[: len(shape) - family.parameters[name].event_ndims])
        event = self.event_shape
        if event is None:
            event = _family_event(family, given)
        extra = event[: len(event) - family.event_ndims]
        if features is not None:
            shapes.append((*tuple(features.shape)[:-1], *extra))
        batch = checks.broadcast_static([*shapes, extra])
        dtype = family.dtype if family.discrete and family.dtype else self.compute_dtype
        return keras.KerasTensor((*batch, *event[len(extra) :]), dtype=dtype)

    def get_config(self):
        parameters = {k: _config_value(v) for k, v in self._defaults.items()}
        parameters |= dict.fromkeys(self.learned, LEARNED)
        changed = {k: v for k, v in self.settings.items() if v != self.family.settings[k]}
        config = super().get_config()
        if not self.explicit_name:
            config.pop("name")
        return {**config, "family": self.family.name, "event_shape": self.event_shape, **parameters, **changed}

    @classmethod
    def from_config(cls, config):
        return cls(**{k: _config_restored(v) for k, v in config.items()})

    def get_build_config(self):
        shape = getattr(self, "_features_shape", None)
        return {"features_shape": shape, "head_names": list(self._head_names or ())}

    def build_from_config(self, config):
        if self.built:
            return
        self._head_names = tuple(config["head_names"]) if config["features_shape"] is not None else None
        shape = config["features_shape"]
        self.build(None if shape is None else tuple(shape))

    def _sample(self, distribution):
        if effects.running() or effects.STATE.plates:
            return effects.sample(self.site_name, distribution)
        # A layer on its own, in a plain Keras model or by hand: batch axes are free, and the layer's own generator
        # draws anew at every call of a compiled function.
        return draw(distribution, (), random.from_generator(self.seed_generator))

    def _check_known(self, given) -> None:
        for name in given:
            if name not in self.family.parameters:
                known = (*self.family.parameters, *self.family.settings)
                raise SiteError(
                    explain(
                        f"Random variable `{self.site_name}` has no parameter `{name}`.",
                        received=f"{name!r}",
                        expected=f"parameters of {self.family.name}: {names(known)}.{did_you_mean(name, known)}",
                        fix="use TFP's name of the parameter",
                    )
                )
            for rival in self.family.rivals(name):
                if rival in given:
                    raise SiteError(
                        explain(
                            f"Random variable `{self.site_name}` got both `{name}` and `{rival}`.",
                            expected=f"one of {names((name, rival))}",
                            fix="leave one of them out",
                        )
                    )

    def _free_names(self, given) -> tuple[str, ...]:
        # Parameters that a head gives: those that a head can give and nobody else does.
        taken = {*given, *self._defaults, *self.learned}
        candidates = self.family.learned or tuple(self.family.parameters)
        free = []
        for name in candidates:
            rivals = self.family.rivals(name)
            if name not in taken and not any(rival in taken or rival in free for rival in rivals):
                free.append(name)
        return tuple(free)

    def _parameters(self, features, given) -> dict:
        values = {k: v for k, v in self._defaults.items() if not any(r in given for r in self.family.rivals(k))}
        for name, variable in self.free.items():
            if not any(r in given for r in self.family.rivals(name)):
                constraint = get_constraint(self.family.parameters[name].constraint)
                values[name] = constraint.forward(_widen(keras.ops.convert_to_tensor(variable)))
        if features is not None:
            values |= self._head_values(features, given)
        values |= given
        values, missing = self.family.complete(values)
        if missing:
            raise SiteError(
                explain(
                    f"Random variable `{self.site_name}` lacks parameters.",
                    received=f"{names(values)}",
                    expected=f"{self.family.name} also needs {names(missing)}",
                    fix=f"pass {missing[0]}=... in the call or the constructor, or features for learned heads",
                )
            )
        return {k: _widen(self._as_tensor(v)) for k, v in values.items()}

    def _head_values(self, features, given) -> dict:
        values = {}
        for name, head in self.heads.items():
            if name in given or any(rival in given for rival in self.family.rivals(name)):
                continue
            constraint = get_constraint(self.family.parameters[name].constraint)
            size = constraint.size(self._value_shape(name))
            raw = _widen(head(features))
            if len(size) != 1:
                raw = keras.ops.reshape(raw, (*keras.ops.shape(raw)[:-1], *size))
            values[name] = constraint.forward(raw)
        return values

    def _value_shape(self, name: str) -> tuple[int, ...]:
        # Shape of a head's or a free parameter for one element of the plates.
        family, parameter = self.family, self.family.parameters[name]
        event = self.event_shape or ()
        extra = event[: len(event) - family.event_ndims]
        if parameter.event_ndims == 0:
            return extra
        if parameter.shape is None:
            raise SiteError(
                explain(
                    f"Parameter `{name}` of random variable `{self.site_name}` can't be learned.",
                    expected=f"a keyword: the shape of {name} doesn't follow from the event shape",
                    fix=f"pass {name}=... in the call or the constructor",
                )
            )
        return (*extra, *parameter.shape(event[len(extra) :], self.settings))

    def _initial(self, name: str):
        standard = self.family.parameters[name].standard
        constraint = get_constraint(self.family.parameters[name].constraint)
        if standard is None or self.family.parameters[name].event_ndims:
            return 0.0
        return float(keras.ops.convert_to_numpy(constraint.inverse(keras.ops.convert_to_tensor(standard, "float32"))))

    def _features(self, features):
        value = features if is_tensor(features) or isinstance(features, keras.KerasTensor) else None
        value = keras.ops.convert_to_tensor(features, dtype=self.compute_dtype) if value is None else value
        if len(value.shape) == 0:
            raise SiteError(
                explain(
                    f"Random variable `{self.site_name}` got a number as features.",
                    received=repr(features),
                    expected="a tensor (..., F) of features by position, or parameters by keyword",
                    fix="write the parameter's name, such as loc=..., if the number is a parameter",
                )
            )
        if self.built and not self.heads and self._free_names({}):
            raise SiteError(
                explain(
                    f"Random variable `{self.site_name}` got features, but was built without heads by an earlier call.",
                    expected="calls of one kind: all with features or none",
                    fix="use two layers with the same `name` in the two networks",
                )
            )
        return value

    def _as_tensor(self, value):
        if is_tensor(value) or isinstance(value, keras.KerasTensor):
            return value
        if isinstance(value, tfd.Distribution) or callable(value):
            return value
        dtype = "float64" if self.variable_dtype == "float64" else "float32"
        return keras.ops.convert_to_tensor(np.asarray(value), dtype=dtype)

    def _check_event(self, distribution, extra: int) -> None:
        if self.event_shape is None:
            return
        own = tuple(distribution.event_shape)
        if not checks.shapes_fit(own, self.event_shape[extra:]):
            raise SiteError(
                explain(
                    f"The parameters of random variable `{self.site_name}` don't fit its event shape.",
                    received=f"parameters for values of shape {own}",
                    expected=f"event shape {self.event_shape}",
                    fix="change `event_shape` of the layer, or the parameters",
                )
            )

    def _event_shape_message(self) -> str:
        return explain(
            f"Random variable `{self.site_name}` has too short an event shape.",
            received=f"event_shape={self.event_shape}",
            expected=f"at least {self.family.event_ndims} axes: values of {self.family.name} have so many",
            fix=f"write layers.{self.family.name}(dimension)",
        )


class _FreeInitializer(keras.initializers.Initializer):
    # A free parameter starts where its constrained value is the family's standard one.
    def __init__(self, value: float):
        self.value = value

    def __call__(self, shape, dtype=None, **kwargs):
        return keras.ops.full(shape, self.value, dtype=dtype)


def _resolve_family(family) -> Family:
    if isinstance(family, Family):
        return family
    if isinstance(family, str):
        return get_family(family)
    return family_from_class(family)


def _is_learned(value) -> bool:
    return isinstance(value, str) and value == LEARNED


def _widen(value):
    # Log-densities in 16 bits lose all their digits.
    dtype = getattr(value, "dtype", None)
    if dtype is not None and keras.backend.standardize_dtype(dtype) in ("float16", "bfloat16"):
        return keras.ops.cast(value, "float32")
    return value


def _family_event(family: Family, given) -> tuple:
    for name, value in given.items():
        ndims = family.parameters[name].event_ndims
        if ndims and ndims == family.event_ndims:
            return tuple(static_shape(value) if hasattr(value, "shape") else np.shape(value))[-ndims:]
    return (None,) * family.event_ndims


def _config_value(value):
    return keras.ops.convert_to_numpy(value) if is_tensor(value) else value


def _config_restored(value):
    return keras.saving.deserialize_keras_object(value) if isinstance(value, dict) and "class_name" in value else value

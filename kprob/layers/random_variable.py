"""A random variable as a Keras layer: the shell around `kprob.sample` that all families share.

Where each parameter comes from, in this order: a keyword of the call, the constructor (a number, an array, or
`"learned"` for a free variable), a learned head where the call has features, the family's standard value.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Self

import keras
import numpy as np

from kprob import effects
from kprob.backend import is_tensor, random
from kprob.distributions import Family, check_parameters, draw, get_constraint, resolve_family
from kprob.distributions.resolving import FamilyLike, family_key
from kprob.layers.argument_checks import (
    check_features,
    check_made_once,
    check_names,
    check_not_none,
    check_positional,
    check_value,
)
from kprob.layers.distribution_builder import DistributionBuilder
from kprob.layers.event_shapes import EventShape, normalize_event_shape
from kprob.layers.learned_parameters import free_weight, head_value, make_head
from kprob.layers.parameter_sources import LEARNED, is_learned, learnable, without_rivals
from kprob.layers.symbolic_calls import symbolic_output
from kprob.layers.value_config import restored_value, value_config
from kprob.saving import register
from kprob.types import ArrayLike, Distribution, Shape, Tensor


@register
class RandomVariable(keras.layers.Layer):
    """A random variable of any family of distributions, such as those that have no layer of their own.

    The named layers (`layers.Normal`, `layers.Bernoulli`, ...) are this layer with their family filled in, and take
    the same arguments.

    Called with keywords, they are the distribution's parameters: `x(loc=0.0, scale=1.0)`. Called with features, heads
    are learned for the parameters that neither a keyword nor the constructor gives: `z(features)`. Called with nothing,
    constructor and standard values hold. The value is drawn; inside a model's network it may be observed instead. The
    layer names a site: by `name`, else by the attribute of the model that holds it.

    Args:
        family: A class of TFP distributions, such as `tfd.Skellam`, or the name of a family that has a layer.
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

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        check_positional(cls.__name__, len(args), cls.__init__)
        return super().__new__(cls, *args, **kwargs)

    def __init__(
        self,
        family: FamilyLike,
        event_shape: EventShape = None,
        *,
        name: str | None = None,
        dtype: Any = None,
        trainable: bool = True,
        **parameters: Any,
    ):
        super().__init__(name=name, dtype=dtype, trainable=trainable)
        # Parameters keep their type: a bfloat16 policy is for networks, not for densities.
        self.autocast = False
        self._allow_non_tensor_positional_args = True
        self.family: Family = resolve_family(family)
        self.event_shape = normalize_event_shape(event_shape, self.family)
        self.explicit_name = name is not None
        self.made_inside = effects.running()
        self.name_in_model: str | None = None
        values = {k: v for k, v in parameters.items() if v is not None}
        self.settings = {k: values.pop(k, v) for k, v in self.family.settings.items()}
        check_names(self.site_name, self.family, values)
        self.learned = tuple(k for k, v in values.items() if is_learned(v))
        builder = self._builder
        # Numbers keep all their digits, whatever type the density is computed in.
        precise = dataclasses.replace(builder, dtype="float64")
        self._defaults = {
            k: (builder if is_tensor(v) else precise).convert(k, v) for k, v in values.items() if not is_learned(v)
        }
        self.seed_generator = keras.random.SeedGenerator()
        self.heads: dict[str, keras.layers.Layer] = {}
        self.free: dict[str, keras.Variable] = {}
        self._head_names: tuple[str, ...] | None = None
        self._features_shape: Shape | None = None

    @property
    def site_name(self) -> str:
        """Name of the site that the layer declares."""
        return self.name if self.explicit_name or self.name_in_model is None else self.name_in_model

    def name_after(self, name: str) -> None:
        """Names the site after what holds the layer in a model; the first such name stays.

        Args:
            name: Name of an attribute of the model, or of a variable that a network's function refers to.
        """
        if self.name_in_model is None:
            self.name_in_model = name

    def __call__(self, features: ArrayLike = None, *others: Any, **kwargs: Any) -> Tensor:
        check_positional(type(self).__name__, 1 + len(others), type(self).call)
        # Functional models hand Keras's own context arguments to every layer that takes keywords.
        kwargs = {k: v for k, v in kwargs.items() if k not in ("training", "mask")}
        check_names(self.site_name, self.family, kwargs)
        check_not_none(self.site_name, kwargs)
        if self.made_inside and effects.running():
            has_weights = features is not None or bool(self.learned)
            check_made_once(self.site_name, type(self).__name__, has_weights, self.explicit_name)
        kwargs = self._alike(kwargs)
        if features is None:
            return super().__call__(**kwargs)
        self._find_heads(kwargs)
        return super().__call__(self._features(features), **kwargs)

    def build(self, features_shape: Shape | None = None) -> None:
        for name in self.learned:
            shape = self._builder.learned_shape(name, self._defaults)
            self.free[name] = self.add_weight(**free_weight(self.family, name, shape))
        if features_shape is not None:
            self._find_heads({})
            for name in self._head_names or ():
                shape = self._builder.learned_shape(name, self._defaults)
                self.heads[name] = make_head(self.family, name, shape, features_shape, self.dtype_policy)
        self._features_shape = features_shape
        self.built = True

    def call(self, features: Tensor = None, **kwargs: Any) -> Tensor:
        value = self._sample(self.distribution(features, **kwargs))
        # Counts stay as they are: in 16 bits those above 256 would be rounded.
        if not self.family.discrete and keras.backend.is_float_dtype(keras.backend.standardize_dtype(value.dtype)):
            value = keras.ops.cast(value, self.compute_dtype)
        return value

    def distribution(self, features: ArrayLike = None, **kwargs: ArrayLike) -> Distribution:
        """Builds the TFP distribution of a call, whose event shape is the layer's.

        Args:
            features: Features for the heads, or nothing.
            **kwargs: Parameters.

        Returns:
            A `tfd.Distribution`, made anew in each call.
        """
        check_names(self.site_name, self.family, kwargs)
        features = None if features is None else self._features(features)
        if not self.built:
            if features is not None:
                self._find_heads(kwargs)
            self.build(None if features is None else tuple(features.shape))
        return self._builder.make(self._values(features, kwargs), len(effects.STATE.plates))

    def compute_output_spec(self, features: Tensor = None, **kwargs: Any) -> keras.KerasTensor:
        """Shape and type of the value for symbolic calls: batch axes of the parameters, then the event's."""
        family = self.family
        if family.event_ndims is None:
            return symbolic_output(super().compute_output_spec, features, kwargs)
        values = {**without_rivals(family, self._defaults, kwargs), **kwargs}
        shape = self._builder.output_shape(values, () if features is None else (tuple(features.shape)[:-1],))
        dtype = family.dtype or (self._density_dtype if family.discrete else self.compute_dtype)
        return keras.KerasTensor(shape, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.explicit_name:
            config.pop("name")
        if type(self) is RandomVariable:
            config["family"] = family_key(self.family)
        parameters = {k: value_config(v) for k, v in self._defaults.items()}
        changed = {k: value_config(v) for k, v in self.settings.items() if v != self.family.settings[k]}
        return {
            **config,
            "event_shape": self.event_shape,
            **parameters,
            **dict.fromkeys(self.learned, LEARNED),
            **changed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**{k: restored_value(v) for k, v in config.items()})

    def get_build_config(self) -> dict[str, Any]:
        return {"features_shape": self._features_shape, "head_names": list(self._head_names or ())}

    def build_from_config(self, config: dict[str, Any]) -> None:
        if self.built:
            return
        shape = config["features_shape"]
        self._head_names = None if shape is None else tuple(config["head_names"])
        self.build(None if shape is None else tuple(shape))

    def _sample(self, distribution: Distribution) -> Tensor:
        if effects.running() or effects.STATE.plates:
            return effects.sample(self.site_name, distribution)
        # A layer on its own, in a plain Keras model or by hand: batch axes are free, and the layer's own generator
        # draws anew at every call of a compiled function.
        check_parameters(self.site_name, distribution)
        return draw(distribution, (), random.from_generator(self.seed_generator))

    def _find_heads(self, parameters: Iterable[str]) -> None:
        if self._head_names is None and not self.built:
            self._head_names = learnable(self.family, (*parameters, *self._defaults, *self.learned))

    def _alike(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        # Keras wants keywords that are all tensors or none, and makes tensors of arrays itself; Python's numbers stay what
        # they are where they can, so that they are known before running.
        for name, value in kwargs.items():
            check_value(self.site_name, name, value, self.family.parameters[name])
        kwargs = {k: np.asarray(v, "float32") if isinstance(v, list | tuple) else v for k, v in kwargs.items()}
        if all(type(v) in (int, float) for v in kwargs.values()):
            return kwargs
        tensors = {k for k in kwargs if self.family.parameters[k].tensor}
        return {k: _tensor(self._builder.convert(k, v)) if k in tensors else v for k, v in kwargs.items()}

    @property
    def _density_dtype(self) -> str:
        return "float64" if self.compute_dtype == "float64" else "float32"

    @property
    def _builder(self) -> DistributionBuilder:
        return DistributionBuilder(self.site_name, self.family, self.event_shape, self.settings, self._density_dtype)

    def _values(self, features: Tensor, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        # Those of the call and the constructor, and what free variables and heads make of the rest.
        family, builder = self.family, self._builder
        fixed = {**without_rivals(family, self._defaults, kwargs), **kwargs}
        fixed = {name: builder.convert(name, value) for name, value in fixed.items()}
        learned: dict[str, Tensor] = {}
        for name, variable in without_rivals(family, self.free, fixed).items():
            raw = keras.ops.cast(keras.ops.convert_to_tensor(variable), builder.dtype)
            learned[name] = get_constraint(family.parameters[name].constraint).forward(raw)
        if features is not None:
            for name, head in without_rivals(family, self.heads, fixed).items():
                shape = builder.learned_shape(name, fixed)
                learned[name] = head_value(family, name, head, features, shape, builder.dtype)
        return builder.related(learned, fixed) if learned else fixed

    def _features(self, features: ArrayLike) -> Tensor:
        could_have_heads = bool(learnable(self.family, (*self._defaults, *self.learned)))
        check_features(self.site_name, features, without_heads=self.built and not self.heads and could_have_heads)
        if isinstance(features, keras.KerasTensor):
            return features
        return keras.ops.cast(features if is_tensor(features) else np.asarray(features), self.compute_dtype)


def _tensor(value: Any) -> Tensor:
    return value if isinstance(value, keras.KerasTensor) else keras.ops.convert_to_tensor(value)

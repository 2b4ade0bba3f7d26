"""Mean field: an independent normal for each latent number, in unconstrained space."""

import keras

from kprob import effects
from kprob.backend import tfd
from kprob.distributions import get_constraint
from kprob.guides.guide import Guide
from kprob.saving import register


@register
class Normal(Guide):
    """Independent normals over the unconstrained values of all latents: the mean-field family.

    Each latent's normal is carried onto its support by a bijector (the exponential for a scale, say). Means are often
    right and standard deviations too small where latents depend on each other: compare `MultivariateNormal`.

    Args:
        init_scale: Standard deviation, in unconstrained space, to start from.
        name: Name of the layer.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature(inference=kprob.guides.Normal(init_scale=0.5)).compile(kprob.ELBO(), "adam")
        model.fit({"sensor": 18.0}, epochs=1, verbose=0)
        assert model.posterior("temp").sample(7).shape == (7,)
        ```

    Reference:
        Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), "Automatic differentiation variational inference".
    """

    def __init__(self, init_scale: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.init_scale = init_scale
        self.loc: dict[str, keras.Variable] = {}
        self.scale: dict[str, keras.Variable] = {}

    @property
    def independent(self) -> bool:
        return all(bijector is not None for bijector in self.bijectors.values())

    def create(self, site: effects.Site, start) -> None:
        self.loc[site.name] = self._weight(start, f"{site.name}_loc")
        raw = get_constraint("positive").inverse(keras.ops.full_like(start, self.init_scale))
        self.scale[site.name] = self._weight(raw, f"{site.name}_scale")

    def posterior(self, name: str, rows):
        scale = get_constraint("positive").forward(rows(self.scale[name]))
        return tfd.Normal(rows(self.loc[name]), scale)

    def get_config(self) -> dict:
        return {**super().get_config(), "init_scale": self.init_scale}

    def _weight(self, start, name: str) -> keras.Variable:
        variable = self.add_weight(shape=tuple(start.shape), initializer="zeros", name=name, autocast=False)
        variable.assign(start)
        return variable

"""Random vectors and matrices."""

from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class MultivariateNormalDiag(RandomVariable):
    """A normal vector with independent elements, as one value.

    log p(x) = -½ Σ ((x - loc) / scale_diag)² - Σ log scale_diag - ½ D log 2π

    Args:
        event_shape: Shape of one value; the last axis has the D dimensions.
        loc: Mean, shape (..., D); standard value 0.
        scale_diag: Standard deviations, positive, shape (..., D); standard value 1.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.MultivariateNormalDiag(3, scale_diag=[1.0, 2.0, 3.0])
        assert x.distribution().log_prob([0.0, 0.0, 0.0]).shape == ()
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale_diag: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("MultivariateNormalDiag", event_shape, loc=loc, scale_diag=scale_diag, **kwargs)


@register
class MultivariateNormalTriL(RandomVariable):
    """A normal vector with any covariance, given by its Cholesky factor.

    log p(x) = -½ |L⁻¹ (x - loc)|² - Σ log diag L - ½ D log 2π,   L = scale_tril

    Args:
        event_shape: Shape of one value; the last axis has the D dimensions.
        loc: Mean, shape (..., D); standard value 0.
        scale_tril: Lower-triangular L with a positive diagonal, shape (..., D, D): the covariance is L Lᵀ. Standard
            value: the identity.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.MultivariateNormalTriL(2, loc="learned", scale_tril="learned")  # a full-rank posterior
        assert x().shape == (2,)
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, loc: ArrayLike = None, scale_tril: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("MultivariateNormalTriL", event_shape, loc=loc, scale_tril=scale_tril, **kwargs)


@register
class MultivariateNormalFullCovariance(RandomVariable):
    """A normal vector with any covariance, given as a matrix.

    log p(x) = -½ (x - loc)ᵀ Σ⁻¹ (x - loc) - ½ log det Σ - ½ D log 2π,   Σ = covariance_matrix

    Args:
        event_shape: Shape of one value; the last axis has the D dimensions.
        loc: Mean, shape (..., D); standard value 0.
        covariance_matrix: Symmetric positive definite matrix Σ, shape (..., D, D). Standard value: the identity.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.MultivariateNormalFullCovariance(2, covariance_matrix=[[2.0, 1.0], [1.0, 2.0]])
        assert abs(float(x.distribution().covariance()[0, 1]) - 1.0) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        loc: ArrayLike = None,
        covariance_matrix: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "MultivariateNormalFullCovariance",
            event_shape,
            loc=loc,
            covariance_matrix=covariance_matrix,
            **kwargs,
        )


@register
class MultivariateNormalLowRank(RandomVariable):
    """A normal vector whose elements share a few factors: many dimensions, few correlations.

    x = loc + sqrt(cov_diag_factor) · ε + W η,   ε, η ~ N(0, I),   W = cov_perturb_factor

    Args:
        event_shape: Shape of one value; the last axis has the D dimensions.
        loc: Mean, shape (..., D); standard value 0.
        cov_diag_factor: Variances of what isn't shared, positive, shape (..., D); standard value 1.
        cov_perturb_factor: Loadings W, shape (..., D, rank): the covariance is diag(cov_diag_factor) + W Wᵀ.
        rank: Number of factors; only learned loadings need it.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.MultivariateNormalLowRank(3, cov_diag_factor=1.0, cov_perturb_factor=[[1.0], [2.0], [0.0]])
        assert abs(float(x.distribution().covariance()[0, 1]) - 2.0) < 1e-5
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        loc: ArrayLike = None,
        cov_diag_factor: ArrayLike = None,
        cov_perturb_factor: ArrayLike = None,
        rank: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            "MultivariateNormalLowRank",
            event_shape,
            loc=loc,
            cov_diag_factor=cov_diag_factor,
            cov_perturb_factor=cov_perturb_factor,
            rank=rank,
            **kwargs,
        )


@register
class MultivariateStudentT(RandomVariable):
    """A Student t vector: correlated quantities with outliers.

    log p(x) = log Γ((df + D) / 2) - log Γ(df / 2) - ½ D log(π df) - Σ log diag L - ½ (df + D) log(1 + |z|² / df),
    z = L⁻¹ (x - loc),   L = scale_tril

    Args:
        event_shape: Shape of one value; the last axis has the D dimensions.
        df: Degrees of freedom, positive.
        loc: Centre, shape (..., D); standard value 0.
        scale_tril: Lower-triangular L with a positive diagonal, shape (..., D, D). Standard value: the identity.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.MultivariateStudentT(2, df=5.0)
        assert x().shape == (2,)
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        df: ArrayLike = None,
        loc: ArrayLike = None,
        scale_tril: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__("MultivariateStudentT", event_shape, df=df, loc=loc, scale_tril=scale_tril, **kwargs)


@register
class Dirichlet(RandomVariable):
    """A Dirichlet variable: proportions that sum to one, the conjugate prior of class probabilities.

    log p(x) = Σₖ (concentration[k] - 1) log x[k] - log B(concentration)

    Args:
        event_shape: Shape of one value; the last axis has the K parts.
        concentration: Concentration of each part, positive, shape (..., K).
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Dirichlet(3, concentration=2.0)
        assert abs(float(sum(x())) - 1.0) < 1e-5
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, concentration: ArrayLike = None, **kwargs: Any):
        super().__init__("Dirichlet", event_shape, concentration=concentration, **kwargs)


@register
class VonMisesFisher(RandomVariable):
    """A von Mises-Fisher variable: a direction, as a unit vector.

    log p(x) = concentration · mean_directionᵀ x + constant,   |x| = 1

    Args:
        event_shape: Shape of one value; the last axis has the D dimensions.
        mean_direction: Unit vector, shape (..., D). Standard value: the first axis.
        concentration: How narrow it is, positive; 0 would be uniform.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.VonMisesFisher(3, mean_direction=[0.0, 0.0, 1.0], concentration=10.0)
        assert abs(float(sum(x() ** 2)) - 1.0) < 1e-4
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        mean_direction: ArrayLike = None,
        concentration: ArrayLike = None,
        **kwargs: Any,
    ):
        super().__init__(
            "VonMisesFisher",
            event_shape,
            mean_direction=mean_direction,
            concentration=concentration,
            **kwargs,
        )


@register
class LKJCholesky(RandomVariable):
    """The Cholesky factor of a correlation matrix (Lewandowski, Kurowicka and Joe 2009).

    log p(L) = Σᵢ (D - i + 2 concentration - 2) log L[i, i] + constant,   i = 1 ... D

    Args:
        event_shape: Number of rows D, or the shape (..., D, D) of one value.
        concentration: At its standard value 1 all correlation matrices are alike; above, correlations are smaller.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.LKJCholesky(3, concentration=2.0)
        assert x().shape == (3, 3) and abs(float(sum(x()[2] ** 2)) - 1.0) < 1e-4
        ```
    """

    def __init__(self, event_shape: EventShape = None, *, concentration: ArrayLike = None, **kwargs: Any):
        super().__init__("LKJCholesky", event_shape, concentration=concentration, **kwargs)


@register
class Wishart(RandomVariable):
    """A Wishart variable: a positive definite matrix, the conjugate prior of a precision matrix.

    log p(X) = ½ (df - D - 1) log det X - ½ tr(S⁻¹ X) + constant,   S = scale_tril scale_trilᵀ

    Args:
        event_shape: Number of rows D, or the shape (..., D, D) of one value.
        df: Degrees of freedom, at least D.
        scale_tril: Lower-triangular Cholesky factor of the scale S, shape (..., D, D). Standard value: the
            identity.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        x = layers.Wishart(2, df=5.0)
        assert abs(float(x.distribution().mean()[0, 0]) - 5.0) < 1e-4
        ```
    """

    def __init__(
        self, event_shape: EventShape = None, *, df: ArrayLike = None, scale_tril: ArrayLike = None, **kwargs: Any
    ):
        super().__init__("Wishart", event_shape, df=df, scale_tril=scale_tril, **kwargs)

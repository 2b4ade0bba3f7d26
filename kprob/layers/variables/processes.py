"""Random functions and series: Gaussian processes, linear Gaussian state-space models."""

from collections.abc import Callable
from typing import Any

from kprob.layers.event_shapes import EventShape
from kprob.layers.random_variable import RandomVariable
from kprob.saving import register
from kprob.types import ArrayLike


@register
class GaussianProcess(RandomVariable):
    """Values of a random function at given points: regression without a formula.

    x ~ N(mean, K + observation_noise_variance · I),   K[i, j] = kernel(point i, point j)

    Args:
        event_shape: Number of points N.
        index_points: The points, shape (..., N, F).
        amplitude: Standard deviation of the function, positive; standard value 1.
        length_scale: Distance over which it varies, positive; standard value 1.
        mean: Mean of the function; standard value 0.
        observation_noise_variance: Variance of the noise of each value; none by default.
        kernel: Name of a class of `tfp.math.psd_kernels` that has an amplitude and a length scale, such as
            "ExponentiatedQuadratic" or "MaternFiveHalves"; or a function of the two that returns a kernel.
        jitter: Number added to the diagonal of K for the Cholesky factor's sake.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        points = [[0.0], [0.1], [5.0]]
        f = layers.GaussianProcess(kernel="MaternFiveHalves", amplitude=2.0, index_points=points)
        assert f().shape == (3,)
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        index_points: ArrayLike = None,
        amplitude: ArrayLike = None,
        length_scale: ArrayLike = None,
        mean: ArrayLike = None,
        observation_noise_variance: ArrayLike = None,
        kernel: str | Callable = "ExponentiatedQuadratic",
        jitter: float = 1e-6,
        **kwargs: Any,
    ):
        super().__init__(
            "GaussianProcess",
            event_shape,
            index_points=index_points,
            amplitude=amplitude,
            length_scale=length_scale,
            mean=mean,
            observation_noise_variance=observation_noise_variance,
            kernel=kernel,
            jitter=jitter,
            **kwargs,
        )


@register
class LinearGaussianStateSpace(RandomVariable):
    """A series of vectors that a hidden linear Gaussian process makes; the states are integrated out (Kalman's filter).

    z₁ ~ N(initial_loc, P),   zₜ ~ N(transition_matrix zₜ₋₁, Q),   xₜ ~ N(observation_matrix zₜ, R)

    The covariances P, Q and R are given by standard deviations or by Cholesky factors.

    Args:
        event_shape: Shape (T, O) of the series: steps, and numbers observed at each.
        transition_matrix: Matrix of the dynamics, shape (..., D, D). Standard value: the identity.
        transition_scale_diag: Standard deviations of Q, shape (..., D); standard value 1.
        transition_scale_tril: Cholesky factor of Q, shape (..., D, D), in their place.
        observation_matrix: Matrix from states to observations, shape (..., O, D).
        observation_scale_diag: Standard deviations of R, shape (..., O); standard value 1.
        observation_scale_tril: Cholesky factor of R, shape (..., O, O), in their place.
        initial_loc: Mean of the first state, shape (..., D); standard value 0.
        initial_scale_diag: Standard deviations of P, shape (..., D); standard value 1.
        initial_scale_tril: Cholesky factor of P, shape (..., D, D), in their place.
        num_latents: Number of hidden dimensions D; only heads, free parameters and standard values need it.
        **kwargs: `name`, `dtype` and `trainable`, as for every `RandomVariable`.

    Example:
        ```python
        from kprob import layers

        level = layers.LinearGaussianStateSpace(  # a local level: a random walk observed with noise
            (20, 1), observation_matrix=[[1.0]], transition_scale_diag=[0.1], observation_scale_diag=[0.5]
        )
        assert level().shape == (20, 1)
        ```
    """

    def __init__(
        self,
        event_shape: EventShape = None,
        *,
        transition_matrix: ArrayLike = None,
        transition_scale_diag: ArrayLike = None,
        transition_scale_tril: ArrayLike = None,
        observation_matrix: ArrayLike = None,
        observation_scale_diag: ArrayLike = None,
        observation_scale_tril: ArrayLike = None,
        initial_loc: ArrayLike = None,
        initial_scale_diag: ArrayLike = None,
        initial_scale_tril: ArrayLike = None,
        num_latents: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            "LinearGaussianStateSpace",
            event_shape,
            transition_matrix=transition_matrix,
            transition_scale_diag=transition_scale_diag,
            transition_scale_tril=transition_scale_tril,
            observation_matrix=observation_matrix,
            observation_scale_diag=observation_scale_diag,
            observation_scale_tril=observation_scale_tril,
            initial_loc=initial_loc,
            initial_scale_diag=initial_scale_diag,
            initial_scale_tril=initial_scale_tril,
            num_latents=num_latents,
            **kwargs,
        )

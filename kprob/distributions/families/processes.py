"""Families of functions and series: Gaussian processes and linear Gaussian state-space models."""

from collections.abc import Callable, Mapping
from typing import Any

from kprob.backend import tfd, tfp
from kprob.distributions.families.parameters import LOC, SCALE, identity
from kprob.distributions.family import Family, Parameter
from kprob.distributions.registry import register_family
from kprob.distributions.sampling import processes
from kprob.distributions.supports.continuous import REAL_MATRIX, REAL_VECTOR
from kprob.errors import SiteError, did_you_mean, explain
from kprob.types import ArrayLike, Distribution, Shape, Tensor


def _kernel(name: str | Callable, amplitude: Tensor, length_scale: Tensor) -> Any:
    kernels = tfp.math.psd_kernels
    if callable(name):
        return name(amplitude, length_scale)
    if not hasattr(kernels, name):
        raise SiteError(
            explain(
                f"There is no kernel called {name!r}.{did_you_mean(name, dir(kernels))}",
                expected="the name of a class of tfp.math.psd_kernels with an amplitude and a length scale, such as "
                "'ExponentiatedQuadratic' or 'MaternFiveHalves'",
                fix="for any other kernel pass a function of (amplitude, length_scale) that returns it",
            )
        )
    return getattr(kernels, name)(amplitude, length_scale)


def _gaussian_process(
    kernel: str | Callable,
    jitter: float,
    index_points: Tensor,
    amplitude: Tensor,
    length_scale: Tensor,
    mean: Tensor,
    observation_noise_variance: ArrayLike = 0.0,
) -> Distribution:
    return tfd.GaussianProcess(
        _kernel(kernel, amplitude, length_scale),
        index_points=index_points,
        mean_fn=lambda points: mean[..., None],
        observation_noise_variance=observation_noise_variance,
        jitter=jitter,
    )


def _noise(diagonal: Tensor, triangle: Tensor, loc: Tensor = None) -> Distribution:
    if triangle is None:
        return tfd.MultivariateNormalDiag(loc=loc, scale_diag=diagonal)
    return tfd.MultivariateNormalTriL(loc=loc, scale_tril=triangle)


def _state_space(
    num_timesteps: int,
    transition_matrix: Tensor,
    observation_matrix: Tensor,
    initial_loc: Tensor,
    transition_scale_diag: Tensor = None,
    transition_scale_tril: Tensor = None,
    observation_scale_diag: Tensor = None,
    observation_scale_tril: Tensor = None,
    initial_scale_diag: Tensor = None,
    initial_scale_tril: Tensor = None,
    num_latents: int | None = None,
) -> Distribution:
    return tfd.LinearGaussianStateSpaceModel(
        num_timesteps,
        transition_matrix=transition_matrix,
        transition_noise=_noise(transition_scale_diag, transition_scale_tril),
        observation_matrix=observation_matrix,
        observation_noise=_noise(observation_scale_diag, observation_scale_tril),
        initial_state_prior=_noise(initial_scale_diag, initial_scale_tril, initial_loc),
    )


def _latents(event: Shape, settings: Mapping[str, Any]) -> Shape:
    return (settings["num_latents"],)


def _latents_squared(event: Shape, settings: Mapping[str, Any]) -> Shape:
    return (settings["num_latents"], settings["num_latents"])


def _observed(event: Shape, settings: Mapping[str, Any]) -> Shape:
    return (event[-1],)


def _observed_squared(event: Shape, settings: Mapping[str, Any]) -> Shape:
    return (event[-1], event[-1])


def _observed_by_latents(event: Shape, settings: Mapping[str, Any]) -> Shape:
    return (event[-1], settings["num_latents"])


def _infer_latents(shapes: Mapping[str, Shape]) -> dict[str, object]:
    for name in ("transition_matrix", "observation_matrix", "initial_loc", "transition_scale_diag"):
        if shapes.get(name):
            return {"num_latents": shapes[name][-1]}
    return {}


register_family(
    Family(
        "GaussianProcess",
        _gaussian_process,
        {
            "index_points": Parameter(event_ndims=2),
            "amplitude": SCALE,
            "length_scale": SCALE,
            "mean": LOC,
            "observation_noise_variance": Parameter(None, "positive", optional=True),
        },
        learned=("amplitude", "length_scale", "mean"),
        event_ndims=1,
        event=lambda shapes, settings: (shapes["index_points"][-2] if "index_points" in shapes else None,),
        distribution_class=tfd.GaussianProcess,
        sampler=processes.gaussian_process,
        support=REAL_VECTOR,
        settings={"kernel": "ExponentiatedQuadratic", "jitter": 1e-6},
        covariance="index_points",
    )
)
register_family(
    Family(
        "LinearGaussianStateSpace",
        _state_space,
        {
            "transition_matrix": Parameter(identity, event_ndims=2, shape=_latents_squared),
            "transition_scale_diag": Parameter(1.0, "positive", 1, _latents),
            "transition_scale_tril": Parameter(None, "lower_triangular", 2, _latents_squared),
            "observation_matrix": Parameter(None, event_ndims=2, shape=_observed_by_latents, spread=0.1),
            "observation_scale_diag": Parameter(1.0, "positive", 1, _observed),
            "observation_scale_tril": Parameter(None, "lower_triangular", 2, _observed_squared),
            "initial_loc": Parameter(0.0, event_ndims=1, shape=_latents),
            "initial_scale_diag": Parameter(1.0, "positive", 1, _latents),
            "initial_scale_tril": Parameter(None, "lower_triangular", 2, _latents_squared),
        },
        alternatives=tuple(
            (f"{part}_scale_diag", f"{part}_scale_tril") for part in ("transition", "observation", "initial")
        ),
        event_ndims=2,
        event=lambda shapes, settings: (
            None,
            shapes["observation_matrix"][-2] if "observation_matrix" in shapes else None,
        ),
        infer=_infer_latents,
        from_event=lambda event: {"num_timesteps": event[0]},
        distribution_class=tfd.LinearGaussianStateSpaceModel,
        sampler=processes.linear_gaussian_series,
        support=REAL_MATRIX,
        settings={"num_latents": None},
    )
)

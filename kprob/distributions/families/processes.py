"""Families of functions and series: Gaussian processes and linear Gaussian state-space models."""

from keras import ops

from kprob.backend import random, tfd, tfp
from kprob.distributions.families.parameters import SCALE, identity
from kprob.distributions.family import Family, Parameter, register_family
from kprob.distributions.sampling import samplers
from kprob.distributions.sampling.draws import draw_shape
from kprob.distributions.supports.enumeration import static_number
from kprob.distributions.supports.supports import REAL_MATRIX, REAL_VECTOR
from kprob.errors import SiteError, did_you_mean, explain


def _kernel(name, amplitude, length_scale):
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


def _gaussian_process(kernel, jitter, index_points, amplitude, length_scale, mean, observation_noise_variance=0.0):
    return tfd.GaussianProcess(
        _kernel(kernel, amplitude, length_scale),
        index_points=index_points,
        mean_fn=lambda points: mean[..., None],
        observation_noise_variance=observation_noise_variance,
        jitter=jitter,
    )


def _noise(diagonal, triangle, loc=None):
    if triangle is None:
        return tfd.MultivariateNormalDiag(loc=loc, scale_diag=diagonal)
    return tfd.MultivariateNormalTriL(loc=loc, scale_tril=triangle)


def _state_space(
    num_timesteps,
    transition_matrix,
    observation_matrix,
    initial_loc,
    transition_scale_diag=None,
    transition_scale_tril=None,
    observation_scale_diag=None,
    observation_scale_tril=None,
    initial_scale_diag=None,
    initial_scale_tril=None,
    num_latents=None,
):
    return tfd.LinearGaussianStateSpaceModel(
        num_timesteps,
        transition_matrix=transition_matrix,
        transition_noise=_noise(transition_scale_diag, transition_scale_tril),
        observation_matrix=observation_matrix,
        observation_noise=_noise(observation_scale_diag, observation_scale_tril),
        initial_state_prior=_noise(initial_scale_diag, initial_scale_tril, initial_loc),
    )


def _draw_series(distribution, shape, seed):
    # zₜ = A zₜ₋₁ + wₜ for all steps at once, by doubling: after each round an element sums twice as many steps back.
    # TFP's own sampler loses the gradient on TensorFlow.
    matrices = [_dense(m) for m in (distribution.transition_matrix, distribution.observation_matrix)]
    steps = static_number(distribution.parameters["num_timesteps"])
    if any(callable(matrix) for matrix in matrices) or steps is None:
        return tfd.BatchBroadcast(distribution, shape).sample(seed=seed)
    seeds, steps = random.split(seed, 3), int(steps)
    states = draw_shape(distribution.initial_state_prior, shape, seeds[0])[None]
    if steps > 1:
        noise = draw_shape(distribution.transition_noise, (steps - 1, *shape), seeds[1])
        states = ops.concatenate([states, noise], axis=0)
    power, shift = matrices[0], 1
    while shift < steps:
        moved = ops.matmul(power, states[:-shift][..., None])[..., 0]
        states = ops.concatenate([states[:shift], states[shift:] + moved], axis=0)
        power, shift = ops.matmul(power, power), 2 * shift
    observed = ops.matmul(matrices[1], states[..., None])[..., 0]
    return ops.moveaxis(observed + draw_shape(distribution.observation_noise, (steps, *shape), seeds[2]), 0, -2)


def _dense(matrix):
    return matrix.to_dense() if hasattr(matrix, "to_dense") else matrix


def _latents(event, settings):
    return (settings["num_latents"],)


def _latents_squared(event, settings):
    return (settings["num_latents"], settings["num_latents"])


def _observed(event, settings):
    return (event[-1],)


def _observed_squared(event, settings):
    return (event[-1], event[-1])


def _observed_by_latents(event, settings):
    return (event[-1], settings["num_latents"])


def _infer_latents(shapes) -> dict[str, int]:
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
            "mean": Parameter(0.0),
            "observation_noise_variance": Parameter(None, "positive", optional=True),
        },
        learned=("amplitude", "length_scale", "mean"),
        event_ndims=1,
        event=lambda shapes, settings: (shapes["index_points"][-2] if "index_points" in shapes else None,),
        distribution_class=tfd.GaussianProcess,
        sampler=lambda d, shape, seed: samplers.linear_normal(d.get_marginal_distribution(), shape, seed),
        support=REAL_VECTOR,
        settings={"kernel": "ExponentiatedQuadratic", "jitter": 1e-6},
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
        sampler=_draw_series,
        support=REAL_MATRIX,
        settings={"num_latents": None},
    )
)

"""BlackJAX's microcanonical Langevin dynamics with its own tuning on case (h)'s posteriors, a device for each chain."""

from collections.abc import Callable

import blackjax
import jax
import jax.numpy as jnp
from blackjax.mcmc.integrators import isokinetic_mclachlan
from jax.flatten_util import ravel_pytree
from numpyro.infer.util import initialize_model

from benchmarks import problems
from benchmarks.contestant import Measurement
from benchmarks.effective import effective_draws
from benchmarks.peers.numpyro_nuts import device_data
from benchmarks.peers.numpyro_posteriors import MODELS


def new_run(problem: str) -> Callable:
    """Returns a compiled run: tuning and sampling of four chains, every so many steps a draw."""
    found = initialize_model(jax.random.key(0), MODELS[problem], model_kwargs=device_data(problem))
    each = problems.STEPS_OF_A_DRAW[problem]
    template, unravel = ravel_pytree(found.param_info.z)

    def log_density(vector):
        return -found.potential_fn(unravel(vector))

    def chain(key):
        start, begin, tune, draw = jax.random.split(key, 4)
        position = jax.random.uniform(start, template.shape, minval=-2.0, maxval=2.0)
        state = blackjax.mcmc.mclmc.init(position, log_density, begin)
        steps = problems.DRAWS * each
        kernel = blackjax.mcmc.mclmc.build_kernel(integrator=isokinetic_mclachlan)
        state, tuned, _ = blackjax.mclmc_find_L_and_step_size(
            mclmc_kernel=kernel, num_steps=steps, state=state, rng_key=tune, logdensity_fn=log_density
        )

        def step(state, key):
            return kernel(key, state, log_density, tuned.inverse_mass_matrix, tuned.L, tuned.step_size)[0], None

        def thinned(state, key):
            state, _ = jax.lax.scan(step, state, jax.random.split(key, each))
            return state, state.position

        _, positions = jax.lax.scan(thinned, state, jax.random.split(draw, problems.DRAWS))
        return jax.vmap(lambda vector: found.postprocess_fn(unravel(vector)))(jnp.asarray(positions))

    compiled, seeds = jax.pmap(chain), iter(range(10**6))
    return lambda: jax.device_get(compiled(jax.random.split(jax.random.key(next(seeds)), problems.CHAINS)))


def prepare(problem: str) -> dict[str, Measurement]:
    """Returns the compiled run."""
    return {"MCLMC": Measurement(new_run(problem), answer=effective_draws)}

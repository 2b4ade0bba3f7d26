"""NumPyro's NUTS on case (h)'s posteriors: a device for each chain, or all chains in one vectorised program.

`mcmc.run` compiles anew in every call. So whole runs are compiled here, the way that NumPyro's documentation shows; what
`mcmc.run` takes is shown beside them.
"""

from collections.abc import Callable

import jax
import numpy as np
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import MCMC, NUTS

from benchmarks import problems
from benchmarks.contestant import Measurement
from benchmarks.effective import effective_draws
from benchmarks.peers.numpyro_posteriors import MODELS

DRAWS_AT_ONCE = 500  # of a cold run, after which it looks how many are effective


def new_mcmc(problem: str, **options) -> MCMC:
    """Returns NUTS on a posterior."""
    kernel = NUTS(MODELS[problem], target_accept_prob=problems.TARGET_ACCEPT_RATE)
    options = {"num_warmup": problems.WARMUP, "num_samples": problems.DRAWS, "progress_bar": False, **options}
    return MCMC(kernel, **options)


def device_data(problem: str) -> dict[str, jax.Array]:
    """Returns the data on the device."""
    return {name: jax.device_put(value) for name, value in problems.sampler_data(problem).items()}


def new_seeds() -> Callable:
    """Returns a function that gives another seed at each call."""
    keys = iter(range(10**6))
    return lambda: jax.random.key(next(keys))


def in_parallel(problem: str) -> Callable:
    """Returns a compiled run with a device for each chain."""
    data, seed = device_data(problem), new_seeds()

    def chain(key):
        mcmc = new_mcmc(problem, num_chains=1)
        mcmc.run(key, **data)
        return mcmc.get_samples()

    compiled = jax.pmap(chain)
    return lambda: jax.device_get(compiled(jax.random.split(seed(), problems.CHAINS)))


def vectorised(problem: str) -> Callable:
    """Returns a compiled run of all chains in one program."""
    data, seed = device_data(problem), new_seeds()

    def chains(key):
        mcmc = new_mcmc(problem, num_chains=problems.CHAINS, chain_method="vectorized")
        mcmc.run(key, **data)
        return mcmc.get_samples(group_by_chain=True)

    compiled = jax.jit(chains)
    return lambda: jax.device_get(compiled(seed()))


def plain(problem: str) -> Callable:
    """Returns a second call of `mcmc.run`."""
    data, seed = device_data(problem), new_seeds()
    mcmc = new_mcmc(problem, num_chains=problems.CHAINS, chain_method="parallel")

    def run():
        mcmc.run(seed(), **data)
        return jax.device_get(mcmc.get_samples(group_by_chain=True))

    return run


def prepare(problem: str) -> dict[str, Measurement]:
    """Returns the ways to run four chains."""
    ways = {"parallel": in_parallel, "vectorised": vectorised, "mcmc.run": plain}
    return {name: Measurement(way(problem), answer=effective_draws) for name, way in ways.items()}


def first_result(problem: str) -> dict[str, np.ndarray]:
    """Builds, compiles and draws until there are 400 effective draws."""
    data = device_data(problem)
    mcmc = new_mcmc(problem, num_samples=DRAWS_AT_ONCE, num_chains=problems.CHAINS, chain_method="parallel")
    found: list[dict] = []
    while True:
        mcmc.run(jax.random.key(len(found)), **data)
        found.append(jax.device_get(mcmc.get_samples(group_by_chain=True)))
        values = {name: np.concatenate([part[name] for part in found], axis=1) for name in found[0]}
        if min(np.min(effective_sample_size(value)) for value in values.values()) >= problems.EFFECTIVE_DRAWS:
            return values
        mcmc.post_warmup_state = mcmc.last_state


first_answer = effective_draws

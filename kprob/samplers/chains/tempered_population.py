"""The compiled programs of sequential Monte Carlo: a population of the prior, and the next temperature of one."""

from collections.abc import Callable

from kprob.backend import compile_function, map_draws, random
from kprob.density import LogDensity
from kprob.samplers.kernels.tempering import Particle, TemperedPopulation, population_of_prior, temper
from kprob.samplers.smc import SMC
from kprob.types import Seed


def make_start(sampler: SMC, density: LogDensity, variables: Callable) -> Callable:
    """Compiles `start(seed, batch)`, which returns particles of the prior."""

    def start(seed: Seed, batch: dict) -> TemperedPopulation:
        def draw(key: Seed) -> Particle:
            position = density.draw_prior(batch, key)
            return Particle(position, *density.prior_and_likelihood(position, batch))

        particles = map_draws(draw, random.split(seed, sampler.num_particles), variables())
        return population_of_prior(particles, sampler.first_step_size(density.size))

    return compile_function(start, variables)


def make_stage(sampler: SMC, density: LogDensity, variables: Callable) -> Callable:
    """Compiles `stage(seed, population, batch)`, which returns the population at the next temperature."""
    options = sampler.tempering_options()

    def stage(seed: Seed, population: TemperedPopulation, batch: dict) -> TemperedPopulation:
        return temper(
            seed,
            population,
            lambda position: density.prior_and_likelihood(position, batch),
            options,
            lambda function, particles: map_draws(function, particles, variables()),
        )

    return compile_function(stage, variables, jit=True)

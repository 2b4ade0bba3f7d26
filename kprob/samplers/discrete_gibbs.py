"""Discrete latents that can't be summed out: a sweep over them after each transition of a sampler of the others."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kprob.backend import random
from kprob.checks import check_count
from kprob.errors import CompileError, explain
from kprob.samplers.kernels import discrete_moves
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.nuts import NUTS
from kprob.samplers.sampler import Sampler
from kprob.saving import register
from kprob.types import Seed, Tensor

# The rate of acceptance at which a random walk in one dimension goes furthest.
_TARGET = 0.44
_LEAST, _LARGEST = -1.0, 15.0


class DiscreteGibbsState(NamedTuple):
    """State of a chain.

    Attributes:
        position: Unconstrained numbers of continuous latents and values of discrete ones (d,).
        iteration: Transitions so far.
        inner: State of the sampler of the continuous latents; nothing where there are none.
        log_scale: Logarithms of the random walk's steps, for each discrete number.
    """

    position: Tensor
    iteration: Tensor
    inner: Any
    log_scale: Tensor


@register
class DiscreteGibbs(Sampler):
    """A sampler for models with discrete latents that can't be summed out: it alternates with one of the continuous ones.

    After each transition of the inner sampler, which sees the discrete latents as given, every discrete number is moved
    given all others: drawn from its exact conditional where it has few values (Gibbs), else by a random walk over whole
    numbers that is tuned while warming up. Each move evaluates the density of the whole model, once for each value.
    Where discrete latents have few values, `kprob.NUTS` alone, which sums them out, mixes better and is quicker.

    Args:
        sampler: Of the continuous latents: `kprob.NUTS` by default, or HMC, MALA or RandomWalkMetropolis. Its counts and
            options are those of the whole.
        sites: Names of the discrete latents to draw; all by default. Others are summed out.
        num_sweeps: Sweeps over the discrete numbers after each transition.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def counts():
            number = kprob.sample("number", tfd.Poisson(3.0))
            kprob.sample("x", tfd.Normal(number, 1.0))

        model = counts().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(num_warmup=200, num_samples=500, num_chains=2)))
        model.fit({"x": 4.0}, verbose=0)
        assert 3.0 < model.posterior("number").mean() < 4.2
        ```

    Reference:
        Geman and Geman (1984), "Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images";
        Roberts and Rosenthal (2009), "Examples of adaptive MCMC".
    """

    def __init__(self, sampler: Sampler | None = None, *, sites: Sequence[str] | None = None, num_sweeps: int = 1):
        sampler = NUTS() if sampler is None else sampler
        _check_inner(sampler)
        check_count("num_sweeps", num_sweeps, 1, CompileError)
        super().__init__(
            sampler.num_warmup,
            sampler.num_samples,
            sampler.num_chains,
            init=sampler.init_strategy,
            chain_method=sampler.chain_method,
            block_size=sampler.block_size,
            dtype=sampler.dtype,
        )
        self.sampler, self.num_sweeps = sampler, num_sweeps
        self.sites = None if sites is None else tuple([sites] if isinstance(sites, str) else sites)
        self.latents: tuple = ()

    def moves_on(self, site: str) -> bool:
        return self.sites is None or site in self.sites

    def for_latents(self, latents: tuple) -> "DiscreteGibbs":
        if not any(latent.discrete for latent in latents):
            raise CompileError(
                explain(
                    "DiscreteGibbs has no discrete latent to move.",
                    received=f"latents {', '.join(latent.name for latent in latents)}"
                    + ("" if self.sites is None else f", and sites={self.sites}"),
                    expected="a discrete latent, among `sites` where they are given",
                    fix=f"compile with kprob.{type(self.sampler).__name__}() alone, or correct `sites`",
                )
            )
        found = DiscreteGibbs(self.sampler, sites=self.sites, num_sweeps=self.num_sweeps)
        found.latents = latents
        return found

    def kernel(self, log_density: Callable) -> Kernel:
        places = {latent.name: np.arange(latent.start, latent.start + latent.size) for latent in self.latents}
        free = np.concatenate([places[la.name] for la in self.latents if not la.discrete] or [np.zeros(0, int)])
        order = np.argsort(np.concatenate([free, *(places[la.name] for la in self.latents if la.discrete)]))
        fixed = np.setdiff1d(np.arange(len(order)), free)

        def inner(position: Tensor) -> Kernel:
            # The density of the continuous numbers, the discrete ones as they stand.
            whole = ops.take(position, fixed)
            return self.sampler.kernel(lambda u: log_density(ops.take(ops.concatenate([u, whole]), order)))

        def init(vector: Tensor) -> DiscreteGibbsState:
            vector = ops.convert_to_tensor(vector)
            state = inner(vector).init(ops.take(vector, free)) if free.size else ()
            return DiscreteGibbsState(vector, ops.zeros((), "int32"), state, ops.zeros_like(vector))

        def step(seed: Seed, state: DiscreteGibbsState) -> tuple[DiscreteGibbsState, Info]:
            position, moved, info = state.position, state.inner, None
            if free.size:
                kernel = inner(position)
                # What the state remembers of the density is of other discrete values.
                moved, info = kernel.step(random.fold_in(seed, 0), kernel.refresh(moved))
                position = ops.take(ops.concatenate([moved.position, ops.take(position, fixed)]), order)
            position, log_scale, rate = self._sweeps(random.fold_in(seed, 1), position, state, log_density)
            info = _told(info, log_density(position), rate)
            return DiscreteGibbsState(position, state.iteration + 1, moved, log_scale), info

        return Kernel(init, step)

    def get_config(self) -> dict:
        return {
            "sampler": keras.saving.serialize_keras_object(self.sampler),
            "sites": None if self.sites is None else list(self.sites),
            "num_sweeps": self.num_sweeps,
        }

    @classmethod
    def from_config(cls, config: dict) -> "DiscreteGibbs":
        inner = config["sampler"]
        if isinstance(inner, dict):
            config = {**config, "sampler": keras.saving.deserialize_keras_object(inner)}
        return cls(**config)

    def identity(self) -> str:
        return f"DiscreteGibbs({self.sites}, {self.num_sweeps}, {self.sampler.identity()})"

    def _sweeps(self, seed: Seed, position: Tensor, state: DiscreteGibbsState, log_density: Callable) -> tuple:
        # Over the numbers of one latent after the other. What the walk learns counts while warming up, ever less.
        dtype = keras.backend.standardize_dtype(position.dtype)
        warming = ops.cast(state.iteration < self.num_warmup, dtype)
        gain = warming * (ops.cast(state.iteration, dtype) + 1.0) ** -0.5
        log_scale, rates, walks = state.log_scale, ops.zeros((), dtype), 0
        for sweep in range(self.num_sweeps):
            for number, latent in enumerate(la for la in self.latents if la.discrete):
                key = random.fold_in(random.fold_in(seed, sweep), number)
                position, log_scale, rate = _sweep(key, position, log_scale, latent, log_density, gain)
                walks += 0 if latent.support else latent.size
                rates = rates + rate
        return position, log_scale, rates / walks if walks else ops.ones((), dtype)


def _sweep(seed: Seed, position: Tensor, log_scale: Tensor, latent: Any, log_density: Callable, gain: Tensor) -> tuple:
    everywhere, dtype = np.arange(int(position.shape[0])), keras.backend.standardize_dtype(position.dtype)

    def once(i: Tensor, position: Tensor, log_scale: Tensor, rates: Tensor) -> tuple:
        here = ops.convert_to_tensor(everywhere, "int32") == latent.start + i
        key = random.fold_in(seed, i)

        def density_at(value: Tensor) -> Tensor:
            return log_density(ops.where(here, value, position))

        if latent.support:
            value = discrete_moves.gibbs(key, ops.convert_to_tensor(latent.support, dtype), density_at)
            return i + 1, ops.where(here, value, position), log_scale, rates
        own = ops.sum(ops.where(here, log_scale, 0.0))
        value = ops.sum(ops.where(here, position, ops.zeros_like(position)))
        value, rate = discrete_moves.walk(key, value, density_at, ops.exp(own), latent.counts)
        learned = ops.clip(log_scale + gain * (rate - _TARGET), _LEAST, _LARGEST)
        return i + 1, ops.where(here, value, position), ops.where(here, learned, log_scale), rates + rate

    start = ops.zeros((), "int32"), position, log_scale, ops.zeros((), dtype)
    return ops.while_loop(lambda i, *_: i < latent.size, once, start)[1:]


def _told(info: Info | None, log_density: Tensor, rate: Tensor) -> Info:
    if info is not None:
        return info._replace(log_density=log_density)
    zero = ops.zeros_like(log_density)
    return Info(log_density, rate, zero, zero + 1.0, zero, zero, zero + float("nan"))


def _check_inner(sampler: object) -> None:
    if not isinstance(sampler, Sampler) or not sampler.within_gibbs or sampler.preconditioner is not None:
        raise CompileError(
            explain(
                "DiscreteGibbs alternates with a sampler whose chains know nothing but where they are.",
                received=repr(sampler)
                if not isinstance(sampler, Sampler)
                else f"{type(sampler).__name__} with a preconditioner"
                if sampler.preconditioner
                else type(sampler).__name__,
                expected="kprob.NUTS, HMC, MALA or RandomWalkMetropolis, without `preconditioner`",
                fix="write kprob.samplers.DiscreteGibbs(kprob.NUTS())",
            )
        )
    if sampler.init_strategy in ("pathfinder", "guide"):
        raise CompileError(
            explain(
                "DiscreteGibbs starts where discrete latents have a value.",
                received=f"init={sampler.init_strategy!r}",
                expected='"uniform", "prior", "median" or a dict of values',
                fix='write init="prior"',
            )
        )

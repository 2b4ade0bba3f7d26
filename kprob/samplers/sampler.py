"""What all samplers share: a pure transition, and how many of them `fit` makes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras

from kprob import checks
from kprob.backend import precision
from kprob.density import UnconstrainedLatent
from kprob.errors import CompileError, explain
from kprob.samplers.argument_checks import check_choice
from kprob.samplers.kernels.kernel import Info, Kernel
from kprob.samplers.positions import flatten, unflatten
from kprob.types import Seed, Shape, Tensor

CHAIN_METHODS = ("auto", "threads", "sequential", "vectorized")
DTYPES = ("float32", "float64")
PRECONDITIONERS = ("guide",)
# Where chains start that move in a guide's coordinates: those of a draw of the guide are normal noise.
NOISE_STARTS = ("uniform", "guide", "pathfinder")
STARTS = ("uniform", "median", "prior", "pathfinder", "guide")


class BoundKernel(NamedTuple):
    """The kernel of a log-density of positions by site.

    Attributes:
        kernel: The kernel, on vectors.
        shapes: Shapes of a position's arrays by site, in the order of the vector.
    """

    kernel: Kernel
    shapes: dict[str, Shape]


class Sampler:
    """Base class of samplers, which take the place of an objective in `compile`.

    To subclass, override `kernel(log_density)` and, where the constructor has more arguments, `get_config`; register the
    class with `keras.saving.register_keras_serializable`, so that models compiled with it can be loaded. `kernel` returns a
    `Kernel` of pure functions, which are traced inside a compiled loop:

    - `init(vector) -> state`: a named tuple of tensors with at least the fields `position`, the vector (d,) of
      unconstrained numbers, and `iteration`, an int32 that is 0 at first. No transition changes shapes or types.
    - `step(seed, state) -> (state, Info)`: makes one transition and adds 1 to `iteration`. The same seed and state always
      give the same result: whatever the sampler learns is in the state, and it learns only while `iteration < num_warmup`.
      Each field of `Info` is a scalar, NaN or 0 where the sampler has no such thing.
    - `refresh(state) -> state`: only where the state remembers the density.

    `fit` makes `num_warmup` transitions of each chain, keeps the positions of the next `num_samples`, and calls a kernel of
    the same sampler in blocks, so that a state must also be all that a chain needs in order to go on. How the sampler wants
    to be run, it says by the class attributes below; `moves_on` says which discrete latents it draws itself (all others are
    summed out), and `for_latents` may return a sampler that knows where each latent lies in the vector.

    Two kinds of run are not single chains. An `ensemble`'s kernel moves all chains at once: its vector is (chains, d), its
    log-density maps that to (chains,), and fields of `Info` may be (chains,). A `population` (`SMC`) has no warm-up and no
    chains that go on: particles of the prior go to the posterior through temperatures, `num_chains` populations of
    `num_samples` particles; its `kernel` is the move of one particle at one temperature.

    Args:
        num_warmup: Transitions of each chain that tune the sampler and are thrown away.
        num_samples: Draws that each chain keeps.
        num_chains: Chains, from starting points of their own.
        init: Where chains start: "uniform" (between -2 and 2 in unconstrained space), "median" (of the prior, with a
            little noise), "prior" (draws of it), "pathfinder" (draws of the best normal approximation along an optimiser's
            path), "guide" (draws of the inference network that was fitted before), or a dict of values by site.
        chain_method: "threads" runs chains side by side on the CPU's cores, "sequential" one after the other, "vectorized"
            all in one program, in which each step waits for the chain that takes longest: for accelerators, on the JAX
            backend. "auto" is threads where there are cores.
        block_size: Transitions of an epoch, after which callbacks see the logs.
        dtype: "float32", or "float64" where that has too few digits: density, states and draws are float64 then, and the
            data and the numbers of the model, whose weights stay as they are, are cast.
        preconditioner: "guide" moves in the coordinates of the guide that the model was fitted with before, a flow or a
            normal: where it is close to the posterior, these are as good as independent (neural transport). Chains start
            in it.

    Attributes:
        minibatches: Whether a transition sees only `batch_size` rows of the data.
        ensemble: Whether its kernel moves all chains at once.
        population: Whether it brings a population of particles from the prior to the posterior, rather than run chains.
        within_gibbs: Whether its transitions stay right where the density changes between them, so that it can move the
            continuous latents within `DiscreteGibbs`: all that its state knows of the density, `refresh` renews.
        max_tree_depth: Doublings of a trajectory at most; None where there are no trees.
    """

    minibatches: bool = False
    ensemble: bool = False
    population: bool = False
    within_gibbs: bool = False
    max_tree_depth: int | None = None

    def __init__(
        self,
        num_warmup: int = 1000,
        num_samples: int = 1000,
        num_chains: int = 4,
        *,
        init: str | Mapping[str, Any] = "uniform",
        chain_method: str = "auto",
        block_size: int = 100,
        dtype: str = "float32",
        preconditioner: str | None = None,
    ):
        checks.check_count("num_warmup", num_warmup, 0, CompileError)
        checks.check_count("num_samples", num_samples, 1, CompileError)
        checks.check_count("num_chains", num_chains, 1, CompileError)
        checks.check_count("block_size", block_size, 1, CompileError)
        check_choice(self, "chain_method", chain_method, CHAIN_METHODS)
        check_choice(self, "dtype", dtype, DTYPES)
        if preconditioner is not None:
            check_choice(self, "preconditioner", preconditioner, PRECONDITIONERS)
            check_choice(self, "init", init, NOISE_STARTS)
        if not isinstance(init, Mapping):
            check_choice(self, "init", init, STARTS)
        self.num_warmup, self.num_samples, self.num_chains = num_warmup, num_samples, num_chains
        self.init_strategy, self.chain_method, self.block_size = init, chain_method, block_size
        self.dtype, self.preconditioner = dtype, preconditioner
        self._bound: BoundKernel | None = None

    def kernel(self, log_density: Callable) -> Kernel:
        """Returns the transition for a log-density.

        Args:
            log_density: From a vector (d,) to a scalar.
        """
        raise NotImplementedError(f"{type(self).__name__} must override `kernel(log_density)`.")

    def moves_on(self, site: str) -> bool:
        """Whether the sampler draws a discrete latent, by name, rather than having it summed out."""
        return False

    def for_latents(self, latents: tuple[UnconstrainedLatent, ...]) -> "Sampler":
        """Returns the sampler of a density of these latents: itself, unless some are moved otherwise than others."""
        return self

    def init(self, position: Mapping[str, Tensor], log_density: Callable) -> Any:
        """Returns the state of a chain that starts at a position.

        Args:
            position: Unconstrained numbers by site.
            log_density: From such a dict to a scalar.
        """
        shapes = {name: tuple(keras.ops.shape(value)) for name, value in position.items()}
        kernel = self.kernel(lambda vector: log_density(unflatten(vector, shapes)))
        self._bound = BoundKernel(kernel, shapes)
        with precision(self.dtype):
            return kernel.init(flatten(position, self.dtype))

    def step(self, seed: Seed, state: Any) -> tuple[Any, Info]:
        """Makes one transition of the chain that `init` began.

        Args:
            seed: A seed of `kprob.backend.random`.
            state: What `init` or the last `step` returned.

        Returns:
            The new state, and an `Info`.
        """
        kernel = self._require_bound().kernel
        with precision(self.dtype):
            return kernel.step(seed, state)

    def position(self, state: Any) -> dict[str, Tensor]:
        """Returns the position of a state by site."""
        return unflatten(state.position, self._require_bound().shapes)

    def identity(self) -> str:
        """Returns what tells the states of this sampler's chains from other samplers'."""
        others = ("num_samples", "init", "chain_method", "block_size")
        config = {name: value for name, value in self.get_config().items() if name not in others}
        return f"{type(self).__name__}({config})"

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            "num_warmup": self.num_warmup,
            "num_samples": self.num_samples,
            "num_chains": self.num_chains,
            "init": self.init_strategy,
            "chain_method": self.chain_method,
            "block_size": self.block_size,
            "dtype": self.dtype,
            "preconditioner": self.preconditioner,
        }

    @classmethod
    def from_config(cls, config: dict) -> "Sampler":
        """Makes the sampler from `get_config`'s result."""
        return cls(**config)

    def _require_bound(self) -> BoundKernel:
        if self._bound is None:
            raise CompileError(
                explain(
                    f"{type(self).__name__}.step came before init.",
                    expected="state = sampler.init(position, log_density) first",
                    fix="call init, or pass the sampler to model.compile and call fit",
                )
            )
        return self._bound

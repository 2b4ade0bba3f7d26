"""What a backend offers: the signatures and the meaning of every function, written once for all backends.

`kprob.backend.tensorflow` and `kprob.backend.jax` each hold four modules, and each module is one of the protocols below. A third
backend is a third folder with these four modules; `tests/backend/test_contract.py` says what one lacks.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import keras

from kprob.backend.look_ups import LookUp
from kprob.types import ArrayLike, Distribution, Seed, Shape, Tensor


class Operations(Protocol):
    """The module `operations`: TFP, compiled functions, maps over draws, gradients."""

    @property
    def tfp(self) -> Any:
        """TensorFlow Probability on this backend."""

    def executing_eagerly(self) -> bool:
        """Returns whether operations run at once, rather than being recorded for a compiled program."""

    def wide_numbers(self) -> AbstractContextManager[Any]:
        """Returns a context in which this thread may use numbers of 64 bits."""

    def is_tensor(self, value: object) -> bool:
        """Returns whether a value is a tensor of the backend or a Keras variable."""

    def look_ups(
        self, function: Callable, variables: Callable[[], Sequence[keras.Variable]] = lambda: ()
    ) -> Callable[[Any], list[LookUp]]:
        """Returns a program that finds between which numbers the indices lie by which a user's function looks up.

        Nothing is computed but these indices. Look-ups of libraries, and those inside of loops, aren't among them.

        Args:
            function: A function of one tensor, or of a structure of them.
            variables: Returns the variables that `function` reads.
        """

    def static_shape(self, value: Tensor) -> tuple[int | None, ...]:
        """Returns the shape as it is known before the program runs: `None` where an axis is only known while it runs."""

    def compile_function(
        self, function: Callable, variables: Callable[[], Sequence[keras.Variable]] = lambda: (), jit: bool = False
    ) -> Callable:
        """Compiles a function of tensors, which is traced once for each structure and shape of its arguments.

        Args:
            function: The function; it may read Keras variables and must not write them.
            variables: Returns the variables that `function` reads. A backend that can't find them itself would take their
                values at the first call for constants.
            jit: Whether to compile with XLA, where a backend leaves the choice.
        """

    def map_draws(self, function: Callable, draws: Any, variables: Sequence[keras.Variable]) -> Any:
        """Runs a function once per draw, one after the other, and stacks the results along a new first axis.

        Args:
            function: From what belongs to one draw, such as a seed, to a structure of tensors.
            draws: A tensor or a structure of them, draws along axis 0, such as seeds (S, 2).
            variables: Variables that the function reads. What it writes to them inside the map may be lost.
        """

    def vectorized_map(self, function: Callable, elements: Tensor, variables: Sequence[keras.Variable]) -> Any:
        """Runs `function(element)` for all elements at once, by operations with one more axis.

        Args:
            function: From an element to a structure of tensors.
            elements: Elements along the first axis.
            variables: Variables that the function reads. What it writes to them inside the map may be lost.
        """

    def accumulate(self, function: Callable, initial: Any, elements: Any) -> Any:
        """Computes `state = function(state, element)` for one element after the other and stacks the states.

        Args:
            function: From a state and an element to the next state, a structure of tensors.
            initial: The state before the first element.
            elements: Elements along the first axis of a structure of tensors.
        """

    def gradients(self, function: Callable, *arguments: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """Returns the value of a scalar function and its gradients with respect to its arguments; 0 where it has none."""

    def batch_shape(self, distribution: Distribution) -> Shape:
        """Returns a distribution's batch shape: ints, and scalar tensors for axes that are only known while it runs."""

    def find_influences(self, function: Callable, inputs: dict[str, Tensor]) -> dict[str, set[str]]:
        """Finds which inputs of a function its outputs can depend on, from the recorded computation.

        Args:
            function: From tensors by name to tensors by name.
            inputs: Tensors by name.

        Returns:
            Names of inputs by name of output: all that have an influence, perhaps some that have none.
        """

    def softplus(self, value: Tensor) -> Tensor:
        """Returns log(1 + exp(value))."""


class RandomNumbers(Protocol):
    """The module `random`: seeds, and numbers that are the same eagerly and compiled.

    A seed is a tensor of two integers, as TFP takes it. The numbers depend on the seed alone.
    """

    def seed(self, number: int) -> Seed:
        """Returns the seed that belongs to an integer."""

    def fresh_seed(self) -> Seed:
        """Returns a new seed from Python's generator, which `keras.utils.set_random_seed` sets."""

    def from_generator(self, generator: keras.random.SeedGenerator) -> Seed:
        """Returns the next seed of a `keras.random.SeedGenerator`."""

    def fold_in(self, seed: Seed, number: int | Tensor) -> Seed:
        """Returns a seed made from another seed and an integer; different integers give independent streams."""

    def split(self, seed: Seed, number: int) -> Tensor:
        """Returns `number` independent seeds, shape (number, 2)."""

    def normal(self, shape: Shape, seed: Seed, dtype: str = "float32") -> Tensor:
        """Returns standard normal numbers of a shape, whose entries may be tensors."""

    def uniform(self, shape: Shape, seed: Seed, dtype: str = "float32") -> Tensor:
        """Returns numbers uniform in the open interval (0, 1), so that their logarithms are finite."""

    def mixed_uniform(self, seed: Seed, number: int | Tensor, dtype: str = "float32") -> Tensor:
        """Returns a number uniform in the open interval (0, 1) from a seed and an integer: quicker than `uniform`."""


class Datasets(Protocol):
    """The module `data`: streams of batches that Keras's own loop trains on."""

    def is_dataset(self, value: object) -> bool:
        """Returns whether a value is a `tf.data.Dataset`."""

    def map_dataset(self, dataset: Any, function: Callable, check: Callable) -> Any:
        """Maps a function over a dataset's elements, and prepares the next batch while one is trained on.

        Args:
            dataset: A dataset.
            function: From an element to a batch.
            check: Called with the rows and the weights of each batch, as NumPy arrays; raises where something is wrong.

        Raises:
            NotImplementedError: The backend reads datasets as NumPy arrays.
        """

    def dataset_of(
        self,
        batches: Callable[[], Iterable[dict[str, Any]]],
        example: dict[str, Any],
        number: int | None,
        whole: tuple[str, ...],
    ) -> Any:
        """Makes a dataset that Keras's loop can run over again and again.

        Args:
            batches: Starts an epoch: returns an iterable of batches of NumPy arrays.
            example: One batch, for the structure.
            number: Batches of an epoch, or None where it isn't known.
            whole: Keys of a batch whose first axis isn't rows.
        """

    def count_rows(self, dataset: Any) -> int | None:
        """Returns the rows of a batched dataset, or None where they can't be counted without a pass over it.

        What a dataset repeats counts once.
        """


class TrainingPrograms(Protocol):
    """The module `training`: many training steps in one compiled program, over rows that lie on the device."""

    @property
    def COMPILER_ERRORS(self) -> tuple[type[Exception], ...]:
        """What XLA raises where it has no version of an operation."""

    def make_program(
        self,
        loss: Callable,
        model: keras.Model,
        width: int,
        batch_size: int,
        num_rows: int | None,
        take: Callable,
        jit: bool,
    ) -> Callable:
        """Compiles epochs of training.

        Args:
            loss: `(batch, training=) -> (loss, logs, bad)`: the loss, a vector of what is logged, and the number of the
                first term that wasn't finite, or -1.
            model: The model that is trained, with its optimizer.
            width: How many numbers are logged.
            batch_size: Rows of a step.
            num_rows: Rows of the data set, or None where it is one batch without rows.
            take: `(data, rows) -> batch`, the batch of some rows (None for all).
            jit: Whether to compile with XLA.

        Returns:
            `program(data, orders, epochs, first, last, carry)`: runs the steps from `first` to `last` of each of `epochs`
            epochs, whose rows come in the order of `orders[epoch]`. It returns the logs, an array (epochs, names), and what
            to `carry` into the next call: the sums of the epoch so far and the number of the first term that wasn't finite.
        """

    def make_evaluator(self, loss: Callable, model: keras.Model) -> Callable[[dict[str, Any]], ArrayLike]:
        """Compiles one evaluation: `evaluator(batch)` returns the vector of the logs of that batch alone.

        Args:
            loss: As for `make_program`.
            model: The model that is evaluated.
        """

    def is_distributed(self, model: keras.Model) -> bool:
        """Returns whether a model is spread over several devices by the backend's own strategies."""

    def num_replicas(self) -> int:
        """Returns the number of replicas that share a step."""

"""The two networks of a model as functions, with the arguments that are looked up in the data."""

from collections.abc import Callable
from functools import cached_property

from kprob.engine.arguments import arguments_of
from kprob.engine.host import Host


class NetworkFunctions:
    """A model's networks as functions, as they are when they are first asked for.

    Args:
        host: The model.
        model_name: Its name, for messages.
    """

    def __init__(self, host: Host, model_name: str):
        self.host, self.model_name = host, model_name

    @cached_property
    def generative(self) -> Callable:
        """The generative network, a function of covariates."""
        return self.host.generative

    @cached_property
    def generative_arguments(self) -> dict[str, bool]:
        """Arguments of the generative network: whether each is required."""
        return arguments_of(self.generative, f"the generative network of {self.model_name}")

    @cached_property
    def inference(self) -> Callable | None:
        """The handwritten inference network, a function of data, or None."""
        return self.host.inference

    @cached_property
    def inference_arguments(self) -> dict[str, bool]:
        """Arguments of the handwritten inference network: whether each is required."""
        network = self.inference
        return {} if network is None else arguments_of(network, f"the inference network of {self.model_name}")

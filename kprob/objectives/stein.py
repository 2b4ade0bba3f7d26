"""Stein variational gradient descent.   z_i moves along (1/n) Σ_j [k(z_j, z_i) ∇ log p(x, z_j) + ∇_{z_j} k(z_j, z_i)]"""

import keras

from kprob.effects import Trace
from kprob.objectives.estimation.draw_runs import DrawRuns
from kprob.objectives.estimation.kernels import Kernel, get_kernel
from kprob.objectives.estimation.objective_values import ObjectiveValues, mean_over_draws
from kprob.objectives.estimation.score_function import zero_with_gradient
from kprob.objectives.objective import Objective
from kprob.saving import decode, encode, register
from kprob.types import Tensor

stop = keras.ops.stop_gradient


@register
class Stein(Objective):
    """Moves the particles of `kprob.guides.Particles` so that together they become draws of the posterior.

    Each particle climbs the log-density, its own and, as far as the kernel says they are alike, the others', and is pushed
    away from the others. With one particle this finds the mode. Latents move in unconstrained space. What is logged as
    `elbo` is the particles' mean log-density there.

    Args:
        kernel: "rbf", whose bandwidth follows the particles' median distance, "linear", or a kernel such as
            `kprob.objectives.RBF(bandwidth=1.0)`.

    Example:
        ```python
        import keras
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature(inference=kprob.guides.Particles(10)).compile(kprob.objectives.Stein(), keras.optimizers.Adam(0.1))
        model.fit({"sensor": 18.0}, epochs=2, verbose=0)
        assert model.posterior("temp").sample(100).shape == (100,)
        ```

    Reference:
        Liu and Wang (2016), "Stein variational gradient descent: a general purpose Bayesian inference algorithm",
        arXiv:1608.04471.
    """

    def __init__(self, kernel: str | Kernel = "rbf"):
        super().__init__(1)
        self.kernel = get_kernel(kernel)

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        return generative_trace.log_prob() - inference_trace.log_prob()

    def run(self, runs: DrawRuns) -> ObjectiveValues:
        each, correction = runs.of_particles(self.values, self)
        values = mean_over_draws(each)
        return values._replace(objective=values.objective + correction)

    def directed(self, particles: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the particles, to which the gradients of their mean objective come back by the kernel; and a zero.

        Args:
            particles: Unconstrained values, shape (n, D).

        Returns:
            The same values; and a scalar, zero, whose gradient is what pushes particles apart.
        """
        points = stop(particles)
        scale = self.kernel.scale(points)
        matrix = self.kernel.matrix(points, points, scale)
        together = points + keras.ops.matmul(matrix, particles - points)
        return together, zero_with_gradient(keras.ops.sum(self.kernel.drift(points, scale) * particles))

    def get_config(self) -> dict:
        return {"kernel": encode(self.kernel, "the kernel")}

    @classmethod
    def from_config(cls, config: dict) -> "Stein":
        return cls(decode(config["kernel"]))

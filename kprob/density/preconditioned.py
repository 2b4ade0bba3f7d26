"""A fitted guide as a preconditioner: the log-density in the coordinates of the noise that the guide is made of.

u = T(v) carries standard normal noise v to the guide's distribution. If the guide were the posterior, v would be
standard normal under it; the closer the guide is, the rounder is the density that the sampler moves on. The draws are right
in any case.
Hoffman, Sountsov, Dillon, Langmore, Tran and Vasudevan (2019), "NeuTra-lizing bad geometry in Hamiltonian Monte Carlo using
neural transport".
"""

from kprob.data.batch import data_of
from kprob.density.log_density import LogDensity
from kprob.errors import MismatchError, explain, names
from kprob.guides import Guide
from kprob.guides.running.guide_run import GuideRun
from kprob.types import Tensor


def preconditioned(density: LogDensity, guide: Guide) -> LogDensity:
    """Returns a log-density over the noise of a fitted guide.

    Args:
        density: The log-density over unconstrained numbers.
        guide: The guide.

    Raises:
        MismatchError: The guide stands for other latents.
        KprobError: The guide isn't an invertible function of normal noise.
    """
    order = [latent.name for latent in density.latents]
    if set(order) != set(guide.latents):
        raise MismatchError(
            explain(
                f"The guide {type(guide).__name__} was fitted to other latents than those to be drawn.",
                received=names(guide.latents),
                expected=names(order),
                fix="fit the guide and the sampler to the same data",
            )
        )

    def transport(noise: dict, batch: dict) -> tuple[dict, Tensor]:
        run = GuideRun(data_of(batch), guide.num_data)
        return guide.transport(noise, run)

    return LogDensity(density.networks, density.latents, density.plan, transport)

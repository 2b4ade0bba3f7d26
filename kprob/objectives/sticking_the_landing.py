"""The evidence lower bound with the path derivative alone.   ∇ E_ε[log p(x, z) − log q_stop(φ)(z)],  z = z(ε, φ)"""

from dataclasses import replace

from kprob.effects import Trace
from kprob.objectives.elbo import ELBO
from kprob.objectives.estimation.density_terms import DensityTerm, terms_of
from kprob.saving import register


@register
class StickingTheLandingELBO(ELBO):
    """Evidence lower bound whose gradient has no variance at the posterior.

    log q(z) depends on q's parameters through the draw z and directly. The direct part, the score, is zero on average and
    only noise: here it is left out. At the posterior log p(x, z) − log q(z) is the same for every z, so that each single
    draw's gradient is zero. Use it where q can come close to the posterior: rich guides, long fits.

    Args:
        num_samples: Draws for each evaluation.
        baseline: For latents that can't be reparameterised (see `ELBO`).

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.objectives.StickingTheLandingELBO(), "adam")
        model.fit({"sensor": 18.0}, epochs=2, verbose=0)
        ```

    Reference:
        Roeder, Wu and Duvenaud (2017), "Sticking the landing: simple, lower-variance gradient estimators for variational
        inference", arXiv:1703.09194.
    """

    def cost_terms(self, generative_trace: Trace, inference_trace: Trace) -> list[DensityTerm]:
        frozen = inference_trace.frozen()
        return [
            replace(term, trace=frozen, site=frozen[term.site.name]) if term.trace is inference_trace else term
            for term in terms_of(generative_trace, inference_trace)
        ]

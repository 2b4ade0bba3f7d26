"""The evidence lower bound, as an essay.

Bayes' rule wants log p(x) = log ∫ p(x, z) dz, which nobody can compute. For any density q(z) that we can draw from,

    log p(x) ≥ E_q[ log p(x, z) − log q(z) ]   =: ELBO,

with equality when q is the posterior: the gap is KL(q ‖ p(z | x)). So we raise the ELBO, in the parameters of q to come
close to the posterior and in those of p to explain the data. One draw z of q gives an unbiased estimate: run the
inference network, replay its values in the generative network, subtract the two log-densities. That is `call` below.

Its gradient must be unbiased too. Where a draw is a differentiable function of q's parameters (a location plus a scale
times noise), differentiating through the draw is all there is to do (Kingma and Welling 2014; Rezende, Mohamed and
Wierstra 2014). Where it isn't (a coin, a category), the draw's own dependence on the parameters is lost, and the score
function brings it back: ∇ E_q[f] = E_q[f ∇ log q(z)] + E_q[∇ f] (Williams 1992; Ranganath, Gerrish and Blei 2014). We add
a term that is zero in value and has that gradient. Where every latent belongs to a row of data, a row's draw is judged by
its own row's f alone, which lowers the variance by much.
"""

import keras

from kprob import distributions
from kprob.backend import tfd
from kprob.effects import Site, Trace
from kprob.objectives.objective import Objective
from kprob.saving import register
from kprob.types import Tensor

stop = keras.ops.stop_gradient


@register
class ELBO(Objective):
    """Evidence lower bound E_q[log p(x, z) − log q(z)], estimated by draws of q.

    The estimate's variance vanishes as q comes to the posterior, where every single draw gives the log-evidence.

    Args:
        num_samples: Draws for each evaluation.

    Example:
        ```python
        import kprob
        from kprob import tfd

        @kprob.probmodel
        def temperature():
            temp = kprob.sample("temp", tfd.Normal(15.0, 2.0))
            kprob.sample("sensor", tfd.Normal(temp, 1.0))

        model = temperature().compile(kprob.ELBO(num_samples=10), "adam")
        history = model.fit({"sensor": 18.0}, epochs=2, verbose=0)
        assert set(history.history) == {"loss", "elbo", "log_likelihood", "kl"}
        ```

    Reference:
        Jordan, Ghahramani, Jaakkola and Saul (1999), "An introduction to variational methods for graphical models".
    """

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        log_p = generative_trace.log_prob()  # [S] or scalar
        log_q = inference_trace.log_prob()  # [S] or scalar
        return log_p - log_q + score_function_term(generative_trace, inference_trace)

    def elbo(self, generative_trace: Trace, inference_trace: Trace, value: Tensor) -> Tensor:
        return value


@register
class AnalyticKLELBO(ELBO):
    """Evidence lower bound with KL divergences in closed form where TFP knows them.

    For each latent, E_q[log q(z) − log p(z | parents)] is exact given the parents; the rest is estimated by draws.
    Its gradient has less variance than `ELBO`'s far from the posterior, and more close to it.

    Args:
        num_samples: Draws for each evaluation.

    Example:
        ```python
        import kprob

        assert kprob.AnalyticKLELBO(num_samples=2).num_samples == 2
        ```

    Reference:
        Kingma and Welling (2014), "Auto-encoding variational Bayes", appendix B.
    """

    def call(self, generative_trace: Trace, inference_trace: Trace) -> Tensor:
        known = {}
        for site in inference_trace.random_sites():
            divergence = _kl_divergence(site, generative_trace)
            if divergence is not None:
                known[site.name] = divergence
        log_p = generative_trace.log_prob([s.name for s in generative_trace.weighed_sites() if s.name not in known])
        log_q = inference_trace.log_prob([s.name for s in inference_trace.weighed_sites() if s.name not in known])
        kl = sum(inference_trace.site_log_prob(site) for site in known.values())
        return log_p - log_q - kl + score_function_term(generative_trace, inference_trace)


def score_function_term(generative_trace: Trace, inference_trace: Trace) -> Tensor:
    """Returns a term that is zero in value and whose gradient is the score function's share."""
    jumps = [s for s in inference_trace.random_sites() if not distributions.is_reparameterized(s.distribution)]
    if not jumps:
        return 0.0
    latent = inference_trace.random_sites()
    if all(site.in_data_plate for site in latent):
        plate = latent[0].plates[0]
        local = [s.name for s in generative_trace.weighed_sites() if s.in_data_plate]
        signal = generative_trace.log_prob_rows(local) - inference_trace.log_prob_rows()  # [S, B] or [B]
        score = sum(_unweighted_rows(site, inference_trace) for site in jumps)
        return keras.ops.sum(stop(signal) * (score - stop(score)), axis=-1) * plate.scale
    signal = generative_trace.log_prob() - inference_trace.log_prob()
    score = sum(keras.ops.sum(site.log_prob()) for site in jumps)
    return stop(signal) * (score - stop(score))


def _unweighted_rows(site: Site, trace: Trace) -> Tensor:
    rows = site.log_prob()
    if len(rows.shape) > 1:
        rows = keras.ops.sum(rows, axis=tuple(range(1, len(rows.shape))))
    return rows if trace.num_draws is None else keras.ops.reshape(rows, (trace.num_draws, -1))


def _kl_divergence(site: Site, generative_trace: Trace) -> Site | None:
    # The divergence takes the place of the site's log-density, so that plates, masks and weights act on it alike.
    if site.name not in generative_trace:
        return None
    try:
        divergence = tfd.kl_divergence(site.distribution, generative_trace[site.name].distribution)
    except NotImplementedError:
        return None
    sizes = tuple(plate.size for plate in site.plates)
    value = keras.ops.broadcast_to(divergence, sizes) if sizes else divergence
    return Site(site.name, "factor", value=value, plates=site.plates, scale=site.scale, mask=site.mask)

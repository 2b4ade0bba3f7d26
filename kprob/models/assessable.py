"""The verbs by which a fit is judged: `diagnose`, the evidence, the density of new data."""

from kprob.models import evidence
from kprob.models.diagnosis import Diagnosis, diagnose
from kprob.models.freezable import Freezable
from kprob.models.population import log_evidence


class Assessable(Freezable):
    """A model whose fit can be judged."""

    def diagnose(self, data=None, num_samples: int = 1000, max_rows: int = 1000, seed: int | None = None) -> Diagnosis:
        """Returns how far the fit is to be trusted: k-hat, the ELBO's error, whether it still rises; print it for advice.

        Args:
            data: The data of the fit, or other data that the inference network takes.
            num_samples: Draws of q.
            max_rows: Rows to look at, chosen by chance, where each row has its own k-hat.
            seed: Makes the result repeatable.
        """
        return diagnose(self, data, num_samples, max_rows, seed)

    def log_marginal_likelihood(self, data=None, num_samples: int = 1000, seed: int | None = None) -> evidence.Estimate:
        """Returns the log-evidence log p(data), estimated by importance sampling with q as the proposal.

        Args:
            data: What is observed, and covariates.
            num_samples: Draws of q.
            seed: Makes the result repeatable.

        Returns:
            A float with `standard_error`, `k_hat`, and `per_datum` where all latents are inside the data plate.
        """
        return evidence.log_marginal_likelihood(self, data, num_samples, seed)

    @property
    def log_evidence(self) -> evidence.Estimate:
        """The log-evidence log p(data) that sequential Monte Carlo (`kprob.SMC`) found in `fit`, with its standard error."""
        return log_evidence(self)

    def log_predictive_density(self, data=None, num_samples: int = 1000, seed: int | None = None) -> evidence.Estimate:
        """Returns the log-density that the fitted model gives to new data, row by row: Σ_i log E[p(x_i | latents)].

        Latents outside the data plate are drawn from q; a row's own latents are integrated out by importance sampling.

        Args:
            data: Data that wasn't fitted: what is observed, and covariates.
            num_samples: Draws of q.
            seed: Makes the result repeatable.

        Returns:
            A float, the sum over rows, with `per_datum`, `standard_error` and `k_hat`.
        """
        return evidence.log_predictive_density(self, data, num_samples, seed)

"""The verbs by which a fit is judged: `diagnose`, the evidence, the density of new data."""

from collections.abc import Mapping
from typing import Any

from kprob.models import arviz_export, evidence, filtering, joint_draws
from kprob.models.diagnosis import Diagnosis, diagnose
from kprob.models.filtered import Filtered
from kprob.models.freezable import Freezable
from kprob.models.population import log_evidence
from kprob.models.sampler_diagnosis import SamplerDiagnosis, diagnose_sampler


class Assessable(Freezable):
    """A model whose fit can be judged."""

    def diagnose(
        self, data=None, num_samples: int = 1000, max_rows: int = 1000, seed: int | None = None
    ) -> Diagnosis | SamplerDiagnosis:
        """Returns how far the fit is to be trusted; print it for a verdict in words, and advice.

        Of an inference network: k-hat, the ELBO's error, whether it still rises. Of a sampler's run: a table of its
        latents with means, quantiles, Monte Carlo errors, effective sample sizes and R-hat, divergences, E-BFMI; it needs
        no data.

        Args:
            data: The data of the fit, or other data that the inference network takes.
            num_samples: Draws of q.
            max_rows: Rows to look at, chosen by chance, where each row has its own k-hat.
            seed: Makes the result repeatable.
        """
        if self.sampler is not None:
            return diagnose_sampler(self)
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
        """The log-evidence log p(data) that `kprob.samplers.SMC` found in `fit`, with its standard error."""
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

    def particle_filter(
        self,
        data=None,
        num_particles: int = 1000,
        *,
        proposal: str = "generative",
        resampling: str = "systematic",
        ess_threshold: float = 0.5,
        given: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Filtered:
        """Returns what particles tell of a model whose generative network is a `kprob.scan`: states and likelihood.

        The particles' states at each time are draws given the data up to then, and the likelihood's estimate is unbiased.
        Steps propose states by the generative network (the bootstrap filter) or by the inference network's own scan (a
        guided filter), which sees the data and needs fewer particles. A site before the scan from which the first state
        comes is drawn for each particle. It needs no fit where the generative network has no parameters to learn.

        Args:
            data: What is observed in the steps, and covariates.
            num_particles: Number of particles.
            proposal: "generative", or "inference" for the inference network's steps.
            resampling: "systematic", "stratified" or "multinomial".
            ess_threshold: Particles are drawn anew where their effective sample size is below this share of them: 1 for
                always, 0 for never.
            given: Values of latents on which all steps depend.
            seed: Makes the result repeatable.

        Returns:
            The particles with their weights, the log-likelihood, and the effective sample size at each step.

        Raises:
            SiteError: The network has no scan, or its steps depend on a latent that isn't given.

        Example:
            ```python
            import kprob
            from kprob import tfd

            def day(level, t):
                level = kprob.sample("level", tfd.Normal(level, 1.0))
                kprob.sample("y", tfd.Normal(level, 0.5))
                return level

            model = kprob.ProbabilisticModel(lambda: kprob.scan(day, 0.0, 3))
            found = model.particle_filter({"y": [0.5, 1.0, -0.5]}, seed=1)
            assert abs(found.log_likelihood + 4.255) < 0.3
            ```

        Reference:
            Gordon, Salmond and Smith (1993), "Novel approach to nonlinear/non-Gaussian Bayesian state estimation"; Doucet,
            Godsill and Andrieu (2000), "On sequential Monte Carlo sampling methods for Bayesian filtering".
        """
        return filtering.particle_filter(self, data, num_particles, proposal, resampling, ess_threshold, given, seed)

    def log_likelihood(self, data=None, num_samples: int | None = None, seed: int | None = None):
        """Returns the log-density of each datum given each posterior draw: log p(x_i | latents of the draw).

        Args:
            data: What is observed, and covariates; of any length where no latent has a value per row.
            num_samples: Draws; by default all that a sampler made, chain after chain, or 1,000 of q.
            seed: Makes the result repeatable.

        Returns:
            An array, draws leading and then the plates of the observed site; a dict of arrays where several are observed.

        Example:
            ```python
            import kprob
            from kprob import tfd

            @kprob.probmodel
            def mean():
                mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
                with kprob.plate("data"):
                    kprob.sample("x", tfd.Normal(mu, 1.0))

            model = mean().compile(kprob.NUTS(num_warmup=50, num_samples=50, num_chains=2))
            model.fit({"x": [4.0, 5.0, 6.0]}, verbose=0)
            assert model.log_likelihood({"x": [4.0, 5.0, 6.0]}).shape == (100, 3)
            ```
        """
        return joint_draws.log_likelihood(self, data, num_samples, seed)

    def to_arviz(
        self,
        data=None,
        num_samples: int | None = None,
        num_prior_samples: int = 500,
        coords: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ):
        """Returns the fit as ArviZ's data structure, for its plots, `az.summary`, `az.loo` and `az.compare`.

        Its groups are posterior, posterior_predictive, log_likelihood, sample_stats, prior, prior_predictive,
        observed_data and constant_data. Dimensions are named after plates. ArviZ is an extra: `pip install "kprob[arviz]"`.

        Args:
            data: The data of the fit.
            num_samples: Draws; by default all that a sampler made, or 1,000 of q.
            num_prior_samples: Draws of the prior; 0 for none.
            coords: Labels by plate, in place of 0, 1, 2, ...
            seed: Makes the result repeatable.

        Example:
            ```python
            import kprob
            from kprob import tfd

            @kprob.probmodel
            def mean():
                mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
                with kprob.plate("data"):
                    kprob.sample("x", tfd.Normal(mu, 1.0))

            model = mean().compile(kprob.NUTS(num_warmup=50, num_samples=50, num_chains=2))
            model.fit({"x": [4.0, 5.0, 6.0]}, verbose=0)
            found = model.to_arviz({"x": [4.0, 5.0, 6.0]}, coords={"data": ["a", "b", "c"]})
            assert found.log_likelihood["x"].dims == ("chain", "draw", "data")
            ```
        """
        return arviz_export.to_arviz(self, data, num_samples, num_prior_samples, coords, seed)

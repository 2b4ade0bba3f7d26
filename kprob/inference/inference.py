"""How a model is learnt from data, and where answers about its posterior come from."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kprob.data import Data
from kprob.engine import prepare_data
from kprob.errors import CompileError, explain
from kprob.evaluation import arviz, joint_draws
from kprob.evaluation.evidence import Estimate, evidence_of_draws
from kprob.evaluation.guide_diagnosis import Diagnosis
from kprob.evaluation.sampler_diagnosis import SamplerDiagnosis
from kprob.filtering import Filtered, check_options, particle_filter
from kprob.inference.context import Context
from kprob.inference.origin import check_origin
from kprob.objectives import Objective
from kprob.queries import Query
from kprob.samplers import Sampler
from kprob.samplers.chains.draws import Draws
from kprob.training.loss import Loss

Answers = np.ndarray | dict[str, np.ndarray]


class Inference(ABC):
    """A way to infer: what `compile` chose, and everything that depends on that choice.

    To subclass, override what is abstract, and enter the class in `kprob.inference.choice`.

    Args:
        context: The model and what belongs to it.
    """

    #: What is maximised, where something is.
    objective: Objective | None = None
    #: What draws from the posterior, where something does.
    sampler: Sampler | None = None
    #: The type of numbers that the model is computed in.
    dtype = "float32"

    def __init__(self, context: Context):
        self.context, self.networks = context, context.networks

    @abstractmethod
    def build(self, data: Data, num_data: int | None = None, check_values: bool = True) -> None:
        """Makes the model's variables, or checks further data of a model that has them.

        Args:
            data: Some rows, or all.
            num_data: Rows of the whole data set, where `data` is only a part of it.
            check_values: Whether observed values must lie in their supports.
        """

    @abstractmethod
    def fit(self, x: Any, y: Any, **options: Any) -> keras.callbacks.History:
        """Learns from data: trains the inference network, or draws by the sampler.

        Args:
            x: Data by name: a dict or data frame, or a stream of them; or an array where one reading is possible.
            y: Observed values, where `x` has only the covariates.
            **options: Keras's `batch_size`, `epochs`, `verbose`, `callbacks`, `validation_split`, `validation_data`,
                `shuffle`, `sample_weight`, `initial_epoch`, `steps_per_epoch`, `validation_freq`,
                `validation_batch_size`, `validation_steps`; `num_data`, the rows of a stream of unknown length; and `check`,
                False to say nothing where the fit ends badly.

        Returns:
            Keras's `History`.
        """

    @abstractmethod
    def evaluate(self, x: Any, y: Any, **options: Any) -> dict[str, float] | list[float]:
        """Returns the objective and its parts on data, per datum.

        Args:
            x: Data, as for `fit`.
            y: Observed values, as for `fit`.
            **options: `batch_size`, `verbose`, `sample_weight`, `steps`, `callbacks`, `return_dict`, `num_data`,
                and `seed`, an int that makes the result repeatable.
        """

    @abstractmethod
    def query(self, kind: str, names: Any, data: Any, size: int = 1) -> Query:
        """Returns a query.

        Args:
            kind: "posterior" or "posterior_predictive".
            names: A site, a list of sites, or None for all.
            data: What the networks take.
            size: Length of the data plate where the data has no rows.
        """

    def posterior(self, names: Any = None, data: Any = None) -> Query:
        """Returns the posterior distribution of latents as a query.

        Args:
            names: A latent, a list of latents, or None for all.
            data: What the inference network takes; nothing where all latents are outside the data plate.
        """
        return self.query("posterior", names, data)

    def posterior_predictive(self, names: Any = None, data: Any = None, size: int = 1) -> Query:
        """Returns the distribution of new observations given the data as a query; each draw has its own posterior draw.

        Args:
            names: A site, a list of sites, or None for all that aren't latent.
            data: What the inference network and the generative one take.
            size: Length of the data plate where the data has no rows.
        """
        return self.query("posterior_predictive", names, data, size)

    @abstractmethod
    def predict(self, x: Any, num_samples: int, seed: int | None, batch_size: int | None) -> Answers:
        """Returns the posterior-predictive mean of what the data doesn't give.

        Args:
            x: Data by name: covariates, and whatever the inference network takes.
            num_samples: Posterior draws to average over.
            seed: Makes the result repeatable.
            batch_size: Rows at a time.
            verbose: Keras's; nothing is shown.

        Returns:
            An array, or a dict of arrays where several sites are predicted.
        """

    @abstractmethod
    def diagnose(self, data: Any, num_samples: int, max_rows: int, seed: int | None) -> Diagnosis | SamplerDiagnosis:
        """Returns how far the fit is to be trusted; print it for a verdict in words, and advice.

        Of an inference network: whether it is close to the posterior, by importance weights and short Markov chains from
        its draws; the ELBO's error, whether it still rises. Of a sampler's run: a table of its latents with means,
        quantiles, Monte Carlo errors, effective sample sizes and R-hat, divergences, E-BFMI; it needs no data.

        Args:
            data: The data of the fit, or other data that the inference network takes.
            num_samples: Draws of q.
            max_rows: Rows to look at, chosen by chance, where each row has its own k-hat.
            seed: Makes the result repeatable.
        """

    @abstractmethod
    def draws_of_fit(self) -> Draws | None:
        """Returns the draws that answers are about, or None where they are about q.

        Raises:
            KprobError: There should be draws, and there are none yet.
        """

    @property
    def loss(self) -> Loss:
        """What training minimises.

        Raises:
            CompileError: Nothing is trained.
        """
        raise CompileError(
            explain(
                f"{type(self).__name__} trains nothing.",
                received="a step of training",
                expected="a model compiled with an objective",
                fix='write model.compile(kprob.ELBO(), "adam")',
            )
        )

    @property
    def method(self) -> Objective | Sampler | None:
        """What `compile` got: an objective or a sampler."""
        return self.objective or self.sampler

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Layers that are to be trained and saved with the model."""
        return [] if self.objective is None else self.objective.layers

    def log_evidence(self) -> Estimate:
        """Returns the log-evidence that sequential Monte Carlo found.

        Raises:
            KprobError: The model wasn't fitted by it, or has changed since.
        """
        draws = self.context.draws
        if draws is not None:
            check_origin(self.context, draws)
        return evidence_of_draws(self.networks.model_name, draws)

    def log_likelihood(self, data: Any, num_samples: int | None, seed: int | None) -> Answers:
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
        return joint_draws.log_likelihood(self.networks, self.draws_of_fit(), data, num_samples, seed)

    def to_arviz(
        self, data: Any, num_samples: int | None, num_prior_samples: int, coords: Mapping | None, seed: int | None
    ) -> Any:
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
        draws = self.draws_of_fit()
        return arviz.to_arviz(self.networks, draws, data, num_samples, num_prior_samples, coords, seed)

    def particle_filter(
        self,
        data: Any,
        num_particles: int,
        proposal: str,
        resampling: str,
        ess_threshold: float,
        given: Mapping[str, Any] | None,
        seed: int | None,
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
        check_options(num_particles, proposal, resampling, ess_threshold)
        prepared = prepare_data(self.networks, data)
        if proposal == "inference" and not self.networks.built:
            self.build(prepared)
        return particle_filter(self.networks, prepared, num_particles, proposal, resampling, ess_threshold, given, seed)

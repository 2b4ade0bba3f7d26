"""The verbs by which a model is asked: its prior, posterior and predictive distributions, and predictions."""

from kprob.models import predicting
from kprob.models.assessable import Assessable
from kprob.queries import Query


class Queryable(Assessable):
    """A model that answers queries."""

    def predict(self, x=None, *, num_samples: int = 100, seed: int | None = None, batch_size: int | None = None, **_):
        """Returns the posterior-predictive mean of what the data doesn't give.

        Args:
            x: Data by name: covariates, and whatever the inference network takes.
            num_samples: Posterior draws to average over.
            seed: Makes the result repeatable.
            batch_size: Rows at a time.

        Returns:
            An array, or a dict of arrays where several sites are predicted.
        """
        return predicting.predict(self, x, num_samples=num_samples, seed=seed, batch_size=batch_size)

    def prior(self, names=None, data=None, size: int = 1) -> Query:
        """Returns the prior distribution of sites as a query.

        Args:
            names: A site, a list of sites, or None for all.
            data: Covariates and, to condition on, values of sites.
            size: Length of the data plate where the data has no rows.
        """
        return predicting.query(self, "prior", names, data, size)

    def posterior(self, names=None, data=None) -> Query:
        """Returns the posterior distribution of latents as a query.

        Args:
            names: A latent, a list of latents, or None for all.
            data: What the inference network takes; nothing where all latents are outside the data plate.
        """
        return predicting.query(self, "posterior", names, data)

    def posterior_predictive(self, names=None, data=None, size: int = 1) -> Query:
        """Returns the distribution of new observations given the data as a query; each draw has its own posterior draw.

        Args:
            names: A site, a list of sites, or None for all that aren't latent.
            data: What the inference network and the generative one take.
            size: Length of the data plate where the data has no rows.
        """
        return predicting.query(self, "posterior_predictive", names, data, size)

"""Pyro's variational autoencoder: SVI's step in a Python loop, as in its own example."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO

from benchmarks import problems
from benchmarks.contestant import Measurement


class Encoder(torch.nn.Module):
    """The mean and scale of q(z|x)."""

    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(problems.VAE_DATA_DIM, problems.VAE_HIDDEN)
        self.loc = torch.nn.Linear(problems.VAE_HIDDEN, problems.VAE_LATENT)
        self.scale = torch.nn.Linear(problems.VAE_HIDDEN, problems.VAE_LATENT)

    def forward(self, x):
        """Returns loc and scale."""
        features = torch.relu(self.hidden(x))
        return self.loc(features), torch.nn.functional.softplus(self.scale(features))


class VAE(torch.nn.Module):
    """p(z) p(x|z) and q(z|x)"""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(problems.VAE_LATENT, problems.VAE_HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Linear(problems.VAE_HIDDEN, problems.VAE_DATA_DIM),
        )

    def model(self, x):
        """p"""
        pyro.module("decoder", self.decoder)
        with pyro.plate("data", x.shape[0]):
            prior = dist.Normal(x.new_zeros(x.shape[0], problems.VAE_LATENT), 1.0).to_event(1)
            z = pyro.sample("z", prior)
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)

    def guide(self, x):
        """q"""
        pyro.module("encoder", self.encoder)
        with pyro.plate("data", x.shape[0]):
            loc, scale = self.encoder(x)
            pyro.sample("z", dist.Normal(loc, scale).to_event(1))


class Trainer:
    """SVI on rows in memory; the parameters live on between epochs."""

    def __init__(self):
        # Off as in NumPyro; Pyro's documentation advises it for speed.
        pyro.enable_validation(False)
        pyro.clear_param_store()
        pyro.set_rng_seed(0)
        vae = VAE()
        self.rows = torch.from_numpy(problems.binary_images())
        optimizer = pyro.optim.Adam({"lr": problems.VAE_LEARNING_RATE, "fused": True})
        self.svi = SVI(vae.model, vae.guide, optimizer, Trace_ELBO())

    def epoch(self) -> float:
        """One epoch over the shuffled rows."""
        order = torch.randperm(problems.VAE_ROWS)
        batches = order.split(problems.VAE_BATCH)
        return sum(self.svi.step(self.rows[batch]) for batch in batches) / problems.VAE_ROWS


def prepare() -> dict[str, Measurement]:
    """Returns the step loop."""
    trainer = Trainer()
    return {"step loop": Measurement(trainer.epoch)}


def first_result() -> float:
    """Builds and runs the first epoch."""
    return Trainer().epoch()

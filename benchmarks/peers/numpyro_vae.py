"""NumPyro's variational autoencoder: a loop over compiled steps, and a whole epoch compiled."""

import jax
import numpyro
import numpyro.distributions as dist
from jax.example_libraries import stax
from numpyro.infer import SVI, Trace_ELBO

from benchmarks import problems
from benchmarks.contestant import Measurement

EPOCHS = 8
STEPS = problems.VAE_ROWS // problems.VAE_BATCH

ENCODER = stax.serial(
    stax.Dense(problems.VAE_HIDDEN),
    stax.Relu,
    stax.FanOut(2),
    stax.parallel(
        stax.Dense(problems.VAE_LATENT),
        stax.serial(stax.Dense(problems.VAE_LATENT), stax.Softplus),
    ),
)
DECODER = stax.serial(stax.Dense(problems.VAE_HIDDEN), stax.Relu, stax.Dense(problems.VAE_DATA_DIM))


def model(batch):
    """p(z) p(x|z)"""
    decode = numpyro.module("decoder", DECODER, (problems.VAE_BATCH, problems.VAE_LATENT))
    with numpyro.plate("data", batch.shape[0]):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([problems.VAE_LATENT]).to_event(1))
        numpyro.sample("x", dist.Bernoulli(logits=decode(z)).to_event(1), obs=batch)


def guide(batch):
    """q(z|x)"""
    encode = numpyro.module("encoder", ENCODER, (problems.VAE_BATCH, problems.VAE_DATA_DIM))
    loc, scale = encode(batch)
    with numpyro.plate("data", batch.shape[0]):
        numpyro.sample("z", dist.Normal(loc, scale).to_event(1))


class Trainer:
    """SVI on device-resident rows; the state lives on between epochs."""

    def __init__(self):
        self.rows = jax.device_put(problems.binary_images())
        self.svi = SVI(model, guide, numpyro.optim.Adam(problems.VAE_LEARNING_RATE), Trace_ELBO())
        self.key = jax.random.key(0)
        self.state = self.svi.init(jax.random.key(1), self.rows[: problems.VAE_BATCH])
        self.compiled_epoch = jax.jit(self._epoch, donate_argnums=0)
        self.compiled_step = jax.jit(self._step, donate_argnums=0)

    def _shuffled(self, key, rows):
        return jax.random.permutation(key, rows.shape[0]).reshape(STEPS, problems.VAE_BATCH)

    def _step(self, state, rows, indices):
        return self.svi.update(state, rows[indices])

    def _epoch(self, state, key, rows):
        batches = self._shuffled(key, rows)

        def step(state, indices):
            return self._step(state, rows, indices)

        state, losses = jax.lax.scan(step, state, batches)
        return state, losses.mean() / problems.VAE_BATCH

    def epoch_compiled(self) -> float:
        """One epoch as one compiled program."""
        self.key, key = jax.random.split(self.key)
        self.state, loss = self.compiled_epoch(self.state, key, self.rows)
        return float(loss)

    def epoch_of_steps(self) -> float:
        """One epoch as a Python loop over a compiled step."""
        self.key, key = jax.random.split(self.key)
        total = 0.0
        for indices in self._shuffled(key, self.rows):
            self.state, loss = self.compiled_step(self.state, self.rows, indices)
            total += loss
        return float(total) / problems.VAE_ROWS


def prepare() -> dict[str, Measurement]:
    """Returns the step loop and the compiled epoch, on models of their own."""
    steps, compiled = Trainer(), Trainer()
    return {
        "step loop": Measurement(lambda: [steps.epoch_of_steps() for _ in range(EPOCHS)][-1], EPOCHS),
        "compiled epoch": Measurement(lambda: [compiled.epoch_compiled() for _ in range(EPOCHS)][-1], EPOCHS),
    }


def first_result() -> float:
    """Builds, compiles and runs the first epoch."""
    return Trainer().epoch_compiled()

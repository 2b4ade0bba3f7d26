"""NumPyro's importance weighted autoencoder: its Rényi bound with alpha 0, an epoch as one compiled program."""

import jax
import numpyro
import numpyro.distributions as dist
from jax.example_libraries import stax
from numpyro.infer import SVI, RenyiELBO

from benchmarks import problems
from benchmarks.contestant import Measurement

EPOCHS = 2
STEPS = problems.IWAE_ROWS // problems.IWAE_BATCH


def hidden() -> list:
    """Returns two hidden layers."""
    return [part for _ in range(2) for part in (stax.Dense(problems.IWAE_HIDDEN), stax.Tanh)]


ENCODER = stax.serial(
    *hidden(),
    stax.FanOut(2),
    stax.parallel(
        stax.Dense(problems.IWAE_LATENT),
        stax.serial(stax.Dense(problems.IWAE_LATENT), stax.Softplus),
    ),
)
DECODER = stax.serial(*hidden(), stax.Dense(problems.VAE_DATA_DIM))


def model(batch):
    """p(z) p(x|z)"""
    decode = numpyro.module("decoder", DECODER, (problems.IWAE_BATCH, problems.IWAE_LATENT))
    with numpyro.plate("data", batch.shape[0]):
        z = numpyro.sample("z", dist.Normal(0.0, 1.0).expand([problems.IWAE_LATENT]).to_event(1))
        numpyro.sample("x", dist.Bernoulli(logits=decode(z)).to_event(1), obs=batch)


def guide(batch):
    """q(z|x)"""
    encode = numpyro.module("encoder", ENCODER, (problems.IWAE_BATCH, problems.VAE_DATA_DIM))
    loc, scale = encode(batch)
    with numpyro.plate("data", batch.shape[0]):
        numpyro.sample("z", dist.Normal(loc, scale).to_event(1))


class Trainer:
    """SVI on device-resident rows; the state lives on between epochs."""

    def __init__(self):
        self.rows = jax.device_put(problems.binary_images()[: problems.IWAE_ROWS])
        bound = RenyiELBO(alpha=0.0, num_particles=problems.IWAE_DRAWS)
        self.svi = SVI(model, guide, numpyro.optim.Adam(problems.IWAE_LEARNING_RATE), bound)
        self.key = jax.random.key(0)
        self.state = self.svi.init(jax.random.key(1), self.rows[: problems.IWAE_BATCH])
        self.compiled_epoch = jax.jit(self._epoch, donate_argnums=0)

    def _epoch(self, state, key, rows):
        batches = jax.random.permutation(key, rows.shape[0]).reshape(STEPS, problems.IWAE_BATCH)
        state, losses = jax.lax.scan(lambda s, indices: self.svi.update(s, rows[indices]), state, batches)
        return state, losses.mean() / problems.IWAE_BATCH

    def epoch(self) -> float:
        """One epoch as one compiled program."""
        self.key, key = jax.random.split(self.key)
        self.state, loss = self.compiled_epoch(self.state, key, self.rows)
        return float(loss)


def prepare() -> dict[str, Measurement]:
    """Returns the compiled epoch."""
    trainer = Trainer()
    return {"compiled epoch": Measurement(lambda: [trainer.epoch() for _ in range(EPOCHS)][-1], EPOCHS)}


def first_result() -> float:
    """Builds, compiles and runs the first epoch."""
    return Trainer().epoch()

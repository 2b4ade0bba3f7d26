"""A variational autoencoder, stopped when it stops getting better: how many nats does a test digit cost?

    z ~ N(0, I₂)        x | z ~ Bernoulli(sigmoid(decoder(z)))        q(z | x) = N(μ(x), σ(x)),  8 × 8 binary pixels

Expected answer: a test ELBO above -21 nats per image; pixels that know nothing of each other come to -24.6. The gap is what
two numbers per image say of its 64 pixels. Early stopping halts before the 200 epochs are over.
Run time: 20 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from scipy.stats import norm
from sklearn.datasets import load_digits

import kprob
from kprob import layers


class VAE(kprob.ProbabilisticModel):
    """p(z) p(x | z) with an amortised q(z | x)."""

    def __init__(self, latent_dim=2, hidden=100, data_dim=64, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(hidden, "relu"), keras.layers.Dense(data_dim)])
        self.encoder = keras.Sequential([keras.layers.Dense(hidden, "relu")])
        self.z = layers.Normal(latent_dim)  # site "z": named after its attribute
        self.x = layers.Bernoulli(data_dim)  # site "x"
        self.z_given_x = layers.Normal(latent_dim, name="z")  # q's "z": paired with p's by name

    def generative(self):
        with kprob.plate("data"):
            z = self.z()
            self.x(logits=self.decoder(z))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def main(smoke=False):
    """Fits with early stopping, then asks the three queries."""
    keras.utils.set_random_seed(1)
    images = (load_digits().data > 7).astype("float32")
    train, validation, test = images[:1200], images[1200:1500], images[1500:]

    vae = VAE().compile(kprob.ELBO(), keras.optimizers.Adam(3e-3))
    stop = keras.callbacks.EarlyStopping("val_elbo", mode="max", patience=15, restore_best_weights=True)
    history = vae.fit(
        {"x": train},
        batch_size=64,
        epochs=10 if smoke else 200,
        validation_data={"x": validation},
        callbacks=[stop],
        verbose=0,
    ).history

    codes = vae.posterior("z", {"x": test}).sample(seed=1)  # (n, 2)
    new = vae.prior("x").sample(16, seed=1)  # (16, 1, 64)
    again = vae.posterior_predictive("x", {"x": test}).sample(5, seed=1)  # (5, n, 64)
    assert codes.shape == (297, 2) and new.shape == (16, 1, 64) and again.shape == (5, 297, 64)

    elbo = np.mean([vae.evaluate({"x": test}, seed=i, return_dict=True)["elbo"] for i in range(5)])
    share = np.clip(train.mean(0), 0.001, 0.999)
    alone = np.mean(np.sum(test * np.log(share) + (1 - test) * np.log(1 - share), axis=1))
    print(f"Test ELBO {elbo:.2f} nats after {len(history['elbo'])} epochs; pixels on their own: {alone:.2f}.")
    assert alone + 1 < elbo < -10
    if not smoke:
        assert elbo > -21 and len(history["elbo"]) < 200
    picture(vae, history, alone)


def picture(vae, history, alone):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6))
    left.plot(history["elbo"], color=figures.BLUE, label="training")
    left.plot(history["val_elbo"], color=figures.CORAL, label="validation")
    left.axhline(alone, color=figures.GREY, ls="--", lw=1.2)
    left.text(
        0.98, alone + 0.15, "pixels on their own", color=figures.GREY, ha="right", transform=left.get_yaxis_transform()
    )
    left.set(title="ELBO, nats per image", xlabel="epoch", xlim=0, ylim=(alone - 1.5, None))
    left.legend(loc="lower right")

    # The plane of codes, each axis cut into equal shares of the prior.
    steps = norm.ppf(np.linspace(0.03, 0.97, 12))
    grid = np.array([(a, b) for b in steps[::-1] for a in steps], "float32")
    decoded = expit(keras.ops.convert_to_numpy(vae.decoder(grid)))
    figures.tiles(right, decoded, 12, "What the plane of codes decodes to")
    figures.save(figure, "vae_digits.png")


if __name__ == "__main__":
    main()

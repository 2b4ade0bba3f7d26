"""An importance weighted autoencoder against a plain one: what do fifty draws of the code buy?

    z ~ N(0, I₁₀)      x | z ~ Bernoulli(sigmoid(decoder(z)))      q(z | x) = N(μ(x), σ(x)),      8 × 8 binary pixels

Both have the same networks and the same number of epochs. One climbs the ELBO, the other the bound of 50 draws, which is
closer to log p(x) and lets q be less than perfect.
Expected answer: judged alike, by the bound of 500 draws on digits that neither has seen, the second is better by about
0.4 nats per image.
Run time: 60 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.datasets import load_digits

import kprob
from kprob import layers


class Autoencoder(kprob.ProbabilisticModel):
    """p(z) p(x | z) with an amortised q(z | x)."""

    def __init__(self, latent_dim=10, hidden=100, data_dim=64, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(hidden, "tanh"), keras.layers.Dense(data_dim)])
        self.encoder = keras.Sequential([keras.layers.Dense(hidden, "tanh")])
        self.z = layers.Normal(latent_dim)
        self.x = layers.Bernoulli(data_dim)
        self.z_given_x = layers.Normal(latent_dim, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


def main(smoke=False):
    """Fits one model by each bound and judges both by the bound of many draws."""
    images = (load_digits().data > 7).astype("float32")
    train, test = images[:1500], images[1500:]
    objectives = {"VAE": kprob.ELBO(), "IWAE, 50 draws": kprob.objectives.ImportanceWeightedELBO(50)}
    models, histories, nats = {}, {}, {}
    for name, objective in objectives.items():
        keras.utils.set_random_seed(1)
        model = Autoencoder().compile(objective, keras.optimizers.Adam(2e-3))
        histories[name] = model.fit({"x": train}, batch_size=50, epochs=3 if smoke else 150, verbose=0).history
        model.compile(kprob.objectives.ImportanceWeightedELBO(500), "adam")
        nats[name] = model.evaluate({"x": test}, batch_size=99, seed=1, return_dict=True, verbose=0)["elbo"]
        models[name] = model
        print(f"{name:15} log p(x) of a test digit is at least {nats[name]:.2f} nats.")

    plain, weighted = nats.values()
    assert np.isfinite(plain) and np.isfinite(weighted)
    if not smoke:
        assert weighted > plain + 0.3
    picture(models, histories, nats)


def picture(models, histories, nats):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6))
    for (name, history), color in zip(histories.items(), (figures.GOLD, figures.BLUE), strict=True):
        left.plot(history["elbo"], color=color, label=f"{name}: its own bound")
        left.axhline(nats[name], color=color, ls="--", lw=1.2)
    left.text(0.02, max(nats.values()) + 0.2, "dashed: test digits, 500 draws", transform=left.get_yaxis_transform())
    left.set(title="Nats per image", xlabel="epoch", xlim=0, ylim=(min(nats.values()) - 6, None))
    left.legend(loc="lower right")
    codes = np.random.default_rng(0).normal(size=(100, 10)).astype("float32")
    drawn = expit(keras.ops.convert_to_numpy(models["IWAE, 50 draws"].decoder(codes)))
    figures.tiles(right, drawn, 10, "What draws of the prior decode to (IWAE)")
    figures.save(figure, "iwae_against_vae.png")


if __name__ == "__main__":
    main()

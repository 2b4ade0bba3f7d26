"""Demo: a variational autoencoder learns handwritten digits, is saved, comes back in a new process and draws new ones.

    z ~ N(0, I₂)        x | z ~ Binomial(16, sigmoid(decoder(z)))        q(z | x) = N(μ(x), σ(x))

Scikit-learn's digits are images of 8 × 8 numbers, each the count of inked dots in a block of 4 × 4: hence Binomial(16).
Expected answer: a test ELBO above -175 nats, and a plane of codes where digits keep to their own kind (nobody told the
model which is which): a test image's five nearest training codes name its digit in more than 75 % of the cases.
Run time: half a minute on two cores.
"""

import subprocess
import sys

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import kprob
from kprob import layers

NUM_TRAIN = 1500


class VAE(kprob.ProbabilisticModel):
    """p(z) p(x | z) with an amortised q(z | x)."""

    def __init__(self, latent_dim=2, hidden=128, data_dim=64, **kwargs):
        super().__init__(**kwargs)
        dense = keras.layers.Dense
        self.decoder = keras.Sequential([dense(hidden, "relu"), dense(hidden, "relu"), dense(data_dim)])
        self.encoder = keras.Sequential([dense(hidden, "relu"), dense(hidden, "relu")])
        self.z = layers.Normal(latent_dim)
        self.x = layers.Binomial(data_dim, total_count=16.0)
        self.z_given_x = layers.Normal(latent_dim, name="z")

    def generative(self):
        with kprob.plate("data"):
            z = self.z()
            self.x(logits=self.decoder(z))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x / 16.0))


def load():
    images, digits = load_digits(return_X_y=True)
    return images.astype("float32"), digits


def main(smoke=False):
    """Trains and saves; then a new process reloads, checks and draws."""
    keras.utils.set_random_seed(1)
    images, _ = load()
    vae = VAE().compile(kprob.ELBO(), keras.optimizers.Adam(3e-3))
    vae.fit(
        {"x": images[:NUM_TRAIN]},
        batch_size=50,
        epochs=3 if smoke else 40,
        validation_data={"x": images[NUM_TRAIN:]},
    )
    vae.save(figures.path("vae.h5"))
    print(f"Saved {figures.path('vae.h5')}; a new process reloads it ...")
    subprocess.run([sys.executable, __file__, "draw", "smoke" if smoke else "full"], check=True)


def draw(smoke):
    """Reloads the model, checks it and draws the picture."""
    vae = kprob.load_model(figures.path("vae.h5"))
    images, digits = load()
    test = images[NUM_TRAIN:]
    codes = vae.posterior("z", {"x": images}).mean()
    elbo = vae.evaluate({"x": test}, seed=0, return_dict=True)["elbo"]
    neighbours = KNeighborsClassifier(5).fit(codes[:NUM_TRAIN], digits[:NUM_TRAIN])
    right = neighbours.score(codes[NUM_TRAIN:], digits[NUM_TRAIN:])
    print(f"Test ELBO {elbo:.1f} nats; {right:.0%} of the test digits are named by their neighbours' codes.")
    assert elbo > (-300 if smoke else -175)
    assert right > (0.2 if smoke else 0.75)

    some = [NUM_TRAIN + int(np.argmax(digits[NUM_TRAIN:] == digit)) for digit in range(10)]
    again = vae.posterior_predictive("x", {"x": images[some]}).mean(seed=0)
    new = vae.prior("x").sample(50, seed=4)[:, 0]
    picture(codes, digits, images[some] / 16, again / 16, new / 16)


def picture(codes, digits, originals, reconstructions, new):
    figure = plt.figure(figsize=(11, 5.6))
    left, right = figure.subfigures(1, 2, width_ratios=(1, 1.1), wspace=0.04)
    plane = left.subplots()
    for digit, colour in enumerate(figures.DIGITS):
        plane.scatter(*codes[digits == digit].T, s=11, color=colour, alpha=0.75, linewidths=0)
    for digit, colour in enumerate(figures.DIGITS):
        badge = {"boxstyle": "circle,pad=0.25", "facecolor": colour, "edgecolor": "white"}
        centre = np.median(codes[digits == digit], axis=0)
        plane.text(*centre, digit, ha="center", va="center", size=14, weight="bold", color="white", bbox=badge)
    plane.set(title="The plane of codes z, coloured by digit", aspect="equal", xticks=(), yticks=())
    plane.spines[:].set_visible(False)
    top, bottom = right.subplots(2, 1, height_ratios=(2, 5))
    figures.tiles(top, [*originals, *reconstructions], 10, "Test images, and below what two numbers keep of each")
    figures.tiles(bottom, new, 10, "New digits, drawn by the reloaded model")
    figures.save(figure, "vae.png")


if __name__ == "__main__":
    if sys.argv[1:2] == ["draw"]:
        draw(smoke=sys.argv[2] == "smoke")
    else:
        main()

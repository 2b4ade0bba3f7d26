"""Semi-supervised digits: a hundred labels and thirteen hundred images without.

    y ~ Categorical(10)      z | y ~ N(μ_y, σ_y)      x | z ~ Binomial(16, sigmoid(decoder(z)))      q(z | x)

Every digit has its own cloud of codes. q says nothing of y, so kprob sums it out exactly: an image without a label pulls at
the clouds in proportion to their posterior probability. Where a label is known, a factor rules out all others. Labelled rows
weigh more, so that both kinds of row count alike. (After Kingma, Rezende, Mohamed and Welling 2014; the clouds as in Jiang,
Zheng, Tan, Tang and Zhou 2017.)
Expected answer: more than 91 % of 400 test images get their right label; logistic regression on the same hundred labels
finds 88 %.
Run time: 25 seconds on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import kprob
from kprob import layers

ops = keras.ops
UNKNOWN = -1


class Clouds(kprob.ProbabilisticModel):
    """p(y) p(z | y) p(x | z) and q(z | x); `label` is the digit where it is known, else -1."""

    def __init__(self, latent_dim=20, hidden=200, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(hidden, "relu"), keras.layers.Dense(64)])
        self.encoder = keras.Sequential([keras.layers.Dense(hidden, "relu"), keras.layers.Dense(hidden, "relu")])
        self.centres = keras.layers.Embedding(
            10, latent_dim, embeddings_initializer=keras.initializers.RandomNormal(1.0)
        )
        self.spreads = keras.layers.Embedding(10, latent_dim)
        self.y = layers.Categorical(probs=[0.1] * 10)
        self.z = layers.Normal(latent_dim)
        self.x = layers.Binomial(64, total_count=16.0)
        self.z_given_x = layers.Normal(latent_dim, name="z")

    def generative(self, label):
        with kprob.plate("data"):
            y = ops.cast(self.y(), "int32")
            ruled_out = ops.logical_and(label != UNKNOWN, y != ops.cast(label, "int32"))
            kprob.factor("known", ops.where(ruled_out, -1000.0, 0.0))
            z = self.z(loc=self.centres(y), scale=ops.exp(self.spreads(y)))
            self.x(logits=self.decoder(z))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x / 16.0))


def main(smoke=False):
    """Trains on all images and a hundred labels, and asks for the labels of images that it has never seen."""
    keras.utils.set_random_seed(1)
    images, digits = load_digits(return_X_y=True)
    x, x_test, truth, test_truth = train_test_split(images, digits, test_size=400, random_state=0)
    known = np.concatenate([np.flatnonzero(truth == digit)[:10] for digit in range(10)])
    label = np.full(len(x), UNKNOWN)
    label[known] = truth[known]
    weight = np.where(label == UNKNOWN, 1.0, (len(x) - len(known)) / len(known))

    epochs = 20 if smoke else 450
    rate = keras.optimizers.schedules.CosineDecay(2e-3, epochs * -(-len(x) // 50))
    model = Clouds().compile(kprob.ELBO(), keras.optimizers.Adam(rate))
    model.fit({"x": x, "label": label}, sample_weight=weight, batch_size=50, epochs=epochs, verbose=0)

    probs = model.posterior("y", {"x": x_test, "label": np.full(len(x_test), UNKNOWN)}).probs()  # (400, 10)
    share = (probs.argmax(-1) == test_truth).mean()
    judge = LogisticRegression(max_iter=2000).fit(x[known] / 16, truth[known]).score(x_test / 16, test_truth)
    print(f"A hundred labels: {share:.1%} of the test images are labelled rightly; logistic regression: {judge:.1%}.")
    assert share > (0.15 if smoke else 0.91)
    assert smoke or share > judge
    codes = model.posterior("z", {"x": x_test, "label": np.full(len(x_test), UNKNOWN)}).mean()
    picture(model, codes, probs, test_truth)


def picture(model, codes, probs, truth):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.7))
    # The plane through the clouds' centres in which they lie furthest apart.
    centres = ops.convert_to_numpy(model.centres.embeddings)
    _, _, axes = np.linalg.svd(centres - centres.mean(0), full_matrices=False)
    for digit, colour in enumerate(figures.DIGITS):
        at = codes[truth == digit] @ axes[:2].T
        left.plot(*at.T, ".", ms=4, color=colour, alpha=0.7)
        left.annotate(
            str(digit), centres[digit] @ axes[:2].T, ha="center", va="center", size=15, weight="bold", color=colour
        )
    left.set(title="Codes of test images, and the ten clouds' centres", xticks=[], yticks=[])
    confusion = np.stack([probs[truth == digit].mean(0) for digit in range(10)])
    right.imshow(confusion, cmap="Blues", vmin=0, vmax=1)
    right.set(title="Mean posterior probability", xlabel="label", ylabel="truth", xticks=range(10), yticks=range(10))
    figures.save(figure, "semi_supervised_digits.png")


if __name__ == "__main__":
    main()

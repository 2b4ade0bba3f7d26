"""A hidden Markov chain: on which days was the heating on?

    z_1 ~ (0.6, 0.4)    z_t | z_{t-1} ~ transition[z_{t-1}]    x_t | z_t ~ N(means[z_t], 1),    z_t: off or on

`kprob.scan` declares one day and stands for all. The states have two values and q leaves them out, so that they are summed
out along time: in the training of parameters, and for questions about the states afterwards.
Expected answer: with means 18 and 21, transition ((0.8, 0.2), (0.3, 0.7)) and ten readings the log-evidence is -17.355516,
and the heating goes on on the fifth day. Means and transition are learned from 2,000 simulated days: 18 and 21 to 0.15.
Run time: one minute on two cores.
"""

import figures
import keras
import matplotlib.pyplot as plt
import numpy as np

import kprob
from kprob import tfd

ops = keras.ops
READINGS = np.array([18.0, 18.7, 19.2, 17.8, 20.3, 22.4, 20.3, 21.2, 19.5, 20.1], "float32")
INITIAL = np.array([[0.6, 0.4]], "float32")
TRANSITION = np.array([[0.8, 0.2], [0.3, 0.7]], "float32")
START = 2  # the state before the first day, whose row of the table is `INITIAL`


def chain(days, means, transition):
    """Declares states z and readings x of all days."""
    rows = ops.concatenate([transition, ops.convert_to_tensor(INITIAL)], axis=0)

    def day(z, t):
        z = kprob.sample("z", tfd.Categorical(probs=ops.take(rows, z, axis=0)))
        kprob.sample("x", tfd.Normal(ops.take(means, z), 1.0))
        return z

    kprob.scan(day, START, days, name="days")


@kprob.probmodel
def known(days=10):
    chain(days, ops.convert_to_tensor([18.0, 21.0]), ops.convert_to_tensor(TRANSITION))


@kprob.probmodel
def learned(days=2000):
    means = kprob.param("means", [17.0, 22.0])
    chain(days, means, kprob.param("transition", [[0.6, 0.4], [0.4, 0.6]], constraint="simplex"))


def main(smoke=False):
    """Asks the known chain about its states, and learns the unknown one."""
    keras.utils.set_random_seed(1)
    model = known().compile(kprob.ELBO(), "adam")
    evidence = model.evaluate({"x": READINGS}, return_dict=True)["elbo"]
    states = model.posterior("z", {"x": READINGS})
    probs, path = states.probs()[:, 1], states.mode()
    print(f"log-evidence {evidence:.6f}; most probable states {path}")
    assert abs(evidence + 17.355516) < 1e-5
    assert path.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert np.abs(states.sample(500, seed=1).mean(0) - probs).max() < 0.1

    days = 500 if smoke else 2000
    x = known(days=days).prior("x").sample(seed=1)
    model = learned(days=days).compile(kprob.ELBO(), keras.optimizers.Adam(0.05))
    model.fit({"x": x}, epochs=150, verbose=0)
    means = next(ops.convert_to_numpy(v) for v in model.trainable_variables if v.name == "means")
    print(f"means {means.round(2)}")
    assert np.allclose(means, [18, 21], atol=0.4 if smoke else 0.15)
    picture(probs)


def picture(probs):
    days = np.arange(1, 11)
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(days, READINGS, "o", color=figures.CORAL, label="reading")
    axes.hlines([18, 21], 1, 10, color=figures.GREY, ls=":")
    axes.set(title="Was the heating on?", xlabel="day", ylabel="temperature", xticks=days)
    right = axes.twinx()
    right.bar(days, probs, color=figures.BLUE, alpha=0.3)
    right.set(ylabel="probability that it was on", ylim=(0, 1))
    axes.legend(loc="upper left")
    figures.save(figure, "hidden_markov_model.png")


if __name__ == "__main__":
    main()

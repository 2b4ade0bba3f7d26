"""Ten sampled models in one process: after the first round the memory stays where it is, and nothing is traced anew."""

import gc
import os
import re
from pathlib import Path

import numpy as np
import pytest

import kprob
from kprob import layers

MODELS, DRAWS = 10, 1000
STATM = Path("/proc/self/statm")


class Normal(kprob.ProbabilisticModel):
    """x ~ N(mu, sigma), which counts how often its network runs."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.runs = 0
        self.mu = layers.Normal(loc=0.0, scale=10.0)
        self.sigma = layers.HalfNormal(scale=5.0)
        self.x = layers.Normal()

    def generative(self):
        self.__dict__["runs"] = self.runs + 1
        mu, sigma = self.mu(), self.sigma()
        with kprob.plate("data"):
            self.x(loc=mu, scale=sigma)


def megabytes():
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def play(models, generator):
    """Fits each model to data of its own, asks it for draws, and returns how often each network ran."""
    before = [model.runs for model in models]
    for i, model in enumerate(models):
        x = generator.normal(i, 1.0, 50)
        model.fit({"x": x}, verbose=0)
        assert model.draws.num_draws == DRAWS
        draws = model.posterior("mu").sample(DRAWS, seed=1)
        assert abs(draws.mean() - x.mean()) < 0.1
        assert model.posterior_predictive("x", size=2).sample(5, seed=1).shape == (5, 2)
    return [model.runs - b for model, b in zip(models, before, strict=True)]


@pytest.mark.slow
@pytest.mark.skipif(not STATM.exists(), reason="memory is read from /proc")
def test_ten_models_keep_their_memory_and_their_programs():
    models = [Normal().compile(kprob.NUTS(200, DRAWS, 1, block_size=600)) for _ in range(MODELS)]
    generator = np.random.default_rng(0)
    first = play(models, generator)
    level = [megabytes()]
    rounds = []
    for _ in range(4):
        rounds.append(play(models, generator))
        level.append(megabytes())
    print(
        f"\nMB after each round: {[round(value) for value in level]}; runs of the networks: {first[0]}, {rounds[0][0]}"
    )
    assert rounds[0] == rounds[1] == rounds[2] == rounds[3]
    assert max(rounds[0]) < 0.5 * min(first) and max(rounds[0]) <= 8
    # A round's draws take less than a tenth of a megabyte; the allocator's own give and take is all that may show.
    assert level[-1] - level[0] < 20 and level[-1] - level[1] < 10
    assert re.fullmatch(r"NUTS\(.*\)", models[0].draws.sampler)

"""Inference by a population of particles: `compile(kprob.samplers.SMC())`."""

import keras

from kprob.data import Data
from kprob.inference.population_run import PopulationRun
from kprob.inference.sampled_inference import SampledInference
from kprob.samplers import SMC
from kprob.training.plan import FitPlan


class PopulationInference(SampledInference[SMC]):
    """Inference by sequential Monte Carlo, which begins anew with each `fit` after one that came to the posterior."""

    def run(self, data: Data, plan: FitPlan, epochs: int | None) -> keras.callbacks.History:
        self.build(data)
        with self.networks.precision():  # of layers too that the build has found
            return PopulationRun(self.context, self.sampler, data, plan, epochs).run()

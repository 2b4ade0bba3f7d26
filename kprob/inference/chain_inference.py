"""Inference by Markov chains: `compile(kprob.NUTS())`."""

import keras

from kprob.data import Data, batch_of
from kprob.data.fingerprint import fingerprint
from kprob.density import LogDensity, find_log_density
from kprob.inference.chain_run import ChainRun
from kprob.inference.context import Context
from kprob.inference.origin import noted_reads
from kprob.inference.sampled_inference import SampledInference
from kprob.samplers import Sampler
from kprob.training.plan import FitPlan


class ChainInference(SampledInference[Sampler]):
    """Inference by Markov chains, which a second `fit` to the same data goes on with."""

    def __init__(self, context: Context, sampler: Sampler):
        super().__init__(context, sampler)
        self._density: LogDensity | None = None
        self._data_of_density = ""

    def run(self, data: Data, plan: FitPlan, epochs: int | None) -> keras.callbacks.History:
        of_data, changes = fingerprint(data), self.networks.num_changes
        if changes != self.context.num_changes:  # the run finds out whether the draws are of another density
            self.context.num_changes, self._density = changes, None
        if self._density is None or of_data != self._data_of_density:
            # A second fit to the same data finds its density: to check it again takes several runs of the network.
            self.build(data)
            self._density = None
        with self.networks.precision():  # of layers too that the build has found
            if self._density is None:
                name = type(self.sampler).__name__
                with noted_reads(self.context):
                    self._density = find_log_density(self.networks, batch_of(data), name, self.sampler.moves_on)
                self._data_of_density = of_data
            run = ChainRun(self.context, self.sampler, self._density, data, of_data, plan, epochs)
            return run.run()

"""What training tells a guide: that a fit begins and ends, and with which data."""

import keras
import numpy as np
import pytest
from guides import guided_models

import kprob
from kprob import guides
from kprob.data import rows_of


class Watcher(guides.Normal):
    """Notes what it is told; a fit by itself is one phase, and what comes after it another."""

    rereads_data = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.fitting = False
        self.told = ()

    @property
    def phase(self):
        return "fitting" if self.fitting else "ready"

    def on_fit_begin(self):
        self.fitting = True
        self.told += ("begin",)

    def on_fit_end(self, networks, batches):
        self.fitting = False
        p, q = networks.pair(batches_read := next(iter(batches)), kprob.backend.random.seed(0))
        assert "sensor" in p and "mean" in q and not networks.run_eagerly
        self.told += (rows_of(batches_read),)


DATA = {"sensor": guided_models.READINGS}


def fitted(guide, **options):
    model = guided_models.days(inference=guide).compile(kprob.ELBO(), "adam")
    model.fit(DATA, epochs=1, verbose=0, **options)
    return model


@pytest.mark.parametrize("options", [{"batch_size": 4}, {"batch_size": 5, "steps_per_epoch": 2}])
def test_a_guide_is_told_of_the_beginning_and_the_end_of_a_fit(options):
    model = fitted(Watcher(), **options)
    assert model.guide.told == ("begin", 10)
    model.fit(DATA, epochs=1, verbose=0)
    assert model.guide.told == ("begin", 10, "begin", 10)
    assert model.networks.phase == "ready"


def test_a_group_tells_its_members():
    members = Watcher(), Watcher()
    guide = guides.Group(dict(zip(("mean", "day"), members, strict=True)))
    assert guide.rereads_data and guide.phase == "ready, ready, None"
    fitted(guide)
    assert [member.told for member in members] == [("begin", 10)] * 2
    plain = guides.Group({"mean": guides.Delta()})
    assert plain.phase is None and not plain.rereads_data


def test_a_guide_that_reads_the_data_again_names_itself_where_it_cannot():
    model = guided_models.days(inference=Watcher()).compile(kprob.ELBO(), "adam")
    with pytest.raises(kprob.errors.DataError, match="Watcher goes through the data once more after the fit"):
        model.fit(({"sensor": np.ones(4)} for _ in range(2)), num_data=8, epochs=1, verbose=0)


def test_a_network_of_ones_own_has_no_particles():
    @kprob.probmodel
    def q():
        kprob.sample("level", kprob.tfd.Normal(15.0, 1.0))

    model = guided_models.temperature(inference=q()).compile(kprob.objectives.Stein(), keras.optimizers.Adam(0.1))
    with pytest.raises(kprob.errors.CompileError, match="Stein moves particles, and .* has none"):
        model.fit({"sensor": 18.0}, epochs=1, verbose=0)

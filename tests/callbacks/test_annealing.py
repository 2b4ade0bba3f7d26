"""Annealing changes the objective's number in the compiled loop, without compiling anew."""

import keras
import numpy as np
import pytest
from objectives.models import Temperature

import kprob
from kprob.callbacks import Annealing

DATA = {"sensor": 18.0}


def test_values():
    annealing = Annealing(epochs=4, start=0.2, stop=1.0)
    assert [annealing.value(epoch) for epoch in (0, 1, 4, 9)] == pytest.approx([0.2, 0.4, 1.0, 1.0])
    assert Annealing(schedule=lambda epoch: 2.0**-epoch).value(3) == 0.125
    assert Annealing(epochs=0).value(0) == 1.0


def test_the_compiled_loop_sees_each_value_and_is_compiled_once():
    # At q = N(15, 2), which never moves, the loss is -(log-likelihood - beta KL) and KL is zero; at 16 it is 1/8.
    class Kept(kprob.objectives.BetaELBO):
        calls = 0

        def call(self, p, q):
            Kept.calls += 1
            return super().call(p, q)

    model = Temperature(16.0, 2.0).compile(Kept(), keras.optimizers.SGD(0.0))
    model.fit(DATA, epochs=1, verbose=0)
    traced = Kept.calls
    history = model.fit(DATA, epochs=4, callbacks=[Annealing(epochs=2)], verbose=0).history
    penalty = -np.array(history["loss"]) - np.array(history["log_likelihood"])
    np.testing.assert_allclose(penalty, -np.array([0.0, 0.5, 1.0, 1.0]) / 8.0, atol=1e-4)
    assert Kept.calls == traced


def test_beta_is_saved(tmp_path):
    model = Temperature().compile(kprob.objectives.BetaELBO(0.25), "adam")
    model.fit(DATA, epochs=2, callbacks=[Annealing(epochs=4)], verbose=0)
    model.save(tmp_path / "model.h5")
    again = kprob.load_model(tmp_path / "model.h5", custom_objects={"Temperature": Temperature})
    assert float(keras.ops.convert_to_numpy(again.objective.beta)) == 0.25
    bare = kprob.load_model(tmp_path / "model.h5", custom_objects={"Temperature": Temperature}, compile=False)
    assert bare.objective is None and bare.posterior("temp").sample(3).shape == (3,)


def test_a_built_model_takes_another_objective_with_a_number():
    model = Temperature().compile(kprob.ELBO(), "adam")
    model.fit(DATA, epochs=1, verbose=0)
    model.compile(kprob.objectives.BetaELBO(), "adam")
    model.fit(DATA, epochs=1, callbacks=[Annealing(epochs=4, start=0.5)], verbose=0)
    assert float(keras.ops.convert_to_numpy(model.objective.beta)) == 0.5
    model.compile(kprob.ELBO(), "adam")
    assert not any(variable.name == "beta" for variable in model.variables)


def test_an_objective_without_the_number_is_an_error():
    model = Temperature().compile(kprob.ELBO(), "adam")
    with pytest.raises(kprob.errors.CompileError, match="The objective has no number `beta` to anneal"):
        model.fit(DATA, epochs=1, callbacks=[Annealing()], verbose=0)

"""Draws belong to a density: its weights, its constants, its data, what the network computes."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kprob
from kprob import layers, tfd
from kprob.errors import CompileError, DataError, FitWarning, KprobError

ops = keras.ops
QUIET = {"verbose": 0, "check": False}
X = np.random.default_rng(0).normal(3.0, 1.0, 20).astype("float32")


def hmc(num_warmup=100, num_samples=100, num_chains=2, **options):
    return kprob.samplers.HMC(num_warmup, num_samples, num_chains, block_size=100, num_leapfrog_steps=3, **options)


class Scaled(kprob.ProbabilisticModel):
    """mu ~ N(0, 10); x_i ~ N(mu + shift, scale), where `shift` is a parameter that a sampler holds fixed."""

    def __init__(self, scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = scale
        self.mu = layers.Normal(loc=0.0, scale=10.0)
        self.x = layers.Normal()

    def generative(self):
        mu, shift = self.mu(), kprob.param("shift", 0.0)
        with kprob.plate("data"):
            self.x(loc=mu + shift, scale=self.scale)


def fitted(scale=1.0, **options):
    keras.utils.set_random_seed(1)
    model = Scaled(scale).compile(hmc(**options))
    model.fit({"x": X}, **QUIET)
    return model


@pytest.fixture(scope="module")
def scaled():
    return fitted()


def as_new(model):
    """Puts a model back to before its first fit, with the programs that there are."""
    model._begin_anew()
    model.weights[0].assign(0.0)
    model.seed_generator.state.assign(np.full(model.seed_generator.state.shape, 5, "uint32"))
    model.fit({"x": X}, **QUIET)
    return model


def test_changed_weights_are_another_density(scaled):
    model = as_new(scaled)
    assert model.posterior("mu").mean() == pytest.approx(X.mean(), abs=0.2)
    model.weights[0].assign(3.0)
    queries = [
        lambda: model.posterior("mu"),
        lambda: model.posterior_predictive("x"),
        lambda: model.predict({}),
        lambda: model.diagnose(),
        lambda: model.log_likelihood({"x": X}),
    ]
    for query in queries:
        with pytest.raises(
            KprobError, match=r"(?s)draws of Scaled are of another density.*weights of the generative.*fit"
        ):
            query()
    model.weights[0].assign(0.0)  # the former values: the draws are theirs
    assert model.posterior("mu").mean() == pytest.approx(X.mean(), abs=0.2)
    model.weights[0].assign(3.0)
    with pytest.warns(FitWarning, match="were of another density, since weights"):
        model.fit({"x": X}, verbose=0)
    assert model.draws.num_draws == 100  # anew, after a warm-up
    assert model.posterior("mu").mean() == pytest.approx(X.mean() - 3.0, abs=0.2)
    model.fit({"x": X}, **QUIET)
    assert model.draws.num_draws == 200  # of the same density it goes on


def test_weights_of_the_inference_network_change_nothing():
    class WithGuide(Scaled):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.q = layers.Normal(loc="learned", scale="learned", name="mu")

        def inference(self):
            self.q()

    keras.utils.set_random_seed(1)
    model = WithGuide().compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.freeze("shift")
    model.fit({"x": X}, epochs=2, **QUIET)
    model.compile(hmc()).fit({"x": X}, **QUIET)
    model.compile(kprob.ELBO(), keras.optimizers.Adam(0.1)).fit({"x": X}, epochs=2, **QUIET)
    model.compile(hmc())
    assert model.posterior("mu").sample(3).shape == (3,)
    model.fit({"x": X}, **QUIET)
    assert model.draws.num_draws == 200


def test_constants_of_another_model(scaled, tmp_path):
    model = as_new(scaled)
    model.save_weights(tmp_path / "m.weights.h5")
    other = Scaled(4.0).compile(hmc())
    other.fit({"x": X}, epochs=0, **QUIET)
    other.load_weights(tmp_path / "m.weights.h5")
    with pytest.raises(KprobError, match=r"another density.*\n.*arguments of the model, `scale`"):
        other.posterior("mu")
    other.fit({"x": X}, **QUIET)
    assert other.draws.num_draws == 100
    assert other.posterior("mu").stddev() == pytest.approx(4.0 / np.sqrt(20), rel=0.3)


def test_a_loaded_model_goes_on(scaled, tmp_path):
    model = as_new(scaled)
    model.save(tmp_path / "m.h5")
    again = kprob.load_model(tmp_path / "m.h5", custom_objects={"Scaled": Scaled})
    assert again.posterior("mu").mean() == model.posterior("mu").mean()
    again.fit({"x": X}, **QUIET)
    assert again.draws.num_draws == 200
    again.weights[0].assign(1.0)
    with pytest.raises(KprobError, match="another density"):
        again.posterior("mu")


def test_what_the_network_computes_is_part_of_the_density():
    place = [0.0]

    @kprob.probmodel
    def placed():
        mu = kprob.sample("mu", tfd.Normal(place[0], 0.1))
        kprob.sample("x", tfd.Normal(mu, 1.0))

    model = placed().compile(hmc())
    model.fit({"x": 0.0}, **QUIET)
    place[0] = 5.0
    model.compile(hmc())  # forgets its programs
    with pytest.warns(FitWarning, match="what the generative network computes"):
        model.fit({"x": 0.0}, verbose=0)
    assert model.draws.num_draws == 100
    assert model.posterior("mu").mean() == pytest.approx(5.0, abs=0.2)


def test_another_sampler_begins_anew_and_says_so(scaled):
    model = as_new(scaled)
    before = model.posterior("mu").mean()
    model.compile(hmc(num_warmup=50))
    with pytest.raises(
        KprobError, match=r"(?s)compiled with another sampler.*HMC.*starts anew, or compile with the former"
    ):
        model.posterior("mu")
    model.compile(hmc(num_samples=30))  # the same chains, of which more are wanted
    assert model.posterior("mu").mean() == before
    model.fit({"x": X}, **QUIET)
    assert model.draws.num_draws == 130
    model.compile(hmc())


def test_a_warm_up_that_was_cut_short_is_made_up_for(scaled):
    model = scaled
    model._begin_anew()
    model.weights[0].assign(0.0)
    model.fit({"x": X}, epochs=0, **QUIET)
    model.fit({"x": X}, **QUIET)
    assert model.draws.done == 200 and model.draws.num_draws == 100


def test_discrete_latents_that_some_data_has():
    @kprob.probmodel
    def mixed():
        s = kprob.sample("s", tfd.Bernoulli(probs=0.5))
        mu = kprob.sample("mu", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Normal(mu + 4.0 * ops.cast(s, "float32"), 1.0))

    # p(s = 1 | x = 4) is e^0 against e^-4: mu is N(0, 1/2) with s, N(2, 1/2) without it.
    share = 1.0 / (1.0 + np.exp(-4.0))
    keras.utils.set_random_seed(1)
    model = mixed().compile(hmc(num_samples=1500, num_chains=2))
    for data, mean in (({"s": 0}, 2.0), ({}, 2.0 * (1.0 - share)), ({"s": 1}, 0.0)):
        model.fit({"x": 4.0, **data}, **QUIET)
        assert model.posterior("mu").mean() == pytest.approx(mean, abs=0.12)
    model.fit({"x": 4.0}, **QUIET)
    assert model.posterior("s", {"x": 4.0}).sample(500, seed=1).mean() == pytest.approx(share, abs=0.03)


def local_latent():
    with kprob.plate("data"):
        z = kprob.sample("z", tfd.Normal(0.0, 1.0))
        kprob.sample("x", tfd.Normal(z, 1.0))


def test_latents_of_rows_are_of_these_rows(tmp_path):
    model = kprob.ProbabilisticModel(generative=local_latent).compile(hmc())
    model.fit({"x": X}, **QUIET)
    for ask in (model.posterior, model.posterior_predictive):
        assert ask(None, {"x": X}).sample(2)["x" if ask == model.posterior_predictive else "z"].shape == (2, 20)
        assert ask(None, {"x": X.astype("float64")}).names
        for other in (X + 1.0, X[::-1], X[:5]):
            with pytest.raises(DataError, match=r"(?s)has a value for each row that was fitted.*other rows"):
                ask(None, {"x": other})
    with pytest.raises(DataError, match="`x` not as in the fit"):
        model.predict({"x": X + 1.0})
    with pytest.raises(DataError, match="`x` not as in the fit"):
        model.log_likelihood({"x": X + 1.0})
    assert model.posterior("z").mean().shape == (20,)
    model.fit({"x": X + 1.0}, **QUIET)
    assert model.posterior("z", {"x": X + 1.0}).mean().shape == (20,)


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_a_guide_of_rows_is_asked_about_these_rows(ending, tmp_path):
    model = kprob.ProbabilisticModel(generative=local_latent).compile(kprob.ELBO(), keras.optimizers.Adam(0.1))
    model.fit({"x": X}, epochs=2, **QUIET)
    model.save(tmp_path / f"m.{ending}")
    again = kprob.load_model(tmp_path / f"m.{ending}", custom_objects={"local_latent": local_latent})
    for one in (model, again):
        verbs = [functools.partial(one.posterior, None), functools.partial(one.posterior_predictive, None)]
        verbs += [functools.partial(one.evaluate, verbose=0), one.predict, one.diagnose, one.log_likelihood]
        for verb in verbs:
            verb({"x": X})
            with pytest.raises(DataError, match=r"(?s)parameters of its own for each row.*`x` not as in the fit"):
                verb({"x": X + 1.0})
    model.fit({"x": X + 1.0}, epochs=2, **QUIET)  # which goes on from where it was, to these rows
    model.posterior("z", {"x": X + 1.0})
    with pytest.raises(DataError, match="`x` not as in the fit"):
        model.posterior("z", {"x": X})


def test_smc_goes_on_from_the_temperature_where_it_stopped(tmp_path):
    def mean():
        mu = kprob.sample("mu", tfd.Normal(0.0, 10.0))
        with kprob.plate("data"):
            kprob.sample("x", tfd.Normal(mu, 1.0))

    model = kprob.ProbabilisticModel(generative=mean).compile(kprob.samplers.SMC(100))
    seed = np.full(model.seed_generator.state.shape, 5, "uint32")
    model.seed_generator.state.assign(seed)
    temperatures = 0
    while temperatures < 50 and (model.draws is None or not model.draws.num_draws):
        model.fit({"x": X}, epochs=1, **QUIET)
        temperatures += 1
        if temperatures == 1:
            with pytest.raises(KprobError, match="no draws yet"):
                model.posterior("mu")
            with pytest.raises(KprobError, match="no evidence"):
                str(model.log_evidence)
    pieces, evidence = model.draws.positions, float(model.log_evidence)
    model._begin_anew()
    model.seed_generator.state.assign(seed)
    assert len(model.fit({"x": X}, **QUIET).epoch) == temperatures > 1
    np.testing.assert_array_equal(model.draws.positions, pieces)
    assert float(model.log_evidence) == evidence
    model.fit({"x": X}, **QUIET)  # after one that came to the posterior, a new one
    assert not np.array_equal(model.draws.positions, pieces)


def test_no_data_means_the_same_to_every_way_to_infer():
    def target():
        kprob.factor("known", -0.5 * ops.square(kprob.sample("mu", tfd.Normal(0.0, 1.0)) - 2.0))

    for method in (kprob.ELBO(), hmc()):
        model = kprob.ProbabilisticModel(generative=target).compile(method)
        model.fit({}, **QUIET)
        model.fit(**QUIET)
        model = kprob.ProbabilisticModel(generative=local_latent).compile(method)
        with pytest.raises(DataError, match="The data is empty"):
            model.fit({}, **QUIET)


OTHER_BACKEND = """
import json, sys
import numpy as np
import kprob
from inference.test_draws_of_a_density import QUIET, SAMPLERS, Scaled, X

for name, make in SAMPLERS.items():
    if sys.argv[1] == "save":
        model = Scaled().compile(make())
        model.fit({"x": X}, **QUIET)
        model.save(f"{sys.argv[2]}/{name}.h5")
    else:
        model = kprob.load_model(f"{sys.argv[2]}/{name}.h5", custom_objects={"Scaled": Scaled})
        before = model.draws.values["mu"]
        model.fit({"x": X}, **QUIET)
        after = model.draws.values["mu"]
        same = np.array_equal(after[:, : before.shape[1]], before)
        print(json.dumps([name, bool(same), after.shape[1], float(after[:, before.shape[1] :].mean())]))
"""

SAMPLERS = {
    "NUTS": lambda: kprob.NUTS(200, 400, 2, block_size=200),
    "MCLMC": lambda: kprob.samplers.MCLMC(200, 400, 2, block_size=200),
    "ChEES": lambda: kprob.samplers.ChEES(100, 100, 8),
    "ParallelTempering": lambda: kprob.samplers.ParallelTempering(100, 400, 2, block_size=100),
    "float64": lambda: kprob.NUTS(200, 400, 2, block_size=200, dtype="float64"),
}


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("backends", [("tensorflow", "jax"), ("jax", "tensorflow")])
def test_chains_saved_on_one_backend_go_on_on_the_other(backends, tmp_path):
    tests = Path(__file__).parents[1]
    program = tmp_path / "other.py"
    program.write_text(OTHER_BACKEND)
    said = ""
    for backend, verb in zip(backends, ("save", "go on"), strict=True):
        paths = os.pathsep.join([str(tests), str(tests.parent)])
        environment = {**os.environ, "PYTHONPATH": paths, "KERAS_BACKEND": backend}
        command = [sys.executable, str(program), verb, str(tmp_path)]
        said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found = [json.loads(line) for line in said.splitlines() if line.startswith("[")]
    assert [name for name, *_ in found] == list(SAMPLERS)
    for name, same, number, mean in found:
        assert same and number == 2 * SAMPLERS[name]().num_samples, name
        assert mean == pytest.approx(X.mean(), abs=0.12), name


def test_seeds_of_the_other_backend_are_the_same_bits(scaled):
    model = as_new(scaled)
    model.fit({"x": X}, **QUIET)
    whole = model.draws.values["mu"]
    as_new(model)
    own = model.draws.seeds[0].dtype
    other = np.dtype("int32" if own == "uint32" else "uint32")
    model.draws.seeds = [words.view(other) for words in model.draws.seeds]
    model.fit({"x": X}, **QUIET)
    np.testing.assert_array_equal(model.draws.values["mu"], whole)
    assert model.draws.seeds[0].dtype == own


def test_the_guide_preconditioner_still_goes_on():
    with pytest.raises(CompileError, match="fit the guide first"):
        Scaled().compile(kprob.NUTS(10, 10, 1, preconditioner="guide")).fit({"x": X}, **QUIET)

"""The models whose files are in `former/`: they were saved by the kprob of before, whose configs name `kprob.mcmc>NUTS`.

Each entry of `MODELS`: how the model was made, its data, options of `fit`, one of its latents.
"""

import keras
import numpy as np

import kprob
from kprob import guides, layers, tfd

ops = keras.ops
RNG = np.random.default_rng(11)
FEATURES = RNG.normal(size=(24, 2)).astype("float32")
LINE = {"features": FEATURES, "y": (FEATURES @ [1.0, -2.0] + 0.3 * RNG.normal(size=24)).astype("float32")}
BINARY = {"x": (RNG.normal(size=(24, 4)) > 0).astype("float32")}
PAIRS = {"x": np.concatenate([RNG.normal(-1.0, 1.0, 10), RNG.normal(3.0, 1.0, 14)]).astype("float32")}
SCHOOLS = {"y": np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0], "float32")}
SPREAD = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0], "float32")


class FormerVAE(kprob.ProbabilisticModel):
    """A hand-written q."""

    def __init__(self, latent_dim=2, hidden=3, data_dim=4, **kwargs):
        super().__init__(**kwargs)
        self.decoder = keras.Sequential([keras.layers.Dense(hidden, "tanh"), keras.layers.Dense(data_dim)])
        self.encoder = keras.layers.Dense(hidden, "tanh")
        self.z, self.x = layers.Normal(latent_dim), layers.Bernoulli(data_dim)
        self.z_given_x = layers.Normal(latent_dim, name="z")

    def generative(self):
        with kprob.plate("data"):
            self.x(logits=self.decoder(self.z()))

    def inference(self, x):
        with kprob.plate("data"):
            self.z_given_x(self.encoder(x))


class FormerLine(kprob.ProbabilisticModel):
    """No inference network: a guide, or a sampler."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = layers.Normal(2, loc=0.0, scale=1.0)
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.Normal()

    def generative(self, features):
        w, sigma = self.w(), self.sigma()
        with kprob.plate("data"):
            self.y(loc=ops.matmul(features, w), scale=sigma)


class FormerCoins(kprob.ProbabilisticModel):
    """A discrete latent in q, whose gradient is a score function's."""

    def generative(self):
        with kprob.plate("data"):
            kind = kprob.sample("kind", tfd.Bernoulli(probs=0.5, dtype="float32"))
            kprob.sample("x", tfd.Normal(kprob.param("low", -1.0) + 4.0 * kind, 1.0))

    def inference(self, x):
        with kprob.plate("data"):
            logits = kprob.param("slope", 0.1) * x + kprob.param("level", 0.0)
            kprob.sample("kind", tfd.Bernoulli(logits=logits, dtype="float32"))


@kprob.probmodel
def former_schools():
    """A hierarchy, as a function."""
    mu, tau = kprob.sample("mu", tfd.Normal(0.0, 5.0)), kprob.sample("tau", tfd.HalfNormal(5.0))
    with kprob.plate("schools", 8):
        theta = kprob.sample("theta", tfd.Normal(mu, tau))
        kprob.sample("y", tfd.Normal(theta, SPREAD))


@kprob.probmodel
def former_cells():
    """A discrete latent that can't be summed out."""
    n = kprob.sample("n", tfd.Poisson(20.0))
    p = kprob.sample("p", tfd.Beta(2.0, 2.0))
    kprob.sample("y", tfd.Binomial(n, probs=p))


def former_elbo(generative_trace, inference_trace):
    """A function as an objective."""
    return generative_trace.log_prob() - inference_trace.log_prob()


FUNCTIONS = {"former_elbo": former_elbo}


def adam():
    return keras.optimizers.Adam(0.02)


def vae(objective, optimizer=None):
    return FormerVAE().compile(objective, optimizer or adam())


def line(guide=None, objective=None, optimizer=None):
    return FormerLine(inference=guide).compile(objective or kprob.ELBO(), optimizer or adam())


def coins(baseline):
    return FormerCoins().compile(kprob.ELBO(baseline=baseline), adam())


def network():
    return keras.Sequential([keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])


SMALL, SOME = {"batch_size": 10, "epochs": 3}, {"epochs": 40}
SHORT = {"num_warmup": 20, "num_samples": 20, "num_chains": 2, "block_size": 10}
MODELS = {
    "vae.h5": (lambda: vae(kprob.ELBO()), BINARY, SMALL, "z"),
    "vae.keras": (lambda: vae(kprob.ELBO()), BINARY, SMALL, "z"),
    "vae.weights.h5": (lambda: vae(kprob.ELBO()), BINARY, SMALL, "z"),
    "automatic.h5": (lambda: line(), LINE, SOME, "w"),
    "multivariate.keras": (lambda: line(guides.MultivariateNormal(0.2)), LINE, SOME, "w"),
    "laplace.h5": (lambda: line(guides.Laplace(), optimizer=keras.optimizers.Adam(0.05)), LINE, {"epochs": 500}, "w"),
    "group.h5": (
        lambda: line(guides.Group({"w": guides.LowRankMultivariateNormal(1), "sigma": guides.Delta()})),
        LINE,
        SOME,
        "w",
    ),
    "particles.h5": (
        lambda: line(guides.Particles(5), kprob.objectives.Stein(kprob.objectives.RBF(bandwidth=2.0))),
        LINE,
        SOME,
        "w",
    ),
    "info_vae.h5": (lambda: vae(kprob.objectives.InfoVAE(0.5, 3.0, kernel="linear")), BINARY, SMALL, "z"),
    "mmd.keras": (lambda: vae(kprob.objectives.MMD(5.0)), BINARY, SMALL, "z"),
    "neural_baseline.h5": (
        lambda: coins(kprob.objectives.NeuralBaseline(network(), inputs="x")),
        PAIRS,
        SMALL,
        "kind",
    ),
    "moving_baseline.keras": (
        lambda: coins({"kind": kprob.objectives.MovingAverageBaseline(0.8)}),
        PAIRS,
        SMALL,
        "kind",
    ),
    "function_objective.h5": (lambda: line(objective=former_elbo), LINE, SOME, "w"),
    "optimizers.h5": (
        lambda: vae(kprob.ELBO(), {"decoder": keras.optimizers.SGD(0.05), "encoder": adam(), "z": adam()}),
        BINARY,
        SMALL,
        "z",
    ),
    "frozen.h5": (lambda: vae(kprob.ELBO()).freeze("decoder"), BINARY, SMALL, "z"),
    "reparam.h5": (
        lambda: former_schools().compile(kprob.ELBO(), adam(), reparam={"theta": kprob.LocScale(centered=None)}),
        SCHOOLS,
        SOME,
        "theta",
    ),
    "reparam_auto.keras": (
        lambda: former_schools().compile(kprob.ELBO(), adam(), reparam="auto"),
        SCHOOLS,
        SOME,
        "theta",
    ),
    "nuts.h5": (lambda: FormerLine().compile(kprob.NUTS(**SHORT)), LINE, {}, "w"),
    "gibbs.h5": (
        lambda: former_cells().compile(kprob.samplers.DiscreteGibbs(kprob.NUTS(**SHORT))),
        {"y": 7.0},
        {},
        "p",
    ),
    "smc.h5": (
        lambda: FormerLine().compile(kprob.samplers.SMC(20, 2, num_moves=2, num_leapfrog_steps=2)),
        LINE,
        {},
        "w",
    ),
}


def options_of(name, options):
    """Returns the options of `fit` for a model of this file."""
    return {"verbose": 0, "check": False, **options}


def answers(model, name, data, options, latent):
    """Returns what a model that was loaded answers: numbers and names, as JSON holds them."""
    found = {
        "class": type(model).__name__,
        "weights": {path: _told(variable) for path, variable in _variables(model)},
        "frozen": sorted(model.frozen),
        "history": {} if model.history is None else model.history.history,
        "sample": np.asarray(model.posterior(latent, data).sample(3, seed=1), "float64").tolist(),
    }
    if model.sampler is None:
        found["objective"] = model.objective.get_config() if name not in OF_FUNCTIONS else {}
        found["objective class"] = type(model.objective).__name__
        found["evaluate"] = model.evaluate(data, seed=1, verbose=0, return_dict=True)
        found["optimizer"] = float(np.sum([np.sum(np.abs(_numbers(v))) for v in model.optimizer.variables]))
    else:
        found["sampler class"] = type(model.sampler).__name__
        found["sampler"] = {k: v for k, v in model.sampler.get_config().items() if isinstance(v, (int, float, str))}
        draws = model.draws
        found["draws"] = {n: _summary(value) for n, value in draws.values.items()}
        found["counts"] = [draws.num_chains, draws.num_draws, draws.done, draws.wanted]
        evidence = [] if draws.log_evidence is None else draws.log_evidence
        found["record"] = {f"log_evidence_{i}": float(value) for i, value in enumerate(evidence)}
        if isinstance(model.sampler, kprob.samplers.SMC):
            found["evidence"] = float(model.log_evidence)
    return _plain(found)


def goes_on(model, name, data, options):
    """Fits for an epoch more, and returns what came of it."""
    # Sequential Monte Carlo's epochs are temperatures, of which it needs more than one, and it draws anew.
    more = {} if isinstance(model.sampler, kprob.samplers.SMC) else {"epochs": 1}
    model.fit(data, **options_of(name, {**options, **more}))
    if model.sampler is not None:
        return _plain({"counts": [model.draws.num_chains, model.draws.num_draws, model.draws.done]})
    return _plain({"history": model.history.history, "weights": {path: _told(v) for path, v in _variables(model)}})


# A function has no configuration of its own to compare.
OF_FUNCTIONS = ("function_objective.h5",)


def _variables(model):
    return sorted(((f"{i:02d} {v.path}", v) for i, v in enumerate(model.weights)), key=lambda pair: pair[0])


def _numbers(variable):
    return np.asarray(ops.convert_to_numpy(variable), "float64")


def _told(variable):
    return _summary(_numbers(variable))


def _summary(value):
    value = np.asarray(value, "float64")
    return [list(value.shape), float(value.sum()), float(np.abs(value).sum()), value.reshape(-1)[:4].tolist()]


def _plain(value):
    if isinstance(value, dict):
        places = ("module", "registered_name")  # where a class lives isn't what it does
        return {str(key): _plain(v) for key, v in value.items() if key not in places}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, str, int, float)) or value is None:
        return value
    if hasattr(value, "get_config"):
        return {"class": type(value).__name__, **_plain(value.get_config())}
    return np.asarray(value, "float64").tolist()

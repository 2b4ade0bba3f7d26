"""Hierarchies, mixtures, hidden Markov chains, a Gaussian process, GARCH and a differential equation."""

import numpy as np
from keras import ops
from posteriordb.posterior import Posterior
from scipy import integrate, special, stats

import kprob
from kprob import layers, tfd


class CentredSchools(kprob.ProbabilisticModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mu = layers.Normal(loc=0.0, scale=5.0)
        self.tau = layers.HalfCauchy(scale=5.0)
        self.theta = layers.Normal()
        self.y = layers.Normal()

    def generative(self, sigma):
        mu, tau = self.mu(), self.tau()
        with kprob.plate("schools", 8):
            theta = self.theta(loc=mu, scale=tau)
            self.y(loc=theta, scale=sigma)


class NonCentredSchools(CentredSchools):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.theta = layers.Normal(loc=0.0, scale=1.0, name="z")

    def generative(self, sigma):
        mu, tau = self.mu(), self.tau()
        with kprob.plate("schools", 8):
            theta = kprob.deterministic("theta", mu + tau * self.theta())
            self.y(loc=theta, scale=sigma)


def schools(file):
    return {"y": np.asarray(file["y"], "float64"), "sigma": np.asarray(file["sigma"], "float64")}


def log_schools(values, data):
    theta = values["theta"] if "theta" in values else values["mu"] + values["tau"] * values["z"]
    total = stats.norm.logpdf(values["mu"], 0, 5) + stats.halfcauchy.logpdf(values["tau"], scale=5)
    total += (
        stats.norm.logpdf(theta, values["mu"], values["tau"]) if "theta" in values else stats.norm.logpdf(values["z"])
    ).sum()
    return total + stats.norm.logpdf(data["y"], theta, data["sigma"]).sum()


def schools_again(values):
    theta = values["mu"][..., None] + values["tau"][..., None] * values["z"]
    return {"mu": values["mu"], "tau": values["tau"], "theta": theta}


class Mixture(kprob.ProbabilisticModel):
    """Two components with ordered means: the higher one is truncated at the lower one."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.low = layers.Normal(loc=0.0, scale=2.0)
        self.high = layers.TruncatedNormal(loc=0.0, scale=2.0, high=np.inf)
        self.sigma = layers.HalfNormal(2, scale=2.0)
        self.theta = layers.Beta(concentration1=5.0, concentration0=5.0)

    def generative(self):
        low = self.low()
        high = self.high(low=low)
        # The truncated density is divided by P(high > low), the ordered pair's isn't.
        kprob.factor("order", tfd.Normal(0.0, 2.0).log_survival_function(low))
        sigma, theta = self.sigma(), self.theta()
        with kprob.plate("data"):
            weights = tfd.Categorical(probs=ops.stack([theta, 1.0 - theta]))
            kprob.sample("y", tfd.MixtureSameFamily(weights, tfd.Normal(ops.stack([low, high]), sigma)))


def log_mixture(values, data):
    low, high, (first, second), theta = values["low"], values["high"], values["sigma"], values["theta"]
    prior = stats.norm.logpdf([low, high], 0, 2).sum() + stats.halfnorm.logpdf([first, second], scale=2).sum()
    each = np.logaddexp(
        np.log(theta) + stats.norm.logpdf(data["y"], low, first),
        np.log1p(-theta) + stats.norm.logpdf(data["y"], high, second),
    )
    return prior + stats.beta.logpdf(theta, 5, 5) + each.sum()


def pair(name):
    """Returns what puts the two numbers of an ordered pair together again."""

    def make(values):
        found = {n: v for n, v in values.items() if n not in ("low", "high")}
        return {**found, name: np.stack([values["low"], values["high"]], axis=-1)}

    return make


class HiddenChain(kprob.ProbabilisticModel):
    """Two states, whose means are positive and ordered; the path is summed out."""

    def __init__(self, num_steps, **kwargs):
        super().__init__(**kwargs)
        self.theta1 = layers.Dirichlet(2, concentration=[1.0, 1.0])
        self.theta2 = layers.Dirichlet(2, concentration=[1.0, 1.0])
        self.low = layers.TruncatedNormal(loc=3.0, scale=1.0, low=0.0, high=np.inf)
        self.high = layers.TruncatedNormal(loc=10.0, scale=1.0, high=np.inf)
        self.y = layers.HiddenMarkovModel("Normal", num_steps, scale=[1.0, 1.0])

    def generative(self):
        transition = ops.stack([self.theta1(), self.theta2()])
        low = self.low()
        high = self.high(low=low)
        kprob.factor("order", tfd.Normal(10.0, 1.0).log_survival_function(low))
        self.y(transition_probs=transition, loc=ops.stack([low, high]), initial_logits=[0.0, 0.0])


def forward(log_likelihood, transition):
    """log p of a hidden chain's observations, (steps, states), under a uniform start."""
    states = log_likelihood[0] - np.log(log_likelihood.shape[1])
    for now in log_likelihood[1:]:
        states = special.logsumexp(states[:, None] + np.log(transition), axis=0) + now
    return special.logsumexp(states)


def log_chain(values, data):
    means = np.array([values["low"], values["high"]])
    each = stats.norm.logpdf(np.asarray(data["y"])[:, None], means, 1.0)
    return stats.norm.logpdf(means, [3, 10], 1).sum() + forward(each, np.stack([values["theta1"], values["theta2"]]))


class Drive(kprob.ProbabilisticModel):
    """A basketball player's drives: two series of positive numbers that depend on one hidden chain."""

    def __init__(self, alpha, **kwargs):
        super().__init__(**kwargs)
        self.theta1 = layers.Dirichlet(2, concentration=alpha[0])
        self.theta2 = layers.Dirichlet(2, concentration=alpha[1])
        self.phi_low = layers.TruncatedNormal(loc=0.0, scale=1.0, low=0.0, high=np.inf)
        self.phi_high = layers.TruncatedNormal(loc=3.0, scale=1.0, high=np.inf)
        self.lambda_low = layers.TruncatedNormal(loc=0.0, scale=1.0, low=0.0, high=np.inf)
        self.lambda_high = layers.TruncatedNormal(loc=3.0, scale=1.0, high=np.inf)

    def generative(self):
        transition = ops.stack([self.theta1(), self.theta2()])
        phi = [self.phi_low()]
        phi.append(self.phi_high(low=phi[0]))
        rate = [self.lambda_low()]
        rate.append(self.lambda_high(low=rate[0]))
        above = tfd.Normal(3.0, 1.0)
        kprob.factor("order", above.log_survival_function(phi[0]) + above.log_survival_function(rate[0]))
        rates = ops.stack([ops.stack(phi), ops.stack(rate)], axis=-1)  # [states, series]
        chain = tfd.HiddenMarkovModel(
            tfd.Categorical(logits=[0.0, 0.0]),
            tfd.Categorical(probs=transition),
            tfd.Independent(tfd.Exponential(rates), 1),
            num_steps=416,
        )
        kprob.sample("uv", chain)


def drives(file):
    return {"uv": np.stack([file["u"], file["v"]], axis=-1)}


def log_drive(values, data, alpha=((4.0, 2.0), (2.0, 4.0))):
    phi, rate = (np.array([values[f"{name}_low"], values[f"{name}_high"]]) for name in ("phi", "lambda"))
    prior = stats.norm.logpdf(phi, [0, 3], 1).sum() + stats.norm.logpdf(rate, [0, 3], 1).sum()
    prior += sum(special.xlogy(np.array(alpha[k]) - 1, values[f"theta{k + 1}"]).sum() for k in range(2))
    each = stats.expon.logpdf(data["uv"][:, :1], scale=1 / phi) + stats.expon.logpdf(data["uv"][:, 1:], scale=1 / rate)
    return prior + forward(each, np.stack([values["theta1"], values["theta2"]]))


def drive_again(values):
    pairs = {name: np.stack([values[f"{name}_low"], values[f"{name}_high"]], axis=-1) for name in ("phi", "lambda")}
    return {"theta1": values["theta1"], "theta2": values["theta2"], **pairs}


class Process(kprob.ProbabilisticModel):
    """A Gaussian process; sigma is added to the covariance's diagonal as it is."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rho = layers.Gamma(concentration=25.0, rate=4.0)
        self.alpha = layers.HalfNormal(scale=2.0)
        self.sigma = layers.HalfNormal(scale=1.0)
        self.y = layers.MultivariateNormalTriL(11)

    def generative(self, x):
        rho, alpha, sigma = self.rho(), self.alpha(), self.sigma()
        distances = ops.square(x[:, None] - x[None, :])
        covariance = alpha**2 * ops.exp(-0.5 * distances / rho**2) + sigma * ops.eye(11)
        self.y(loc=ops.zeros(11), scale_tril=ops.cholesky(covariance))


def log_process(values, data):
    rho, alpha, sigma = values["rho"], values["alpha"], values["sigma"]
    distances = (data["x"][:, None] - data["x"][None, :]) ** 2
    covariance = alpha**2 * np.exp(-0.5 * distances / rho**2) + sigma * np.eye(11)
    prior = stats.gamma.logpdf(rho, 25, scale=1 / 4) + stats.halfnorm.logpdf(alpha, scale=2)
    return prior + stats.halfnorm.logpdf(sigma) + stats.multivariate_normal.logpdf(data["y"], np.zeros(11), covariance)


class Garch(kprob.ProbabilisticModel):
    """GARCH(1, 1): `weights` are alpha1, beta1 and what is left of 1, flat on the simplex."""

    def __init__(self, first_scale, **kwargs):
        super().__init__(**kwargs)
        self.first_scale = first_scale
        self.mu = layers.Normal(loc=0.0, scale=1e5)
        self.alpha0 = layers.HalfNormal(scale=1e5)
        self.weights_ = layers.Dirichlet(3, concentration=[1.0, 1.0, 1.0], name="weights")

    def generative(self, returns):
        mu, alpha0, weights = self.mu(), self.alpha0(), self.weights_()
        shocks = alpha0 + weights[0] * ops.square(returns[:-1] - mu)
        # variance_t = shock_t + beta variance_{t-1}: all at once, by the powers of beta.
        shocks = ops.concatenate([ops.full((1,), self.first_scale**2), shocks])
        lag = ops.cast(np.subtract.outer(*[np.arange(returns.shape[0])] * 2), "float32")
        powers = ops.where(lag >= 0, ops.exp(ops.maximum(lag, 0.0) * ops.log(weights[1])), 0.0)
        variances = ops.matmul(powers, shocks)
        with kprob.plate("data"):
            kprob.sample("y", tfd.Normal(mu, ops.sqrt(variances)))


def returns(file):
    return {"returns": np.asarray(file["y"]), "y": np.asarray(file["y"])}


def log_garch(values, data):
    y, variance, total = np.asarray(data["y"], "float64"), 0.25, 0.0
    for t in range(len(y)):
        if t:
            alpha, beta, _ = values["weights"]
            variance = values["alpha0"] + alpha * (y[t - 1] - values["mu"]) ** 2 + beta * variance
        total += stats.norm.logpdf(y[t], values["mu"], np.sqrt(variance))
    return total


def garch_again(values):
    weights = values["weights"]
    return {"mu": values["mu"], "alpha0": values["alpha0"], "alpha1": weights[..., 0], "beta1": weights[..., 1]}


class Absorption(kprob.ProbabilisticModel):
    """A dose is absorbed, and eliminated by Michaelis and Menten's law: dC/dt, solved by Runge and Kutta's method."""

    def __init__(self, dose, volume, **kwargs):
        super().__init__(**kwargs)
        self.dose, self.volume = dose, volume
        self.k_a, self.K_m = layers.HalfCauchy(scale=1.0), layers.HalfCauchy(scale=1.0)
        self.V_m, self.sigma = layers.HalfCauchy(scale=1.0), layers.HalfCauchy(scale=1.0)

    def generative(self):
        k_a, half, fastest, sigma = self.k_a(), self.K_m(), self.V_m(), self.sigma()

        def slope(time, level):
            absorbed = ops.exp(-k_a * time) * self.dose * k_a
            return (absorbed - fastest * level / (half + level)) / self.volume

        level, levels, step = ops.zeros(()), [], 0.5 / STEPS
        for i in range(20 * STEPS):
            time = i * step
            a = slope(time, level)
            b = slope(time + step / 2, level + step / 2 * a)
            c = slope(time + step / 2, level + step / 2 * b)
            level = level + step / 6 * (a + 2 * b + 2 * c + slope(time + step, level + step * c))
            if (i + 1) % STEPS == 0:
                levels.append(level)
        with kprob.plate("times", 20):
            kprob.sample("level", tfd.LogNormal(ops.log(ops.stack(levels)), sigma))


STEPS = 2  # of the solver between two measurements


def log_absorption(values, data):
    def slope(time, level):
        absorbed = np.exp(-values["k_a"] * time) * 30.0 * values["k_a"]
        return (absorbed - values["V_m"] * level / (values["K_m"] + level)) / 2.0

    times = np.arange(1, 21) * 0.5
    levels = integrate.solve_ivp(slope, (0, 10), [0.0], t_eval=times, rtol=1e-9, atol=1e-9).y[0]
    prior = stats.halfcauchy.logpdf([values[name] for name in ("k_a", "K_m", "V_m", "sigma")]).sum()
    return prior + stats.lognorm.logpdf(data["level"], values["sigma"], scale=levels).sum()


SCHOOLS = [11.0, 7.0, 1.0, 7.0, 1.0, 3.0, 9.0, 8.0]
STATES = {"theta1": [0.67, 0.33], "theta2": [0.07, 0.93]}
RATES = {"phi_low": 1.79, "phi_high": 6.7, "lambda_low": 0.03, "lambda_high": 0.08}
POSTERIORS = (
    Posterior(
        "eight_schools-eight_schools_centered", lambda d: CentredSchools(), schools,
        {"mu": 4.4, "tau": 3.6, "theta": SCHOOLS}, log_schools, heavy=("tau",),
        options={"target_accept_rate": 0.99},
    ),
    Posterior(
        "eight_schools-eight_schools_noncentered", lambda d: NonCentredSchools(), schools,
        {"mu": 4.4, "tau": 3.6, "z": [0.5, 0.2, -0.2, 0.1, -0.3, -0.1, 0.6, 0.2]}, log_schools, schools_again,
        heavy=("tau",), options={"target_accept_rate": 0.95},
    ),
    Posterior(
        "low_dim_gauss_mix-low_dim_gauss_mix", lambda d: Mixture(), lambda f: {"y": np.asarray(f["y"])},
        {"low": -2.7, "high": 2.9, "sigma": [1.03, 1.02], "theta": 0.62}, log_mixture, pair("mu"),
    ),
    Posterior(
        "hmm_example-hmm_example", lambda d: HiddenChain(100), lambda f: {"y": np.asarray(f["y"])},
        {**STATES, "low": 3.0, "high": 8.8}, log_chain, pair("mu"),
    ),
    Posterior(
        "bball_drive_event_0-hmm_drive_0", lambda d: Drive([[4.0, 2.0], [2.0, 4.0]]), drives,
        {"theta1": [0.99, 0.01], "theta2": [0.04, 0.96], **RATES}, log_drive, drive_again,
    ),
    Posterior(
        "gp_pois_regr-gp_regr", lambda d: Process(), lambda f: {name: np.asarray(f[name], "float64") for name in "xy"},
        {"rho": 6.9, "alpha": 2.4, "sigma": 1.8}, log_process,
    ),
    Posterior(
        "garch-garch11", lambda d: Garch(0.5), returns,
        {"mu": 5.05, "alpha0": 1.5, "weights": [0.57, 0.29, 0.14]}, log_garch, garch_again,
    ),
    Posterior(
        "one_comp_mm_elim_abs-one_comp_mm_elim_abs", lambda d: Absorption(30.0, 2.0),
        lambda f: {"level": np.asarray(f["C_hat"])}, {"k_a": 0.76, "K_m": 1.5, "V_m": 0.9, "sigma": 0.13},
        log_absorption, heavy=("K_m", "V_m"), options={"target_accept_rate": 0.95},
    ),
)  # fmt: skip

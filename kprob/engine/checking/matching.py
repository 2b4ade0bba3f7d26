"""The checks of p against q: all errors, never warnings."""

import math
from collections.abc import Collection, Mapping

import keras

from kprob import distributions
from kprob.backend import random
from kprob.checks import plates_text
from kprob.distributions.names import class_name
from kprob.distributions.supported_values import support_of
from kprob.distributions.wrappers import unwrapped
from kprob.effects import Site, Trace
from kprob.engine.enumeration import enumerable
from kprob.errors import MismatchError, did_you_mean, explain, names

SUPPORT_DRAWS = 64
SUPPORT_NUMBERS = 100_000


def check_pair(generative: Trace, inference: Trace, observed: Collection[str], model_name: str) -> None:
    """Checks that q has just the latents of p, in the same plates, with the same shapes.

    Discrete latents with finitely many values may be left out: they are summed out. What p fixes by `do` is no latent.

    Args:
        generative: A trace of p.
        inference: A trace of q.
        observed: Names that the data gives.
        model_name: Name of the model, for messages.

    Raises:
        MismatchError: They don't fit together.
    """
    p_sites = {site.name: site for site in generative.random_sites()}
    q_sites = {site.name: site for site in inference.random_sites()}
    _check_kinds(p_sites, inference, observed, model_name)
    for name in q_sites:
        if name not in p_sites:
            raise MismatchError(
                explain(
                    f"The inference network of {model_name} declares `{name}`, which the generative network lacks.",
                    received=f"inference: {names(q_sites)}",
                    expected=f"generative: {names(p_sites)}.{did_you_mean(name, p_sites)}",
                    fix="give it the name of the generative network's site that it infers, or remove it",
                )
            )
    for name, site in p_sites.items():
        if name not in observed and name not in q_sites and not site.intervened and not enumerable(site):
            raise MismatchError(
                explain(
                    f"Latent `{name}` of {model_name}'s generative network has no match in the inference network.",
                    received=f"inference: {names(q_sites)}; data: {names(observed)}",
                    expected=f"`{name}` in the inference network or in the data{_infinite(site)}."
                    + did_you_mean(name, [*q_sites, *observed]),
                    fix=f"declare `{name}` in `inference`, in plates {plates_text(site.plates)}, or add it to the data",
                )
            )
    for name, q_site in q_sites.items():
        if name not in observed:
            _check_site(p_sites[name], q_site)


def _check_kinds(p_sites: Mapping[str, Site], inference: Trace, observed: Collection[str], model_name: str) -> None:
    # q draws latents, each with a density that integrates to one: nothing else has a meaning there.
    for name, site in inference.sites.items():
        if site.is_factor:
            raise MismatchError(
                explain(
                    f"The inference network of {model_name} declares the factor `{name}`.",
                    received=f"kprob.factor({name!r}, ...) in `inference`: the objective would subtract it",
                    expected="random variables alone: q's density must integrate to one",
                    fix="declare the factor in `generative`, where it weighs what is drawn, or remove it",
                )
            )
        if not site.is_random:
            continue
        p_site = p_sites.get(name)
        if p_site is not None and p_site.intervened:
            raise MismatchError(
                explain(
                    f"The inference network of {model_name} declares `{name}`, which the generative network fixes by `do`.",
                    received=f"`{name}` in `inference`",
                    expected="the latents of the generative network: a site that is fixed isn't inferred",
                    fix=f"remove `{name}` from `inference`, or kprob.handlers.do from `generative`",
                )
            )
        if site.observed or (site.intervened and name not in observed):
            raise MismatchError(
                explain(
                    f"The inference network of {model_name} gives `{name}` a value instead of drawing it.",
                    received="a value by `observed=`, kprob.handlers.condition or kprob.handlers.do in `inference`",
                    expected=f"a draw: kprob.sample({name!r}, distribution)",
                    fix=f"give the value to `fit` as data for `{name}`, or fix it by kprob.handlers.do in `generative`",
                )
            )


def _infinite(site: Site) -> str:
    if not distributions.is_discrete(site.distribution):
        return ""
    return (
        f", since a {_family(site)} has no finite number of values known before running, over which it could be summed"
    )


def _check_site(p_site: Site, q_site: Site) -> None:
    p_plates, q_plates = [p.name for p in p_site.plates], [p.name for p in q_site.plates]
    if p_plates != q_plates:
        raise MismatchError(
            explain(
                f"Latent `{p_site.name}` is in other plates in the inference network than in the generative one.",
                received=f"inference: {plates_text(q_site.plates)}",
                expected=f"generative: {plates_text(p_site.plates)}",
                fix="open the same plates, by the same names, around both",
            )
        )
    p_event, q_event = tuple(p_site.distribution.event_shape), tuple(q_site.distribution.event_shape)
    if p_event != q_event:
        raise MismatchError(
            explain(
                f"Latent `{p_site.name}` has another event shape in the inference network than in the generative one.",
                received=f"inference: {q_event}",
                expected=f"generative: {p_event}",
                fix="declare both with the same `event_shape`",
            )
        )


def check_supports(generative: Trace, inference: Trace) -> None:
    """Checks that every latent has the same support under p and q.

    Args:
        generative: A trace of p with the latents of `inference`, since supports may depend on other latents.
        inference: A trace of q.

    Raises:
        MismatchError: A support differs.
    """
    for q_site in inference.random_sites():
        if not q_site.intervened and q_site.name in generative:
            _check_support(generative[q_site.name], q_site)


def _check_support(p_site: Site, q_site: Site) -> None:
    p_discrete, q_discrete = (distributions.is_discrete(s.distribution) for s in (p_site, q_site))
    if p_discrete != q_discrete or not (_inside(q_site, p_site) and _inside(p_site, q_site)):
        raise MismatchError(
            explain(
                f"Latent `{p_site.name}` has another support in the inference network than in the generative one.",
                received=f"inference: {_family(q_site)}",
                expected=f"the support of the generative network's {_family(p_site)}",
                fix="use a family with the same support, such as LogNormal or Gamma for a positive latent, or leave "
                "`inference` out: the automatic guide takes care of supports",
            )
        )


def _inside(site: Site, other: Site) -> bool:
    # Whether draws of a site are possible under another.
    support, other_support = support_of(site.distribution)[0], support_of(other.distribution)[0]
    if support is not None and other_support is not None and support.name == other_support.name:
        if all(s.fixed and not s.values for s in (support, other_support)):
            return True
    if distributions.contains(other.distribution, other.value) is None:
        return True
    size = max(1, math.prod(site.value.shape))
    number = min(SUPPORT_DRAWS, 1 + SUPPORT_NUMBERS // size)
    values = distributions.draw(site.distribution, (number,), random.seed(0))
    values = keras.ops.cast(values, other.distribution.dtype)
    return bool(keras.ops.all(distributions.contains(other.distribution, values)))


def _family(site: Site) -> str:
    return class_name(unwrapped(site.distribution))

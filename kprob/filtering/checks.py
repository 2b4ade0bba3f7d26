"""What a particle filter asks of a model, its data and its options, and what it says where that isn't so."""

import keras

from kprob.checks import check_count
from kprob.effects import Steps, Trace
from kprob.errors import DataError, KprobError, MismatchError, SiteError, did_you_mean, explain, names
from kprob.filtering.captured_scan import CapturedScan
from kprob.filtering.resampling import SCHEMES
from kprob.options import check_number
from kprob.types import Seed, Tensor

ops, tree = keras.ops, keras.tree
PROPOSALS = ("generative", "inference")


def check_options(num_particles: int, proposal: str, resampling: str, ess_threshold: float) -> None:
    """Raises where an option of a filter is none."""
    check_count("num_particles", num_particles, 2)
    for name, value, choices in (("proposal", proposal, PROPOSALS), ("resampling", resampling, SCHEMES)):
        if value not in choices:
            raise KprobError(
                explain(
                    f"`{name}` of a particle filter is one of {len(choices)} words.",
                    received=repr(value),
                    expected=names(choices),
                    fix=f'write {name}="{choices[0]}"',
                )
            )
    check_number("ess_threshold", ess_threshold, 0.0, 1.0, ends="[]", example=0.5)


def require_scan(network: CapturedScan, model_name: str) -> Steps:
    """Returns the steps of a network that has been run; raises where it has none."""
    if network.steps is None:
        raise SiteError(
            explain(
                f"A particle filter goes along the steps of a scan, and {network.of} of {model_name} has none.",
                received=f"a network with {names(site.name for site in network.before)}",
                expected="a network that declares its steps by `kprob.scan`",
                fix="write kprob.scan(step, initial, xs); a filter that needs no inference network has "
                'proposal="generative"',
            )
        )
    return network.steps


def check_data(steps: Steps, seed: Seed, model_name: str) -> None:
    """Raises where no step is weighed by anything."""
    if steps.known or any(site.is_factor for site in run_first(steps, seed)[1].sites.values()):
        return
    raise DataError(
        explain(
            f"A particle filter weighs particles by data, and nothing in the steps of {model_name} is observed.",
            received=f"no values of {names(steps.missing)}",
            expected="data for what is observed at each step",
            fix=f'write particle_filter({{"{steps.missing[-1] if steps.missing else "y"}": values}})',
        )
    )


def check_scans(p: Steps, q: Steps) -> None:
    """Raises where the steps of the two networks don't go side by side."""
    places = [tuple(plate.name for plate in steps.plates) for steps in (p, q)]
    if places[0] != places[1] or p.length != q.length:
        raise MismatchError(
            explain(
                "The scans of the two networks don't go side by side.",
                received=f"{q.length} steps in plates {names(places[1])} in the inference network",
                expected=f"{p.length} steps in plates {names(places[0])}, as in the generative network",
                fix="scan as many steps in the same plates",
            )
        )
    unknown = [name for name in q.missing if name not in p.missing]
    if unknown:
        raise MismatchError(
            explain(
                f"The inference network's steps draw `{unknown[0]}`, and the generative network's don't.",
                received=names(unknown),
                expected=f"some of {names(p.missing)}",
                fix="give both the same name",
            )
        )


def check_given(given: dict, trace: Trace, p: Steps, model_name: str) -> None:
    """Raises where a value is given for what is no latent."""
    known = [*(site.name for site in trace.random_sites(observed=False)), *p.missing, *p.known]
    for name in given:
        if name not in known:
            raise DataError(
                explain(
                    f"`given` has a value for `{name}`, which is no latent of {model_name}.{did_you_mean(name, known)}",
                    received=names(given),
                    expected=f"some of {names(dict.fromkeys(known))}",
                    fix="correct the name, or leave it out",
                )
            )


def not_given(needed: list[str], elsewhere: list[str], model_name: str) -> str:
    """Returns the message on latents that the steps depend on, or on data that no step is weighed by."""
    if not needed:
        return explain(
            f"`{elsewhere[0]}` of {model_name} is observed outside the plates of the scan, so that no step is weighed by it.",
            received=names(elsewhere),
            expected="observations in the steps, or before them in the same plates",
            fix="filter a model without it",
        )
    return explain(
        f"The steps of {model_name} depend on {names(needed)}, which a particle filter holds fixed.",
        received="no value",
        expected=f"values of {names(needed)}: a filter's likelihood is that of the data given them",
        fix=f'write particle_filter(..., given={{"{needed[0]}": value}}), with a draw or the mean of a posterior',
    )


def run_first(steps: Steps, seed: Seed) -> tuple:
    """Runs the first step with a past that nothing has an influence on."""

    def cut(value: Tensor) -> Tensor:
        return ops.take(value, ops.arange(1), axis=steps.axis)

    past = tree.map_structure(ops.zeros_like, steps.start)
    x, known = tree.map_structure(cut, steps.xs), tree.map_structure(cut, steps.known)
    return steps.run(past, x, known, seed)

"""What a sampler asks of `fit` and of a model that was fitted before."""

from kprob.engine import Networks
from kprob.errors import CompileError, KprobError, explain
from kprob.guides import Guide
from kprob.samplers import Sampler
from kprob.samplers.chains.draws import Draws

# Options of `fit` that mean nothing where every transition sees all data.
_MEANINGLESS = (
    *("batch_size", "validation_data", "validation_split", "validation_batch_size", "validation_steps"),
    *("steps_per_epoch", "num_data", "class_weight"),
)


def check_options(sampler: Sampler, options: dict) -> None:
    """Raises where an option of `fit` means nothing to a sampler."""
    for name in _MEANINGLESS:
        if options.get(name) and not (name == "batch_size" and sampler.minibatches):
            raise CompileError(
                explain(
                    f"`fit` with {type(sampler).__name__} has no use for `{name}`.",
                    received=f"{name}={options[name]!r}",
                    expected="all data in every transition",
                    fix=f"leave `{name}` out, or compile with an objective such as kprob.ELBO()",
                )
            )


def check_sampler(model_name: str, draws: Draws, sampler: Sampler) -> None:
    """Raises where a model has draws of another sampler than the one that it is compiled with."""
    if draws.sampler and draws.sampler != sampler.identity():
        raise KprobError(
            explain(
                f"{model_name} has been compiled with another sampler since its draws were made, and not been fitted.",
                received=f"draws of {draws.sampler}",
                expected=f"draws of {sampler.identity()}",
                fix="call model.fit(data), which starts anew, or compile with the former sampler, whose draws are kept",
            )
        )


def require_guide(networks: Networks) -> Guide:
    """Returns a model's fitted guide, which is to be a preconditioner; raises where there is none."""
    guide = networks.guide
    if guide is None or not guide.built:
        raise CompileError(
            explain(
                f'preconditioner="guide" moves in the coordinates of the guide of {networks.model_name}.',
                received="a model without a guide that was fitted",
                expected="a model with, say, inference=kprob.guides.InverseAutoregressiveFlow(), and "
                "model.compile(kprob.ELBO(), ...).fit(data) before",
                fix="fit the guide first, or leave `preconditioner` out",
            )
        )
    return guide


def require_inference(networks: Networks) -> None:
    """Raises where a model has no inference network, or one that was never built."""
    spec = networks.spec
    if spec is None or spec.sampled:
        raise CompileError(
            explain(
                f'init="guide" starts {networks.model_name} where its inference network is.',
                received="a model without an inference network that was fitted",
                expected="model.compile(kprob.ELBO(), ...).fit(data) before",
                fix='fit the guide first, or write init="pathfinder"',
            )
        )

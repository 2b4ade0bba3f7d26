"""`compile`: what a model is fitted by, and in which form."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from kprob.engine import Networks
from kprob.engine.reparameterizing import set_reparam
from kprob.errors import CompileError, explain
from kprob.inference.choice import inference_by
from kprob.inference.context import Context
from kprob.inference.inference import Inference
from kprob.inspection.named_parts import variables_named
from kprob.training.freezing import keep_state
from kprob.training.objective_state import build_objective, hold_layers
from kprob.training.optimizers import bound
from kprob.training.ownership import check_optimizer, optimizers_of

KERAS_LOSSES = ("loss", "metrics", "loss_weights", "weighted_metrics")


def compile_model(
    context: Context,
    keras_compile: Callable[..., None],
    objective: object,
    optimizer: object,
    reparam: object,
    options: Mapping[str, Any],
) -> Inference:
    """Sets what `fit` maximises, and how.

    Args:
        context: The model and what belongs to it.
        keras_compile: Keras's `compile` of the model.
        objective: An objective such as `kprob.ELBO()`, or a function `(generative_trace, inference_trace)` that
            returns a scalar to be maximised; or a sampler such as `kprob.NUTS()`, which needs no optimizer.
        optimizer: A Keras optimizer, or its name; or a dict of them by part of the model (see
            `kprob.optimizers.Optimizers`).
        jit_compile: Whether to compile with XLA; "auto" does where it works.
        reparam: Sites to be written in another form, `kprob.LocScale` or `kprob.Transform` by name; or "auto", which
            learns the centring of every latent whose location or scale depends on other latents.
        options: Options for Keras, `jit_compile` among them.
        **kwargs: Keras's `run_eagerly`, `steps_per_execution`, `auto_scale_loss`.

    Returns:
        How the model is learnt from now on.

    Raises:
        CompileError: The objective or the optimizer is none, or they are swapped.
    """
    _check_options(options)
    model, networks = context.model, context.networks
    if networks.surroundings is not None:
        networks.refresh()  # a change that nobody has looked for yet
    inference = inference_by(objective, context)
    hold_layers(model, inference.layers)
    networks.dtype, networks.jit = inference.dtype, options["jit_compile"] is not False
    _set_form(networks, reparam)
    with _explained_optimizer(optimizer):
        optimizer = bound(optimizer, lambda name: variables_named(networks, name))
        keras_compile(optimizer=optimizer, **options)
    networks.seekers = {"objective": inference.method, **optimizers_of(model.optimizer)}
    networks.surroundings = None
    check_optimizer(model.optimizer, networks)
    if networks.built:
        if inference.objective is not None:
            build_objective(networks, inference.objective)
        model.optimizer.build(model.trainable_variables)
    return inference


def renew_optimizer(model: keras.Model, method: object, options: Mapping[str, Any]) -> None:
    """Compiles a model anew where other variables are trained than before: an optimizer belongs to those it was built with.

    Args:
        model: The model.
        method: Its objective or sampler.
        options: Options that it was compiled with.
    """
    old = model.optimizer
    model.compile(method, type(old).from_config(old.get_config()), **options)
    keep_state(old, model.optimizer)


def _check_options(options: Mapping) -> None:
    # The objective takes the place of Keras's loss and metrics.
    for name in KERAS_LOSSES:
        if options.get(name) is not None:
            raise CompileError(
                explain(
                    f"`compile` got Keras's `{name}`.",
                    received=f"{name}={options[name]!r}",
                    expected="compile(objective, optimizer): the objective takes the place of a loss",
                    fix="pass an objective, such as kprob.ELBO(), or a function of the two traces",
                )
            )


def _set_form(networks: Networks, reparam: object) -> None:
    # What was compiled of the networks in another form is forgotten.
    if reparam is not None:
        set_reparam(networks, reparam)
    networks.forget()
    if not networks.built:
        networks.structure = None  # running eagerly, a network may take more than one branch


@contextmanager
def _explained_optimizer(optimizer: object) -> Iterator[None]:
    # Says in kprob's words what Keras says of an optimizer that is none.
    try:
        yield
    except ValueError as error:
        raise CompileError(
            explain(
                "`compile` got no optimizer as its second argument.",
                received=repr(optimizer),
                expected="a Keras optimizer or its name",
                fix='write compile(kprob.ELBO(), "adam")',
            )
        ) from error

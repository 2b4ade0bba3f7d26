"""The two networks of a model: what is known of them, and how they are run.

One run is about one draw, or about several draws that are folded into the rows of the batch.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

import keras

from kprob.backend import map_draws
from kprob.data.batch import data_of, repeat_rows, rows_of
from kprob.effects import Handler, LocScale, Trace, Transform, handlers, reparam
from kprob.engine.arguments import arguments_of, bind
from kprob.engine.enumeration import SummationPlan, collapse
from kprob.engine.host import Host
from kprob.engine.impossible_parameters import no_cholesky
from kprob.engine.paired_run import PairedRun
from kprob.engine.parameters import NamedParameters, ParameterHandler
from kprob.engine.precision import in_precision
from kprob.engine.probing.structure import Structure
from kprob.engine.programs import Programs
from kprob.engine.spec import Spec
from kprob.errors import KprobError, add_note, explain
from kprob.guides import Guide
from kprob.types import Seed

Reparameterization = LocScale | Transform


class Networks:
    """The generative network p and the inference network q of a model, which live as long as the model.

    Args:
        host: The Keras model, whose `generative`, `inference` and `guide` these are.
        model_name: Name of the model, for messages.

    Attributes:
        parameters: Values of what the networks declare by `kprob.param`.
        programs: Compiled programs.
        reparam: `LocScale` or `Transform` by site: the form in which the generative network runs.
        reparam_is_open: Whether `reparam` is still to be chosen, once data says what is observed.
        structure: Sites of the generative network, or None before its first run.
        spec: What the build was made from, or None before it.
        plan: Which discrete latents are summed out, and how; None for none.
        checked: Fingerprint of the data that was last checked.
        guide_is_automatic: Whether the guide, where there is one, stands in for an inference network that nobody gave.
        dtype: Type of numbers that the model is computed in, where its inference asks for more digits.
        jit: Whether to compile with XLA.
    """

    def __init__(self, host: Host, model_name: str) -> None:
        self.host, self.model_name = host, model_name
        self.parameters = NamedParameters()
        self.programs = Programs(self.variables, lambda: self.phase, lambda: self.run_eagerly)
        self.reparam: dict[str, Reparameterization] = {}
        self.reparam_is_open = False
        self.structure: Structure | None = None
        self.spec: Spec | None = None
        self.plan: SummationPlan | None = None
        self.checked: tuple | None = None
        self.guide_is_automatic = True
        self.dtype, self.jit = "float32", True

    @cached_property
    def generative(self) -> Callable:
        """The generative network, a function of covariates."""
        return self.host.generative

    @property
    def inference(self) -> Callable | Guide | None:
        """The inference network: a guide, a function of data, or None while there is none."""
        return self._handwritten if self.guide is None else self.guide

    @property
    def guide(self) -> Guide | None:
        """The guide that is the inference network, or None."""
        return self.host.guide

    @property
    def phase(self) -> str | None:
        """What the guide does at the moment, where that changes."""
        return None if self.guide is None else self.guide.phase

    @cached_property
    def generative_arguments(self) -> dict[str, bool]:
        """Arguments of the generative network: whether each is required."""
        return arguments_of(self.generative, f"the generative network of {self.model_name}")

    @property
    def inference_arguments(self) -> dict[str, bool]:
        """Arguments of a handwritten inference network: whether each is required."""
        return {} if self.guide is not None else self._handwritten_arguments

    @property
    def run_eagerly(self) -> bool:
        """Whether Python decides anew, in each run, what the networks do."""
        return self.host.run_eagerly

    @property
    def built(self) -> bool:
        """Whether the variables have been made."""
        return self.host.built

    def require_spec(self) -> Spec:
        """Returns what the build found.

        Raises:
            KprobError: The variables haven't been made.
        """
        if self.spec is None:
            raise KprobError(
                explain(
                    f"{self.model_name} has no variables yet.",
                    received="a model that was never fitted, evaluated or loaded",
                    expected="a model that has seen data",
                    fix="call model.compile(...).fit(data) first",
                )
            )
        return self.spec

    def variables(self) -> list:
        """Returns the variables that the networks may read."""
        return self.host.variables

    def store(self) -> Handler:
        """Returns the handler that gives the networks their parameters, for one run."""
        return ParameterHandler(self.host, self.parameters)

    def precision(self) -> AbstractContextManager[None]:
        """Returns the context in which the model computes in `dtype`."""
        return in_precision(self.host, self.dtype)

    def map_draws(self, function: Callable, seeds: Seed) -> Any:
        """Runs `function(seed)` for each seed and stacks the results: in one loop, or one by one where Python decides.

        Args:
            function: From a seed to a structure of tensors.
            seeds: Seeds (S, 2).
        """
        if not self.run_eagerly:
            return map_draws(function, seeds, self.variables())
        each = [function(seed) for seed in keras.ops.unstack(seeds)]
        return keras.tree.map_structure(lambda *values: keras.ops.stack(values), *each)

    def rewritten(self, reparam: Mapping[str, Reparameterization]) -> "Networks":
        """Returns the same networks with the generative one in another form."""
        other = copy.copy(self)
        other.reparam = dict(reparam)
        return other

    def pair(
        self, batch: dict, seed: Seed, num_draws: int | None = None, shared: bool = False, given: Mapping | None = None
    ) -> tuple[Trace, Trace]:
        """Runs q, then p with q's values and the data: one draw, or several folded into the rows.

        Args:
            batch: A batch (see `batch.py`).
            seed: A seed.
            num_draws: Draws to fold into the rows; only where every latent is inside the data plate.
            shared: Whether q may run once for all draws (see `shared_inference.py`).
            given: Values of latents that aren't to be drawn, still latent.

        Returns:
            The traces of p and q, which have variants under other conditions (see `Trace`).
        """
        return PairedRun(self, batch, repeat_rows(batch, num_draws), seed, num_draws, shared, given).traces()

    def replay(self, batch: dict, seed: Seed, inference: Trace, num_draws: int | None = None) -> Trace:
        """Runs p with the values of a run of q, for an objective; discrete latents that q lacks are summed out.

        Args:
            batch: The data, its rows repeated already.
            seed: A seed.
            inference: Trace of q.
            num_draws: Draws that the run stands for.
        """
        if self.plan is not None:
            return collapse(self, self.plan, batch, seed, inference, num_draws)
        return self.run_generative(batch, seed, inference, num_draws)

    def run_inference(
        self,
        batch: dict,
        seed: Seed,
        num_draws: int | None = None,
        size: int | None = None,
        given: Mapping | None = None,
    ) -> Trace:
        """Runs q on a batch. A site of q that the data has is pinned, and has no density.

        Args:
            batch: The data.
            seed: A seed.
            num_draws: Draws that the run stands for.
            size: Rows of the data plate where the batch has none.
            given: Values of latents, still latent.
        """
        trace = handlers.trace(num_draws=num_draws)
        data = data_of(batch)
        pinned, fixed = handlers.do(values=data), handlers.substitute(values=given)
        with plate_of(batch, num_draws, size), trace, self.store(), handlers.seed(seed=seed), pinned, fixed:
            if self.guide is not None:
                arguments = {"network": lambda: self._rewritten(batch), "data": data}
                self._call("inference", trace, self.guide.run, arguments, batch)
            else:
                arguments = bind(self.inference_arguments, data, "inference", self.model_name)
                self._call("inference", trace, self.require_handwritten(), arguments, batch)
        return trace.result

    def run_generative(
        self,
        batch: dict,
        seed: Seed,
        latents: Trace | None = None,
        num_draws: int | None = None,
        size: int | None = None,
        given: Mapping | None = None,
        extra: Handler | None = None,
        unobserved: Iterable[str] = (),
    ) -> Trace:
        """Runs p on a batch.

        Args:
            batch: The data; its sites are observed.
            seed: A seed.
            latents: Trace of q whose values are used.
            num_draws: Draws that the run stands for.
            size: Rows of the data plate where the batch has none.
            given: Values of further sites, still latent.
            extra: One more handler, which sees what no value was given for.
            unobserved: Sites that are drawn even where the batch has data for them.
        """
        trace = handlers.trace(num_draws=num_draws)
        with plate_of(batch, num_draws, size), trace, self.store(), handlers.seed(seed=seed), extra or Handler():
            # Further out than what gives values: a site that has one stays what it is.
            with reparam(config=self.reparam), handlers.replay(guide=latents), handlers.substitute(values=given):
                with handlers.condition(data={k: v for k, v in data_of(batch).items() if k not in unobserved}):
                    self._call("generative", trace, self._generate, {"batch": batch}, batch)
        return trace.result

    @cached_property
    def _handwritten(self) -> Callable | None:
        return self.host.inference

    @cached_property
    def _handwritten_arguments(self) -> dict[str, bool]:
        network = self._handwritten
        return {} if network is None else arguments_of(network, f"the inference network of {self.model_name}")

    def require_handwritten(self) -> Callable:
        """Returns the handwritten inference network.

        Raises:
            KprobError: There is none.
        """
        if self._handwritten is None:
            raise KprobError(
                explain(
                    f"{self.model_name} has no inference network yet.",
                    received="a model that was fitted by a sampler alone",
                    expected="a trained inference network",
                    fix='call model.compile(kprob.ELBO(), "adam").fit(data) on a new model first',
                )
            )
        return self._handwritten

    def _rewritten(self, batch: dict) -> None:
        with reparam(config=self.reparam):
            return self._generate(batch)

    def _generate(self, batch: dict) -> None:
        return self.generative(**bind(self.generative_arguments, data_of(batch), "generative", self.model_name))

    def _call(self, network: str, trace: handlers.trace, function: Callable, arguments: dict, batch: dict) -> None:
        try:
            function(**arguments)
        except KprobError:
            raise
        except Exception as error:
            if "Cholesky" in str(error):
                reached = list(trace.result)
                raise no_cholesky(network, self.model_name, reached[-1] if reached else None) from error
            reached = list(trace.result)
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in data_of(batch).items())
            add_note(
                error,
                f"kprob: this happened in `{network}` of {self.model_name}, "
                f"{f'after site `{reached[-1]}`' if reached else 'before its first site'}; data: {shapes or 'none'}.",
            )
            raise


def plate_of(batch: dict, num_draws: int | None = None, size: int | None = None) -> handlers.rows:
    """Returns the handler that makes the data plate as long as the batch (whose rows are repeated already)."""
    number = rows_of(batch)
    if number is None:
        return handlers.rows(size=(size or 1) * (num_draws or 1))
    if num_draws is None:
        per_draw = number
    else:
        per_draw = number // num_draws
    scale = batch["num_data"][0] / keras.ops.cast(per_draw, batch["num_data"].dtype)
    return handlers.rows(size=number, scale=scale, weights=batch.get("weights"), indices=batch.get("index"))

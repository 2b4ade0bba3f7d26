"""The two networks of a model and how they are run: for one draw, or for several folded into the batch."""

import inspect
from collections.abc import Callable, Iterable, Mapping

import keras

from kprob.data.batch import data_of, repeat_rows, rows_of
from kprob.effects import Handler, Trace, handlers, reparam
from kprob.engine.enumeration import SummationPlan, collapse
from kprob.engine.reruns import Runs
from kprob.errors import DataError, KprobError, SiteError, add_note, explain, names
from kprob.guides import Guide


class Networks:
    """The generative network p and the inference network q of a model.

    Args:
        generative: p, a function of covariates.
        inference: q, a function of data, a `Guide`, or None while there is none.
        store: Returns the handler that gives the networks their parameters.
        owner: Name of the model, for messages.
        variables: Returns the variables that the networks read.
        reparam: `LocScale` or `Transform` by site: the form in which the generative network runs.
        plan: Which discrete latents are summed out, and how; None for none.
    """

    def __init__(
        self,
        generative: Callable,
        inference,
        store: Callable[[], Handler],
        owner: str,
        variables: Callable,
        reparam: Mapping | None = None,
        plan: SummationPlan | None = None,
    ):
        self.generative = generative
        self.inference = inference
        self.store = store
        self.owner = owner
        self.variables = variables
        self.reparam = dict(reparam or {})
        self.plan = plan
        self.generative_arguments = arguments_of(generative, f"the generative network of {owner}")
        self.inference_arguments = {}
        if inference is not None and not isinstance(inference, Guide):
            self.inference_arguments = arguments_of(inference, f"the inference network of {owner}")

    def pair(
        self, batch: dict, seed, num_draws: int | None = None, shared: bool = False, given: Mapping | None = None
    ) -> tuple[Trace, Trace]:
        """Runs q, then p with q's values and the data: one draw, or several folded into the rows.

        Args:
            batch: A batch (see `batch.py`).
            seed: A seed.
            num_draws: Draws to fold into the rows; only where every latent is inside the data plate.
            shared: Whether q may run once for all draws (see `shared.py`).
            given: Values of latents that aren't to be drawn, still latent.

        Returns:
            The traces of p and q, which can be had again under other conditions (see `Trace`).
        """
        return Runs(self, batch, repeat_rows(batch, num_draws), seed, num_draws, shared, given).traces()

    def replay(self, batch: dict, seed, inference: Trace, num_draws: int | None = None) -> Trace:
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
        self, batch: dict, seed, num_draws: int | None = None, size=None, given: Mapping | None = None
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
        pinned, fixed = handlers.do(values=data_of(batch)), handlers.substitute(values=given)
        with plate_of(batch, num_draws, size), trace, self.store(), handlers.seed(seed=seed), pinned, fixed:
            if isinstance(self.inference, Guide):
                arguments = {"network": lambda: self._rewritten(batch), "data": data_of(batch)}
                self._call("inference", trace, self.inference.run, arguments, batch)
            else:
                self._call(
                    "inference", trace, self.inference, self._bind(self.inference_arguments, batch, "inference"), batch
                )
        return trace.result

    def run_generative(
        self,
        batch: dict,
        seed,
        latents: Trace | None = None,
        num_draws: int | None = None,
        size=None,
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

    def _rewritten(self, batch: dict):
        with reparam(config=self.reparam):
            return self._generate(batch)

    def _generate(self, batch: dict):
        return self.generative(**self._bind(self.generative_arguments, batch, "generative"))

    def _bind(self, arguments: dict[str, bool], batch: dict, network: str) -> dict:
        values, bound = data_of(batch), {}
        for name, required in arguments.items():
            if name in values:
                bound[name] = values[name]
            elif required:
                raise DataError(
                    explain(
                        f"`{network}` of {self.owner} needs `{name}`, which the data lacks.",
                        received=f"data for {names(values)}",
                        expected=f"data for {names(n for n, r in arguments.items() if r)}",
                        fix=f'add "{name}" to the data',
                    )
                )
        return bound

    def _call(self, network: str, trace, function: Callable, arguments: dict, batch: dict) -> None:
        try:
            function(**arguments)
        except KprobError:
            raise
        except Exception as error:
            reached = list(trace.result)
            shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in data_of(batch).items())
            add_note(
                error,
                f"kprob: this happened in `{network}` of {self.owner}, "
                f"{f'after site `{reached[-1]}`' if reached else 'before its first site'}; data: {shapes or 'none'}.",
            )
            raise


def arguments_of(function: Callable, network: str) -> dict[str, bool]:
    """Returns a network's arguments: whether each is required.

    Args:
        function: The network.
        network: What it is, for messages.

    Raises:
        SiteError: It takes *args or **kwargs, or isn't a function.
    """
    if not callable(function) or isinstance(function, type):
        raise SiteError(
            explain(
                f"What should be {network} is no function.",
                received=repr(function),
                expected="a function that declares random variables"
                + (", or a guide" if "inference" in network else ""),
                fix=f"make one: {function.__name__}()" if isinstance(function, type) else "pass the function itself",
            )
        )
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise SiteError(
                explain(
                    f"The arguments of {network} have no names.",
                    received=str(parameter),
                    expected="named arguments: each is looked up in the data by its name",
                    fix="write one argument for each covariate or site that the network takes, such as (self, x)",
                )
            )
        found[name] = parameter.default is parameter.empty
    return found


def plate_of(batch: dict, num_draws: int | None = None, size=None) -> handlers.rows:
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

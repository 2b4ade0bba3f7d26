"""The two networks of a model: what is known of them, and how they are run.

One run is about one draw, or about several draws that are folded into the rows of the batch.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import keras
import numpy as np

from kprob.backend import map_draws
from kprob.data import Data
from kprob.data.batch import data_of, repeat_rows, rows_of
from kprob.effects import Handler, LocScale, Trace, Transform, handlers, reparam
from kprob.engine.arguments import bind
from kprob.engine.checking.given_data import RefuseSecondValues
from kprob.engine.enumeration import SummationPlan, collapse
from kprob.engine.host import Host
from kprob.engine.network_errors import explained
from kprob.engine.network_functions import NetworkFunctions
from kprob.engine.paired_run import PairedRun
from kprob.engine.parameters import NamedParameters, ParameterHandler
from kprob.engine.precision import in_precision
from kprob.engine.probing.structure import Structure
from kprob.engine.programs import Programs
from kprob.engine.spec import Coupling, Folding, Spec
from kprob.engine.surroundings import Surroundings
from kprob.errors import KprobError, explain
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
        folding: Which networks several draws can share a run of; None where not all latents are inside the data plate,
            or before it was tried out.
        coupling: Which places of plates look at each other, as far as that matters.
        plan: Which discrete latents are summed out, and how; None for none.
        checked: Fingerprint of the data that was last checked.
        checked_given: Fingerprint of the data that a query was last checked on.
        fitted_rows: Fingerprints of the rows of the last fit, by name, where the guide has parameters for each row.
        weights_checked: Whether the weights, as they are since the last fit, are known to be finite.
        guide_is_automatic: Whether the guide, where there is one, stands in for an inference network that nobody gave.
        dtype: Type of numbers that the model is computed in, where its inference asks for more digits.
        jit: Whether to compile with XLA.
        surroundings: What the networks read from Python, as it was when programs were compiled; None before that.
        changed: Names of what has changed of it since the networks were last checked.
        num_changes: How often something has changed of it.
        sample: A few rows of the data that the model has seen.
        weights: Addresses of the variables that the model was built with.
        seekers: The objective or sampler and the optimizers, by name: programs have their settings in them too.
    """

    def __init__(self, host: Host, model_name: str) -> None:
        self.host, self._functions = host, NetworkFunctions(host, model_name)
        self.parameters = NamedParameters()
        self.programs = Programs(self.variables, lambda: self.phase, lambda: self.run_eagerly, self.refresh)
        self.surroundings: Surroundings | None = None
        self.changed: tuple[str, ...] = ()
        self.num_changes = 0
        self.seekers: dict[str, object] = {}
        self.sample, self.weights = Data(), set[int]()
        self._restless: set[str] = set()
        self.reparam: dict[str, Reparameterization] = {}
        self.reparam_is_open = False
        self.structure: Structure | None = None
        self.spec: Spec | None = None
        self.folding: Folding | None = None
        self.coupling = Coupling()
        self.plan: SummationPlan | None = None
        self.checked: tuple | None = None
        self.checked_given: tuple | None = None
        self.fitted_rows: dict[str, str] = {}
        self.weights_checked = False
        self.guide_is_automatic = True
        self.dtype, self.jit = "float32", True

    @property
    def model_name(self) -> str:
        """Name of the model, for messages."""
        return self._functions.model_name

    @model_name.setter
    def model_name(self, name: str) -> None:
        self._functions = NetworkFunctions(self.host, name)

    @property
    def generative(self) -> Callable:
        """The generative network, a function of covariates."""
        return self._functions.generative

    @property
    def inference(self) -> Callable | Guide | None:
        """The inference network: a guide, a function of data, or None while there is none."""
        return self._functions.inference if self.guide is None else self.guide

    @property
    def guide(self) -> Guide | None:
        """The guide that is the inference network, or None."""
        return self.host.guide

    @property
    def phase(self) -> str | None:
        """What the guide does at the moment, where that changes."""
        return None if self.guide is None else self.guide.phase

    @property
    def generative_arguments(self) -> dict[str, bool]:
        """Arguments of the generative network: whether each is required."""
        return self._functions.generative_arguments

    @property
    def inference_arguments(self) -> dict[str, bool]:
        """Arguments of a handwritten inference network: whether each is required."""
        return {} if self.guide is not None else self._functions.inference_arguments

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

    def refresh(self) -> None:
        """Forgets what was compiled and found out, where what the networks read from Python isn't what it was."""
        changes = [] if self.surroundings is None else self.surroundings.changes()
        if self.surroundings is not None and not changes:
            return
        if changes:
            self.forget(changes)
        of_seekers = [variable for one in self.seekers.values() for variable in getattr(one, "variables", ())]
        self.surroundings = Surroundings(self._roots(), [*self.variables(), *of_seekers], self._restless)

    def forget(self, changes: Iterable[str] = ()) -> None:
        """Forgets what was compiled and found out.

        Args:
            changes: Names of what has changed, by which the networks are to be checked again.
        """
        self.programs.clear()
        self.surroundings, self.checked = None, None
        self.host.train_function = self.host.test_function = self.host.predict_function = None
        self._functions = NetworkFunctions(self.host, self.model_name)
        if changes:
            self.changed, self.num_changes = tuple(dict.fromkeys((*self.changed, *changes))), self.num_changes + 1
            if not self.built:
                self.structure = self.folding = None

    def note_built(self, data: Data) -> None:
        """Takes note that all variables have been made.

        Args:
            data: The data of the build.
        """
        self.host.built = True
        self.surroundings, self.changed = None, ()  # layers have been built since
        self.weights = {id(variable) for variable in self.variables()}
        self.keep_sample(data)

    def keep_sample(self, data: Data) -> None:
        """Keeps a few rows of data, on which the networks can be checked later.

        Args:
            data: Data of the model.
        """
        few = data if data.num_rows is None else data.take(np.arange(min(data.num_rows, 2)))
        self.sample = few

    def _roots(self) -> dict[str, object]:
        layers = {layer.name: layer for layer in self.host._flatten_layers(include_self=False)}
        network = self.inference
        own = {self.model_name: self.host, "generative": self.generative, "inference": network}
        return {**own, **self.seekers, **layers}

    def store(self) -> Handler:
        """Returns the handler that gives the networks their parameters, for one run."""
        return ParameterHandler(self.host, self.parameters)

    def precision(self) -> AbstractContextManager[None]:
        """Returns the context in which the model computes in `dtype`."""
        return in_precision(self.host, self.dtype)

    def map_draws(self, function: Callable, draws: Any) -> Any:
        """Runs a function for each draw and stacks the results: in one loop, or one by one where Python decides.

        Args:
            function: From what belongs to one draw, such as its seed, to a structure of tensors.
            draws: A tensor or a structure of them, draws along axis 0, such as seeds (S, 2).
        """
        if not self.run_eagerly:
            return map_draws(function, draws, self.variables())
        number = keras.tree.flatten(draws)[0].shape[0]
        each = [function(keras.tree.map_structure(lambda value, i=i: value[i], draws)) for i in range(number)]
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

    def trained_part(self, inference: Trace) -> Trace:
        """Returns a run of q without what q never learnt, since the data of every fit had it: p draws it.

        Args:
            inference: Trace of q.
        """
        spec = self.spec
        untrained = () if spec is None else [n for n in spec.inferred if n not in spec.latents]
        if not any(name in inference and not inference[name].intervened for name in untrained):
            return inference
        part = Trace(num_draws=inference.num_draws)
        for name, site in inference.sites.items():
            if name not in untrained or site.intervened:
                part.add(site)
        return part

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
                observed = {k: v for k, v in data_of(batch).items() if k not in unobserved}
                twice = RefuseSecondValues(observed, self.generative_arguments)
                with handlers.condition(data=observed), twice:
                    self._call("generative", trace, self._generate, {"batch": batch}, batch)
        return trace.result

    @contextmanager
    def _own_changes_ignored(self) -> Iterator[None]:
        # What a network itself changes when it runs, such as a counter of its runs, is no change of what it is.
        surroundings = self.surroundings
        before = set() if surroundings is None else set(surroundings.changes())
        yield
        if surroundings is not None:
            changed = set(surroundings.changes()) - before
            if changed:
                surroundings.ignore(changed)
                self._restless |= changed

    def require_handwritten(self) -> Callable:
        """Returns the handwritten inference network.

        Raises:
            KprobError: There is none.
        """
        if self._functions.inference is None:
            raise KprobError(
                explain(
                    f"{self.model_name} has no inference network yet.",
                    received="a model that was fitted by a sampler alone",
                    expected="a trained inference network",
                    fix='call model.compile(kprob.ELBO(), "adam").fit(data) on a new model first',
                )
            )
        return self._functions.inference

    def _rewritten(self, batch: dict) -> None:
        with reparam(config=self.reparam):
            return self._generate(batch)

    def _generate(self, batch: dict) -> None:
        return self.generative(**bind(self.generative_arguments, data_of(batch), "generative", self.model_name))

    def _call(self, network: str, trace: handlers.trace, function: Callable, arguments: dict, batch: dict) -> None:
        with explained(network, self.model_name, trace, data_of(batch)), self._own_changes_ignored():
            function(**arguments)


def plate_of(batch: dict, num_draws: int | None = None, size: int | None = None) -> handlers.rows:
    """Returns the handler that makes the data plate as long as the batch (whose rows are repeated already)."""
    number, draws = rows_of(batch), num_draws or 1
    if number is None:
        return handlers.rows(size=(size or 1) * draws, num_draws=draws)
    scale = batch["num_data"][0] / keras.ops.cast(number // draws, batch["num_data"].dtype)
    weights, indices = batch.get("weights"), batch.get("index")
    return handlers.rows(size=number, scale=scale, weights=weights, indices=indices, num_draws=draws)

"""`fit` and `evaluate` of a model that is trained: Keras's loop and callbacks, with many steps in one compiled program
wherever that's possible.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from kprob.backend import random, training
from kprob.data import Data, batches_of
from kprob.data.batch import KERAS_BATCH_SIZE
from kprob.data.fingerprint import of_each
from kprob.data.streams import Stream, stream_of
from kprob.engine import Networks, prepare_data
from kprob.engine.building import note_trained
from kprob.engine.checking.agreement import (
    check_batches_of_rows,
    check_not_empty,
    check_rows_of_guide,
    check_same_rows,
    check_whole_sums,
    rows_at_a_time,
)
from kprob.errors import CompileError, DataError, KprobError, explain
from kprob.options import check_optional_count
from kprob.training.callback_needs import listed, may_change_model, savers_last
from kprob.training.changes import FollowCallbacks
from kprob.training.compiled_loop import CompiledLoop, order_of_epoch
from kprob.training.epochs import Logs
from kprob.training.fit_check import check_fit
from kprob.training.impossible_data import check_possible
from kprob.training.loss import LOG_NAMES
from kprob.training.plan import FitPlan, make_plan
from kprob.training.stream_batches import EpochEnds, StreamBatches, StreamEpochs, array_dataset
from kprob.training.stream_checks import check_end, check_stream_options
from kprob.training.trainee import Trainee

REREAD_ROWS = 10_000  # in a batch of those that a guide goes through at the end


def fit(trainee: Trainee, x: Any, y: Any, **options: Any) -> keras.callbacks.History:
    """Trains a model.

    Args:
        trainee: What is trained.
        x: Data by name, or a stream of batches by name (`tf.data.Dataset`, `PyDataset`, `DataLoader`, generator).
        y: Observed values where `x` has only covariates.
        **options: Keras's arguments (see `FitPlan`). `batch_size` is 32 where it's left out, as in Keras, and all
            rows where a network looks across rows.
            `num_data` is the number of rows of a stream that doesn't know it. `check` is whether to warn, in one line,
            where the fit ended badly.

    Returns:
        Keras's `History`.
    """
    plan = make_plan(options)
    plan.callbacks = savers_last(plan.callbacks)
    trainee.model._initial_epoch = None  # BackupAndRestore sets it, for the one fit that it resumes
    stream = stream_of(x)
    if stream is not None:
        check_stream_options(stream, "fit", {"y": y, **vars(plan)})
    trainee.networks.weights_checked = False
    try:
        history, steps = _fit_arrays(trainee, x, y, plan) if stream is None else _fit_stream(trainee, stream, plan)
    finally:  # a callback may have asked, and have found them well
        trainee.networks.weights_checked = False
    if plan.check:
        check_fit(trainee.networks, trainee.objective, history, steps)
    return history


def _fit_arrays(trainee: Trainee, x: Any, y: Any, plan: FitPlan) -> tuple[keras.callbacks.History, int]:
    networks = trainee.networks
    data = prepare_data(networks, x, y, plan.sample_weight)
    _check_given(trainee, x, data, plan)
    data, validation = _split(trainee, data, plan)
    trainee.build(data)
    note_trained(networks, data)
    guide = networks.guide
    networks.fitted_rows = of_each(data.rows) if guide is not None and guide.has_rows else {}
    _begin_guide(trainee)
    if validation is not None:
        check_rows_of_guide(networks, validation, validation=True)
        trainee.build(validation)
    trainee.monitors.non_finite.clear()
    size = _batch_size(networks, data, plan.batch_size)
    check_whole_sums(networks, data.num_rows, size)
    check_batches_of_rows(networks, data.num_rows, size)
    if plan.steps_per_epoch is None and _compilable(trainee.model) and not trainee.model.own_steps("train"):
        ends = _epoch_ends(trainee, validation, plan, max(size, KERAS_BATCH_SIZE))
        ends.set_model(trainee.model)
        loop = CompiledLoop(trainee, data, plan, size, ends.on_epoch_end, validation is not None)
        history, steps = loop.run(), loop.steps
    else:
        rows = data.num_rows or 1
        shuffle = plan.shuffle and size < rows
        order = (lambda: order_of_epoch(trainee.model, rows, 0, True)) if shuffle else lambda: None
        ends = _epoch_ends(trainee, validation, plan, size, order)
        steps = plan.steps_per_epoch or -(-rows // size)
        history = _keras_loop(trainee, array_dataset(data, size, lambda: ends.rows), ends, plan)
    _end_guide(trainee, batches_of(data, REREAD_ROWS))
    return history, steps


def _fit_stream(trainee: Trainee, stream: Stream, plan: FitPlan) -> tuple[keras.callbacks.History, int]:
    check_end(stream, "steps_per_epoch", plan.steps_per_epoch)
    batches = _stream_batches(trainee, stream, plan.num_data)
    _require_end(trainee, batches)
    note_trained(trainee.networks, batches.first_data())
    _begin_guide(trainee)
    trainee.monitors.non_finite.clear()
    validation = plan.validation_data
    if validation is not None and stream_of(validation) is None:
        held_out = _split(trainee, Data(), plan)[1]
        if held_out is not None:
            trainee.build(held_out)
        validation = held_out
    ends = _epoch_ends(trainee, validation, plan, KERAS_BATCH_SIZE)
    ends.watch = StreamEpochs(batches, trainee.model.optimizer, trainee.monitors.rows, plan.steps_per_epoch)
    with batches.explained():
        history = _keras_loop(trainee, batches.dataset(), ends, plan)
    _end_guide(trainee, (batch for data in batches.data() for batch in batches_of(data, REREAD_ROWS)))
    return history, 2  # of a stream, no epoch is known to be one step


def evaluate(
    trainee: Trainee,
    x: Any,
    y: Any,
    *,
    batch_size: int | None = None,
    verbose: object = "auto",
    sample_weight: Any = None,
    steps: int | None = None,
    callbacks: Any = None,
    return_dict: bool = False,
    num_data: int | None = None,
    seed: int | None = None,
) -> dict[str, float] | list[float]:
    """Returns the loss and the logged terms of a model on data, per datum.

    Args:
        trainee: What is evaluated.
        x: Data, as for `fit`.
        y: Observed values, as for `fit`.
        batch_size: Rows at a time.
        verbose: Keras's, for a stream.
        sample_weight: A weight for each row.
        steps: Batches at most.
        callbacks: Keras's, for a stream.
        return_dict: Whether to return a dict rather than a list.
        num_data: Rows of a stream of unknown length.
        seed: Makes the result repeatable.
    """
    for name, value in (("batch_size", batch_size), ("steps", steps), ("num_data", num_data)):
        check_optional_count(name, value, error=CompileError)
    stream = stream_of(x)
    if stream is not None:
        check_stream_options(stream, "evaluate", {"y": y, "sample_weight": sample_weight, "batch_size": batch_size})
    if stream is None:
        result = _evaluate_arrays(trainee, x, y, sample_weight, batch_size, steps, seed)
    else:
        with _fixed_seed(trainee.model, seed):
            result = _evaluate_stream(trainee, stream, num_data, verbose=verbose, steps=steps, callbacks=callbacks)
    return result if return_dict else [result[m.name] for m in trainee.model.metrics if m.name in result]


def _evaluate_arrays(
    trainee: Trainee, x: Any, y: Any, weights: Any, batch_size: int | None, steps: int | None, seed: int | None
) -> Logs:
    data = prepare_data(trainee.networks, x, y, weights)
    trainee.build(data)
    check_same_rows(trainee.networks, data)
    with _fixed_seed(trainee.model, seed):
        return _evaluate_data(trainee, data, _batch_size(trainee.networks, data, batch_size), steps)


def _evaluate_stream(trainee: Trainee, stream: Stream, num_data: int | None = None, **options: Any) -> Logs:
    steps = options.get("steps")
    check_end(stream, "steps", steps)
    batches = _stream_batches(trainee, stream, num_data)
    batches.begin_pass(steps)
    with batches.explained(), trainee.monitors.apart():
        found: Logs = trainee.model.keras_loop("evaluate", batches.dataset(), return_dict=True, **options)
        check_possible(trainee.networks, trainee.monitors.first_fault())
    batches.end_pass(steps)
    return found


def _evaluate_data(trainee: Trainee, data: Data, size: int, steps: int | None = None) -> Logs:
    # By Keras's own steps where the model has others than these.
    if not trainee.model.own_steps("test"):
        return evaluate_data(trainee, data, size, steps)
    dataset = array_dataset(data, size, lambda: None)
    found: Logs = trainee.model.keras_loop("evaluate", dataset, return_dict=True, verbose=0, steps=steps)
    return found


def evaluate_data(trainee: Trainee, data: Data, size: int, steps: int | None = None) -> Logs:
    """Evaluates a model on a data set in memory, in compiled batches.

    Args:
        trainee: What is evaluated.
        data: The data.
        size: Rows of a batch.
        steps: Batches at most.
    """
    evaluator = trainee.networks.programs.cached(
        ("evaluate", data.num_rows is None), lambda: training.make_evaluator(trainee.loss, trainee.model)
    )
    totals, count = np.zeros(len(LOG_NAMES)), 0
    check_batches_of_rows(trainee.networks, data.num_rows, size)
    for i, batch in enumerate(batches_of(data, size, data.num_rows)):
        if steps is not None and i >= steps:
            break
        rows = 1 if data.num_rows is None else min(size, data.num_rows - i * size)
        totals += np.asarray(evaluator(batch), "float64") * rows
        count += rows
    return dict(zip(LOG_NAMES, (totals / count).tolist(), strict=True))


def _stream_batches(trainee: Trainee, stream: Stream, num_data: int | None) -> StreamBatches:
    # Built from the first batch.
    batches = StreamBatches(trainee.networks, stream, num_data)
    data = batches.first_data()
    batches.require_num_data()
    trainee.build(data, batches.num_data)
    check_batches_of_rows(trainee.networks, batches.num_data, data.num_rows or 1)
    return batches


def _check_given(trainee: Trainee, x: Any, data: Data, plan: FitPlan) -> None:
    check_not_empty(trainee.networks, x, data)
    if plan.num_data is not None and plan.num_data != data.num_rows:
        raise CompileError(
            explain(
                "`num_data` is for streams; the length of data in memory is known.",
                received=f"num_data={plan.num_data}, and data of {data.num_rows} rows",
                expected="no `num_data`",
                fix="leave it out, or pass a tf.data.Dataset or another stream",
            )
        )


def _begin_guide(trainee: Trainee) -> None:
    guide = trainee.networks.guide
    if guide is not None:
        guide.on_fit_begin()


def _end_guide(trainee: Trainee, batches: Iterable[dict]) -> None:
    guide = trainee.networks.guide
    if guide is None:
        return
    phase = guide.phase
    guide.on_fit_end(trainee.networks, batches)
    if guide.phase != phase:
        # Keras's own programs of the guide as it was.
        trainee.model.test_function = trainee.model.predict_function = None


def _require_end(trainee: Trainee, batches: StreamBatches) -> None:
    guide = trainee.networks.guide
    if guide is not None and guide.rereads_data and not batches.can_be_reread:
        raise DataError(
            explain(
                f"{type(guide).__name__} goes through the data once more after the fit, and can't with this stream.",
                received=f"a {batches.stream.kind} that ends nobody knows where, or that can't be gone through twice",
                expected="arrays, or a tf.data.Dataset, PyDataset or DataLoader of known length",
                fix="pass one, or num_data= for a Dataset of unknown length",
            )
        )


def _epoch_ends(
    trainee: Trainee, validation: Any, plan: FitPlan, size: int, order: Callable = lambda: None
) -> EpochEnds:
    stream = None if isinstance(validation, Data) else stream_of(validation)

    def validate() -> Logs:
        if stream is None:
            own = plan.validation_batch_size or rows_at_a_time(trainee.networks, validation.num_rows, size)
            return _evaluate_data(trainee, validation, own, plan.validation_steps)
        return _evaluate_stream(trainee, stream, verbose=0, steps=plan.validation_steps)

    def check(logs: Logs, epoch: int) -> None:
        check_possible(trainee.networks, trainee.monitors.first_fault() if ends.watch else -1)
        check_finite(trainee, logs, epoch, listed(plan.callbacks))

    ends = EpochEnds(check, None if validation is None else validate, plan.validation_freq, order)
    return ends


def _keras_loop(trainee: Trainee, dataset: Any, ends: EpochEnds, plan: FitPlan) -> keras.callbacks.History:
    watching = [FollowCallbacks(trainee)] if may_change_model(plan.callbacks) else []
    return trainee.model.keras_loop(
        "fit",
        dataset,
        epochs=plan.epochs,
        verbose=plan.verbose,
        callbacks=[ends, *listed(plan.callbacks), *watching],
        initial_epoch=plan.initial_epoch,
        steps_per_epoch=plan.steps_per_epoch,
        shuffle=False,
    )


def check_finite(trainee: Trainee, logs: Logs, epoch: int, callbacks: list) -> None:
    """Raises where the objective is no number any more, naming the site that made it so."""
    if np.isfinite(logs["loss"]) or any(isinstance(c, keras.callbacks.TerminateOnNaN) for c in callbacks):
        return
    first = trainee.monitors.first_fault()
    spec = trainee.networks.spec
    terms = () if spec is None else spec.terms
    site = f"the log-density of site {terms[first]}" if 0 <= first < len(terms) else "the gradients"
    raise KprobError(
        explain(
            f"The objective of {trainee.networks.model_name} isn't finite any more.",
            received=f"a loss of {logs['loss']} in epoch {epoch + 1}; the first term that wasn't finite: {site}",
            expected="a finite log-density of every site",
            fix="lower the learning rate or set clipnorm on the optimizer, scale the data to about unit variance, and "
            "check the parameters and the support of that site",
        )
    )


def _split(trainee: Trainee, data: Data, plan: FitPlan) -> tuple[Data, Data | None]:
    if plan.validation_data is not None:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(plan.validation_data)
        return data, prepare_data(trainee.networks, x, y, weight)
    if not plan.validation_split:
        return data, None
    rows = data.num_rows or 0
    cut = int(rows * (1 - plan.validation_split))
    if not 0 < cut < rows:
        raise CompileError(
            explain(
                "`validation_split` leaves no rows on one side.",
                received=f"validation_split={plan.validation_split} of {rows} rows",
                expected="a share between 0 and 1 of a model with a data plate",
                fix="pass validation_data instead",
            )
        )
    return data.take(slice(0, cut)), data.take(slice(cut, rows))


def _batch_size(networks: Networks, data: Data, batch_size: int | None) -> int:
    if data.num_rows is None:
        return 1
    size = rows_at_a_time(networks, data.num_rows, KERAS_BATCH_SIZE) if batch_size is None else batch_size
    return min(int(size), data.num_rows)


def _compilable(model: keras.Model) -> bool:
    # Python control flow on drawn values needs Keras's eager loop, and so do models under a distribution strategy.
    return not model.run_eagerly and keras.distribution.distribution() is None and not training.is_distributed(model)


@contextmanager
def _fixed_seed(model: keras.Model, seed: int | None) -> Iterator[None]:
    # Runs a block from a given seed, and puts the model's own seed back after it.
    if seed is None:
        yield
        return
    state = model.seed_generator.state
    before = keras.ops.copy(state)
    start = keras.ops.convert_to_numpy(random.seed(seed)).astype("int64")
    state.assign(keras.ops.cast(keras.ops.convert_to_tensor(start), state.dtype))
    try:
        yield
    finally:
        state.assign(before)

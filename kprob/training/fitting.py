"""`fit` and `evaluate`: Keras's loop and callbacks, with many steps in one compiled program wherever that's possible."""

import itertools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import keras
import numpy as np

from kprob.backend import random, training
from kprob.data import Data, batches_of, rows_of
from kprob.errors import CompileError, DataError, KprobError, explain, names
from kprob.models import agreement, building, streams
from kprob.models.callback_kinds import savers_last
from kprob.models.compiled_loop import CompiledLoop, row_order
from kprob.models.fit_check import check_fit
from kprob.models.owner import owner_of
from kprob.models.plan import Plan, make_plan
from kprob.models.programs import cached

KERAS_BATCH_SIZE = 32
REREAD_ROWS = 10_000  # in a batch of those that a guide goes through at the end


class _FittedNetworks(NamedTuple):
    pair: Callable
    run_eagerly: bool


def fit(model, x, y, **options) -> keras.callbacks.History:
    """Trains a model.

    Args:
        model: A compiled model.
        x: Data by name, or a stream of batches by name (`tf.data.Dataset`, `PyDataset`, `DataLoader`, generator).
        y: Observed values where `x` has only covariates.
        **options: Keras's arguments (see `Plan`). `batch_size` is 32 where it's left out, as in Keras.
            `num_data` is the number of rows of a stream that doesn't know it. `check` is whether to warn, in one line,
            where the fit ended badly.

    Returns:
        Keras's `History`.
    """
    plan = make_plan(options)
    plan.callbacks = savers_last(plan.callbacks)
    model._initial_epoch = None  # BackupAndRestore sets it, for the one fit that it resumes
    history, steps = _fit_stream(model, x, plan) if streams.is_stream(x) else _fit_arrays(model, x, y, plan)
    if plan.check:
        check_fit(model, history, steps)
    return history


def _fit_arrays(model, x, y, plan: Plan) -> tuple[keras.callbacks.History, int]:
    data = model.prepare_data(x, y, plan.sample_weight)
    _check_given(model, x, data, plan)
    data, validation = _split(model, data, plan)
    building.build(model, data)
    _begin_guide(model)
    if validation is not None:
        agreement.check_rows_of_guide(model, validation, validation=True)
        building.build(model, validation)
    model.__dict__["_non_finite"].clear()
    size = _batch_size(data, plan.batch_size)
    agreement.check_whole_sums(model.networks, data.num_rows, size)
    if plan.steps_per_epoch is None and _compilable(model):
        epochs = _epochs(model, validation, plan, max(size, KERAS_BATCH_SIZE))
        epochs.set_model(model)
        loop = CompiledLoop(model, data, plan, size, epochs.on_epoch_end, validation is not None)
        history = loop.run()
        _end_guide(model, batches_of(data, REREAD_ROWS))
        return history, loop.steps
    rows = data.num_rows or 1
    shuffle = plan.shuffle and size < rows
    order = (lambda: row_order(model, rows, 0, True)) if shuffle else lambda: None
    epochs = _epochs(model, validation, plan, size, order)
    steps = plan.steps_per_epoch or -(-rows // size)
    history = _keras_loop(model, streams.array_dataset(data, size, lambda: epochs.rows), epochs, plan)
    _end_guide(model, batches_of(data, REREAD_ROWS))
    return history, steps


def _check_given(model, x, data: Data, plan: Plan) -> None:
    if x is not None and not data.rows and not data.whole:
        known = model.structure().random_sites()
        raise DataError(
            explain(
                "The data is empty.",
                received=repr(x),
                expected=f"values by name, of {names([*model.networks.generative_arguments, *known])}",
                fix=f'pass what was observed, such as fit({{"{(known or ["name"])[-1]}": values}}); a model of which '
                "nothing is observed is fitted by `fit()`",
            )
        )
    if plan.num_data is not None and plan.num_data != data.num_rows:
        raise CompileError(
            explain(
                "`num_data` is for streams; the length of data in memory is known.",
                received=f"num_data={plan.num_data}, and data of {data.num_rows} rows",
                expected="no `num_data`",
                fix="leave it out, or pass a tf.data.Dataset or another stream",
            )
        )


def _fit_stream(model, x, plan: Plan) -> tuple[keras.callbacks.History, int]:
    stream = streams.Stream(model, x, plan.num_data)
    streams.build(model, stream)
    _require_end(model, stream)
    _begin_guide(model)
    model.__dict__["_non_finite"].clear()
    validation = plan.validation_data
    if validation is not None and not streams.is_stream(validation):
        validation = _split(model, Data(), plan)[1]
    epochs = _epochs(model, validation, plan, plan.batch_size or KERAS_BATCH_SIZE)
    history = _keras_loop(model, stream.dataset(), epochs, plan)
    _end_guide(model, (batch for data in stream.data() for batch in batches_of(data, REREAD_ROWS)))
    return history, 2  # of a stream, no epoch is known to be one step


def _begin_guide(model) -> None:
    if hasattr(model, "guide"):
        model.guide.on_fit_begin()


def _end_guide(model, batches: Iterable[dict]) -> None:
    if not hasattr(model, "guide"):
        return
    phase = model.guide.phase
    model.guide.on_fit_end(_FittedNetworks(model.networks.pair, model.run_eagerly), batches)
    if model.guide.phase != phase:
        # Keras's own programs of the guide as it was.
        model.test_function = model.predict_function = None


def _require_end(model, stream: streams.Stream) -> None:
    endless = hasattr(stream.x, "__next__") or (stream.num_data is None and stream.num_batches is None)
    if endless and hasattr(model, "guide") and model.guide.rereads_data:
        raise DataError(
            explain(
                f"{type(model.guide).__name__} goes through the data once more after the fit, and can't with this stream.",
                received=f"a {type(stream.x).__name__} that ends nobody knows where, or that can't be gone through twice",
                expected="arrays, or a tf.data.Dataset, PyDataset or DataLoader of known length",
                fix="pass one, or num_data= for a Dataset of unknown length",
            )
        )


def _epochs(model, validation, plan: Plan, size: int, order=lambda: None) -> streams.Epochs:
    def validate():
        if isinstance(validation, Data):
            return evaluate_data(model, validation, plan.validation_batch_size or size, plan.validation_steps)
        return evaluate(model, validation, None, verbose=0, steps=plan.validation_steps, return_dict=True)

    def check(logs, epoch):
        check_finite(model, logs, epoch, _callback_list(plan.callbacks))

    return streams.Epochs(check, None if validation is None else validate, plan.validation_freq, order)


def _keras_loop(model, dataset, epochs: streams.Epochs, plan: Plan) -> keras.callbacks.History:
    return model.keras_fit(
        dataset,
        epochs=plan.epochs,
        verbose=plan.verbose,
        callbacks=[epochs, *_callback_list(plan.callbacks)],
        initial_epoch=plan.initial_epoch,
        steps_per_epoch=plan.steps_per_epoch,
        shuffle=False,
    )


def _callback_list(callbacks) -> list:
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return list(callbacks) if isinstance(callbacks, list | tuple) else [] if callbacks is None else [callbacks]


def evaluate(
    model,
    x,
    y,
    *,
    batch_size=None,
    verbose="auto",
    sample_weight=None,
    steps=None,
    callbacks=None,
    return_dict=False,
    num_data=None,
    seed=None,
):
    """Returns the loss and the logged terms of a model on data, per datum."""
    if streams.is_stream(x):
        stream = streams.Stream(model, x, num_data)
        streams.build(model, stream)
        result = model.keras_evaluate(
            stream.dataset(), verbose=verbose, steps=steps, callbacks=callbacks, return_dict=True
        )
    else:
        data = model.prepare_data(x, y, sample_weight)
        building.build(model, data)
        with _fixed_seed(model, seed):
            result = evaluate_data(model, data, _batch_size(data, batch_size), steps)
    return result if return_dict else [result[m.name] for m in model.metrics if m.name in result]


def evaluate_data(model, data: Data, size: int, steps: int | None = None) -> dict[str, float]:
    """Evaluates a model on a data set in memory, in compiled batches."""
    evaluator = cached(model, ("evaluate", data.num_rows is None), lambda: training.make_evaluator(model))
    totals: dict[str, float] = {}
    count = 0
    for batch in itertools.islice(batches_of(data, size, data.num_rows), steps):
        rows = rows_of(batch) or 1
        for name, value in evaluator(batch).items():
            totals[name] = totals.get(name, 0.0) + float(value) * rows
        count += rows
    return {name: total / count for name, total in totals.items()}


def check_finite(model, logs: dict, epoch: int, callbacks) -> None:
    """Raises where the objective is no number any more, naming the site that made it so."""
    if np.isfinite(logs["loss"]) or any(isinstance(c, keras.callbacks.TerminateOnNaN) for c in callbacks):
        return
    first = int(keras.ops.convert_to_numpy(model.__dict__["_non_finite"].result()))
    terms = model.__dict__["_spec"].terms
    site = f"the log-density of site {terms[first]}" if 0 <= first < len(terms) else "the gradients"
    raise KprobError(
        explain(
            f"The objective of {owner_of(model)} isn't finite any more.",
            received=f"a loss of {logs['loss']} in epoch {epoch + 1}; the first term that wasn't finite: {site}",
            expected="a finite log-density of every site",
            fix="lower the learning rate or set clipnorm on the optimizer, scale the data to about unit variance, and "
            "check the parameters and the support of that site",
        )
    )


def _split(model, data: Data, plan: Plan) -> tuple[Data, Data | None]:
    if plan.validation_data is not None:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(plan.validation_data)
        return data, model.prepare_data(x, y, weight)
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


def _batch_size(data: Data, batch_size: int | None) -> int:
    if data.num_rows is None:
        return 1
    if batch_size is None:
        batch_size = KERAS_BATCH_SIZE
    return min(int(batch_size), data.num_rows)


def _compilable(model) -> bool:
    # Python control flow on drawn values needs Keras's eager loop, and so do models under a distribution strategy.
    return not model.run_eagerly and keras.distribution.distribution() is None and not training.is_distributed(model)


class _fixed_seed:
    # Runs a block from a given seed, and puts the model's own seed back after it.
    def __init__(self, model, seed):
        self.state, self.seed = model.seed_generator.state, seed

    def __enter__(self):
        if self.seed is not None:
            self.before = keras.ops.copy(self.state)
            start = keras.ops.convert_to_numpy(random.seed(self.seed)).astype("int64")
            self.state.assign(keras.ops.cast(keras.ops.convert_to_tensor(start), self.state.dtype))

    def __exit__(self, *exception):
        if self.seed is not None:
            self.state.assign(self.before)

"""`fit` and `evaluate`: Keras's loop and callbacks, with many steps in one compiled program wherever that's possible."""

import time
from dataclasses import dataclass, field

import keras
import numpy as np

from kprob.backend import random, training
from kprob.engine import Data, batch_of
from kprob.errors import CompileError, KprobError, explain
from kprob.models import building, streams
from kprob.models.callback_kinds import needs_every_batch, only_records

KERAS_BATCH_SIZE = 32
ORDER_ENTRIES = 65_536
SECONDS_BETWEEN_CALLBACKS = 0.25


@dataclass
class Plan:
    """What one `fit` is to do; the fields are Keras's arguments."""

    epochs: int = 1
    batch_size: int | None = None
    verbose: object = "auto"
    callbacks: object = None
    validation_split: float = 0.0
    validation_data: object = None
    shuffle: bool = True
    sample_weight: object = None
    initial_epoch: int = 0
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    validation_batch_size: int | None = None
    validation_freq: object = 1
    num_data: int | None = None
    class_weight: object = None
    extra: dict = field(default_factory=dict)


def fit(model, x, y, **options) -> keras.callbacks.History:
    """Trains a model.

    Args:
        model: A compiled model.
        x: Data by name, or a stream of batches by name (`tf.data.Dataset`, `PyDataset`, `DataLoader`, generator).
        y: Observed values where `x` has only covariates.
        **options: Keras's arguments (see `Plan`). `batch_size` is 32 where it's left out, as in Keras. `num_data` is the number of rows of a stream that doesn't know it.

    Returns:
        Keras's `History`.
    """
    plan = _plan(options)
    if streams.is_stream(x):
        return _fit_stream(model, x, plan)
    data = model.prepare_data(x, y, plan.sample_weight)
    data, validation = _split(model, data, plan)
    building.build(model, data)
    model.__dict__["_non_finite"].clear()
    size = _batch_size(data, plan.batch_size)
    if plan.steps_per_epoch is None and _compilable(model):
        return FastLoop(model, data, validation, plan, size).run()
    shuffle = plan.shuffle and data.num_rows is not None and size < data.num_rows
    order = (lambda: row_order(model, data.num_rows, 0, True)) if shuffle else lambda: None
    epochs = _epochs(model, validation, plan, size, order)
    return _keras_loop(model, streams.array_dataset(data, size, lambda: epochs.rows), epochs, plan)


def _fit_stream(model, x, plan: Plan) -> keras.callbacks.History:
    stream = streams.Stream(model, x, plan.num_data)
    streams.build(model, stream)
    model.__dict__["_non_finite"].clear()
    validation = plan.validation_data
    if validation is not None and not streams.is_stream(validation):
        validation = _split(model, Data(), plan)[1]
    epochs = _epochs(model, validation, plan, plan.batch_size or KERAS_BATCH_SIZE)
    return _keras_loop(model, stream.dataset(), epochs, plan)


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


def evaluate(model, x, y, *, batch_size=None, verbose="auto", sample_weight=None, steps=None, callbacks=None,
             return_dict=False, num_data=None, seed=None):
    """Returns the loss and the logged terms of a model on data, per datum."""
    if streams.is_stream(x):
        stream = streams.Stream(model, x, num_data)
        streams.build(model, stream)
        result = model.keras_evaluate(stream.dataset(), verbose=verbose, steps=steps, callbacks=callbacks, return_dict=True)
    else:
        data = model.prepare_data(x, y, sample_weight)
        building.build(model, data)
        with _fixed_seed(model, seed):
            result = evaluate_data(model, data, _batch_size(data, batch_size), steps)
    return result if return_dict else [result[m.name] for m in model.metrics if m.name in result]


def evaluate_data(model, data: Data, size: int, steps: int | None = None) -> dict[str, float]:
    """Evaluates a model on a data set in memory, in compiled batches."""
    evaluator = _cached(model, ("evaluate", data.num_rows is None), lambda: training.make_evaluator(model))
    totals: dict[str, float] = {}
    count = 0
    for i, start in enumerate(range(0, data.num_rows or 1, size)):
        if steps is not None and i >= steps:
            break
        part = data if data.num_rows is None else data.take(slice(start, start + size))
        batch = batch_of(part, data.num_rows)
        if "index" in batch:
            batch["index"] = batch["index"] + start
        rows = part.num_rows or 1
        for name, value in evaluator(batch).items():
            totals[name] = totals.get(name, 0.0) + float(value) * rows
        count += rows
    return {name: total / count for name, total in totals.items()}


class FastLoop:
    """Epochs of compiled steps over rows on the device, with Keras's callbacks between them.

    How many steps go into one call is bounded by what callbacks must see: every batch where one acts between batches,
    the end of every epoch where there are any beside History, and a sign of life every quarter of a second.
    """

    def __init__(self, model, data: Data, validation: Data | None, plan: Plan, size: int):
        self.model, self.data, self.validation, self.plan, self.size = model, data, validation, plan, size
        rows = data.num_rows
        self.single = rows is None or size >= rows
        self.steps = 1 if self.single else -(-rows // size)
        self.capacity = max(1, min(1024, ORDER_ENTRIES // (1 if self.single else rows)))

    def run(self) -> keras.callbacks.History:
        plan, model = self.plan, self.model
        callbacks = keras.callbacks.CallbackList(
            plan.callbacks,
            add_history=True,
            add_progbar=plan.verbose != 0,
            verbose=1 if plan.verbose == "auto" else plan.verbose,
            epochs=plan.epochs,
            steps=self.steps,
            model=model,
        )
        model.stop_training = False
        callbacks.on_train_begin()
        epoch, logs = getattr(model, "_initial_epoch", None) or plan.initial_epoch, {}
        self.device_data = self._device_data()
        self.every_batch = needs_every_batch(callbacks)
        self.many = only_records(callbacks.callbacks) and self.validation is None
        at_once = 1
        while epoch < plan.epochs and not model.stop_training:
            at_once = min(at_once, self.capacity, plan.epochs - epoch)
            started = time.perf_counter()
            results = self._epochs(epoch, at_once, callbacks)
            at_once = self._next_size(at_once, time.perf_counter() - started)
            for i in range(len(next(iter(results.values())))):
                logs = {name: float(values[i]) for name, values in results.items()}
                self._finish_epoch(epoch + i, logs, callbacks, begun=not self.many)
            epoch += len(next(iter(results.values())))
        model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs=logs)
        return model.history

    def _next_size(self, at_once: int, seconds: float) -> int:
        # Doubling finds the number of epochs that takes about the time that a user waits for a sign of life.
        if not self.many:
            return 1
        return at_once * 2 if seconds < SECONDS_BETWEEN_CALLBACKS else max(1, at_once // 2)

    def _epochs(self, epoch: int, number: int, callbacks) -> dict[str, np.ndarray]:
        orders = self._orders(epoch, number)
        program = self._program()
        if self.many:
            results = program(self.device_data, orders, number, 0, self.steps)
            return {name: values[:number] for name, values in results.items()}
        callbacks.on_epoch_begin(epoch)
        done, chunk = 0, 1 if self.every_batch else self.steps if self.plan.verbose == 0 else 64
        while True:
            upto = min(self.steps, done + chunk)
            callbacks.on_train_batch_begin(done)
            started = time.perf_counter()
            results = program(self.device_data, orders, 1, done, upto)
            results = {name: values[:1] for name, values in results.items()}
            callbacks.on_train_batch_end(upto - 1, {name: float(values[0]) for name, values in results.items()})
            if upto == self.steps or self.model.stop_training:
                return results
            if not self.every_batch and time.perf_counter() - started < SECONDS_BETWEEN_CALLBACKS:
                chunk *= 2
            done = upto

    def _finish_epoch(self, epoch: int, logs: dict, callbacks, begun: bool) -> None:
        if not begun:
            callbacks.on_epoch_begin(epoch)
        check_finite(self.model, logs, epoch, callbacks.callbacks)
        if self.validation is not None and self.model._should_eval(epoch, self.plan.validation_freq):
            size = self.plan.validation_batch_size or max(self.size, KERAS_BATCH_SIZE)
            found = evaluate_data(self.model, self.validation, size, self.plan.validation_steps)
            logs |= {f"val_{name}": value for name, value in found.items()}
        callbacks.on_epoch_end(epoch, logs)

    def _orders(self, epoch: int, number: int) -> np.ndarray:
        if self.single:
            return np.zeros((self.capacity, 1), "int32")
        orders = np.zeros((self.capacity, self.data.num_rows), "int32")
        for i in range(number):
            orders[i] = row_order(self.model, self.data.num_rows, self.steps * i, self.plan.shuffle)
        return orders

    def _device_data(self) -> dict:
        return batch_of(self.data)

    def _program(self):
        names = (tuple(self.data.rows), tuple(self.data.whole), self.data.weights is None)
        trained = tuple(id(v) for v in self.model.trainable_variables)
        key = ("fit", names, self.data.num_rows, self.size, self.capacity, trained)
        return _cached(self.model, key, self._make_program)

    def _make_program(self):
        def make(jit: bool):
            return training.make_program(self.model, self.size, self.data.num_rows, take_rows, jit)

        jitted = self.model.__dict__["_jit"]
        program = make(jitted)
        if not jitted:
            return program
        plain: list = []

        def run(*arguments):
            # Some operations (a recurrent layer, a rejection sampler) have no XLA version: then without it.
            if not plain:
                try:
                    return program(*arguments)
                except training.COMPILER_ERRORS:
                    plain.append(make(False))
            return plain[0](*arguments)

        return run


def take_rows(data: dict, rows) -> dict:
    """Returns the batch of some rows of device-resident data."""
    if rows is None:
        return data
    batch = {"index": rows, "num_data": data["num_data"], "whole": data["whole"]}
    batch["rows"] = {name: keras.ops.take(value, rows, axis=0) for name, value in data["rows"].items()}
    if "weights" in data:
        batch["weights"] = keras.ops.take(data["weights"], rows, axis=0)
    return batch


def row_order(model, num_rows: int, steps_ahead: int, shuffle: bool) -> np.ndarray:
    """Returns the order of the rows in an epoch: a function of the model's seed and of the steps taken so far.

    So a run that is resumed goes on with the order that it would have had.
    """
    if not shuffle:
        return np.arange(num_rows, dtype="int32")
    state = keras.ops.convert_to_numpy(model.seed_generator.state).astype("uint64").ravel()
    step = int(model.optimizer.iterations.numpy() if hasattr(model.optimizer.iterations, "numpy") else 0) + steps_ahead
    generator = np.random.Generator(np.random.Philox(key=[int(state[0]), step]))
    return generator.permutation(num_rows).astype("int32")


def check_finite(model, logs: dict, epoch: int, callbacks) -> None:
    """Raises where the objective is no number any more, naming the site that made it so."""
    if np.isfinite(logs["loss"]) or any(isinstance(c, keras.callbacks.TerminateOnNaN) for c in callbacks):
        return
    first = int(keras.ops.convert_to_numpy(model.__dict__["_non_finite"].result()))
    terms = model.__dict__["_spec"].terms
    site = f"the log-density of site {terms[first]}" if 0 <= first < len(terms) else "the gradients"
    raise KprobError(
        explain(
            f"The objective of {type(model).__name__} isn't finite any more.",
            received=f"a loss of {logs['loss']} in epoch {epoch + 1}; the first term that wasn't finite: {site}",
            expected="a finite log-density of every site",
            fix="lower the learning rate or set clipnorm on the optimizer, scale the data to about unit variance, and "
            "check the parameters and the support of that site",
        )
    )


def _plan(options: dict) -> Plan:
    known = set(Plan.__dataclass_fields__) - {"extra"}
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"fit() got unexpected arguments: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    plan = Plan(**options)
    if plan.class_weight is not None:
        raise CompileError(
            explain(
                "`class_weight` has no meaning here: a model may have any number of observed sites.",
                fix="pass `sample_weight`, one weight per row",
            )
        )
    if isinstance(plan.epochs, bool) or not isinstance(plan.epochs, int | np.integer) or plan.epochs < 0:
        raise CompileError(explain("`epochs` is the number of passes over the data.", received=repr(plan.epochs), fix="pass an int"))
    if plan.batch_size is not None and (not isinstance(plan.batch_size, int | np.integer) or plan.batch_size < 1):
        raise CompileError(
            explain("`batch_size` is the number of rows of a step.", received=repr(plan.batch_size), fix="pass a positive int")
        )
    return plan


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


def _cached(model, key, make):
    programs = model.__dict__["_programs"]
    if key not in programs:
        programs[key] = make()
    return programs[key]


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

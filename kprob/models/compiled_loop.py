"""Epochs of compiled steps over rows on the device, with Keras's callbacks between them."""

import time

import keras
import numpy as np

from kprob.backend import training
from kprob.data import Data, batch_of
from kprob.models.callback_kinds import epochs_between, needs_every_batch
from kprob.models.plan import Plan

ORDER_ENTRIES = 65_536
MAX_EPOCHS_AT_ONCE = 4096
SECONDS_BETWEEN_CALLBACKS = 0.25


class CompiledLoop:
    """Trains a model on data in memory.

    How many steps go into one call is bounded by what callbacks must see: every batch where one acts between batches,
    the end of every epoch where there are any beside History, and a sign of life every quarter of a second.

    Args:
        model: A built, compiled model.
        data: The data.
        plan: What `fit` is to do.
        size: Rows of a batch.
        end_epoch: `(epoch, logs)` completes an epoch's logs before callbacks see them.
        every_epoch: Whether `end_epoch` must run before the next epoch does.
    """

    def __init__(self, model, data: Data, plan: Plan, size: int, end_epoch, every_epoch: bool):
        self.model, self.data, self.plan, self.size = model, data, plan, size
        self.end_epoch = end_epoch
        rows = data.num_rows or 1
        self.single = size >= rows
        self.steps = 1 if self.single else -(-rows // size)
        self.row_count = rows
        self.capacity = max(1, min(MAX_EPOCHS_AT_ONCE, ORDER_ENTRIES // (1 if self.single else rows)))
        self.device_data = batch_of(data)
        self.program = _cached_program(model, data, size)
        self.callbacks = keras.callbacks.CallbackList(
            plan.callbacks,
            add_history=True,
            add_progbar=plan.verbose != 0,
            verbose=1 if plan.verbose == "auto" else plan.verbose,
            epochs=plan.epochs,
            steps=self.steps,
            model=model,
        )
        self.every_batch = needs_every_batch(self.callbacks)
        self.between = [*epochs_between(self.callbacks.callbacks), *([1] if every_epoch else [])]
        self.many = 1 not in self.between and not self.every_batch

    def run(self) -> keras.callbacks.History:
        """Trains, and returns Keras's History."""
        plan, model = self.plan, self.model
        model.stop_training = False
        self.callbacks.on_train_begin()
        # Set by BackupAndRestore where it resumes.
        epoch, logs = getattr(model, "_initial_epoch", None) or plan.initial_epoch, {}
        at_once = 1
        while epoch < plan.epochs and not model.stop_training:
            if not self.many:
                logs = self._one_epoch(epoch)
                epoch += 1
                continue
            at_once = min(at_once, self.capacity)
            number = min(at_once, plan.epochs - epoch, *(stride - epoch % stride for stride in self.between))
            started = time.perf_counter()
            logs = self._many_epochs(epoch, number)
            epoch += number
            # Doubling finds the number of epochs that takes about as long as a user waits for a sign of life.
            slow = time.perf_counter() - started > SECONDS_BETWEEN_CALLBACKS
            at_once = max(1, at_once // 2) if slow else at_once * 4
        model.optimizer.finalize_variable_values(model.trainable_weights)
        self.callbacks.on_train_end(logs=logs)
        return model.history

    def _many_epochs(self, epoch: int, number: int) -> dict:
        logs, carry = self.program(self.device_data, self._orders(number), number, 0, self.steps, self._fresh())
        self._note(carry)
        each: dict = {}
        for i, row in enumerate(logs.tolist()):
            # Straight to the callbacks: Keras's list would look for tensors in numbers, which takes longer than a step.
            for callback in self.callbacks.callbacks:
                callback.on_epoch_begin(epoch + i)
            each = dict(zip(self.model.log_names, row, strict=True))
            self.end_epoch(epoch + i, each)
            for callback in self.callbacks.callbacks:
                callback.on_epoch_end(epoch + i, each)
        return each

    def _one_epoch(self, epoch: int) -> dict:
        callbacks, names = self.callbacks, self.model.log_names
        callbacks.on_epoch_begin(epoch)
        orders, carry, logs = self._orders(1), self._fresh(), {}
        done, chunk = 0, 1 if self.every_batch else self.steps if self.plan.verbose == 0 else 64
        while done < self.steps and not self.model.stop_training:
            upto = min(self.steps, done + chunk)
            callbacks.on_train_batch_begin(done)
            started = time.perf_counter()
            found, carry = self.program(self.device_data, orders, 1, done, upto, carry)
            self._note(carry)
            logs = dict(zip(names, found[0].tolist(), strict=True))
            callbacks.on_train_batch_end(upto - 1, logs)
            if not self.every_batch and time.perf_counter() - started < SECONDS_BETWEEN_CALLBACKS:
                chunk *= 2
            done = upto
        self.end_epoch(epoch, logs)
        callbacks.on_epoch_end(epoch, logs)
        return logs

    def _fresh(self) -> tuple:
        # Sums of the epoch so far, their weight, and the number of the first term that wasn't finite.
        return np.zeros(len(self.model.log_names), "float32"), np.float32(0.0), np.int32(-1)

    def _note(self, carry) -> None:
        if carry[2] >= 0:
            self.model.__dict__["_non_finite"].update_state(carry[2])

    def _orders(self, number: int) -> np.ndarray:
        if self.single:
            return np.zeros((self.capacity, 1), "int32")
        orders = np.zeros((self.capacity, self.row_count), "int32")
        for i in range(number):
            orders[i] = row_order(self.model, self.row_count, self.steps * i, self.plan.shuffle)
        return orders


def take_rows(data: dict, rows) -> dict:
    """Returns the batch of some rows of device-resident data; all of it where `rows` is None."""
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
    step = int(keras.ops.convert_to_numpy(model.optimizer.iterations)) + steps_ahead
    generator = np.random.Generator(np.random.Philox(key=[int(state[0]), step]))
    return generator.permutation(num_rows).astype("int32")


def _cached_program(model, data: Data, size: int):
    names = (tuple(data.rows), tuple(data.whole), data.weights is None)
    key = ("fit", names, data.num_rows, size, tuple(id(v) for v in model.trainable_variables))
    programs = model.__dict__["_programs"]
    if key not in programs:
        programs[key] = _make_program(model, data, size)
    return programs[key]


def _make_program(model, data: Data, size: int):
    def make(jit: bool):
        return training.make_program(model, size, data.num_rows, take_rows, jit)

    jitted = model.__dict__["_jit"]
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

"""Epochs of compiled steps over rows on the device, with Keras's callbacks between them."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from kprob.backend import compile_with_fallback, training
from kprob.data import Data, batch_of
from kprob.data.row_order import shuffled_rows
from kprob.training.callback_needs import epochs_between, may_change_model, needs_every_batch
from kprob.training.changes import follow_callbacks
from kprob.training.epochs import EpochDriver, Logs
from kprob.training.impossible_data import check_possible
from kprob.training.loss import LOG_NAMES
from kprob.training.plan import FitPlan
from kprob.training.trainee import Trainee

ORDER_ENTRIES = 65_536
MAX_EPOCHS_AT_ONCE = 4096
SECONDS_BETWEEN_CALLBACKS = 0.25


class CompiledLoop:
    """Trains a model on data in memory.

    How many steps go into one call is bounded by what callbacks must see: every batch where one acts between batches,
    the end of every epoch where there are any beside History, and a sign of life every quarter of a second.

    Args:
        trainee: What is trained, built.
        data: The data.
        plan: What `fit` is to do.
        size: Rows of a batch.
        end_epoch: `(epoch, logs)` completes an epoch's logs before callbacks see them.
        every_epoch: Whether `end_epoch` must run before the next epoch does.
    """

    def __init__(
        self,
        trainee: Trainee,
        data: Data,
        plan: FitPlan,
        size: int,
        end_epoch: Callable[[int, Logs], None],
        every_epoch: bool,
    ):
        self.trainee, self.model, self.data, self.plan, self.size = trainee, trainee.model, data, plan, size
        self.end_epoch = end_epoch
        rows = data.num_rows or 1
        self.single = size >= rows
        self.steps = 1 if self.single else -(-rows // size)
        self.row_count = rows
        self.capacity = max(1, min(MAX_EPOCHS_AT_ONCE, ORDER_ENTRIES // (1 if self.single else rows)))
        self.device_data = batch_of(data)
        self.program = _cached_program(trainee, data, size)
        self.driver = EpochDriver(self.model, plan, plan.epochs, self.steps)
        callbacks = self.driver.callbacks
        self.every_batch = needs_every_batch(callbacks)
        self.between = [*epochs_between(callbacks.callbacks), *([1] if every_epoch else [])]
        self.many = 1 not in self.between and not self.every_batch
        self.watched = may_change_model(plan.callbacks)

    def run(self) -> keras.callbacks.History:
        """Trains, and returns Keras's History."""
        plan, driver = self.plan, self.driver
        epoch, logs = driver.begin(), {}
        at_once = 1
        while epoch < plan.epochs and not driver.stopped:
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
        self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        return driver.end(logs)

    def _many_epochs(self, epoch: int, number: int) -> Logs:
        self._follow()
        logs, carry = self.program(self.device_data, self._orders(number), number, 0, self.steps, self._fresh())
        self._note(carry)
        each: Logs = {}
        for i, row in enumerate(logs.tolist()):
            each = dict(zip(LOG_NAMES, row, strict=True))
            self.driver.whole_epoch(epoch + i, each, self.end_epoch)
        return each

    def _one_epoch(self, epoch: int) -> Logs:
        driver = self.driver
        driver.begin_epoch(epoch)
        orders, carry, logs = self._orders(1), self._fresh(), {}
        done, chunk = 0, 1 if self.every_batch else self.steps if self.plan.verbose == 0 else 64
        while done < self.steps and not driver.stopped:
            upto = min(self.steps, done + chunk)
            driver.begin_batch(done)
            self._follow()
            started = time.perf_counter()
            found, carry = self.program(self.device_data, orders, 1, done, upto, carry)
            self._note(carry)
            logs = dict(zip(LOG_NAMES, found[0].tolist(), strict=True))
            driver.end_batch(upto - 1, logs)
            if not self.every_batch and time.perf_counter() - started < SECONDS_BETWEEN_CALLBACKS:
                chunk *= 2
            done = upto
        self.end_epoch(epoch, logs)
        driver.end_epoch(epoch, logs)
        return logs

    def _follow(self) -> None:
        # A callback may have changed what is compiled into the program: a number, a setting, what is trained.
        if self.watched:
            follow_callbacks(self.trainee)
            self.program = _cached_program(self.trainee, self.data, self.size)

    def _fresh(self) -> tuple:
        # Sums of the epoch so far, their weight, and the number of the first term that wasn't finite.
        return np.zeros(len(LOG_NAMES), "float32"), np.float32(0.0), np.int32(-1)

    def _note(self, carry: tuple) -> None:
        if carry[2] >= 0:
            self.trainee.monitors.non_finite.update_state(carry[2])
            check_possible(self.trainee.networks, self.trainee.monitors.first_fault())

    def _orders(self, number: int) -> np.ndarray:
        if self.single:
            return np.zeros((self.capacity, 1), "int32")
        orders = np.zeros((self.capacity, self.row_count), "int32")
        for i in range(number):
            orders[i] = order_of_epoch(self.model, self.row_count, self.steps * i, self.plan.shuffle)
        return orders


def take_rows(data: dict, rows: Any) -> dict:
    """Returns the batch of some rows of device-resident data; all of it where `rows` is None."""
    if rows is None:
        return data
    batch = {"index": rows, "num_data": data["num_data"], "whole": data["whole"]}
    batch["rows"] = {name: keras.ops.take(value, rows, axis=0) for name, value in data["rows"].items()}
    if "weights" in data:
        batch["weights"] = keras.ops.take(data["weights"], rows, axis=0)
    return batch


def order_of_epoch(model: keras.Model, num_rows: int, steps_ahead: int, shuffle: bool) -> np.ndarray:
    """Returns the order of the rows in the epoch that a model's training has come to, or in a later one.

    Args:
        model: The model.
        num_rows: Rows of the data set.
        steps_ahead: Steps between now and the epoch.
        shuffle: Whether rows are shuffled.
    """
    if not shuffle:
        return np.arange(num_rows, dtype="int32")
    steps = int(keras.ops.convert_to_numpy(model.optimizer.iterations)) + steps_ahead
    return shuffled_rows(num_rows, keras.ops.convert_to_numpy(model.seed_generator.state), steps)


def _cached_program(trainee: Trainee, data: Data, size: int) -> Callable:
    names, model = (tuple(data.rows), tuple(data.whole), data.weights is None), trainee.model
    # Layers such as batch normalization do something else where they aren't trained.
    trained = (tuple(id(v) for v in model.trainable_variables), tuple(x.trainable for x in model._flatten_layers()))
    key = ("fit", names, data.num_rows, size, trained)
    return trainee.networks.programs.cached(key, lambda: _make_program(trainee, data, size))


def _make_program(trainee: Trainee, data: Data, size: int) -> Callable:
    def make(jit: bool) -> Callable:
        return training.make_program(trainee.loss, trainee.model, len(LOG_NAMES), size, data.num_rows, take_rows, jit)

    return compile_with_fallback(make, trainee.networks.jit)

"""What of a model is saved, and how it comes back: the hooks that Keras calls when it saves and loads."""

import contextlib
import os

import keras

from kprob import saving
from kprob.errors import ArchiveError, KprobError, explain, names
from kprob.models import backups
from kprob.models.owner import owner_of
from kprob.samplers.chains.draws import Draws


class Saveable(keras.Model):
    """A Keras model that keeps its constructor's arguments, its random numbers and its history when it is saved.

    To subclass, note the arguments of `compile` in `_compile_options` and the objective in `_objective`, and override
    `get_build_config` and `build_from_config`.
    """

    def __new__(cls, *args, **kwargs):
        # Keras's Model drops the constructor's arguments from the saved config.
        model = keras.layers.Layer.__new__(cls, *args, **kwargs)
        model.__dict__["_arguments"] = saving.record_arguments(cls, args, kwargs)
        return model

    def save(self, filepath, overwrite=True, zipped=None, **kwargs):
        """Saves the model in one file, in place of the one that was there, which a crash never costs.

        `.h5` is kprob's archive, under a checksum to the last bit; `.keras` is Keras's own format. Both hold config,
        weights, optimizer, states of random number generators and `history`. `kprob.load_model` reads them.

        Args:
            filepath: The file; its ending says the format.
            overwrite: Whether a file that is there may be replaced.
            zipped: Keras's: False for a folder instead of a `.keras` file.
            **kwargs: Keras's.

        Raises:
            FileExistsError: The file is there, and `overwrite` is False.
            ArchiveError: A constructor's argument can't be written down, or the model has some weights but not all.
        """
        path, write = os.fspath(filepath), super().save
        self._check_target(path, overwrite)
        if not self.built and self.weights and self.__dict__["_structure"] is not None:
            raise ArchiveError(
                explain(
                    f"This {owner_of(self)} can't be saved yet: it was only drawn from, and lacks weights.",
                    received=f"weights {names(list(saving.variables_of(self)[0])[:4])}, and none of the inference's",
                    expected="a model that has seen data",
                    fix="call model.evaluate(data) or fit first, or save it before `prior`",
                )
            )
        if path.endswith(saving.HDF5):
            saving.save_archive(path, lambda folder: write(folder, zipped=False, **kwargs))
        elif path.endswith(".keras") and zipped is not False and "://" not in path:
            saving.save_keras(path, lambda written: write(written, **kwargs))
        else:
            write(filepath, overwrite=overwrite, zipped=zipped, **kwargs)

    def save_weights(self, filepath, overwrite=True, max_shard_size=None):
        """Saves weights, optimizer and states of random number generators in a `.weights.h5` file, as safely as `save`.

        Args:
            filepath: The file.
            overwrite: Whether a file that is there may be replaced.
            max_shard_size: Keras's: gigabytes of one file, where several are to be written.
        """
        path, write = os.fspath(filepath), super().save_weights
        self._check_target(path, overwrite)
        if path.endswith(".weights.h5") and max_shard_size is None:
            saving.save_weights(path, write)
        else:
            write(filepath, overwrite=overwrite, max_shard_size=max_shard_size)

    def load_weights(self, filepath, skip_mismatch=False, **kwargs):
        """Loads what `save_weights` or `save` wrote into a built model of the same class.

        Args:
            filepath: The file.
            skip_mismatch: Keras's: whether to load what fits and leave the rest, with a warning and without checks.
            **kwargs: Keras's.

        Raises:
            ArchiveError: The file is damaged, or holds the weights of another model.
        """
        if not self.built:
            raise KprobError(
                explain(
                    f"`load_weights` needs a {owner_of(self)} whose variables have been made.",
                    received="a model that was never fitted, evaluated or loaded",
                    fix="call model.evaluate(data) first, or load the whole model with kprob.load_model",
                )
            )
        with saving.collect_records() as records, saving.weights_of(filepath) as path:
            super().load_weights(path, skip_mismatch=skip_mismatch, **kwargs)
        record = records.of(self)
        if record is not None:
            self.__dict__[backups.EPOCH] = record.epoch  # for a fit that this is a backup of
        if record is not None and not skip_mismatch:
            saved = len(record.optimizer or ())
            # Keras leaves an optimizer alone, with a warning, where another kind was saved.
            optimizer = getattr(self, "optimizer", None)
            same_kind = optimizer is not None and len(optimizer.variables) == saved
            saving.check_values(self, record, with_optimizer=same_kind)

    def get_config(self):
        return saving.config_of(self, self.__dict__["_arguments"], strict=type(self).get_config is Saveable.get_config)

    @classmethod
    def from_config(cls, config):
        return saving.model_from_config(cls, config)

    def get_compile_config(self):
        objective = self.__dict__["_objective"] or self.__dict__["_sampler"]
        if objective is None:
            return None
        return {
            "objective": keras.saving.serialize_keras_object(objective),
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "options": self.__dict__["_compile_options"],
        }

    def compile_from_config(self, config):
        parts = {name: keras.saving.deserialize_keras_object(config[name]) for name in ("objective", "optimizer")}
        self.compile(**parts, **config["options"])

    def save_own_variables(self, store):
        super().save_own_variables(store)
        draws = self.__dict__["_draws"]
        saving.write_own_variables(self, store, None if draws is None else draws.to_bytes())

    def load_own_variables(self, store):
        # A model that is loaded without its objective has no use for what belongs to that.
        unwanted = () if "objective_state" in vars(self) else ("objective_state",)
        own = saving.read_own_variables(self, store, unwanted)
        self.__dict__["_draws"] = None if own.draws is None else Draws.from_bytes(own.draws)
        super().load_own_variables(own.variables)

    def save_assets(self, directory):
        history = getattr(self, "history", None)
        if isinstance(history, keras.callbacks.History) and hasattr(history, "epoch"):  # set when training begins
            saving.write_history(directory, saving.SavedHistory(history.epoch, history.history))

    def load_assets(self, directory):
        saved = saving.read_history(directory)
        if saved is not None:
            self.history = keras.callbacks.History()
            self.history.set_model(self)
            self.history.epoch, self.history.history = saved.epoch, saved.logs

    @contextlib.contextmanager
    def _preserved(self):
        # For `kprob.diagnostics.sbc`: see `Calibratable`.
        history, draws = getattr(self, "history", None), self.__dict__["_draws"]
        try:
            yield
        finally:
            self.history = history
            self.__dict__["_draws"] = draws

    def _check_target(self, path: str, overwrite: bool) -> None:
        if not overwrite and os.path.exists(path):
            raise FileExistsError(f"{path} is there already. Pass overwrite=True, or save under another name.")
        if path.endswith(saving.HDF5) and "://" in path:
            raise ArchiveError(
                explain(
                    "kprob writes its files to folders of this machine.",
                    received=path,
                    expected="a path",
                    fix="save to a path and copy the file, or save a `.keras` file, which Keras writes there itself",
                )
            )


def frozen_layers(model: keras.Model) -> list[str]:
    """Returns the paths of the layers that aren't to be trained."""
    return [path for path, layer in saving.layers_of(model).items() if not layer.trainable]


def freeze_layers(model: keras.Model, paths: list[str]) -> None:
    """Makes just these layers ones that aren't to be trained."""
    for path, layer in saving.layers_of(model).items():
        if layer.trainable == (path in paths):
            layer.trainable = path not in paths

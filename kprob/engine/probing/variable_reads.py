"""Which variables a network reads."""

from typing import Any

import keras


class VariableReads(keras.StatelessScope):
    """Notes which variables are read; updates are dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: dict[int, keras.Variable] = {}

    def get_current_value(self, variable: keras.Variable) -> Any:
        self.variables[id(variable)] = variable
        return super().get_current_value(variable)

"""The order in which an epoch takes the rows of a data set."""

import numpy as np


def shuffled_rows(num_rows: int, seed_state: np.ndarray, steps: int) -> np.ndarray:
    """Returns the rows in random order: a function of the model's seed and of the steps taken so far.

    So a run that is resumed goes on with the order that it would have had.

    Args:
        num_rows: Rows of the data set.
        seed_state: State of the model's seed generator.
        steps: Steps that the optimizer has taken before the epoch.
    """
    words = seed_state.astype("uint64").ravel()
    generator = np.random.Generator(np.random.Philox(key=[int(words[0]), steps]))
    return generator.permutation(num_rows).astype("int32")

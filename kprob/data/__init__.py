"""Data: from what users pass to arrays by name, and batches of them. May import: errors, checks, backend."""

from kprob.data.arrays import Whole, to_array, to_dict
from kprob.data.batch import Data, batch_of, batches_of, is_batch, rows_of, take_rows

__all__ = ["Data", "Whole", "batch_of", "batches_of", "is_batch", "rows_of", "take_rows", "to_array", "to_dict"]

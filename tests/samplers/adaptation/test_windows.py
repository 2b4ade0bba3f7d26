"""The windows of the warm-up."""

import numpy as np

from kprob.samplers.adaptation.windows import windows


def test_windows_are_stans():
    slow, closing = windows(1000)
    # 75 transitions, windows of 25, 50, 100, 200 and the rest, 50 transitions.
    assert np.flatnonzero(closing).tolist() == [99, 149, 249, 449, 949]
    assert not slow[:75].any() and slow[75:950].all() and not slow[950:].any()

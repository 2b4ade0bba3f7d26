"""The draws of a sampler as bytes, which files saved before must agree with."""

import io
import json

import numpy as np
import pytest

from kprob.samplers import Info
from kprob.samplers.chains.draws import Draws

ABOUT = {
    "done": 5,
    "wanted": 7,
    "sites": {"mu": [], "z": [2]},
    "fingerprint": "0a1b2c3d",
    "sampler": "SMC({'num_particles': 4})",
    "record": {"log_evidence_0": -2.5, "log_evidence_1": -2.25},
}


def arrays():
    return {
        "positions": np.arange(24.0).reshape(2, 4, 3),
        "infos": np.ones((2, 4, len(Info._fields))),
        "value/mu": np.arange(8.0).reshape(2, 4),
        "seed/0": np.array([1, 2]),
        "seed/1": np.array([3, 4]),
        "state/0/0": np.zeros(3),
        "state/0/1": np.int32(5),
        "state/1/0": np.ones(3),
        "state/1/1": np.int32(5),
    }


def written(about):
    """Returns the bytes that were written for draws when `record` was a dict of numbers by name."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, about=np.frombuffer(json.dumps(about).encode(), "uint8"), **arrays())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("about", "evidence"),
    [
        (ABOUT, [-2.5, -2.25]),
        (ABOUT | {"record": {}}, None),
        ({name: ABOUT[name] for name in ("done", "wanted", "sites", "fingerprint")}, None),  # the oldest files
    ],
)
def test_bytes_written_before_are_read(about, evidence):
    draws = Draws.from_bytes(written(about))
    assert (draws.done, draws.wanted, draws.fingerprint) == (5, 7, "0a1b2c3d")
    assert draws.sites == {"mu": (), "z": (2,)} and draws.sampler == about.get("sampler", "")
    assert draws.num_chains == 2 and len(draws.states[1]) == 2
    if evidence is None:
        assert draws.log_evidence is None
    else:
        np.testing.assert_array_equal(draws.log_evidence, evidence)


@pytest.mark.parametrize("about", [ABOUT, ABOUT | {"record": {}}])
def test_the_same_bytes_are_written(about):
    old, new = written(about), Draws.from_bytes(written(about)).to_bytes()
    with np.load(io.BytesIO(old)) as one, np.load(io.BytesIO(new)) as other:
        assert one.files == other.files
        assert all(one[name].tobytes() == other[name].tobytes() for name in one.files)

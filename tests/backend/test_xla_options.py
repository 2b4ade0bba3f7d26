"""Small loops are compiled in one piece."""

import os

import pytest

import kprob.backend
from kprob.backend.xla_options import compile_small_loops_whole


@pytest.mark.once
def test_the_users_own_options_stay(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_extra_options=xla_cpu_other=1")
    compile_small_loops_whole()
    assert os.environ["XLA_FLAGS"] == "--xla_backend_extra_options=xla_cpu_other=1"
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=false")
    compile_small_loops_whole()
    compile_small_loops_whole()
    flags = os.environ["XLA_FLAGS"].split()
    assert flags[0] == "--xla_cpu_enable_fast_math=false" and len(flags) == 2
    assert "small_while_loop" in flags[1]


def test_import_sets_the_option():
    assert kprob.backend.name and "xla_backend_extra_options" in os.environ["XLA_FLAGS"]

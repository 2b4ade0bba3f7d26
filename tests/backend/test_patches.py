"""Patches of other packages are applied by calls, and leave alone what the user has set."""

import os
import subprocess
import sys

import pytest

import kprob.backend
from kprob.backend.patches import compile_small_loops_whole


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


def test_import_of_the_backend_sets_the_option():
    assert kprob.backend.name and "xla_backend_extra_options" in os.environ["XLA_FLAGS"]


@pytest.mark.once
def test_import_of_the_patches_alone_changes_nothing():
    code = (
        "import importlib.util, os, sys\n"
        f"spec = importlib.util.spec_from_file_location('patches', {kprob.backend.patches.__file__!r})\n"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec))\n"
        "assert 'XLA_FLAGS' not in os.environ\n"
        "assert not {'tensorflow', 'jax', 'keras'} & set(sys.modules)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)

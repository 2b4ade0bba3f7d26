"""A file is replaced in one step, or stays as it was."""

import os
import stat
import subprocess
import sys
import time

import pytest

from kprob.saving import replacing as module
from kprob.saving import working_folder
from kprob.saving.replacing import replacing

pytestmark = pytest.mark.once


def test_the_new_file_takes_the_place_of_the_old(tmp_path):
    path = tmp_path / "m.h5"
    path.write_text("old")
    with replacing(path) as written:
        written.write_text("new")
        assert path.read_text() == "old"
        assert written.suffix == ".h5"  # Keras asks for endings
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["m.h5"]


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "m.h5"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"), replacing(path) as written:
        written.write_text("half of the new")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["m.h5"]


def test_the_order_of_what_reaches_the_disk(tmp_path, monkeypatch):
    # The content before the name, and the name before `save` returns.
    done = []
    monkeypatch.setattr(module, "_flush", lambda path: done.append(("flush", path.name)))
    rename = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (done.append(("rename", b.name)), rename(a, b)))
    with replacing(tmp_path / "m.h5") as written:
        written.write_text("new")
    assert done == [("flush", "m.h5"), ("rename", "m.h5"), ("flush", tmp_path.name)]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_mode_is_the_umasks(mask, tmp_path):
    before = os.umask(mask)
    try:
        with replacing(tmp_path / "m.h5") as written:
            written.write_text("new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m.h5").stat().st_mode) == 0o666 & ~mask


def test_a_symbolic_link_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "m.h5").write_text("old")
    (tmp_path / "link.h5").symlink_to(tmp_path / "real" / "m.h5")
    with replacing(tmp_path / "link.h5") as written:
        written.write_text("new")
    assert (tmp_path / "link.h5").is_symlink()
    assert (tmp_path / "real" / "m.h5").read_text() == "new"


def test_what_killed_processes_left_is_removed_once_it_is_old(tmp_path):
    for name in (".m.h5.old.tmp", ".m.h5.new.tmp", ".other.h5.old.tmp"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part").write_text("half")
        if "old" in name:
            hours_ago = time.time() - 2 * 3600
            os.utime(tmp_path / name / "part", (hours_ago, hours_ago))
            os.utime(tmp_path / name, (hours_ago, hours_ago))
    with replacing(tmp_path / "m.h5") as written:
        written.write_text("new")
    assert sorted(os.listdir(tmp_path)) == [".m.h5.new.tmp", ".other.h5.old.tmp", "m.h5"]


# Works on a file until it is killed. It needs this one module of kprob's, so that it starts at once.
AT_WORK = """
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("working_folder", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with module.working_folder(pathlib.Path(sys.argv[2])) as folder:
    (folder / "part").write_text("half")
    print(folder.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="folders are locked on POSIX systems")
def test_the_folder_of_a_process_at_work_stays_and_goes_once_it_is_killed(tmp_path):
    command = [sys.executable, "-c", AT_WORK, working_folder.__file__, str(tmp_path / "other.h5")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        folder = process.stdout.readline().strip()
        for text in ("one", "two"):
            with replacing(tmp_path / "m.h5") as written:
                written.write_text(text)
            assert sorted(os.listdir(tmp_path)) == [folder, "m.h5"]
        process.kill()
    assert (tmp_path / folder / "part").exists()
    with replacing(tmp_path / "m.h5") as written:
        written.write_text("three")
    assert os.listdir(tmp_path) == ["m.h5"]


def test_two_saves_at_once_leave_each_other_alone(tmp_path):
    with replacing(tmp_path / "m.h5") as one, replacing(tmp_path / "m.h5") as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "m.h5").read_text() == "one"  # whoever ends last
    assert os.listdir(tmp_path) == ["m.h5"]


def test_a_folder_that_was_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    usual, taken = working_folder._locks, []

    def late(folder, wait):
        if wait and not taken:
            taken.append(folder)
            (leftover,) = tmp_path.iterdir()
            leftover.rmdir()
        return usual(folder, wait)

    monkeypatch.setattr(working_folder, "_locks", late)
    with replacing(tmp_path / "m.h5") as written:
        written.write_text("new")
    assert taken and os.listdir(tmp_path) == ["m.h5"]


def test_where_nothing_can_be_locked_age_tells(tmp_path, monkeypatch):
    monkeypatch.setattr(working_folder, "_locks", lambda folder, wait: False)
    long_ago = time.time() - 2 * working_folder.STALE_SECONDS
    for name in ("old", "new"):
        folder = tmp_path / f".m.h5.{name}{working_folder.SUFFIX}"
        folder.mkdir()
        if name == "old":
            os.utime(folder, (long_ago, long_ago))
    with replacing(tmp_path / "m.h5") as written:
        written.write_text("new")
    assert sorted(os.listdir(tmp_path)) == [f".m.h5.new{working_folder.SUFFIX}", "m.h5"]


def test_what_is_none_of_ours_stays(tmp_path):
    (tmp_path / ".m.h5.kprob").mkdir()
    (tmp_path / "m.kprob-tmp").mkdir()
    (tmp_path / ".a.kprob-tmp").write_text("a file")
    with replacing(tmp_path / "m.h5") as written:
        written.write_text("new")
    assert sorted(os.listdir(tmp_path)) == [".a.kprob-tmp", ".m.h5.kprob", "m.h5", "m.kprob-tmp"]


def test_a_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder .*nowhere.* to save 'm.h5' in. Make it first."):
        with replacing(tmp_path / "nowhere" / "m.h5"):
            pass


def test_a_folder_in_the_files_place(tmp_path):
    (tmp_path / "m.h5").mkdir()
    with pytest.raises(IsADirectoryError, match="m.h5' is a directory. Give the name of a file in it."):
        with replacing(tmp_path / "m.h5"):
            pass

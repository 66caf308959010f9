"""A tree of results around a run: whose locks are cleared, which records become files, and what is said at the end."""

import errno
import fcntl
import os
import shutil
import threading
import time
from contextlib import ExitStack

import pytest

from diffbench.benchmark.tree import forget_dead_runs, full_disk, join_run, unlink_records, write_protected


@pytest.fixture
def locked(tmp_path):
    """A tree in which a run has left its lock."""
    folder = tmp_path / ".snakemake/locks"
    folder.mkdir(parents=True)
    (folder / "0.output.lock").write_text("results/table2.csv")
    return tmp_path


def locks(tree):
    return [path.name for path in (tree / ".snakemake/locks").iterdir()]


def silent(line):
    raise AssertionError(line)


def test_a_dead_runs_lock_is_cleared_and_a_live_ones_is_not(locked):
    with ExitStack() as stack:
        stack.enter_context(forget_dead_runs(locked, silent))
        assert locks(locked) == []
        (locked / ".snakemake/locks/1.output.lock").touch()
        stack.enter_context(forget_dead_runs(locked, silent))
        assert locks(locked) == ["1.output.lock"]
    forget_dead_runs(locked, silent).close()
    assert locks(locked) == []


def test_a_runs_job_clears_no_locks_and_keeps_later_runs_from_it(locked):
    """On another node, where the lock of the run that started the job does not hold, the run would look dead."""
    with join_run(locked):
        assert locks(locked) == ["0.output.lock"]
        forget_dead_runs(locked, silent).close()
        assert locks(locked) == ["0.output.lock"], "the job is alive"
    forget_dead_runs(locked, silent).close()
    assert locks(locked) == []


def test_of_two_that_start_at_once_the_second_waits_and_clears_nothing(locked):
    """The first one's own lock, made right after it has cleared the dead ones, stays."""
    first = open(locked / ".snakemake/alive", "w")
    fcntl.flock(first, fcntl.LOCK_EX)
    second = []
    start = threading.Thread(target=lambda: second.append(forget_dead_runs(locked, silent)))
    start.start()
    time.sleep(0.2)
    assert not second and locks(locked) == ["0.output.lock"]
    fcntl.flock(first, fcntl.LOCK_SH)
    start.join(timeout=10)
    assert len(second) == 1 and locks(locked) == ["0.output.lock"]
    # Both share it now: a third finds a live run while either is there.
    first.close()
    forget_dead_runs(locked, silent).close()
    assert locks(locked) == ["0.output.lock"]
    second[0].close()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_said_once_and_the_run_goes_on(locked, monkeypatch, code):
    def without(file, how):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", without)
    said = []
    forget_dead_runs(locked, said.append).close()
    (line,) = said
    assert "cannot lock files" in line and "--unlock" in line and str(locked) in line
    assert locks(locked) == ["0.output.lock"], "nobody knows whether its run is alive"


def test_records_that_are_links_become_files_of_the_same_content(tmp_path):
    folder = tmp_path / ".snakemake/metadata/@deep"
    folder.mkdir(parents=True)
    cache = tmp_path / "cache"
    for name in ("hard", "soft", "plain"):
        (tmp_path / name).write_text(name)
    os.link(tmp_path / "hard", folder / "hard")
    (folder / "soft").symlink_to(tmp_path / "soft")
    (folder / "plain").write_text("plain")
    unlink_records(tmp_path)
    for name in ("hard", "soft", "plain"):
        assert (folder / name).read_text() == name
        assert not (folder / name).is_symlink() and (folder / name).stat().st_nlink == 1
    assert not cache.exists()


def test_a_write_protected_table_is_told_apart(tmp_path, monkeypatch):
    table = tmp_path / "table2.csv"
    assert write_protected(table) is None
    table.touch()
    assert write_protected(table) is None
    monkeypatch.setattr(os, "access", lambda path, how: False)  # as root, everything can be written
    assert "dvc config cache.type" in (write_protected(table) or "")


def test_a_full_disk_is_said(tmp_path, monkeypatch):
    assert full_disk(tmp_path) is None
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2**40, 2**40 - 4096, 4096))
    assert "the disk is full" in (full_disk(tmp_path) or "")

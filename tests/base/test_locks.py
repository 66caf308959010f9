"""One writer at a time."""

import errno
import fcntl
import os
import subprocess
import sys
import time

import pytest

from diffbench.base import locks
from diffbench.base.errors import UserError
from diffbench.base.locks import exclusive


def run(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def test_second_writer_is_refused_until_the_first_is_dead(tmp_path):
    code = (
        "import pathlib, sys, time\nfrom diffbench.base.locks import exclusive\n"
        "with exclusive(sys.argv[1]):\n pathlib.Path(sys.argv[1], 'ready').touch()\n time.sleep(600)"
    )
    first = run(code, tmp_path / "job")
    try:
        while not (tmp_path / "job/ready").exists():
            assert first.poll() is None
            time.sleep(0.01)
        with pytest.raises(UserError, match="another process is at work there") as caught, exclusive(tmp_path / "job"):
            pass
        assert str(tmp_path / "job") in str(caught.value)
    finally:
        first.kill()
        first.wait()
    with exclusive(tmp_path / "job") as folder:
        assert folder == tmp_path / "job"
    with exclusive(tmp_path / "job"):
        pass


def test_a_second_writer_in_the_same_process_is_refused(tmp_path):
    with exclusive(tmp_path / "job"):
        with pytest.raises(UserError, match="another process is at work there"), exclusive(tmp_path / "job"):
            pass
        with exclusive(tmp_path / "other"):
            pass


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks_is_told_once_and_worked_on(tmp_path, monkeypatch, capsys, number):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    locks._warn_of_no_locks.cache_clear()
    monkeypatch.setattr(fcntl, "flock", refuse)
    for name in ("a", "b"):
        with exclusive(tmp_path / name) as folder:
            (folder / "work").write_text("done")
    assert (tmp_path / "b/work").read_text() == "done"
    assert (
        capsys.readouterr().err
        == f"diffbench: {tmp_path}: this file system has no locks; let no second run work there\n"
    )


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/job: cannot be written"), exclusive(tmp_path / "file/job"):
        pass

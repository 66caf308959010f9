"""A file is written whole or not at all, and what prevents it is one line."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from diffbench.base.errors import UserError
from diffbench.base.writing import replacing


def run(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def test_replacing_makes_folders_and_swaps_at_the_end(tmp_path):
    path = tmp_path / "deep/er/file.txt"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_text("first")
        assert not path.exists()
    with replacing(path) as temporary:
        temporary.write_text("second")
        assert path.read_text() == "first"
    assert path.read_text() == "second" and list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_replacing_leaves_nothing_of_a_failure(tmp_path, error):
    path = tmp_path / "file.txt"
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []
    path.write_text("old")
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == [path] and path.read_text() == "old"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_or_read_only_folder_is_one_line(tmp_path, number):
    path = tmp_path / "file.txt"
    with pytest.raises(UserError, match="cannot be written") as caught, replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((UserError, OSError)) as caught, replacing(tmp_path / "file/out.txt"):
        pass
    assert "file" in str(caught.value)


def test_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom diffbench.base.writing import replacing\n"
        "with replacing(sys.argv[1]) as t:\n t.write_text('half')\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert run(code, path).wait() == -signal.SIGKILL
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"

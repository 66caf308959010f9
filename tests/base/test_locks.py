"""One writer at a time."""

import subprocess
import sys
import time

import pytest

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

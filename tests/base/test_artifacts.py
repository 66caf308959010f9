"""Whole files or none, one writer at a time, provenance that says what was asked and what went in."""

import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from diffbench.base.artifacts import (
    exclusive,
    provenance_path,
    read_provenance,
    replacing,
    require_files,
    run_record,
    sha256,
    write_provenance,
)
from diffbench.base.errors import UserError


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


def run(code, *arguments):
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)])


def test_killed_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom diffbench.base.artifacts import replacing\n"
        "with replacing(sys.argv[1]) as t:\n t.write_text('half')\n os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert run(code, path).wait() == -signal.SIGKILL
    assert path.read_text() == "old"
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_second_writer_is_refused_until_the_first_is_dead(tmp_path):
    code = (
        "import pathlib, sys, time\nfrom diffbench.base.artifacts import exclusive\n"
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


def test_provenance_says_what_was_asked_and_what_went_in(tmp_path):
    source, out = tmp_path / "in.bin", tmp_path / "out.bin"
    source.write_bytes(b"in")
    out.write_bytes(b"out")
    write_provenance(out, spec={"b": 1, "a": [2]}, inputs={"data": source}, facts={"n": 3})
    content = read_provenance(out)
    assert provenance_path(out) == tmp_path / "out.bin.json"
    assert content["artifact"] == "out.bin"
    assert content["sha256"] == hashlib.sha256(b"out").hexdigest() == sha256(out)
    assert content["inputs"] == {"data": hashlib.sha256(b"in").hexdigest()}
    assert content["spec"] == {"a": [2], "b": 1} and content["facts"] == {"n": 3}
    assert {"python"} <= set(content["versions"]) and content["threads"] >= 1
    first = provenance_path(out).read_bytes()
    write_provenance(out, spec={"a": [2], "b": 1}, inputs={"data": source}, facts={"n": 3})
    assert provenance_path(out).read_bytes() == first


@pytest.mark.parametrize(("content", "message"), [(None, "missing"), ("{", "not JSON")])
def test_provenance_that_cannot_be_read_is_one_line(tmp_path, content, message):
    if content is not None:
        (tmp_path / "out.bin.json").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        read_provenance(tmp_path / "out.bin")
    assert "out.bin.json" in str(caught.value)


def test_run_record_states_cost_and_machine(tmp_path):
    path = tmp_path / "logs/train.run.json"
    with run_record(path, stage="train") as record:
        record["images"] = 5
        assert not path.exists()
    content = json.loads(path.read_text())
    assert (content["stage"], content["images"]) == ("train", 5)
    assert content["seconds"] >= 0 and content["peak_memory_mib"] > 1
    assert {"machine", "date", "processors", "git_commit"} <= set(content)
    with run_record(None) as record:
        record["x"] = 1


def test_required_files(tmp_path):
    (tmp_path / "a").touch()
    require_files([tmp_path / "a"])
    for bad in (tmp_path / "b", tmp_path):
        with pytest.raises(UserError, match="no such file"):
            require_files([tmp_path / "a", bad])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"facts": {"num_images": 3}}', "x.npz.json: records no 'weights_sha256'"),
        (b'{"records": []}', "x.npz.json: records no 'facts'"),
        (b"[1]", "x.npz.json: not a provenance"),
        (bytes(range(256)), "x.npz.json: not JSON"),
    ],
)
def test_another_files_record_in_the_place_of_a_provenance_is_one_line(tmp_path, content, message):
    (tmp_path / "x.npz.json").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_provenance(tmp_path / "x.npz")["facts"]["weights_sha256"]

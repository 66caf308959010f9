"""How commands end: 0, or one line and 2."""

import errno
import json
import os
import platform
import re
import subprocess
import sys

import pytest

from diffbench.base.errors import UserError
from diffbench.stages._command import add_device, run_stage, stage_parser


def ended(error, capsys):
    def main(arguments):
        raise error

    with pytest.raises(SystemExit) as caught:
        run_stage(main, [])
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("file.yaml: no"), 2, "diffbench: file.yaml: no\n"),
        (OSError(errno.ENOSPC, "full", "out.npz"), 2, "diffbench: out.npz: No space left on device\n"),
        (PermissionError(errno.EACCES, "no", "out.npz"), 2, "diffbench: out.npz: Permission denied\n"),
        (KeyboardInterrupt(), 130, "diffbench: interrupted; the same command goes on from the last checkpoint\n"),
    ],
)
def test_what_a_person_can_mend_is_one_line(error, code, said, capsys):
    assert ended(error, capsys) == (code, said)


def test_a_mistake_of_ours_keeps_its_traceback():
    def main(arguments):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage(main, [])


def test_arguments_reach_the_command():
    given = []
    run_stage(given.append, ["a"])
    assert given == [["a"]]


def test_shared_arguments():
    parser = stage_parser("first line\n\nsecond")
    add_device(parser)
    assert parser.description == "first line"
    given = parser.parse_args(["--spec", json.dumps({"a": [1]}), "--run-record", "r.json"])
    assert (given.spec, given.run_record, given.device) == ({"a": [1]}, "r.json", "auto")


def test_the_spec_becomes_what_a_reader_makes_of_it(tmp_path):
    (tmp_path / "spec.json").write_text('{"a": [1]}')
    parser = stage_parser("x", read=lambda spec: tuple(spec["a"]))
    for text in ('{"a": [1]}', str(tmp_path / "spec.json")):
        assert parser.parse_args(["--spec", text]).spec == (1,)


def test_a_spec_that_its_reader_refuses_is_one_line(tmp_path, capsys):
    def read(spec):
        raise UserError("--spec: 'steps' is missing")

    with pytest.raises(SystemExit) as caught:
        run_stage(lambda arguments: stage_parser("x", read).parse_args(arguments) and None, ["--spec", "{}"])
    assert (caught.value.code, capsys.readouterr().err) == (2, "diffbench: --spec: 'steps' is missing\n")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("{", "--spec: not JSON (Expecting"),
        ("[1]", "--spec: must be a JSON object"),
        ('{"a": ' + "[" * 100_000, "--spec: not JSON that can be read"),
        ("record.json", "record.json: has no digest of its own"),
    ],
)
def test_a_spec_that_cannot_be_read_is_one_line(spec, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "record.json").write_text('{"spec": {}}')
    with pytest.raises(UserError, match=f"^{re.escape(said)}"):
        stage_parser("x").parse_args(["--spec", spec])


@pytest.mark.parametrize("arguments", [[], ["--spec", "{}", "--device", "tpu"]])
def test_a_bad_command_line_ends_with_2(arguments, capsys):
    parser = stage_parser("x")
    add_device(parser)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(arguments)
    assert caught.value.code == 2 and "Traceback" not in capsys.readouterr().err


def test_a_stage_ends_with_its_run_on_this_machine_and_not_with_a_stranger_on_another():
    """On another node of a cluster, the number of the run's process is nobody's, and the stage must go on."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    code = (
        "import time\nfrom diffbench.stages._command import run_stage\nrun_stage(lambda arguments: time.sleep(3), [])"
    )
    for machine, ends in ((platform.node(), 1), ("another-node", 0)):
        environment = os.environ | {"DIFFBENCH_PARENT": f"{gone.pid}@{machine}"}
        assert subprocess.run([sys.executable, "-c", code], env=environment, timeout=120).returncode == ends, machine

"""How commands end: 0, or one line and 2."""

import errno
import json

import pytest

from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.errors import UserError


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


@pytest.mark.parametrize(
    "arguments",
    [[], ["--spec", "{"], ["--spec", "[1]"], ["--spec", '{"a": ' + "[" * 100_000], ["--spec", "{}", "--device", "tpu"]],
)
def test_a_bad_command_line_ends_with_2(arguments, capsys):
    parser = stage_parser("x")
    add_device(parser)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(arguments)
    assert caught.value.code == 2 and "Traceback" not in capsys.readouterr().err

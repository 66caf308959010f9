"""What is said of a failed job."""

import os

import pytest

from diffbench.base.progress import last_seen, progress
from diffbench.commands.reporting.failures import exit_code, failure, tail


@pytest.fixture
def log(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs/train.log"


def said(log, code, **details):
    return failure("train ddpm seed 0", "train", code, [log], details=details, here=log.parents[1]).splitlines()


def test_snakemakes_message_on_a_shell_command_gives_the_exit_code():
    command = (
        "RuleException:\nCalledProcessError in file x.smk, line 3:\nCommand 'echo returned non-zero exit status 7'"
    )
    assert exit_code(f"{command} returned non-zero exit status 2.") == 2
    assert exit_code(f"{command} died with <Signals.SIGKILL: 9>.") == -9
    assert exit_code(f"{command} died with unknown signal 64.") == -64
    assert exit_code("MissingOutputException") is None


def test_a_killed_job_has_the_end_of_its_log_without_progress(log, monkeypatch):
    bar = "\rtrain:  46%|####      | 742/1600 [01:31<01:45,  8.12step/s, loss 0.1694]"
    log.write_text("".join(f"line {number}\n" for number in range(30)) + bar + bar + "\nTraceback\n")
    lines = said(log, -9)
    assert lines[0].startswith("failed: train ddpm seed 0 (rule train): killed by SIGKILL, often because the memory")
    assert lines[1:11] == [*(f"  | line {number}" for number in range(21, 30)), "  | Traceback"]
    assert lines[11:] == ["  the whole log: logs/train.log"]


def test_a_users_mistake_is_its_own_line_alone(log):
    log.write_text("a warning of some library\ndiffbench: no/such/folder: no such folder\n")
    assert said(log, 2)[1:] == ["diffbench: no/such/folder: no such folder", "  the whole log: logs/train.log"]
    # Another exit code shows that the line was not the reason.
    assert said(log, 1)[1] == "  | a warning of some library"


def test_what_an_executor_adds_is_shown(log):
    log.write_text("")
    assert said(log, None, external_jobid="4711")[1:3] == ["  external_jobid: 4711", "  its log is empty"]


def test_a_job_without_a_log(tmp_path):
    assert said(tmp_path / "logs/none.log", 1)[1:] == ["  it has written no log"]


def test_of_two_logs_the_last_one_counts(tmp_path):
    for number, name in enumerate(("second.log", "first.log")):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (number, number))
    logs = [tmp_path / "second.log", tmp_path / "first.log"]
    assert "  | first.log" in failure("x", "table2", 1, logs, details={}, here=tmp_path).splitlines()


def test_a_log_of_progress_says_how_far_the_work_is(log, capsys, monkeypatch):
    with progress(1600, "train", initial=400) as bar:
        bar.update(2)
    log.write_text(capsys.readouterr().err)
    seen = last_seen(log.read_text())
    assert seen is not None and (seen.done, seen.total) == (402, 1600)
    assert tail(log) == [] and last_seen("no bar: 5 of 6") is None

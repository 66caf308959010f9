"""Signs of life: how often, and what they say."""

import io
import time

from diffbench.commands.reporting.heartbeat import Heartbeat, sign_of_life, silence
from diffbench.commands.reporting.progress import Job, Progress
from diffbench.commands.reporting.terminal import Terminal


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        """Return that it is one."""
        return True


def running(count=1):
    progress = Progress()
    progress.expect([Job(number, "train", {"model": f"model_{number}", "train_seed": "0"}) for number in range(count)])
    for job in progress.jobs.values():
        progress.start(job)
    return progress


def test_the_silence_is_short_at_first_and_then_grows():
    # The clock is looked at once a second, and a user should not wait longer than 15 seconds.
    assert all(silence(second) <= 14 for second in range(600))
    assert silence(3600) > 100 and silence(1e6) == 300
    lines, second = 0, 0.0
    while second < 7 * 86400:
        second, lines = second + silence(second), lines + 1
    assert lines < 3000, "a week's run"


def test_a_sign_of_life_says_what_runs_and_how_far_it_is(tmp_path):
    progress = running()
    assert "training model_0 seed 0" in sign_of_life(progress) and "step" not in sign_of_life(progress)
    log = tmp_path / "train.log"
    log.write_text("\rtrain:  25%|##        | 400/1600 [00:10<00:30,  2.5step/s]")
    progress.jobs[0] = Job(0, "train", progress.jobs[0].wildcards, (log,))
    assert "training model_0 seed 0 (step 400 of 1,600)" in sign_of_life(progress)


def test_many_jobs_fit_on_a_line():
    line = sign_of_life(running(40))
    assert len(line) <= 150 and " more" in line and "model_0" in line


def test_before_the_first_job_it_says_what_is_prepared():
    assert sign_of_life(Progress()).strip().endswith("reading the benchmark and its data")


def test_a_terminal_has_one_line_that_is_cleared_before_others():
    screen = Screen()
    heart = Heartbeat(running(), terminal := Terminal(screen))
    heart.start()
    time.sleep(2.5)
    terminal.line("a line")
    heart.stop()
    parts = screen.getvalue().split("\r\x1b[K")
    assert screen.getvalue().count("\n") == 1 and "a line\n" in parts
    assert sum("training model_0" in part for part in parts) >= 2


def test_elsewhere_a_line_is_written_after_a_silence(monkeypatch):
    monkeypatch.setattr("diffbench.commands.reporting.heartbeat.OFTEN", 2.0)
    file = io.StringIO()
    heart = Heartbeat(running(), Terminal(file))
    heart.start()
    time.sleep(5.5)
    heart.stop()
    lines = file.getvalue().splitlines()
    assert len(lines) == 2 and all("training model_0 seed 0" in line for line in lines) and "\r" not in file.getvalue()
    time.sleep(1.5)
    assert len(file.getvalue().splitlines()) == 2, "the thread has ended"

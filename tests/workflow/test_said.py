"""What a run says to its user: lines of jobs, failures by signal and by exit code, interruptions, and the result."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from diffbench.benchmark.drawn import MODELS, UPSAMPLING
from diffbench.commands.reporting.words import RULES, did

CONFIG = "workflow/config/digits.yaml"
DATA = "results/data/train.npz"
WEIGHTS = "results/models/ddpm/train0/weights.safetensors"
LOG = "results/logs/train/ddpm/train0.log"
JOB = re.compile(r"\[ ?\d+ of \d+\] .+: \d+ (s|min|h).*")


@pytest.fixture(scope="module")
def trainable(checkout, tmp_path_factory):
    """A checkout whose data are prepared and whose training takes minutes, and what preparing the data said."""
    tree = checkout(tmp_path_factory.mktemp("said") / "diffbench")

    def longer(config):
        config["models"]["ddpm"]["training"]["steps"] = 100_000
        config["runs"] = config["runs"][:1]

    tree.configure(longer)
    tree.originals.clear()
    return tree, tree.snakemake(DATA).stderr


def started(tree, *arguments):
    """Return a run of the workflow in a group of its own, whose training has begun, and the training's process."""
    (tree.root / LOG).unlink(missing_ok=True)
    running = subprocess.Popen(
        ["snakemake", "--cores", "2", WEIGHTS, *arguments],
        cwd=tree.root,
        env=tree.environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # If the tests run in the background of a shell, they ignore SIGINT, and so would the run.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    give_up = time.monotonic() + 240
    while not ((tree.root / LOG).is_file() and "0/100000" in (tree.root / LOG).read_text()):
        assert running.poll() is None and time.monotonic() < give_up, "no training to end"
        time.sleep(0.1)
    return running, training_of(running.pid)


def training_of(group):
    """Return the process of a group that runs the stage train."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if b"diffbench.stages.train" in words and os.getpgid(int(folder.name)) == group:
                    return int(folder.name)
            except OSError:
                continue
    raise AssertionError("no training runs")


def last_words(running):
    """Return the lines of a run on stderr after its end."""
    try:
        said = running.communicate(timeout=120)[1]
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert max(map(len, said.splitlines())) <= 150, said
    return said.splitlines()


def test_every_rule_has_words():
    rules = Path(__file__).parents[2] / "workflow/rules"
    named = {name for file in rules.glob("*.smk") for name in re.findall(r"^ *rule (\w+):", file.read_text(), re.M)}
    # A target without a job has no words. The rules of groups of figures are made in a loop.
    groups = {f"figures_{group}" for group in (MODELS, UPSAMPLING)}
    assert named - {"figures"} | groups == set(RULES)
    assert did("figures_model_adm_g", {}) == "draw figures of adm_g"


def test_a_job_is_one_line_and_the_end_names_what_was_made(trainable):
    # A slow machine gives signs of life too.
    lines = [line for line in trainable[1].splitlines() if not line.startswith("  ")]
    assert sum(bool(JOB.fullmatch(line)) for line in lines) == 1
    assert any(line.startswith("[1 of 1] prepare the data: ") for line in lines), lines
    assert f"made:    {DATA}, results/data/test.npz" in lines, "one job makes both"
    assert lines[1].startswith("benchmark digits: 1 job") and len(lines) < 8, lines


def test_nothing_to_do_is_said_with_the_place_of_the_result(trainable):
    done = trainable[0].forked("--cores", "2", DATA)
    assert "Nothing to be done" in done.stderr and f"made:    {DATA}" in done.stderr
    quiet = trainable[0].forked("--cores", "2", DATA, "--quiet", "all")
    assert quiet.stderr.splitlines()[1:] == [], "only Snakemake's line on its profile"


def test_a_killed_training_is_named_with_its_signal_and_the_end_of_its_log(trainable):
    running, training = started(trainable[0])
    os.kill(training, signal.SIGKILL)
    lines = last_words(running)
    first = lines.index("failed: train ddpm seed 0 (rule train): killed by SIGKILL, often because the memory was full")
    assert f"  the whole log: {LOG}" in lines[first:]
    assert lines[-1] == "stopped after 0 of 1 job, 1 failed; once the cause is gone, the same command goes on"
    assert running.returncode == 1


@pytest.mark.parametrize("ends", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_an_interrupted_run_says_after_how_many_jobs_and_how_it_goes_on(trainable, ends):
    running, _ = started(trainable[0])
    os.killpg(running.pid, ends)
    lines = last_words(running)
    how = "interrupted" if ends == signal.SIGINT else "ended by SIGTERM"
    assert lines[-1] == f"{how} after 0 of 1 job; the same command goes on"
    assert running.returncode == 1
    assert not any("failed" in line or "Traceback" in line or "Error" in line for line in lines), lines


@pytest.mark.parametrize(
    "profile",
    [
        (),
        pytest.param(("--workflow-profile", "none"), marks=pytest.mark.slow),
        pytest.param(("--quiet", "all"), marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_a_users_mistake_is_one_line_under_every_profile(trainable, tmp_path, profile):
    tree = trainable[0].copy(tmp_path / "diffbench")
    with open(tree.root / DATA, "ab") as file:
        file.write(b"damage")
    done = tree.forked("--cores", "2", WEIGHTS, *profile, expect=1)
    lines = done.stderr.splitlines()
    first = lines.index("failed: train ddpm seed 0 (rule train): exit code 2")
    assert lines[first + 1].startswith(f"diffbench: {DATA}: ")
    assert lines[first + 2] == f"  the whole log: {LOG}"
    assert "stopped after 0 of 1 job, 1 failed; once the cause is gone, the same command goes on" in lines
    if "none" in profile:
        assert "Error in rule train:" in lines, "Snakemake's own lines are there too"
    else:
        assert len([line for line in lines if line.startswith("diffbench: ")]) == 1
        assert max(len(line) for line in lines if not line.startswith("diffbench: ")) <= 150
        assert "Traceback" not in done.stderr


def test_a_job_that_an_executor_starts_again_is_silent(fresh):
    """As an executor does it: Snakemake once more, for one job."""
    done = fresh.forked("--cores", "2", "--mode", "subprocess", "--no-hooks", "--nolock", "--force", DATA)
    assert (fresh.root / DATA).is_file() and "[1 of" not in done.stderr and "made:" not in done.stderr


def test_a_target_of_the_user_may_be_in_another_folder(fresh):
    """The paths are those that the user can open from where the command was given."""
    fresh.run("snakemake", "--cores", "2", DATA, "--configfile", "workflow/config/smoke.yaml")
    done = fresh.forked("--cores", "2", DATA, "--configfile", "workflow/config/smoke.yaml")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("made:")]
    named = line.removeprefix("made:").strip().split(", ")
    assert named[0] == f"runs/smoke/{DATA}" and all((fresh.root / path).is_file() for path in named)

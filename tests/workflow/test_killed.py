"""Runs of a finished tree whose data or settings changed, killed in every stage and by every signal.

What a killed job leaves is a gap in the middle of a graph whose end still holds the numbers of before. The same command
must see it, go on, and end with the bytes of a run that nobody disturbed.
"""

import itertools
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

CONFIG = "workflow/config/digits.yaml"
TABLE = "results/table2.csv"
COMMAND = ["snakemake", "--cores", "2", TABLE]
NETWORK = {
    "channels": 8,
    "channel_multipliers": [1, 2],
    "residual_blocks": 1,
    "attention_resolutions": [4],
    "heads": 2,
    "norm_groups": 4,
}
TRAINING = {"steps": 12, "batch_size": 8, "learning_rate": 1.0e-3, "warmup_steps": 2, "ema_decay": 0.9}
BENCHMARK = {
    "benchmark": "digits",
    "dataset": {"name": "folder", "path": "pictures", "channels": 1},
    "models": {
        "ddpm": {"network": NETWORK, "timesteps": 50, "training": TRAINING},
        "larger": {"base": "ddpm", "low_size": 4, "network": {"name": "super_resolution"}},
        "enlarged": {"of": "larger", "low_res": "real"},
        "guided": {
            "base": "ddpm",
            "network": {"class_conditional": True},
        },
        "guided_g": {"of": "guided", "guidance": {"name": "classifier", "classifier": "noisy", "scale": 1.0}},
    },
    "classifiers": {
        "noisy": {
            "network": {
                "encoder": {key: value for key, value in NETWORK.items() if key != "heads"} | {"head_channels": 4},
                "pool": "attention",
            },
            "timesteps": 50,
            "training": TRAINING,
        }
    },
    "samplers": {"ddim": {"eta": 0.0}},
    "bound": {"timesteps": 4, "num_images": 8, "reconstructions": 2, "splits": ["test"]},
    "protocols": {"ruler": {"extractor": "digits_features", "metrics": ["fid", "precision"]}},
    "runs": [
        {"models": ["ddpm", "guided_g"], "samplers": ["ddim"], "steps": [3], "num_images": 16, "protocols": ["ruler"]},
        {"models": ["enlarged"], "samplers": ["ddim"], "steps": [3], "num_images": 16, "protocols": ["ruler"]},
    ],
    "execution": {"threads": 1, "checkpoint_every": 2},
}
SMALL = {
    **{key: value for key, value in BENCHMARK.items() if key != "classifiers"},
    "models": {"ddpm": BENCHMARK["models"]["ddpm"]},
    "runs": [{**BENCHMARK["runs"][0], "models": ["ddpm"]}],
}
STAGES = ("prepare", "shrink", "train", "sample", "bound", "extract", "score", "plot", "tabulate")
MEANS = ("the stage", "snakemake", "its group", "SIGTERM", "SIGINT")
"""What is hit: the first three by SIGKILL; SIGTERM is sent to Snakemake, SIGINT to its group, as Ctrl-C does."""


def draw_pictures(folder: Path, seed: int) -> None:
    """Write 24 pictures for training and 16 for testing, of two classes."""
    draws = np.random.default_rng(seed)
    for split, count in (("train", 12), ("test", 8)):
        for label, k in itertools.product("ab", range(count)):
            path = folder / split / label / f"{k:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            low, high = (0, 128) if label == "a" else (128, 256)
            Image.fromarray(draws.integers(low, high, (8, 8), np.uint8)).save(path)


def made_by(tree) -> dict[str, bytes]:
    """Return every file below results but those that differ from run to run."""
    root = tree.root / "results"
    apart = ("logs/", "cost.csv", "README.md")
    files = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(apart)}


def change(tree, seed: int = 1) -> None:
    """Replace the pictures by others of the same names, so that everything is to be made again."""
    draw_pictures(tree.root / "pictures", seed)


def finished_run(tree, benchmark):
    """Return a checkout in which a benchmark has run on pictures of its own."""
    (tree.root / CONFIG).write_text(yaml.safe_dump(benchmark, sort_keys=False))
    draw_pictures(tree.root / "pictures", 0)
    tree.snakemake(TABLE)
    return tree


def with_its_change(tree):
    """Return a finished checkout, and what a changed copy of it makes."""
    before = made_by(tree)
    changed = tree.copy(tree.root.with_name("changed"))
    change(changed)
    changed.snakemake(TABLE)
    after = made_by(changed)
    assert after.keys() == before.keys() and after["table2.csv"] != before["table2.csv"]
    return tree, after


@pytest.fixture(scope="module")
def finished_tree(checkout, tmp_path_factory):
    return with_its_change(finished_run(checkout(tmp_path_factory.mktemp("whole") / "diffbench"), BENCHMARK))


@pytest.fixture(scope="module")
def small_tree(checkout, tmp_path_factory):
    return finished_run(checkout(tmp_path_factory.mktemp("small") / "diffbench"), SMALL)


def running(tree, stage: str) -> int | None:
    """Return the process of a stage that is at work in a tree."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            here = os.readlink(entry / "cwd")
        except OSError:
            continue
        if f"diffbench.stages.{stage}".encode() in words and here == str(tree.root):
            return int(entry.name)
    return None


def hit(tree, stage: str, means: str, delay: float, command: Sequence[str] = COMMAND) -> bool:
    """Start a command, wait for a stage and kill as asked. Returns: whether something of that run was killed."""
    process = subprocess.Popen(
        command,
        cwd=tree.root,
        env=tree.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # A test run in the background of a shell has it ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while running(tree, stage) is None:
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    time.sleep(delay)
    killed = _kill(tree, process, stage, means)
    process.wait(timeout=600)
    # A stage that finds its parent gone ends within a second or two; the next run must not meet it.
    while any(running(tree, name) for name in STAGES):
        time.sleep(0.1)
    return killed


def _kill(tree, process: subprocess.Popen, stage: str, means: str) -> bool:
    if means == "the stage":
        # The one that was seen may have ended within the delay; another of its run is as good.
        while process.poll() is None:
            victim = next((found for name in (stage, *STAGES) if (found := running(tree, name))), None)
            with suppress(ProcessLookupError):
                if victim is not None:
                    os.kill(victim, signal.SIGKILL)
                    return True
        return False
    if process.poll() is not None:
        return False
    if means == "snakemake":
        process.kill()
    elif means == "its group":
        os.killpg(process.pid, signal.SIGKILL)
    elif means == "SIGTERM":
        process.terminate()
    else:
        os.killpg(process.pid, signal.SIGINT)
    return True


@pytest.mark.slow
def test_a_stage_killed_in_a_changed_tree_leaves_no_old_numbers(small_tree, tmp_path):
    """Three stages, each killed while Snakemake lives: its gap is seen, and the same command fills it."""
    finished, undisturbed = with_its_change(small_tree)
    tree = finished.copy(tmp_path / "diffbench")
    change(tree)
    for stage in ("train", "sample", "score"):
        assert hit(tree, stage, "the stage", 0.3)
        assert tree.plan(TABLE), f"after {stage} was killed, the old table passes for a new one"
    tree.snakemake(TABLE)
    assert made_by(tree) == undisturbed
    assert tree.nothing_to_do(TABLE)


def test_results_whose_snakemake_records_are_gone_or_new_do_not_pass_for_another_configuration(small_tree, tmp_path):
    """As results that were copied, pulled without them, touched, or judged by time alone."""
    tree = small_tree.copy(tmp_path / "diffbench")
    tree.configure(lambda config: config["samplers"]["ddim"].update(eta=0.5))

    def refused(*arguments):
        said = tree.forked("--cores", "2", TABLE, *arguments, expect=2).stderr
        (line,) = [line for line in said.splitlines() if line.startswith("diffbench: ")]
        return "are of other settings, code or data than this configuration" in line

    assert tree.count(tree.plan(TABLE))["sample"] == 1
    assert refused("-n", "--rerun-triggers", "mtime")
    metadata = tree.root / ".snakemake/metadata"
    metadata.rename(tree.root / "aside")
    assert refused() and refused("-n")
    assert tree.count(tree.plan("--forceall", TABLE))["sample"] == 1
    shutil.rmtree(metadata, ignore_errors=True)
    (tree.root / "aside").rename(metadata)
    tree.snakemake("--touch", TABLE)
    assert refused()


def test_an_edited_table_is_not_done(small_tree, tmp_path):
    tree = small_tree.copy(tmp_path / "diffbench")
    text = (tree.root / TABLE).read_text()
    (tree.root / TABLE).write_text(text.replace("ddpm", "dddm", 1))
    said = tree.snakemake(TABLE, expect=2).stderr
    assert f"{TABLE}: is not what its record says" in said and f"snakemake --cores all -f {TABLE}" in said
    tree.snakemake("-f", TABLE)
    assert (tree.root / TABLE).read_text() == text and tree.nothing_to_do(TABLE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_killed_the_same_command_ends_as_an_undisturbed_run(finished_tree, tmp_path, seed):
    """Every stage by every means, over five trees: 45 hits. A tree that got to its end is changed again."""
    finished, undisturbed = finished_tree
    ends = {0: made_by(finished), 1: undisturbed}
    tree, draws, pictures = finished.copy(tmp_path / "diffbench"), random.Random(seed), 1
    change(tree, pictures)
    for position, stage in enumerate(STAGES):
        means = MEANS[(position + seed) % len(MEANS)]
        # What a hit before left may hold this stage's work already: then the run gets to its end, and is begun anew.
        for _ in range(3):
            met = hit(tree, stage, means, draws.uniform(0, 1.0))
            if not tree.plan(TABLE):
                assert made_by(tree) == ends[pictures], f"{means} while {stage} was at work"
                pictures = 1 - pictures
                change(tree, pictures)
            if met:
                break
        else:
            raise AssertionError(f"{stage} was not met")
    tree.snakemake(TABLE)
    assert made_by(tree) == ends[pictures]
    assert tree.nothing_to_do(TABLE)


@pytest.mark.slow
def test_a_killed_dvc_repro_records_no_old_numbers(finished_tree, tmp_path):
    finished, undisturbed = finished_tree
    tree = finished.copy(tmp_path / "diffbench")
    tree.run("git", "init", "--quiet")
    change(tree)
    pipeline = yaml.safe_load((tree.root / "dvc.yaml").read_text())
    stage = pipeline["stages"]["bench"]
    stage["cmd"] = "snakemake --cores 2 table2"
    stage["outs"] = [out for out in stage["outs"] if (tree.root / next(iter(out))).exists()]
    pipeline.pop("plots")
    (tree.root / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    for name in ("train", "sample"):
        assert hit(tree, name, "the stage", 0.1, ["dvc", "repro"])
    tree.run("dvc", "repro")
    assert made_by(tree) == undisturbed


@pytest.mark.slow
def test_a_finished_tree_without_what_lies_in_the_middle_has_nothing_to_do(finished_tree, tmp_path):
    tree = finished_tree[0].copy(tmp_path / "diffbench")
    for folder in ("samples", "features", "models", "data"):
        for path in (tree.root / "results" / folder).rglob("*"):
            if path.is_file():
                path.unlink()
    (tree.root / "pictures").rename(tree.root / "elsewhere")
    done = tree.snakemake(TABLE)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert "is not here; results that were made from it are kept" in done.stderr

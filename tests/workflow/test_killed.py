"""Runs of a finished tree whose data or settings changed, killed in every stage and by every signal.

What a killed job leaves is a gap in the middle of a graph whose end still holds the numbers of before. The same command
must see it, go on, and end with the bytes of a run that nobody disturbed.
"""

import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Sequence
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


def change(tree) -> None:
    """Replace the pictures by others of the same names, so that everything is to be made again."""
    draw_pictures(tree.root / "pictures", 1)


@pytest.fixture(scope="module")
def finished_tree(checkout, tmp_path_factory):
    """A checkout with pictures of its own, in which the benchmark has run."""
    tree = checkout(tmp_path_factory.mktemp("before") / "diffbench")
    (tree.root / CONFIG).write_text(yaml.safe_dump(BENCHMARK, sort_keys=False))
    draw_pictures(tree.root / "pictures", 0)
    tree.snakemake(TABLE)
    return tree


@pytest.fixture(scope="module")
def undisturbed(finished_tree, tmp_path_factory) -> dict[str, bytes]:
    """What a run of the changed tree makes that nobody kills."""
    tree = finished_tree.copy(tmp_path_factory.mktemp("after") / "diffbench")
    before = made_by(tree)
    change(tree)
    tree.snakemake(TABLE)
    after = made_by(tree)
    assert after.keys() == before.keys() and after["table2.csv"] != before["table2.csv"]
    return after


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
    """Start a command, wait for a stage and kill as asked. Returns: whether the stage came up before the end."""
    process = subprocess.Popen(
        command,
        cwd=tree.root,
        env=tree.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while (victim := running(tree, stage)) is None:
            if process.poll() is not None:
                return False
            time.sleep(0.02)
        time.sleep(delay)
        if means == "the stage":
            os.kill(victim, signal.SIGKILL)
        elif means == "snakemake":
            process.kill()
        elif means == "its group":
            os.killpg(process.pid, signal.SIGKILL)
        elif means == "SIGTERM":
            process.terminate()
        else:
            os.killpg(process.pid, signal.SIGINT)
    except ProcessLookupError:
        pass  # it ended by itself within the delay
    process.wait(timeout=300)
    # A stage that finds its parent gone ends within a second or two; the next run must not meet it.
    while any(running(tree, name) for name in STAGES):
        time.sleep(0.1)
    return True


def test_a_stage_killed_in_a_changed_tree_leaves_no_old_numbers(finished_tree, undisturbed, tmp_path):
    """Three stages, each killed while Snakemake lives: its gap is seen, and the same command fills it."""
    tree = finished_tree.copy(tmp_path / "diffbench")
    change(tree)
    for stage in ("train", "sample", "score"):
        assert hit(tree, stage, "the stage", 0.3)
        assert tree.plan(TABLE), f"after {stage} was killed, the old table passes for a new one"
    tree.snakemake(TABLE)
    assert made_by(tree) == undisturbed
    assert tree.nothing_to_do(TABLE)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_killed_the_same_command_ends_as_an_undisturbed_run(finished_tree, undisturbed, tmp_path, seed):
    """Every stage by every means, over five trees: 45 hits."""
    tree = finished_tree.copy(tmp_path / "diffbench")
    draws = random.Random(seed)
    change(tree)
    met = 0
    for position, stage in enumerate(STAGES):
        means = MEANS[(position + seed) % len(MEANS)]
        met += hit(tree, stage, means, draws.uniform(0, 2.0))
        table = tree.root / TABLE
        done = table.exists() and table.read_bytes() == undisturbed["table2.csv"]
        assert done or tree.plan(TABLE), (stage, means)
    tree.snakemake(TABLE)
    assert made_by(tree) == undisturbed
    assert tree.nothing_to_do(TABLE)
    assert met >= 5, "too few hits met their stage to prove anything"


@pytest.mark.slow
def test_a_killed_dvc_repro_records_no_old_numbers(finished_tree, undisturbed, tmp_path):
    tree = finished_tree.copy(tmp_path / "diffbench")
    tree.run("git", "init", "--quiet")
    change(tree)
    pipeline = yaml.safe_load((tree.root / "dvc.yaml").read_text())
    stage = pipeline["stages"]["bench"]
    stage["cmd"] = "snakemake --cores 2 table2"
    stage["outs"] = [out for out in stage["outs"] if (tree.root / next(iter(out))).exists()]
    stage.pop("plots")
    pipeline.pop("plots")
    (tree.root / "dvc.yaml").write_text(yaml.safe_dump(pipeline))
    for name in ("sample", "train"):
        assert hit(tree, name, "the stage", 0.3, ["dvc", "repro"])
    tree.run("dvc", "repro")
    assert made_by(tree) == undisturbed


@pytest.mark.slow
def test_a_finished_tree_without_what_lies_in_the_middle_has_nothing_to_do(finished_tree, tmp_path):
    tree = finished_tree.copy(tmp_path / "diffbench")
    for folder in ("samples", "features", "models", "data"):
        for path in (tree.root / "results" / folder).rglob("*"):
            if path.is_file():
                path.unlink()
    (tree.root / "pictures").rename(tree.root / "elsewhere")
    done = tree.snakemake(TABLE)
    assert "Nothing to be done" in done.stdout + done.stderr
    assert "is not here; what was made from it stands" in done.stderr

"""Specs that somebody wrote by hand: a key that is missing, unknown or of another type is one line and exit code 2."""

import json
import subprocess
import sys

import pytest

from diffbench.base import stage_names

MODEL = {"network": {"name": "unet"}, "diffusion": {}, "weights": "ema"}
DRAWN = {"sampler": {"name": "ddim"}, "spacings": ["5"], "sampling": {}, "num_images": 6, "seed": 0, "threads": 1}
BOUND = {"timesteps": None, "num_images": 2, "reconstructions": 0, "micro_batch": 2, "seed": 0}
EXTRACTOR = {"extractor": {"name": "digits_features"}, "threads": 1}

ROW = {"benchmark": "digits", "model": "ddpm", "train_seed": 0}

STAGES = {
    "prepare": ({"dataset": {"name": "digits"}}, "dataset", "--out-train . --out-test ."),
    "shrink": ({"size": 4}, "size", "--data d --out o"),
    "fit": (EXTRACTOR, "threads", "--data d --held-out h --out o"),
    "train": (
        {"network": {"name": "unet"}, "diffusion": {}, "training": {}, "seed": 0, "threads": 1},
        "seed",
        "--data d --out o --log-csv l",
    ),
    "convert": (MODEL, "diffusion", "--checkpoint c --data d --out o"),
    "sample": (MODEL | DRAWN, "num_images", "--weights w --out o"),
    "extract": (EXTRACTOR, "extractor", "--images i --out o"),
    "bound": (MODEL | {"bound": BOUND, "split": "test", "threads": 1}, "threads", "--weights w --data d --out o"),
    "trace": (MODEL | {"sampling": {}, "seed": 0, "threads": 1}, "sampling", "--weights w --out o"),
    "score": ({"row": ROW}, "row", "--terms t --out o"),
    "tabulate": ({"benchmark": "digits", "table": {"name": "table2"}}, "table", "--scores s --out o"),
    "plot": ({"figure": {"name": "samples"}}, "figure", "--table t --out o"),
}
"""By stage: a job, one of its keys, and what the command line must say besides."""

PROGRAM = """
import importlib, json, sys
from diffbench.stages._command import run_stage
for name, specs, more in json.loads(sys.argv[1]):
    stage = importlib.import_module(f"diffbench.stages.{name}")
    for spec in specs:
        try:
            run_stage(stage.main, ["--spec", json.dumps(spec), *more.split()])
        except SystemExit as ended:
            print(ended.code)
"""


def mistakes(spec, key):
    """Return wrong specs with the words of their message."""
    return [
        (spec | {"colour": 1}, "--spec: unknown key 'colour'"),
        ({name: value for name, value in spec.items() if name != key}, f"--spec: '{key}' is missing"),
        (spec | {key: [1.5]}, f"--spec.{key}: "),
    ]


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What each stage says to its specs, of one process for all: it imports torch for some seconds."""
    folder = tmp_path_factory.mktemp("specs")
    calls = [(stage, [wrong for wrong, _ in mistakes(spec, key)], more) for stage, (spec, key, more) in STAGES.items()]
    given = [sys.executable, "-c", PROGRAM, json.dumps(calls)]
    done = subprocess.run(given, cwd=folder, capture_output=True, text=True, timeout=120)
    lines, count = done.stderr.splitlines(), len(calls[0][1])
    assert done.stdout.split() == ["2"] * count * len(STAGES) and len(lines) == count * len(STAGES), done.stderr
    # None of them began to work.
    assert not list(folder.iterdir())
    return {stage: lines[count * i : count * (i + 1)] for i, stage in enumerate(STAGES)}


@pytest.mark.parametrize("stage", stage_names.STAGES)
def test_a_spec_with_a_mistake_is_one_line(stage, said):
    spec, key, _ = STAGES[stage]
    for (_, words), line in zip(mistakes(spec, key), said[stage], strict=True):
        assert line.startswith("diffbench: ") and words in line

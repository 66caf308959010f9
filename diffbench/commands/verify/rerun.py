"""Artifacts made a second time, from the spec and the inputs that their records name, in a scratch folder."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffbench.base.digests import sha256
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.places import project_of
from diffbench.benchmark.stage_of import stage_of
from diffbench.comparison import verdicts

Recorded = Mapping[str, Any]


@dataclass
class Again:
    """A line for each artifact that came out otherwise, and notes on those that did not or could not be made."""

    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def made_again(home: Path, good: Mapping[Path, Recorded], count: int, seed: int) -> Again:
    """Return what came of making `count` artifacts again, each stage in turn, a stage's own in the seed's order.

    home: the folder below which records name inputs. good: whole artifacts and their records.
    """
    # Verdicts are given by a command, not made by a stage.
    made = {path: recorded for path, recorded in good.items() if path.name != verdicts.FILE}
    stages = by_stage(home, made, seed)
    again = remade(home, {path: good[path] for path in in_turn(stages, sorted(stages))[:count]})
    foreign = len(made) - sum(map(len, stages.values()))
    if foreign:
        again.notes.append(f"note: {foreign} artifacts could not be made again, since not all their inputs are here")
    return again


def by_stage(home: Path, good: Mapping[Path, Recorded], seed: int) -> dict[str, list[Path]]:
    """Return the artifacts whose inputs are all here, by their stage, each stage's in the seed's order."""
    stages: dict[str, list[Path]] = {}
    for path, recorded in good.items():
        if _is_at_hand(home, recorded):
            stages.setdefault(stage_of(path, recorded["spec"]), []).append(path)
    for stage, paths in stages.items():
        random.Random(f"{seed} {stage}").shuffle(paths)
    return stages


def in_turn(stages: Mapping[str, Sequence[Path]], order: Sequence[str]) -> list[Path]:
    """Return all artifacts: the first of each stage in an order of stages, then the second of each."""
    turns = range(max(map(len, stages.values()), default=0))
    return [stages[stage][turn] for turn in turns for stage in order if turn < len(stages[stage])]


def remade(home: Path, good: Mapping[Path, Recorded]) -> Again:
    """Return what came of making artifacts again."""
    again = Again()
    for path, recorded in good.items():
        shown = path.relative_to(home)
        sys.stderr.write(f"diffbench: making {shown} again\n")
        line = _compared(home, path, recorded)
        if line is None:
            again.notes.append(f"note: {shown}: made again, the same bytes")
        else:
            again.bad.append(f"{shown}: {line}")
    return again


def _is_at_hand(home: Path, recorded: Recorded) -> bool:
    # A training that cuts pictures at random reads them from a place that no record names.
    if "training" in recorded["spec"] and "dataset" in recorded["spec"]:
        return False
    places = recorded["places"]
    return set(places) == set(recorded["inputs"]) and all((home / place).is_file() for place in places.values())


def _compared(home: Path, path: Path, recorded: Recorded) -> str | None:
    """Return what differs between an artifact and itself made again, None where nothing does."""
    with TemporaryDirectory() as scratch:
        stage = stage_of(path, recorded["spec"])
        out = Path(scratch, "train" if stage == "prepare" else "out", path.name)
        out.parent.mkdir()
        command = [sys.executable, "-m", f"diffbench.stages.{stage}", "--spec", str(provenance_path(path).resolve())]
        done = subprocess.run(
            [*command, *ARGUMENTS[stage](recorded, out)],
            cwd=project_of(home) if stage == "prepare" else home,
            env=_environment(recorded["threads"]),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = (done.stderr.strip() or "no message").splitlines()[-1]
            return f"cannot be made again: {said}"
        if sha256(out) == recorded["sha256"]:
            return None
        found, expected = sha256(out)[:12], recorded["sha256"][:12]
        return f"made again, it differs (sha256 {found}, recorded {expected}){_why(out, recorded)}"


def _environment(threads: int) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path}


def _why(out: Path, recorded: Recorded) -> str:
    """Return in what the two records differ, as the end of a line: versions of packages, threads or the processor."""
    new = read_provenance(out)
    found = [
        f"{part}.{key}"
        for part in ("versions", "facts")
        for key in recorded[part]
        if new[part].get(key) != recorded[part][key]
    ]
    return f"; its record has another {', '.join(found)}" if found else ""


def _options(recorded: Recorded, *names: str) -> list[str]:
    """Return those inputs as options, under their own names."""
    places = recorded["places"]
    return [part for name in names if name in places for part in (f"--{name.replace('_', '-')}", places[name])]


def _device(recorded: Recorded) -> list[str]:
    return ["--device", recorded["facts"].get("device", "auto")]


def _given(recorded: Recorded) -> list[str]:
    given = recorded["facts"]["given"]
    return [part for name, files in given.items() if files for part in (f"--{name}", *files)]


def _prepare(recorded: Recorded, out: Path) -> list[str]:
    other = out.with_name(f"other_{out.name}")
    test = recorded["spec"]["split"] == "test"
    return ["--out-train", str(other if test else out), "--out-test", str(out if test else other)]


def _train(recorded: Recorded, out: Path) -> list[str]:
    log = out.name == "log.csv"
    outs = {"--out": out.with_name("weights") if log else out, "--log-csv": out if log else out.with_name("log.csv")}
    return [
        *_options(recorded, "data", "held_out"),
        *(part for option, path in outs.items() for part in (option, str(path))),
        *("--cache", str(out.parent / "cache")),
        *_device(recorded),
    ]


def _sample(recorded: Recorded, out: Path) -> list[str]:
    inputs = _options(recorded, "weights", "classifier", "low_res", "terms")
    return [*inputs, "--out", str(out), "--cache", str(out.parent / "cache"), *_device(recorded)]


def _score(recorded: Recorded, out: Path) -> list[str]:
    inputs = _options(recorded, "features", "reference", "samples_provenance", "images", "truth", "low_res")
    terms = [place for name, place in recorded["places"].items() if name.startswith("terms_")]
    return [*inputs, *(["--terms", *terms] if terms else []), "--out", str(out)]


ARGUMENTS: dict[str, Callable[[Recorded, Path], list[str]]] = {
    "prepare": _prepare,
    "shrink": lambda recorded, out: [*_options(recorded, "data"), "--out", str(out)],
    "fit": lambda recorded, out: [*_options(recorded, "data", "held_out"), "--out", str(out)],
    "train": _train,
    "convert": lambda recorded, out: [*_options(recorded, "checkpoint", "data"), "--out", str(out)],
    "sample": _sample,
    "extract": lambda recorded, out: [
        *_options(recorded, "images", "weights"), "--out", str(out), *_device(recorded),
    ],
    "bound": lambda recorded, out: [*_options(recorded, "weights", "data"), "--out", str(out), *_device(recorded)],
    "score": _score,
    "tabulate": lambda recorded, out: [*_given(recorded), "--out", str(out)],
    "plot": lambda recorded, out: [*_given(recorded), "--out", str(out)],
}  # fmt: skip
"""What each stage is called with, beside the spec, to make an artifact again."""

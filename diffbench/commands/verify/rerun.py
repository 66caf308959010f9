"""Artifacts that are made again in a scratch folder, from the spec and the inputs in their records."""

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
from diffbench.jobs.claims import MODULE as CLAIMS
from diffbench.jobs.differences import MODULE as DIFFERENCES
from diffbench.jobs.published import MODULE as PUBLISHED

Recorded = Mapping[str, Any]


@dataclass
class Again:
    """The result of making artifacts again.

    bad: a line for each that is different or fails. notes: lines on those that are equal or cannot be made here.
    """

    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def made_again(home: Path, good: Mapping[Path, Recorded], count: int, seed: int) -> Again:
    """Return the result of making `count` artifacts again. Stages take turns; `seed` decides the order in each.

    home: the folder at which the paths in records start. good: undamaged artifacts and their records.
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
    """Return the artifacts whose inputs are all here, by stage. `seed` decides the order in a stage."""
    stages: dict[str, list[Path]] = {}
    for path, recorded in good.items():
        if _is_at_hand(home, recorded):
            stages.setdefault(stage_of(path, recorded["spec"]), []).append(path)
    for stage, paths in stages.items():
        random.Random(f"{seed} {stage}").shuffle(paths)
    return stages


def in_turn(stages: Mapping[str, Sequence[Path]], order: Sequence[str]) -> list[Path]:
    """Return all artifacts: the first of each stage in the given order, then the second of each, and so on."""
    turns = range(max(map(len, stages.values()), default=0))
    return [stages[stage][turn] for turn in turns for stage in order if turn < len(stages[stage])]


def remade(home: Path, good: Mapping[Path, Recorded]) -> Again:
    """Return the result of making artifacts again."""
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
    """Return how an artifact differs when it is made again; None if it does not."""
    with TemporaryDirectory() as scratch:
        stage = stage_of(path, recorded["spec"])
        out = Path(scratch, "train" if stage == "prepare" else "out", path.name)
        out.parent.mkdir()
        own = (module for key, module in MADE_BY_COMMANDS.items() if key in recorded["spec"])
        module = next(own, f"diffbench.stages.{stage}")
        command = [sys.executable, "-m", module, "--spec", str(provenance_path(path).resolve())]
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


MADE_BY_COMMANDS = {"baselines": DIFFERENCES, "scores": CLAIMS, "reproduced": PUBLISHED}
"""The module that makes a table which no stage makes, by a key of its spec."""


def _environment(threads: int) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": path}


def _why(out: Path, recorded: Recorded) -> str:
    """Return the end of a message that says in which versions and facts the two records differ."""
    new = read_provenance(out)
    found = [
        f"{part}.{key}"
        for part in ("versions", "facts")
        for key in recorded[part]
        if new[part].get(key) != recorded[part][key]
    ]
    return f"; its record has another {', '.join(found)}" if found else ""


def _options(recorded: Recorded, *names: str) -> list[str]:
    """Return options, named like the inputs, with the paths of those inputs."""
    places = recorded["places"]
    return [part for name in names if name in places for part in (f"--{name.replace('_', '-')}", places[name])]


def _device(recorded: Recorded) -> list[str]:
    return ["--device", recorded["facts"].get("device", "auto")]


def _given(recorded: Recorded) -> list[str]:
    if "reproduced" in recorded["spec"]:
        return []  # its spec names its files
    given = recorded["facts"]["given"]
    return [part for name, files in given.items() if files for part in (f"--{name}", *files)]


def _prepare(recorded: Recorded, out: Path) -> list[str]:
    other = out.with_name(f"other_{out.name}")
    test = recorded["spec"]["split"] == "test"
    return ["--out-train", str(other if test else out), "--out-test", str(out if test else other)]


def _train(recorded: Recorded, out: Path) -> list[str]:
    names = {"--out": "weights.safetensors", "--log-csv": "log.csv"}
    if "validation" in recorded["spec"]:
        names["--validation"] = "validation.npz"
    outs = {option: out.with_name(name) for option, name in names.items()}
    if out not in outs.values():
        outs["--out"] = out
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
    "trace": lambda recorded, out: [*_options(recorded, "weights"), "--out", str(out), *_device(recorded)],
    "score": _score,
    "tabulate": lambda recorded, out: [*_given(recorded), "--out", str(out)],
    "plot": lambda recorded, out: ["--out", str(out)],
}  # fmt: skip
"""The arguments of each stage, other than the spec, that make an artifact again."""

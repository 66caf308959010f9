"""What the record beside an artifact says: the spec, the hashes of inputs and output, versions, threads, facts.

An artifact and its `.json` are functions of inputs alone. What differs from run to run (time, machine, memory)
goes to a run record (run_record.py), which no hash covers.
"""

import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from diffbench.base.digests import sha256
from diffbench.base.inputs import NOTHING, Inputs
from diffbench.base.provenance_file import TREE, provenance_path, write_recorded

PACKAGES = (
    *("numpy", "pandas", "pillow", "pyarrow", "safetensors", "scikit-learn", "scipy"),
    *("torch", "torch-fidelity", "torchvision"),
)
"""Distributions whose version can change a byte of an artifact. All are recorded with each one, whatever a process has
imported by then: a record is a function of the job."""


FAMILIES = ("diffusers",)
"""Distributions of which parts are taken by name (`diffusers:DDIMScheduler`); recorded where a spec has such a name."""


def versions_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that belong to a job: of all packages that can change a byte, and of a family it names."""
    text = json.dumps(spec)
    named = [name for name in FAMILIES if f'"{name}:' in text]
    return {name: metadata.version(name) for name in sorted((*PACKAGES, *named))}


def thread_count() -> int:
    """Return the threads that numeric libraries use here where a job's spec does not say it."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


def write_provenance(
    path: Path | str,
    *,
    spec: Mapping[str, Any],
    inputs: Inputs = NOTHING,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write `<path>.json`: the spec that asked for the artifact, hashes of inputs and output, versions, facts.

    spec: all settings, with the code's hash under `code`. facts: what the stage found out while it worked
    (network evaluations, FLOPs), functions of the inputs alone. Where an input stands is recorded for those of the tree
    in which the job works (`results/...`), since that is the same on every machine.
    """
    content = {
        "artifact": Path(path).name,
        "sha256": sha256(path),
        "inputs": dict(inputs.sha256),
        "places": {name: path.as_posix() for name, path in inputs.paths.items() if path.parts[:1] == (TREE,)},
        "spec": dict(spec),
        "facts": dict(facts or {}),
        "versions": versions_of(spec) | {"python": platform.python_version()},
        "threads": spec.get("threads") or thread_count(),
    }
    write_recorded(provenance_path(path), content)

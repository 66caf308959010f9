"""The content of the record beside an artifact: spec, hashes of inputs and output, versions, threads and facts.

An artifact and its `.json` are functions of the inputs alone. What differs from run to run (time, machine, memory)
goes to a run record (stages/_run_record.py), which no hash covers.
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
from diffbench.base.provenance_file import RESULTS, provenance_path, write_recorded

PACKAGES = (
    *("numpy", "pandas", "pillow", "pyarrow", "safetensors", "scikit-learn", "scipy"),
    *("torch", "torch-fidelity", "torchvision"),
)
"""Packages whose version can change a byte of an artifact. Every record names them all, whether or not the process
imported them, because a record must be a function of the job."""


FAMILIES = ("diffusers",)
"""Packages that provide parts by name (`diffusers:DDIMScheduler`). Their versions are recorded if a spec names one."""


def versions_of(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions that belong to a job: of PACKAGES, and of those FAMILIES that its spec names."""
    text = json.dumps(spec)
    named = [name for name in FAMILIES if f'"{name}:' in text]
    return {name: metadata.version(name) for name in sorted((*PACKAGES, *named))}


def thread_count() -> int:
    """Return how many threads numeric libraries use here if a job's spec does not say it."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


def write_provenance(
    path: Path | str,
    *,
    spec: Mapping[str, Any],
    inputs: Inputs = NOTHING,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write `<path>.json`: the spec that asked for the artifact, hashes of inputs and output, versions, facts.

    spec: all settings, with the code's hash under `code`. facts: what the stage found out while it worked, such as
    network evaluations and FLOPs; they must be functions of the inputs alone. The path of an input is recorded if it is
    in the tree in which the job works (`results/...`), because such a path is the same on every machine.
    """
    content = {
        "artifact": Path(path).name,
        "sha256": sha256(path),
        "inputs": dict(inputs.sha256),
        "places": {name: path.as_posix() for name, path in inputs.paths.items() if path.parts[:1] == (RESULTS,)},
        "spec": dict(spec),
        "facts": dict(facts or {}),
        "versions": versions_of(spec) | {"python": platform.python_version()},
        "threads": spec.get("threads") or thread_count(),
    }
    write_recorded(provenance_path(path), content)

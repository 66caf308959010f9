"""Speeds that `diffbench bench --json` measured on a named device."""

import dataclasses
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.bounded_file import read_bounded
from diffbench.commands.plan.devices import published
from diffbench.commands.plan.speed import Rates, Speed

LONGEST = 64 * 2**20
"""The most bytes of a history that are read."""


def measured_before(path: Path, device: str, benchmark: Benchmark, assumed: Speed) -> Speed:
    """Return the speed of a device by what a history holds of it; `assumed` for what it does not hold.

    Measurements count if they were made with the benchmark's own networks, or else with any, in the same precision.
    Raises: UserError if the file is not a history.
    """
    numerics = benchmark.numerics
    training = _rate(path, device, benchmark, "train", numerics.train.precision)
    sampling = _rate(path, device, benchmark, "sample", numerics.sample.precision)
    if training is None and sampling is None:
        return assumed
    rates = Rates(sampling or assumed.general.sampling, training or assumed.general.training)
    parts = [name for name, found in (("training", training), ("sampling", sampling)) if found is not None]
    rest = "" if len(parts) == 2 else f"; the other is {assumed.source}"
    source = f"measured on {published(device).name} in {' and '.join(parts)} ({path}){rest}"
    return dataclasses.replace(assumed, source=source, general=rates)


def _rate(path: Path, device: str, benchmark: Benchmark, part: str, precision: str) -> float | None:
    """Return the median of the operations per second that are recorded; None if there are none."""
    own, other = [], []
    for entry in _entries(path):
        if not _is_of(entry["machine"], device):
            continue
        for one in entry["measured"]:
            if one["part"] == part and one["numerics"]["precision"] == precision and one["tflops"] > 0:
                (own if entry["benchmark"] == benchmark.name else other).append(one["tflops"] * 1e12)
    found = own or other
    return statistics.median(found) if found else None


def _is_of(machine: Mapping[str, Any], device: str) -> bool:
    """Return whether a machine's GPU is the device: "NVIDIA H200" is h200."""
    words = str(machine.get("gpu") or "").lower().replace("geforce rtx ", "rtx").replace("-", " ").split()
    return device in words


def _entries(path: Path) -> list[dict[str, Any]]:
    found = []
    for number, line in enumerate(read_bounded(path, LONGEST).decode(errors="replace").splitlines(), start=1):
        try:
            entry = json.loads(line)
            known = [(entry["machine"].get("gpu"), entry["benchmark"])]
            known += [(one["part"], one["numerics"]["precision"], one["tflops"] > 0) for one in entry["measured"]]
        except (ValueError, LookupError, TypeError, AttributeError):
            raise UserError(f"--history {path}, line {number}: not a line of `diffbench bench --json`") from None
        found += [entry] if known else []
    return found

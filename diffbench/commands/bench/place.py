"""Where something is measured: the device with its clock, and the ceilings that were measured on it so far."""

import os
import platform
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import diffbench
from diffbench.base.devices import prepare
from diffbench.base.numerics import Numerics, Precision
from diffbench.commands.bench.ceiling import measured_ceiling
from diffbench.commands.bench.timing import Clock, Peak, Round, Times, in_turn

PACKAGES = ("torch", "numpy", "scipy")
"""Packages whose version can change how fast something is."""


@dataclass
class Place:
    """A device of this machine. seconds: how long each measurement takes."""

    device: torch.device
    threads: int
    seconds: float
    ceilings: dict[Precision, float] = field(default_factory=dict)

    def __post_init__(self):
        self.clock = Clock(self.device, self.threads)
        self._prepared: Numerics | None = None

    def prepare(self, numerics: Numerics) -> None:
        """Choose the kernels of this process. Raises: UserError if the device lacks the precision."""
        if numerics != self._prepared:
            prepare(numerics, self.threads, self.device)
            self._prepared = numerics

    def ceiling(self, numerics: Numerics) -> float:
        """Return the operations per second of matrix products in a precision, measured when it is first asked for."""
        if numerics.precision not in self.ceilings:
            found = measured_ceiling(numerics.precision, self.device, self.clock, seconds=self.seconds / 2)
            self.ceilings[numerics.precision] = found
        return self.ceilings[numerics.precision]

    def timed(self, round_: Round, *, fewest: int = 3) -> Times:
        """Return the times of a round that is repeated as long as a measurement takes."""
        return in_turn(round_, seconds=self.seconds, fewest=fewest)[0]

    def peak(self) -> Peak:
        """Return the peak of memory from now on."""
        return Peak(self.device)

    def machine(self) -> dict[str, Any]:
        """Return what the machine is, as far as it decides how fast it is."""
        found = {"processor": processor(), "processors": os.cpu_count(), "threads": self.threads}
        found["device"] = self.device.type
        if self.device.type == "cuda":
            return found | {"gpu": torch.cuda.get_device_name(self.device), "cuda": torch.version.cuda}
        return found | {"cpu_capability": torch.backends.cpu.get_cpu_capability()}

    def words(self) -> str:
        """Return the machine and the version of torch in words."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        gpu = f"{torch.cuda.get_device_name(self.device)}, " if self.device.type == "cuda" else ""
        return f"{gpu}{processor()}, {threads}, torch {metadata.version('torch')}"


def versions() -> dict[str, str]:
    """Return the versions that can change how fast something is."""
    found = {name: metadata.version(name) for name in PACKAGES}
    return found | {"diffbench": diffbench.__version__, "python": platform.python_version()}


def processor() -> str:
    """Return the name of the processor as the system says it."""
    file = Path("/proc/cpuinfo")
    if file.is_file():
        for line in file.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()

"""Whether the jobs of a run ask for a GPU, and which --device they are given.

The process that plans a run may be on a login node, whose GPUs say nothing of the nodes on which its jobs run. So it
looks for a GPU only if jobs run beside it, and without torch, whose import takes seconds at each start.
"""

import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

Device = Literal["auto", "cpu", "cuda"]

DRIVERS = ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""The files of a GPU's driver: NVIDIA's, that of Windows under WSL, and AMD's."""

HIDDEN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
"""Variables that hide GPUs from a process if they name none."""


def asks_for_gpu(device: Device, *, on_cluster: bool) -> bool:
    """Return whether jobs ask for a GPU. With auto, those of a cluster do, and others if one seems to be here.

    device: that of the benchmark's `execution`. on_cluster: whether an executor other than Snakemake's own runs jobs.
    """
    return device == "cuda" or (device == "auto" and (on_cluster or gpu_is_here()))


def device_of_jobs(device: Device, *, on_cluster: bool) -> Device:
    """Return the --device of a job's stage.

    On a cluster it is cuda and not auto: a job that asked for a GPU and finds none must fail, not take days on the CPU.
    """
    return "cuda" if on_cluster and device == "auto" else device


def gpu_is_here(environment: Mapping[str, str] = os.environ, drivers: tuple[str, ...] = DRIVERS) -> bool:
    """Return whether this machine seems to have a GPU that torch can use."""
    if any(environment.get(name, "unset").strip() in ("", "-1") for name in HIDDEN):
        return False
    try:
        built_without = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        built_without = True
    return not built_without and any(Path(driver).exists() for driver in drivers)

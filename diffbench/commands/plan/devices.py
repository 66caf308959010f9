"""What the makers of devices publish, what is assumed of it, and the speed that follows for a benchmark."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from diffbench.base.errors import UserError
from diffbench.base.numerics import Precision
from diffbench.base.plugins import nearest
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.numerics import StageNumerics
from diffbench.benchmark.resources import SECONDS_OF_KERNEL
from diffbench.commands.plan.speed import Rates, Speed

SHARE: Mapping[Precision, float] = {"float32": 0.35, "tf32": 0.2, "bf16": 0.15}
"""The share of the peak that is assumed for a U-Net, training and sampling alike. The faster the matrix products are,
the more of the time goes to norms, activations and copies, which wait for the memory."""

HERE = ("here", "cpu", "cuda")
"""What is measured instead."""


@dataclass(frozen=True)
class Published:
    """What the maker says of a device.

    peaks: TFLOP/s by precision, of dense matrices: float32 without tensor cores, tf32 and bf16 with them, a precision
    that it lacks being left out. memory: in GB. within, beyond: GB/s in one direction, of each device to the others of
    its machine, and of a whole machine to other machines. sheet: where the numbers are from.
    """

    name: str
    peaks: Mapping[Precision, float]
    memory: float
    within: float
    beyond: float
    sheet: str


_HOPPER: Mapping[Precision, float] = {"float32": 67.0, "tf32": 494.5, "bf16": 989.5}

DEVICES = {
    "v100": Published("V100 SXM2", {"float32": 15.7}, 32, 150, 50, "NVIDIA V100 data sheet"),
    "a100": Published(
        "A100 SXM", {"float32": 19.5, "tf32": 156.0, "bf16": 312.0}, 80, 300, 200, "NVIDIA A100 data sheet"
    ),
    "h100": Published("H100 SXM", _HOPPER, 80, 450, 400, "NVIDIA H100 data sheet"),
    "h200": Published("H200 SXM", _HOPPER, 141, 450, 400, "NVIDIA H200 data sheet"),
    "rtx3090": Published(
        "GeForce RTX 3090",
        {"float32": 35.6, "tf32": 35.6, "bf16": 71.0},
        24,
        32,
        12.5,
        "NVIDIA Ampere GA102 whitepaper",
    ),
    "rtx4090": Published(
        "GeForce RTX 4090", {"float32": 82.6, "tf32": 82.6, "bf16": 165.2}, 24, 32, 12.5, "NVIDIA Ada whitepaper"
    ),
}
"""Links within a machine are NVLink's, half of what the sheet says for both directions, or PCIe 4.0 x16 for GeForce
cards. Those between machines are InfiniBand's of the maker's servers with eight devices (DGX-1: 4 of 100 Gbit/s; DGX
A100: 8 of 200; DGX H100 and H200: 8 of 400), or 100 Gbit/s for GeForce cards."""


def is_here(device: str) -> bool:
    """Return whether a device is measured. Raises: UserError if there is no such device."""
    if device not in HERE and device not in DEVICES:
        raise UserError(f"--device {device}: not known; {nearest(device, (*HERE, *DEVICES))}")
    return device in HERE


def published(device: str) -> Published:
    """Return what the maker of a named device says. Raises: UserError if it is measured instead, or not known."""
    if is_here(device):
        raise UserError(f"--device {device}: is measured, not named; {nearest(device, DEVICES)}")
    return DEVICES[device]


def with_precision(benchmark: Benchmark, precision: Precision | None) -> Benchmark:
    """Return a benchmark all of whose stages compute in a precision; None leaves what its file says."""
    if precision is None:
        return benchmark
    stages = {field.name: getattr(benchmark.numerics, field.name) for field in dataclasses.fields(StageNumerics)}
    changed = {name: dataclasses.replace(own, precision=precision) for name, own in stages.items()}
    return dataclasses.replace(benchmark, numerics=StageNumerics(**changed))


def device_speed(device: str, numerics: StageNumerics | None = None) -> Speed:
    """Return the speed of a named device, which is derived and not measured.

    numerics: how the stages compute; in float32 if it is None. Raises: UserError if the device is not known, or cannot
    compute so.
    """
    found, chosen = published(device), _precisions(numerics or StageNumerics())
    rates = {stage: _assumed(device, precision) for stage, precision in chosen.items()}
    said = [
        f"{found.peaks[precision]:g} TFLOP/s in {SPOKEN[precision]}, of which {SHARE[precision]:.0%} are assumed"
        for precision in dict.fromkeys(chosen.values())
    ]
    source = (
        f"not measured: {found.name}, {found.sheet}: peak {'; '.join(said)}; "
        f"at least {SECONDS_OF_KERNEL * 1e6:.0f} us an operation"
    )
    general = Rates(rates["sample"], rates["train"])
    of_stage = {stage: rates[stage] for stage in ("bound", "extract")} | {"fit": _assumed(device, "float32")}
    return Speed(source, general, of_stage=of_stage, seconds_of_kernel=SECONDS_OF_KERNEL)


SPOKEN: Mapping[Precision, str] = {"float32": "float32 without TF32", "tf32": "TF32", "bf16": "bf16"}


def _precisions(numerics: StageNumerics) -> dict[str, Precision]:
    stages = (field.name for field in dataclasses.fields(StageNumerics))
    return {stage: getattr(numerics, stage).precision for stage in stages}


def _assumed(device: str, precision: Precision) -> float:
    """Return the assumed operations per second. Raises: UserError if the device does not have the precision."""
    found = DEVICES[device]
    if precision not in found.peaks:
        raise UserError(f"--device {device}: {found.name} does not compute in {precision}; {nearest('', found.peaks)}")
    return SHARE[precision] * found.peaks[precision] * 1e12

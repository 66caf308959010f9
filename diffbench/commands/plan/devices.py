"""Speeds of named devices that are not here, from figures that their makers publish."""

from dataclasses import dataclass

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.commands.plan.speed import Rates, Speed

SHARE = 0.35
"""The share of the peak that is assumed for a U-Net in float32: convolutions get more, normalisation and attention
less."""

SECONDS_OF_KERNEL = 1e-5
"""What the host is assumed to need to start an operation. It decides the time of small networks."""

HERE = ("here", "cpu", "cuda")
"""What is measured instead."""


@dataclass(frozen=True)
class Published:
    """What the maker says of a device. float32: TFLOP/s of its plain float32 units at the peak, without TF32.

    Results are made in float32 without TF32, so the larger peaks of tensor cores do not count.
    """

    name: str
    float32: float
    sheet: str


DEVICES = {
    "v100": Published("V100 SXM2", 15.7, "NVIDIA V100 data sheet"),
    "a100": Published("A100 SXM", 19.5, "NVIDIA A100 data sheet"),
    "h100": Published("H100 SXM", 67.0, "NVIDIA H100 data sheet"),
    "h200": Published("H200 SXM", 67.0, "NVIDIA H200 data sheet"),
    "rtx3090": Published("GeForce RTX 3090", 35.6, "NVIDIA Ampere GA102 whitepaper"),
    "rtx4090": Published("GeForce RTX 4090", 82.6, "NVIDIA Ada whitepaper"),
}


def is_here(device: str) -> bool:
    """Return whether a device is measured. Raises: UserError if there is no such device."""
    if device not in HERE and device not in DEVICES:
        raise UserError(f"--device {device}: not known; {nearest(device, (*HERE, *DEVICES))}")
    return device in HERE


def device_speed(device: str) -> Speed:
    """Return the speed of a named device, which is derived and not measured. Raises: UserError if it is not known."""
    if is_here(device):
        raise UserError(f"--device {device}: is measured, not named; {nearest(device, DEVICES)}")
    found = DEVICES[device]
    rate = SHARE * found.float32 * 1e12
    source = (
        f"not measured: {found.name}, {found.sheet}: peak {found.float32:g} TFLOP/s in float32 without TF32, "
        f"of which {SHARE:.0%} are assumed; at least {SECONDS_OF_KERNEL * 1e6:.0f} us an operation"
    )
    return Speed(source, Rates(rate, rate), seconds_of_kernel=SECONDS_OF_KERNEL)

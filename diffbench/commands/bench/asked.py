"""What a user asks of the command `bench`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from diffbench.base.errors import UserError
from diffbench.base.numerics import Numerics, Precision
from diffbench.base.plugins import nearest
from diffbench.commands.bench.measured import PARTS


@dataclass(frozen=True)
class Choices:
    """How networks are to compute instead of as the benchmark says; None leaves what it says."""

    precision: str | None = None
    channels_last: bool | None = None
    compiled: bool | None = None
    deterministic: bool | None = None

    def __post_init__(self):
        if self.precision is not None and self.precision not in get_args(Precision):
            raise UserError(f"--precision {self.precision}: not known; {nearest(self.precision, get_args(Precision))}")

    def over(self, own: Numerics) -> Numerics:
        """Return how a stage computes whose entry in the benchmark is `own`."""
        asked = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return dataclasses.replace(own, **asked)


@dataclass(frozen=True)
class Asked:
    """A question to `bench`.

    models: names of models; all that the runs use if it is empty. parts: what is measured, names of PARTS. batch: the
    images of a step; None for the benchmark's own. images: those of each side when metrics are measured. seconds: for
    each measurement. threads: None for the benchmark's own. against: a checkout of guided-diffusion. json: the history.
    """

    config: Path
    models: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS
    batch: int | None = None
    images: int = 2000
    seconds: float = 2.0
    device: str = "auto"
    threads: int | None = None
    choices: Choices = Choices()
    against: Path | None = None
    json: Path | None = None

    def __post_init__(self):
        for part in self.parts:
            if part not in PARTS:
                raise UserError(f"--part {part}: not known; {nearest(part, PARTS)}")

"""The job of the stage `trace`: a model, and which of its samples are followed from noise to image."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.base.classes import LabelRule
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.jobs.job import OMITTED, Job
from diffbench.jobs.model import Trained
from diffbench.jobs.sample import SamplerPart, Sampling


@dataclass(frozen=True)
class Generation:
    """Samples whose predicted x_0 is kept on their way (Ho et al. 2020, section 4.3 and figure 6).

    steps: of the sampler. num_images: they are one micro-batch. points: how many of the steps are kept, from the first
    to the last at equal distances.
    """

    sampler: SamplerPart = field(default_factory=lambda: SamplerPart("ancestral"))
    steps: int = 100
    num_images: int = 8
    points: int = 11

    def __post_init__(self) -> None:
        _require_positive(self, "num_images")
        if not 2 <= self.points <= self.steps:
            raise ValueError(f"points must be from 2 to the number of steps, {self.steps}, not {self.points}")


@dataclass(frozen=True)
class Interpolation:
    """Images of noise between two draws (Song et al. 2021, section 5.3 and figure 6).

    rows: how many pairs of draws. columns: how many images on the way from one to the other, both included.
    """

    sampler: SamplerPart = field(default_factory=lambda: SamplerPart("ddim", {"eta": 0.0}))
    steps: int = 25
    rows: int = 4
    columns: int = 8

    def __post_init__(self) -> None:
        _require_positive(self, "steps")
        _require_positive(self, "rows")
        if self.columns < 2:
            raise ValueError(f"columns must be at least 2, the two ends, not {self.columns}")


@dataclass(frozen=True, kw_only=True)
class TraceJob(Job, Trained):
    """Follow samples of a model from noise to image.

    labels, sampling, seed: as in the job of a sample set, so that its images are among those that are followed.
    """

    stages: ClassVar[tuple[str, ...]] = ("trace",)

    labels: LabelRule | None = None
    generation: Generation = field(default_factory=Generation)
    interpolation: Interpolation = field(default_factory=Interpolation)
    sampling: Sampling
    seed: int
    threads: int
    numerics: Numerics = field(default=DEFAULT_NUMERICS, metadata=OMITTED)


def _require_positive(settings: Generation | Interpolation, name: str) -> None:
    if getattr(settings, name) < 1:
        raise ValueError(f"{name} must be positive, not {getattr(settings, name)}")

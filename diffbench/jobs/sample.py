"""The job of the stage `sample`: a model, its guidance, the sampler, and how many images of which labels."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from diffbench.base.classes import LabelRule
from diffbench.base.names import REAL
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.diffusion.off_grid import OffGrid
from diffbench.jobs.job import OMITTED, Job, Part
from diffbench.jobs.model import Trained

LARGEST_BATCH = 2**16
"""The most images of a micro-batch. More would fill the memory, with an error that does not name the setting."""


@dataclass(frozen=True)
class SamplerPart(Part):
    """A sampler."""

    folder: ClassVar[str] = "samplers"


@dataclass(frozen=True)
class GuidancePart(Part):
    """A way to guide a model towards labels."""

    folder: ClassVar[str] = "guidance"


@dataclass(frozen=True)
class Sampling:
    """Settings of sampling that are the same for every sampler.

    micro_batch: how many images the network evaluates at once, on which the last bits of samples depend. clip_x_0:
    whether predictions of x_0 are clipped to [-1, 1], as in all published tables. rounding: how floats
    become bytes: truncate (guided-diffusion) or round (EDM). fit_memory: whether micro_batch is only the most: if that
    many images do not fit into memory, half as many are taken, and so on. The record of a set says how many they were.
    """

    micro_batch: int = 100
    clip_x_0: bool = True
    rounding: Literal["truncate", "round"] = "truncate"
    fit_memory: bool = field(default=False, metadata=OMITTED)

    def __post_init__(self) -> None:
        if self.micro_batch < 1:
            raise ValueError(f"micro_batch must be positive, not {self.micro_batch}")
        if self.micro_batch > LARGEST_BATCH:
            raise ValueError(f"micro_batch must be at most {LARGEST_BATCH}, not {self.micro_batch}")


@dataclass(frozen=True)
class LowRes:
    """The low-resolution images that an upsampler enlarges: a sample set of another model, or held-out images.

    model: the name of an entry of `models`, or "real". sampler, steps: those of the other model's samples. Their seeds
    and the number of images are those of the row for which they are upsampled.
    """

    model: str
    sampler: str | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if self.model == REAL and (self.sampler, self.steps) != (None, None):
            raise ValueError("real images have neither sampler nor steps; leave them out")
        if self.model != REAL and None in (self.sampler, self.steps):
            raise ValueError(f"say how {self.model} is sampled: add 'sampler' and 'steps'")


@dataclass(frozen=True, kw_only=True)
class SampleJob(Job, Trained):
    """Sample a set of images from a model with a sampler.

    labels: how the labels of samples are chosen; None if the model takes none. classifier: the one that guidance uses.
    spacings: a list of one, the spacing of the set's chain (diffusion/spacings.py); records keep it as a list. low_res:
    the images that an upsampler enlarges.
    """

    stages: ClassVar[tuple[str, ...]] = ("sample",)

    labels: LabelRule | None = None
    guidance: GuidancePart | None = None
    classifier: Trained | None = None
    sampler: SamplerPart
    spacings: tuple[str, ...]
    off_grid: OffGrid = "refuse"
    sampling: Sampling
    num_images: int
    seed: int
    threads: int
    numerics: Numerics = field(default=DEFAULT_NUMERICS, metadata=OMITTED)
    low_res: LowRes | None = field(default=None, metadata=OMITTED)

    def __post_init__(self) -> None:
        if len(self.spacings) != 1:
            raise ValueError(f"spacings must be a list of one, not of {len(self.spacings)}; give each set its own job")

    @property
    def spacing(self) -> str:
        """The spacing of the set's chain."""
        return self.spacings[0]

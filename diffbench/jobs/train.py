"""The job of the stage `train`: a model or a classifier of noisy images, and how it is trained."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.job import OMITTED, Job, Options, Part
from diffbench.jobs.model import NetworkPart
from diffbench.training.settings import Training, Validation


@dataclass(frozen=True)
class ObjectivePart(Part):
    """An objective."""

    folder: ClassVar[str] = "objectives"


@dataclass(frozen=True, kw_only=True)
class TrainJob(Job):
    """Train a network.

    diffusion: the fields of diffusion/denoiser.py's Diffusion. objective: None for a classifier of noisy images.
    low_size: the height in pixels of the images that an upsampler is given. dataset: the data set whose pictures are
    cropped at random; None if none are. validation: how the validation loss is measured; None if it is not.
    """

    stages: ClassVar[tuple[str, ...]] = ("train",)

    network: NetworkPart
    diffusion: Options
    objective: ObjectivePart | None = field(default=None, metadata=OMITTED)
    training: Training
    low_size: int | None = field(default=None, metadata=OMITTED)
    dataset: DatasetPart | None = field(default=None, metadata=OMITTED)
    validation: Validation | None = field(default=None, metadata=OMITTED)
    seed: int
    threads: int
    numerics: Numerics = field(default=DEFAULT_NUMERICS, metadata=OMITTED)

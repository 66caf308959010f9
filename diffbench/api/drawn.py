"""What a job draws in memory as the stage `sample` draws it, and the denoiser of a model for a person to call."""

from dataclasses import dataclass

import numpy as np
import torch

from diffbench.base.arrays import Bytes
from diffbench.base.progress import progress
from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.micro_batches import micro_batches
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.jobs.sample import SampleJob
from diffbench.stages._drawing import Drawing
from diffbench.stages.sample import images_of


def all_images(drawing: Drawing, job: SampleJob, what: str) -> Bytes:
    """Return all images of a job. what: the description of the progress bar."""
    batches = list(micro_batches(torch.arange(job.num_images), job.sampling.micro_batch))
    found = []
    with progress(len(batches) * len(drawing.chain), what) as bar:
        for place, index in batches:
            images = images_of(drawing, index, rounding=job.sampling.rounding, on_step=bar.update)
            found.append(images[: place.stop - place.start])
    return np.concatenate(found)


@dataclass(frozen=True)
class Predictor:
    """A denoiser to play with, which a notebook shows in one line. what: that line."""

    denoiser: Denoiser
    what: str

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        """Return the prediction at x. It keeps gradients in x, unless the caller switches them off."""
        return self.denoiser(x, level, condition)

    def __repr__(self) -> str:
        return self.what

"""All images of a job that is drawn in memory, micro-batch by micro-batch as the stage `sample` draws them."""

import numpy as np
import torch

from diffbench.base.arrays import Bytes
from diffbench.base.progress import progress
from diffbench.diffusion.micro_batches import micro_batches
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

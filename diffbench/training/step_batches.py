"""The noised images of each training step, on the device; they depend on (seed, step) alone."""

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.base.images import to_float
from diffbench.base.seeds import Stream
from diffbench.base.sizes import shrunk
from diffbench.diffusion.batch import NoisedBatch, noised_batch
from diffbench.diffusion.denoiser import NO_LABEL, Condition
from diffbench.diffusion.parameterization import X
from diffbench.training.data import StepImages, TrainingData
from diffbench.training.settings import Training
from diffbench.training.tasks import Task


class StepBatches:
    """The batches of a training run, by step."""

    def __init__(self, task: Task, settings: Training, data: TrainingData, seed: int, device: torch.device, own: slice):
        """own: the rows of the batch that this process computes."""
        self._task, self._settings, self._data, self._device = task, settings, data, device
        self._images = StepImages(data, settings.batch_size, seed, own)
        self._noise, self._flip = Stream(seed, "train", device), Stream(seed, "flip")
        self._label_dropout = Stream(seed, "label_dropout")

    def at(self, step: int, part: slice) -> tuple[NoisedBatch, Float64[Tensor, " batch"]]:
        """Return the noised images in some rows of a step's batch, and the weights of their losses."""
        rows = torch.arange(part.start, part.stop)
        x_0, condition = self._images_at(step, part)
        if condition.y is not None and self._settings.label_dropout:
            dropped = self._label_dropout.uniform(rows, step)[:, 0] < self._settings.label_dropout
            condition = replace(condition, y=torch.where(dropped.to(self._device), NO_LABEL, condition.y))
        # Draws 2 step and 2 step + 1 of the stream are the step's noise and timesteps.
        eps = self._noise.normal(rows, 2 * step, x_0.shape[1:])
        i, weights = (drawn.cpu() for drawn in self._task.steps(self._noise, rows, 2 * step + 1))
        return noised_batch(self._task.chain, i, x_0, eps, condition), weights

    def _images_at(self, step: int, part: slice) -> tuple[X, Condition]:
        """Return the images in some rows of a step's batch, and their conditions.

        If flips are allowed, half of the images, chosen at random, are flipped together with their low-resolution ones.
        """
        chosen, images = self._images.at(step, part)
        x_0, low_res = to_float(images, self._device), None
        if self._data.low_size is not None:
            low_res = to_float(shrunk(images, self._data.low_size), self._device)
        if self._data.flip:
            coin = self._flip.bits(torch.arange(part.start, part.stop), step).to(self._device)[:, None, None, None]
            x_0 = torch.where(coin, x_0.flip(3), x_0)
            low_res = None if low_res is None else torch.where(coin, low_res.flip(3), low_res)
        y = None if self._data.labels is None else self._data.labels[chosen].to(self._device)
        return x_0, Condition(y, low_res)

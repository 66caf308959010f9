"""What a step of a training is computed from: its noised images and the weights of their losses.

A batch is a function of (seed, step, row) alone. All of it is made on the device of the training, so that the host
never waits for it.
"""

from dataclasses import replace

import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.base.images import as_floats
from diffbench.base.seeds import Stream
from diffbench.diffusion.batch import NoisedBatch, noised_batch
from diffbench.diffusion.denoiser import NO_LABEL, Condition
from diffbench.diffusion.parameterization import X
from diffbench.training.data import TrainingData
from diffbench.training.delivery import delivery_of
from diffbench.training.settings import Training
from diffbench.training.tasks import Task


class StepBatches:
    """The batches of a training run, by step."""

    def __init__(self, task: Task, settings: Training, data: TrainingData, seed: int, device: torch.device, own: slice):
        """own: the rows of the batch that this process computes."""
        self._task, self._settings, self._data, self._device = task, settings, data, device
        self._delivery = delivery_of(data, settings.batch_size, seed, device, own)
        self._noise, self._flip = Stream(seed, "train", device), Stream(seed, "flip", device)
        self._label_dropout = Stream(seed, "label_dropout", device)

    def at(self, step: int, own: slice) -> tuple[NoisedBatch, Float64[Tensor, " batch"]]:
        """Return the noised images in some rows of a step's batch, and the weights of their losses."""
        rows = torch.arange(own.start, own.stop, device=self._device)
        x_0, condition = self._images_at(step, own, rows)
        if condition.y is not None and self._settings.label_dropout:
            dropped = self._label_dropout.uniform(rows, step)[:, 0] < self._settings.label_dropout
            condition = replace(condition, y=torch.where(dropped, NO_LABEL, condition.y))
        # Draws 2 step and 2 step + 1 of the stream are the step's noise and timesteps.
        eps = self._noise.normal(rows, 2 * step, x_0.shape[1:])
        i, weights = self._task.steps(self._noise, rows, 2 * step + 1)
        return noised_batch(self._task.chain, i, x_0, eps, condition), weights

    def _images_at(self, step: int, own: slice, rows: Tensor) -> tuple[X, Condition]:
        """Return the images in some rows of a step's batch, and their conditions.

        If flips are allowed, half of the images, chosen at random, are flipped together with their low-resolution ones.
        """
        found = self._delivery.at(step, own)
        x_0, low_res = as_floats(found.images), None if found.low_res is None else as_floats(found.low_res)
        if self._data.flip:
            coin = self._flip.bits(rows, step)[:, None, None, None]
            x_0 = torch.where(coin, x_0.flip(3), x_0)
            low_res = None if low_res is None else torch.where(coin, low_res.flip(3), low_res)
        return x_0, Condition(found.y, low_res)

"""The settings of a training run."""

import math
from dataclasses import dataclass, field
from typing import Literal

from diffbench.base.digests import OMITTED
from diffbench.base.errors import UserError

EXACT_PARTS = 8
"""The number of parts of a batch whose gradients are added in order, if the settings do not give their size. As many
processes can share the batch."""


@dataclass(frozen=True)
class Training:
    """Settings of training with Adam, as in the papers; the defaults are those of Ho et al. for CIFAR-10 (appendix B).

    steps: the number of updates of the weights. batch_size: the images of an update. learning_rate: Adam's, after the
    warm-up. weight_decay: AdamW's; 0 is Adam. warmup_steps: the steps during which the learning rate rises from 0.
    gradient_clip: the largest norm of the gradient; null for no limit. ema_decay: the decay of the averaged weights; at
    most (1 + step) / (10 + step) is used, so that the average spans about a tenth of a short run. final_learning_rate:
    the share of the learning rate that is left at the end; 1 keeps the rate constant. annealing: whether the rate falls
    along a half cosine or a line. label_dropout: the share of images that are used without their label. random_crop:
    train on random crops of the pictures instead of central ones, like the published classifiers. log_every: the steps
    between rows of the log. exact_sum: whether the gradients of parts of the batch are added in the order of the
    images, which gives the same bytes for every number of processes. exact_sum_images: the images of such a part; null
    for an eighth of the batch.
    """

    steps: int = 800_000
    batch_size: int = 128
    learning_rate: float = 2e-4
    warmup_steps: int = 5000
    gradient_clip: float | None = 1.0
    weight_decay: float = 0.0
    ema_decay: float = 0.9999
    final_learning_rate: float = 1.0
    annealing: Literal["cosine", "linear"] = "cosine"
    label_dropout: float = 0.0
    random_crop: bool = False
    log_every: int = 100
    exact_sum: bool = field(default=False, metadata=OMITTED)
    exact_sum_images: int | None = field(default=None, metadata=OMITTED)

    def __post_init__(self):
        for name in ("steps", "batch_size", "learning_rate", "log_every"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if self.gradient_clip is not None and not self.gradient_clip > 0:
            raise ValueError(f"gradient_clip must be positive or null, not {self.gradient_clip}")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay must lie in [0, 1), not {self.ema_decay}")
        if not 0 <= self.final_learning_rate <= 1:
            raise ValueError(f"final_learning_rate must lie in [0, 1], not {self.final_learning_rate}")
        if not 0 <= self.label_dropout < 1:
            raise ValueError(f"label_dropout must lie in [0, 1), not {self.label_dropout}")
        if self.exact_sum_images is not None and not self.exact_sum:
            raise ValueError("exact_sum_images goes with exact_sum: true, and only with it")
        if self.exact_sum_images is not None and not 0 < self.exact_sum_images <= self.batch_size:
            raise ValueError(f"exact_sum_images must lie in [1, batch_size], not {self.exact_sum_images}")
        if self.warmup_steps < 0 or self.weight_decay < 0:
            raise ValueError("warmup_steps and weight_decay must not be negative")

    @property
    def exact_images(self) -> int:
        """The images of a part of the batch whose gradient is added in order."""
        return self.exact_sum_images or -(-self.batch_size // EXACT_PARTS)


def require_shareable(training: Training, processes: int, *, micro_batch: int | None, sharded: bool) -> None:
    """Raise UserError if processes cannot share the batches of a training.

    micro_batch: the most images that a process computes at once. sharded: whether they share the weights, too.
    """
    size, parts = training.batch_size, -(-training.batch_size // training.exact_images)
    if not training.exact_sum:
        if size % processes:
            raise UserError(
                f"training.batch_size: {processes} processes cannot share {size} images equally; give a number of "
                f"processes that divides {size}"
            )
    elif sharded:
        raise UserError("training.exact_sum: is not possible if the processes share the weights; leave out one of both")
    elif micro_batch is not None and micro_batch < training.exact_images:
        raise UserError(
            f"training.exact_sum: adds gradients of {training.exact_images} images, but at most {micro_batch} may be "
            "computed at once; lower exact_sum_images"
        )
    elif parts < processes:
        raise UserError(
            f"training.exact_sum: {parts} parts of {training.exact_images} images for {processes} processes; start at "
            f"most {parts}, or lower exact_sum_images"
        )


@dataclass(frozen=True)
class Validation:
    """When and on how much the validation loss of models in training is measured.

    every: the training steps between two measurements; the last step is measured too. timesteps: the number of
    timesteps at which each image is denoised, equidistant as in MLPerf's benchmark of text to image. num_images: the
    number of held-out images, evenly spread over the split; null takes all.
    """

    every: int = 500
    timesteps: int = 8
    num_images: int | None = 512

    def __post_init__(self):
        for name in ("every", "timesteps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if self.num_images is not None and self.num_images < 2:
            raise ValueError(f"num_images must be at least 2, not {self.num_images}: a standard error needs two")

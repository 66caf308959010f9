"""The validation loss of models: errors of eps at fixed timesteps, for fixed noise, image by image.

MLPerf Training measures text to image (FLUX.1) by such a loss: the mean over 8 equidistant timesteps k / 8 of the mean
over held-out images. Its reference code gives each image one timestep; here each image is denoised at every timestep.
The loss is the mean squared error of eps whatever the network predicts, so that models with other objectives compare.

Source: mlcommons/training, text_to_image/README.md, section 5; mlcommons/training_policies, training_rules.adoc.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.base.records import Estimate
from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition, ModelDenoiser
from diffbench.diffusion.likelihood import per_image
from diffbench.diffusion.micro_batches import Index
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import noised

SEED = 0
"""The seed of the noise, which is the same for each model and each training seed, so that differences are paired."""


def equidistant(length: int, count: int) -> Int[Tensor, " count"]:
    """Return `count` timesteps t = k length / count of a chain, rounded down. t = 0 has the least noise.

    Raises: ValueError if the chain has fewer timesteps than that.
    """
    if count > length:
        raise ValueError(f"{count} timesteps asked for, and the training chain has {length}")
    return torch.arange(count) * length // count


def eps_errors(
    denoiser: ModelDenoiser, x_0: X, index: Index, timesteps: Int[Tensor, " count"], condition: Condition
) -> Float[Tensor, "batch count"]:
    """Return the mean squared error of each image's eps at each timestep. index: the numbers of the images.

    The noise of an image at a timestep depends on its number and on the timestep's place among `timesteps` alone.
    """
    stream = Stream(SEED, "validation", x_0.device)
    noise = (stream.normal(index, place, x_0.shape[1:]) for place in range(len(timesteps)))
    found = [eps_error(denoiser, x_0, eps, t, condition) for t, eps in zip(timesteps, noise, strict=True)]
    return torch.stack(found, dim=1)


def eps_error(
    denoiser: ModelDenoiser, x_0: X, eps: X, t: Int[Tensor, "*batch"], condition: Condition
) -> Float[Tensor, " batch"]:
    """Return the mean squared error of each image's eps at timestep t, or at a timestep for each image."""
    level = denoiser.chain.level(len(denoiser.chain) - 1 - t)
    return per_image((denoiser(noised(x_0, level, eps), level, condition).eps - eps) ** 2)


@dataclass(frozen=True)
class ValidationLosses:
    """What a training's file of validation losses holds, one entry of the first three for each measurement.

    training_flops: the floating-point operations of training until then; measuring is not counted. alphas, sigmas: the
    noise levels of the timesteps. losses: of each measurement, image and timestep.
    """

    step: Int[np.ndarray, " rows"]
    images_seen: Int[np.ndarray, " rows"]
    training_flops: Float64[np.ndarray, " rows"]
    timesteps: Int[np.ndarray, " count"]
    alphas: Float64[np.ndarray, " count"]
    sigmas: Float64[np.ndarray, " count"]
    losses: Float[np.ndarray, "rows images count"]

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """Return the losses in arrays by name. Raises: ValueError if the arrays do not fit together."""
        made = cls(*(arrays[name] for name in NAMES))
        rows, count = {len(made.step)}, {len(made.timesteps)}
        rows |= {len(made.images_seen), len(made.training_flops), len(made.losses)}
        count |= {len(made.alphas), len(made.sigmas), made.losses.shape[-1]}
        if made.losses.ndim != 3 or len(rows) > 1 or len(count) > 1 or 0 in rows | count | {made.losses.shape[1]}:
            shapes = ", ".join(f"{name} {arrays[name].shape}" for name in NAMES)
            raise ValueError(f"the arrays do not fit together: {shapes}")
        return made

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {name: getattr(self, name) for name in NAMES}

    @cached_property
    def by_image(self) -> Float64[np.ndarray, "rows images"]:
        """Each image's mean over timesteps, after each measurement."""
        return self.losses.astype(np.float64).mean(axis=2)

    @property
    def estimates(self) -> list[Estimate]:
        """The validation loss after each measurement, with its interval over images."""
        return [mean_of(row) for row in self.by_image]

    def at_timesteps(self, places: slice) -> list[Estimate]:
        """Return the mean loss at some of the timesteps after each measurement."""
        return [mean_of(row) for row in self.losses[:, :, places].astype(np.float64).mean(axis=2)]


NAMES = tuple(item.name for item in fields(ValidationLosses))
"""The names of the arrays in a file of validation losses."""


def mean_of(values: Float64[np.ndarray, " images"]) -> Estimate:
    """Return the mean over images with 1.96 standard errors. It is about these weights: training again is not in it."""
    return Estimate.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), covers="images")

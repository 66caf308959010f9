"""Peak signal-to-noise ratio of images to the true ones, pair by pair: how near an upsampler comes.

It rewards blur: the mean of all images that fit a low-resolution image has the highest PSNR. Read FID beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.diffusion.psnr import psnr


@dataclass(frozen=True)
class Psnr:
    """The mean over images of 10 log10(255^2 / mean squared error) in dB: higher is better, infinity for equal ones."""

    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "images"
    label: ClassVar[str] = "PSNR (dB)"

    def __call__(self, generated: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray]) -> Estimate:
        """Return the mean with 1.96 standard errors. Both hold `images`, bytes; image k of each is a pair.

        Raises: UserError if they are not bytes, if their shapes differ, or if there are fewer than two pairs.
        """
        images, truth = generated["images"], reference["images"]
        if {images.dtype, truth.dtype} != {np.dtype(np.uint8)}:
            raise UserError(f"psnr: {images.dtype} images for {truth.dtype} ones; both must be uint8, from 0 to 255")
        if images.shape != truth.shape or len(images) < 2:
            raise UserError(f"psnr: {images.shape} bytes for {truth.shape}; it needs two or more pairs of equal size")
        error = ((images.astype(np.float64) - truth) ** 2).reshape(len(images), -1).mean(axis=1)
        values = psnr(error, peak=255)
        return Estimate.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))

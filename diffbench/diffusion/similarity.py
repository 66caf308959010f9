"""Peak signal-to-noise ratio (PSNR) and structural similarity (SSIM) of an image and its reconstruction.

Images in [-1, 1] are converted to [0, 1] first, because structural similarity depends on which value is black.
Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d

from diffbench.diffusion.parameterization import X
from diffbench.diffusion.psnr import psnr as psnr_of_error

WINDOW = 11
"""Side of the window in pixels; Wang et al. 2004, section III-B."""

SIGMA = 1.5
"""Standard deviation of the window in pixels."""

C_1, C_2 = 0.01**2, 0.03**2
"""Constants that keep the ratios stable, for grey levels in [0, 1]."""


def psnr(x: X, y: X) -> Float[Tensor, " batch"]:
    """Return each image's peak signal-to-noise ratio in dB; x, y in [-1, 1], so that the peak is 2.

    Infinite for equal images.
    """
    error = ((x - y) ** 2).flatten(1).double().mean(1)
    return torch.as_tensor(psnr_of_error(error.numpy(force=True), peak=2), device=x.device)


def ssim_window(height: int, width: int) -> int:
    """Return the side of the window for images of this size: 11, or the largest odd number that fits smaller ones."""
    side = min(WINDOW, height, width)
    return side if side % 2 else side - 1


def ssim(x: X, y: X) -> Float[Tensor, " batch"]:
    """Return each image's mean structural similarity to the other, at most 1; x, y in [-1, 1].

    The mean is over channels and over all places at which the window fits in the image.
    Source: Wang et al. 2004, eq. 13 and 17.
    """
    x, y = (x.double() + 1) / 2, (y.double() + 1) / 2
    window = _gaussian(ssim_window(*x.shape[2:])).to(x)
    mean_x, mean_y = _filtered(x, window), _filtered(y, window)
    variance_x = _filtered(x * x, window) - mean_x**2
    variance_y = _filtered(y * y, window) - mean_y**2
    covariance = _filtered(x * y, window) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C_1) / (mean_x**2 + mean_y**2 + C_1)
    structure = (2 * covariance + C_2) / (variance_x + variance_y + C_2)
    return (luminance * structure).flatten(1).mean(1)


def _gaussian(side: int) -> Float[Tensor, " side"]:
    place = torch.arange(side, dtype=torch.float64) - side // 2
    weight = (-(place**2) / (2 * SIGMA**2)).exp()
    return weight / weight.sum()


def _filtered(x: X, window: Float[Tensor, " side"]) -> X:
    """Return the weighted mean in the window at each place at which it fits: along rows, then along columns."""
    batch, channel, height, width = x.shape
    flat = x.reshape(batch * channel, 1, height, width)
    flat = conv2d(conv2d(flat, window.reshape(1, 1, -1, 1)), window.reshape(1, 1, 1, -1))
    return flat.reshape(batch, channel, *flat.shape[2:])

"""Progressive lossy coding: reconstructions of images that a receiver has got down to noise level t.

The receiver has x_t and shows the x_0 that the model predicts from it. As in Ho et al. 2020, section 4.3 and table 4,
x_t is drawn from q(x_t | x_0), which is what an ideal coder would deliver.
"""

# torch's annotation of Tensor.tolist does not say what the list contains.
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.likelihood import per_image
from diffbench.diffusion.micro_batches import Index, micro_batches
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, noised
from diffbench.diffusion.psnr import psnr
from diffbench.diffusion.similarity import ssim

SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the chain that the receiver has not got yet: the ten of Ho et al. 2020, table 4, and three more between 0
and 0.1, where most bits are spent."""


@dataclass(frozen=True)
class Reconstructions:
    """Errors of the predicted x_0, image by image, at ascending timesteps.

    x_0_mse: mean squared error on the [-1, 1] scale. psnr: in dB. shown: the predicted x_0 of the first images.
    """

    timesteps: Int[np.ndarray, " points"]
    x_0_mse: Float[np.ndarray, "images points"]
    psnr: Float[np.ndarray, "images points"]
    ssim: Float[np.ndarray, "images points"]
    shown: Float[torch.Tensor, "shown points channel height width"]


def points(timesteps: int) -> Int[np.ndarray, " points"]:
    """Return the timesteps of a chain at which reconstructions are made, in ascending order from t = 0."""
    return np.unique([min(round(share * timesteps), timesteps - 1) for share in SHARES])


@torch.no_grad()
def reconstructions(
    denoiser: Denoiser,
    chain: Chain,
    images: Callable[[Index], X],
    index: Index,
    *,
    timesteps: Int[np.ndarray, " points"],
    num_shown: int,
    seed: int,
    micro_batch: int,
    condition: Callable[[Index], Condition | None] = lambda index: None,
    on_batch: Callable[[], None] | None = None,
) -> Reconstructions:
    """Return the reconstructions of the images of a split whose numbers are in `index`, all at the same timesteps.

    The noise is the same as for the bound, a function of (seed, image, timestep).
    """
    shape = (len(index), len(timesteps))
    errors, ratios, likeness = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    shown: list[list[X]] = []
    for place, batch in micro_batches(index, micro_batch):
        own = place.stop - place.start
        x_0 = images(batch)
        stream = Stream(seed, "bound", x_0.device)
        predicted: list[X] = []
        for j, t in enumerate(timesteps.tolist()):
            level = chain.level(torch.full((len(batch),), len(chain) - 1 - t))
            x_t = noised(x_0, level, stream.normal(batch, t, x_0.shape[1:]))
            found = denoiser(x_t, level, condition(batch)).x_0
            squares = (found - x_0) ** 2
            errors[place, j] = per_image(squares)[:own].cpu()
            # The peak of images in [-1, 1] is 2.
            ratios[place, j] = psnr(squares.flatten(1).double().mean(1)[:own].cpu().numpy(), peak=2)
            likeness[place, j] = ssim(found, x_0)[:own].cpu()
            predicted.append(found[: max(0, min(own, num_shown - place.start))].cpu())
            if on_batch is not None:
                on_batch()
        shown.append(predicted)
    stacked = torch.cat([torch.stack(predicted, dim=1) for predicted in shown])
    return Reconstructions(timesteps, errors, ratios, likeness, stacked)

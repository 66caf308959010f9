"""Unbiased estimates of the variational bound of a whole chain from a few of its terms, image by image.

The bound is that of Ho et al. 2020, eq. 5. The strata, ranges of timesteps of which one term each is computed, are an
addition. Each image draws its own timestep in each stratum, so the spread over images includes the randomness of that
draw. Strata grow geometrically from the clean end, where the terms are largest (Nichol and Dhariwal 2021, figure 2).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.likelihood import per_image, prior_term, vlb_term
from diffbench.diffusion.micro_batches import Index, micro_batches
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, noised

CHOICE = 1 << 31
"""The first draw that chooses timesteps; the draws below it, one per timestep, are the noise."""


@dataclass(frozen=True)
class BoundTerms:
    """Terms of the bound for each image, at one timestep of each stratum, in ascending t.

    vlb: the term in bits/dim. x_0_mse: mean squared error of the predicted x_0, on the [-1, 1] scale. width: the number
    of timesteps in each stratum. prior: L_T of each image in bits/dim.
    """

    timesteps: Int[np.ndarray, "images strata"]
    vlb: Float[np.ndarray, "images strata"]
    x_0_mse: Float[np.ndarray, "images strata"]
    width: Int[np.ndarray, " strata"]
    prior: Float[np.ndarray, " images"]


def strata(timesteps: int, count: int | None) -> Int[np.ndarray, " boundaries"]:
    """Return the boundaries 0 = b_0 < 1 = b_1 < ... < b_S = T of S = count strata; the first contains only t = 0.

    If count is None or at least T, every timestep is its own stratum, and no term is left out.
    """
    if count is None or count >= timesteps:
        return np.arange(timesteps + 1)
    if count < 2:
        raise ValueError("a bound needs at least 2 strata: t = 0, and the rest")
    growing = np.geomspace(1, timesteps, count)
    # Rounding can make neighbours equal; the first strata then have a single timestep each.
    rounded = np.maximum(np.round(growing).astype(np.int64), np.arange(1, count + 1))
    return np.concatenate([[0], np.minimum(rounded, timesteps - count + np.arange(1, count + 1))])


@torch.no_grad()
def bound_terms(
    denoiser: Denoiser,
    chain: Chain,
    images: Callable[[Index], X],
    index: Index,
    *,
    boundaries: Int[np.ndarray, " boundaries"],
    levels: int,
    seed: int,
    micro_batch: int,
    condition: Callable[[Index], Condition | None] = lambda index: None,
    on_batch: Callable[[], None] | None = None,
) -> BoundTerms:
    """Return the terms for the images of a split whose numbers are in `index`.

    images(index): those images as floats on the data's grey levels. The noise is a function of (seed, image, timestep),
    so two models are compared on the same noise.
    """
    width = np.diff(boundaries)
    shape = (len(index), len(width))
    chosen, terms, errors = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
    prior = np.zeros(len(index))
    for place, batch in micro_batches(index, micro_batch):
        own = place.stop - place.start
        x_0 = images(batch)
        stream = Stream(seed, "bound", x_0.device)
        prior[place] = prior_term(chain, x_0)[:own].cpu()
        for j, (first, size) in enumerate(zip(boundaries[:-1].tolist(), width.tolist(), strict=True)):
            t = first + stream.integers(batch, CHOICE + j, size).cpu()
            i = len(chain) - 1 - t
            x_t = noised(x_0, chain.level(i), stream.normal(batch, t, x_0.shape[1:]))
            prediction = denoiser(x_t, chain.level(i), condition(batch))
            term = vlb_term(chain, i, x_0, x_t, prediction, levels)
            chosen[place, j] = t[:own]
            terms[place, j] = term[:own].cpu()
            errors[place, j] = per_image((prediction.x_0 - x_0) ** 2)[:own].cpu()
            if on_batch is not None:
                on_batch()
    return BoundTerms(chosen, terms, errors, width, prior)


def bits_per_dim(terms: BoundTerms) -> Float[np.ndarray, " images"]:
    """Return an unbiased estimate of each image's bound, in bits per dimension."""
    return terms.prior + terms.vlb @ terms.width


def rate_distortion(terms: BoundTerms) -> tuple[Float[np.ndarray, " strata"], Float[np.ndarray, " strata"]]:
    """Return the rate to reach x_t (bits/dim) and the RMSE of the x_0 predicted there (0-255 scale), in ascending t.

    The rate is L_T plus the terms above t. In a stratum of several timesteps, rate and error are means over them.
    Source: Ho et al. 2020, section 4.3 and figure 5.
    """
    mean = terms.vlb.mean(axis=0)
    above = np.cumsum((mean * terms.width)[::-1])[::-1] - mean * terms.width
    rate = terms.prior.mean() + above + mean * (terms.width - 1) / 2
    return rate, 127.5 * np.sqrt(terms.x_0_mse.mean(axis=0))


def rate_at(terms: BoundTerms, timesteps: Int[np.ndarray, " points"]) -> Float[np.ndarray, "images points"]:
    """Return an unbiased estimate of each image's rate to reach x_t, in bits/dim: L_T plus the terms above t.

    A term counts, with the width of its stratum as its weight, if the timestep that the image drew is above t.
    Source: Ho et al. 2020, section 4.3.
    """
    weighted = terms.vlb * terms.width
    above = [(weighted * (terms.timesteps > t)).sum(axis=1) for t in timesteps.tolist()]
    return terms.prior[:, None] + np.stack(above, axis=1)

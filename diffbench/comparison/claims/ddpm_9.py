"""DDPM-9: large features appear first."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from diffbench.comparison.claims import (
    INFINITY,
    Claim,
    Estimate,
    Evidence,
    Finding,
    Scored,
    found_or,
    mean_over_images,
    measured_between,
)
from diffbench.comparison.claims._bands import band

TEST = "steps to go when low frequencies of x_0 are final - when high ones are > 0"
NEEDS = "a model with a bound whose samples are followed from noise"
FINAL = 0.9
"""The correlation with the finished sample from which on a band counts as final."""


@dataclass(frozen=True)
class Ddpm9(Claim):
    """Whether the low half of the frequencies of the predicted x_0 is final earlier than the high half."""

    id = "DDPM-9"
    source = "Ho et al. 2020, section 4.3 and figure 6"
    statement = "Large features of an image appear first and details last."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model; the interval is over the images that are followed."""
        sides = evidence.sides("nll_bits_per_dim")
        found = (measured_between(side, _lead_of_low_frequencies, 0, INFINITY, test=TEST) for side in sides)
        yield from found_or(found, TEST, NEEDS)


def _lead_of_low_frequencies(item: Scored) -> Estimate | None:
    found = item.arrays("trace", "generation_x_0", "generation_samples", "generation_step", "generation_num_steps")
    if found is None:
        return None
    x_0, samples, step, num_steps = found
    to_go = np.append(int(num_steps) - step, 0)
    low, high = (_first_final(*(band(images, low=is_low) for images in (x_0, samples))) for is_low in (True, False))
    return mean_over_images((to_go[low] - to_go[high]).astype(float))


def _first_final(way: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the first point of each image from which on its correlation with the end is above FINAL.

    It is the number of points if there is none.
    """
    flat, last = way.reshape(*way.shape[:2], -1), end.reshape(len(end), 1, -1)
    norms = np.linalg.norm(flat, axis=2) * np.linalg.norm(last, axis=2)
    correlation = (flat * last).sum(2) / np.where(norms > 0, norms, 1)
    final_to_the_end = np.cumprod((correlation > FINAL)[:, ::-1], axis=1).sum(axis=1)
    return way.shape[1] - final_to_the_end

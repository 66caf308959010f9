"""The data and the chains that the oracle runs on."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from diffbench.diffusion.gaussians import Gaussian, gaussian_frechet, low_rank_spectrum, power_spectrum
from diffbench.diffusion.mixtures import Mixture
from diffbench.diffusion.process import Chain, respaced_chain

Entries = Float64[Tensor, "1 1 entries"]
LOG_SNR = "log_snr"
TRAINING_STEPS = 1000
NOISIEST, CLEANEST = 1e3, 1e-4
"""Ends of the log-SNR chain in sigma / alpha: what the last step and the prior leave is below 1e-6 of the data."""


def spectra(size: int) -> dict[str, Tensor]:
    """Return the variances of the oracle's Gaussian data by name, each with a mean of 0.25 over size x size entries."""
    return {
        "white": power_spectrum(size, 0),
        "1/f^2": power_spectrum(size, 2),
        "1/f^4": power_spectrum(size, 4),
        "low rank": low_rank_spectrum(size, 0.1),
    }


@dataclass(frozen=True)
class Stack:
    """Several spectra as one image of their distinct variances, so that one run of a sampler serves them all.

    places: each spectrum's entries of the image. counts: how many directions of the spectrum an entry stands for.
    """

    data: Gaussian
    places: Mapping[str, slice]
    counts: Float64[Tensor, " entries"]

    @classmethod
    def of(cls, variances: Mapping[str, Tensor]) -> "Stack":
        """Return the stack of named spectra."""
        values: list[Tensor] = []
        counts: list[Int[Tensor, " entries"]] = []
        places, start = {}, 0
        for name, variance in variances.items():
            distinct, count = variance.flatten().unique(return_counts=True)
            places[name] = slice(start, start + len(distinct))
            start += len(distinct)
            values.append(distinct)
            counts.append(count)
        return cls(Gaussian(0.0, torch.cat(values).reshape(1, 1, -1)), places, torch.cat(counts).double())

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channel, height, width) of the image."""
        return 1, 1, len(self.counts)

    def frechet(self, mean: Entries, variance: Entries) -> dict[str, float]:
        """Return the squared Frechet distance of each spectrum's data from normals with these moments of the entries.

        A sum over directions: an entry counts as often as it stands for one.
        """
        zero, own = torch.zeros_like(mean), torch.as_tensor(self.data.variance)
        distances = {}
        for name, place in self.places.items():
            counts = self.counts[place].long()
            pairs = (array[..., place].repeat_interleave(counts, -1) for array in (mean, variance, zero, own))
            distances[name] = gaussian_frechet(*pairs)
        return distances


def mixture() -> Mixture:
    """Return three normals in two dimensions: the data on which a sampler is not linear.

    They overlap: between components far apart, neighbouring starts part, and an order shows only at many more steps.
    """
    means = [[-0.6, 0.2], [0.5, 0.4], [0.2, -0.7]]
    variances = [[0.1, 0.06], [0.06, 0.12], [0.08, 0.08]]
    tables = [torch.tensor(rows, dtype=torch.float64).reshape(3, 1, 1, 2) for rows in (means, variances)]
    return Mixture(torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64), *tables)


def oracle_chain(schedule: str, steps: int) -> Chain:
    """Return `steps` levels of a training schedule with T = 1000, or of equal steps in log sigma / alpha.

    The second has no finest chain, so that errors can be followed down to their order.
    """
    if schedule != LOG_SNR:
        return respaced_chain(schedule, TRAINING_STEPS, str(steps))
    noise = torch.logspace(math.log10(NOISIEST), math.log10(CLEANEST), steps, dtype=torch.float64)
    alphas = (1 + noise**2).rsqrt()
    return Chain(alphas, noise * alphas)

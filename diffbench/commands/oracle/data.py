"""The data and the chains of the oracle."""

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
"""The ends of the log-SNR chain in sigma / alpha. Their errors, of the prior and the last step, are below 1e-6."""


def spectra(size: int) -> dict[str, Tensor]:
    """Return the variances of the oracle's Gaussian data by name. Their mean over size x size entries is 0.25."""
    return {
        "white": power_spectrum(size, 0),
        "1/f^2": power_spectrum(size, 2),
        "1/f^4": power_spectrum(size, 4),
        "low rank": low_rank_spectrum(size, 0.1),
    }


@dataclass(frozen=True)
class Stack:
    """Several spectra as one image of their distinct variances, so that one run of a sampler covers them all.

    places: the entries of each spectrum in the image. counts: the number of directions that have an entry's variance.
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

        It is a sum over directions, so each entry counts as often as `counts` says.
        """
        zero, own = torch.zeros_like(mean), torch.as_tensor(self.data.variance)
        distances = {}
        for name, place in self.places.items():
            counts = self.counts[place].long()
            pairs = (array[..., place].repeat_interleave(counts, -1) for array in (mean, variance, zero, own))
            distances[name] = gaussian_frechet(*pairs)
        return distances


def mixture() -> Mixture:
    """Return a mixture of three normals in two dimensions, on which the flow is not linear.

    The components overlap. If they were far apart, neighbouring starting points would go to different components, and
    a sampler's order would show only with many more steps.
    """
    means = [[-0.6, 0.2], [0.5, 0.4], [0.2, -0.7]]
    variances = [[0.1, 0.06], [0.06, 0.12], [0.08, 0.08]]
    tables = [torch.tensor(rows, dtype=torch.float64).reshape(3, 1, 1, 2) for rows in (means, variances)]
    return Mixture(torch.tensor([0.3, 0.5, 0.2], dtype=torch.float64), *tables)


def oracle_chain(schedule: str, steps: int) -> Chain:
    """Return `steps` levels of a training schedule with T = 1000, or of equal steps in log sigma / alpha.

    The second kind can be as fine as needed, so that errors show the sampler's order.
    """
    if schedule != LOG_SNR:
        return respaced_chain(schedule, TRAINING_STEPS, str(steps))
    noise = torch.logspace(math.log10(NOISIEST), math.log10(CLEANEST), steps, dtype=torch.float64)
    alphas = (1 + noise**2).rsqrt()
    return Chain(alphas, noise * alphas)

"""Expectations of the bound's terms over data and noise, in float64: closed forms, except for the discretised decoder.

A term is quadratic in the error of the predicted x_0, so its expectation needs only the mean squared error at each
level. For normal data that is Var[x_0 | x_t] (`Gaussian.error_variance`), for mixtures a quadrature (`Mixture.error`).
"""

# torch.special has no annotations.
# pyright: reportUnknownMemberType=false

import math
from typing import cast

import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.diffusion.process import Chain, Level

LOG_2 = math.log(2)
PerStep = Float64[Tensor, "steps ..."]
"""One number per step of a chain, the noisiest first, and per entry of an image (or any shape that broadcasts)."""


def noisy_levels(chain: Chain) -> Level:
    """Return all levels of a chain except the clean one: those at which its steps start."""
    return Level(chain.alphas[:-1], chain.sigmas[:-1])


def optimal_log_variance(chain: Chain, error: PerStep) -> PerStep:
    """Return the log of the reverse variance that minimises every term, given the mean squared error of x_0.

    At the last step it is the log of the error itself.
    Source: Bao et al. 2022, "Analytic-DPM", eq. 7, which is the mean of this variance over entries.
    """
    exact = _along(chain.beta_tilde, error) + _along(chain.x_0_coefficient, error) ** 2 * error
    return exact.log()


def expected_terms(chain: Chain, error: PerStep, log_variance: PerStep) -> Float64[Tensor, " steps"]:
    """Return E[L] of each step in bits per dimension; the last is a continuous decoder's, -log N(x_0; mean, variance).

    error: mean squared error of the predicted x_0. log_variance: that of the reverse steps. Both have a leading axis of
    steps, and they broadcast. The decoder's density is per unit of the data's scale; add log2(levels - 1) - 1 to
    compare its term with that of a discretised decoder.
    Source: Ho et al. 2020, eq. 5, with the expectation over q taken.
    """
    ratio = _along(chain.log_beta_tilde, error) - log_variance
    distance = _along(chain.x_0_coefficient, error) ** 2 * error * (-log_variance).exp()
    divergence = 0.5 * (torch.expm1(ratio) - ratio + distance)
    decoder = 0.5 * (math.log(2 * math.pi) + log_variance + distance)
    last = _along(torch.arange(len(chain)) == len(chain) - 1, error)
    return torch.where(last, decoder, divergence).flatten(1).mean(1) / LOG_2


def expected_prior_term(chain: Chain, second_moment: float) -> float:
    """Return E[L_T] in bits per dimension for data with this mean of x_0^2; see `prior_term` for the noise meant."""
    alpha, sigma = float(chain.alphas[0]), float(chain.sigmas[0])
    start = alpha**2 + sigma**2
    ratio = 2 * math.log(sigma) - math.log(start)
    return 0.5 * (math.expm1(ratio) - ratio + alpha**2 * second_moment / start) / LOG_2


def expected_decoder_term(error: float, log_variance: float, levels: int = 256) -> float:
    """Return E[L_0] in bits per dimension, by quadrature, for normal errors of x_0 with the mean square `error`.

    It is the codelength of a bin of half width 1 / (levels - 1) around x_0, with the exact normal distribution
    function; the open bins at the ends are ignored. The quadrature is the trapezoidal rule with 20,001 nodes over 12
    standard deviations to either side. With half of the nodes the result changes by less than 1e-10.
    """
    nodes = torch.linspace(-12, 12, 20_001, dtype=torch.float64)
    weight = torch.exp(-(nodes**2) / 2)
    offset, scale, half = nodes.abs() * math.sqrt(error), math.exp(0.5 * log_variance), 1 / (levels - 1)
    # Both tails are taken on the side where they are small, so that a bin far out keeps its digits.
    near = cast(Tensor, torch.special.log_ndtr(-(offset - half) / scale))
    far = cast(Tensor, torch.special.log_ndtr(-(offset + half) / scale))
    log = near + torch.log(-torch.expm1(far - near))
    return float(-(weight * log).sum() / weight.sum()) / LOG_2


def _along(table: Tensor, like: PerStep) -> Tensor:
    return table.reshape(-1, *[1] * (like.ndim - 1))

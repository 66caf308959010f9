"""The variational bound on the negative log likelihood, term by term, in bits per dimension.

Sohl-Dickstein et al. 2015; Ho et al. 2020, eq. 5 and section 3.3 (discrete decoder).
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffbench.diffusion.denoiser import Prediction, reverse_log_variance, reverse_mean
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over

PerImage = Float[Tensor, " batch"]
LOG_2 = math.log(2)


def per_image(values: X) -> PerImage:
    """Return each image's mean over channels and pixels."""
    return values.flatten(1).mean(1)


def normal_kl(mean_1: Tensor, log_variance_1: Tensor, mean_2: Tensor, log_variance_2: Tensor) -> Tensor:
    """Return KL(N(mean_1, variance_1) || N(mean_2, variance_2)) in nats, entry by entry."""
    ratio = log_variance_1 - log_variance_2
    distance = (mean_1 - mean_2) ** 2 * (-log_variance_2).exp()
    # expm1 keeps the digits that exp(ratio) - 1 would lose: variances of neighbouring steps are nearly equal.
    return 0.5 * (torch.expm1(ratio) - ratio + distance)


def standard_normal_cdf(x: Tensor) -> Tensor:
    """Return the normal distribution function, in the tanh approximation that the published bounds use."""
    return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def discretised_log_likelihood(x_0: X, mean: X, log_scale: X, levels: int = 256) -> X:
    """Return log p(x_0) in nats for a normal density that is integrated over the bin of each grey level.

    x_0: data on the grid of `levels` equidistant values in [-1, 1], whose bins are +-1 / (levels - 1) wide; the
    outermost bins reach to infinity. log_scale: log of the standard deviation.
    Source: Ho et al. 2020, eq. 13; probabilities are kept above 1e-12, as in the released code.
    """
    centred, inverse = x_0 - mean, (-log_scale).exp()
    half = 1 / (levels - 1)
    upper = standard_normal_cdf(inverse * (centred + half))
    lower = standard_normal_cdf(inverse * (centred - half))
    inner = (upper - lower).clamp(min=1e-12).log()
    first, last = upper.clamp(min=1e-12).log(), (1 - lower).clamp(min=1e-12).log()
    return torch.where(x_0 < -0.999, first, torch.where(x_0 > 0.999, last, inner))


def vlb_term(
    chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, prediction: Prediction, levels: int = 256
) -> PerImage:
    """Return the bound's term of step i for each image, in bits per dimension.

    It is KL(q(x_s | x_t, x_0) || p(x_s | x_t)); at the last step, it is the discretised decoder's codelength.
    Source: Ho et al. 2020, eq. 5, L_{t-1} and L_0.
    """
    mean = reverse_mean(chain, i, x_t, prediction)
    log_variance = reverse_log_variance(chain, i, prediction)
    posterior = over(chain.log_beta_tilde[i], x_t)
    kl = per_image(normal_kl(chain.posterior_mean(i, x_0, x_t), posterior, mean, log_variance))
    decoder = -per_image(discretised_log_likelihood(x_0, mean, 0.5 * log_variance, levels))
    return torch.where((i == len(chain) - 1).to(kl.device), decoder, kl) / LOG_2


def prior_term(chain: Chain, x_0: X) -> PerImage:
    """Return L_T, the divergence of q(x_T | x_0) from the noise that sampling starts with, in bits per dimension.

    That noise has variance alpha_T^2 + sigma_T^2, which is 1 in a variance-preserving chain.
    Source: Ho et al. 2020, eq. 5.
    """
    level = chain.level(0)
    mean = over(level.alpha, x_0) * x_0
    log_variance = over(2 * level.sigma.log(), x_0)
    zero = torch.zeros_like(x_0)
    start = zero + over((level.alpha**2 + level.sigma**2).log(), x_0)
    return per_image(normal_kl(mean, log_variance, zero, start)) / LOG_2

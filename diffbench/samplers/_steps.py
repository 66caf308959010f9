"""Steps in half log-SNR, lambda = log(alpha / sigma), where the probability-flow ODE is linear but for the network.

Between two levels the linear part is solved exactly and the network's prediction is held; h is the difference of their
lambdas. Source: Lu et al. 2022, "DPM-Solver", proposition 3.1; "DPM-Solver++", proposition 4.1.
"""

from jaxtyping import Float64
from torch import Tensor

from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level, over


def held_x_0(x: X, x_0: X, here: Level, there: Level) -> X:
    """Return sigma_s / sigma_t x - alpha_s (e^-h - 1) x_0: the step that holds x_0, also to the clean level."""
    ratio = there.sigma / here.sigma
    return over(ratio, x) * x + over(there.alpha - ratio * here.alpha, x) * x_0


def held_eps(x: X, eps: X, here: Level, there: Level) -> X:
    """Return alpha_s / alpha_t x - sigma_s (e^h - 1) eps: the step that holds eps, also to the clean level."""
    ratio = there.alpha / here.alpha
    return over(ratio, x) * x + over(there.sigma - ratio * here.sigma, x) * eps


def step_sizes(chain: Chain) -> Float64[Tensor, " steps"]:
    """Return h of each step of a chain; the last, to the clean level, is infinite."""
    return -chain.log_noise.diff()


def part_way(chain: Chain, i: int, share: float) -> Level:
    """Return the level that lies a share of step i's h after its start."""
    return chain.level_at(chain.log_noise[i] - share * step_sizes(chain)[i])

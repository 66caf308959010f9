"""Steps in half log-SNR, lambda = log(alpha / sigma), in which the probability-flow ODE is linear except the network.

Between two levels the linear part is solved exactly and the network's prediction is held constant; h is the difference
of their lambdas. Source: Lu et al. 2022, "DPM-Solver", proposition 3.1; "DPM-Solver++", proposition 4.1.
"""

from jaxtyping import Float64
from torch import Tensor

from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level, noised, over


def towards(prediction: Prediction, level: Level) -> X:
    """Return alpha x_0 + sigma eps with the predicted x_0 and eps: one deterministic step, in either direction."""
    return noised(prediction.x_0, level, prediction.eps)


def held_x_0(x: X, x_0: X, here: Level, there: Level) -> X:
    """Return sigma_s / sigma_t x - alpha_s (e^-h - 1) x_0: the step that holds x_0, valid also to the clean level."""
    ratio = there.sigma / here.sigma
    return over(ratio, x) * x + over(there.alpha - ratio * here.alpha, x) * x_0


def held_eps(prediction: Prediction, eps: X, here: Level, there: Level) -> X:
    """Return alpha_s / alpha_t x - sigma_s (e^h - 1) eps: the step that holds eps, valid also to the clean level.

    prediction: at x and its level `here`. It is computed as alpha_s x_0 + sigma_s eps and a correction, because the two
    terms above would cancel: at sigma / alpha = 2e4, where the cosine schedule ends, float32 would keep three digits.
    """
    length = there.sigma - there.alpha / here.alpha * here.sigma
    return towards(prediction, there) + over(length, eps) * (eps - prediction.eps)


def step_sizes(chain: Chain) -> Float64[Tensor, " steps"]:
    """Return h of each step of a chain. The last one, to the clean level, is infinite."""
    return -chain.log_noise.diff()


def part_way(chain: Chain, i: int, share: float) -> Level:
    """Return the level that is a share of step i's h after its start."""
    return chain.level_at(chain.log_noise[i] - share * step_sizes(chain)[i])

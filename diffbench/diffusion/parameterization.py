"""What a network's output means: eps, x_0, mu (the posterior mean) or v, each turned into x_0 and eps.

Ho et al. 2020, section 3.2 (eps, mu, x_0); Salimans and Ho 2022, section 4 (v).
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.diffusion.process import Chain, Level, over

X = Float[Tensor, "batch channel height width"]


@dataclass(frozen=True)
class Prediction:
    """What a denoiser says about x_t.

    variance_fraction: where between log beta_tilde (0) and log beta (1) of the chain in use the reverse variance lies.
    log_variance: a learned diagonal's own log variance, of the full training chain only.
    no_last_variance: whether the last step's reverse variance is 0, as beta_tilde is there (fixed small); the stand-in
    for its logarithm, log beta_tilde_2, is then the decoder's alone.
    mean: mu as it was predicted, unclipped, on the training chain only.
    gradient: guidance's s grad log p(y | x_t), for samplers that apply it themselves.
    x_0_variance: the mean over entries of Var[x_0 | x_t], at one level or each image's, where it is known.
    """

    x_0: X
    eps: X
    variance_fraction: X | None = None
    log_variance: X | None = None
    no_last_variance: bool = False
    mean: X | None = None
    gradient: X | None = None
    x_0_variance: Float64[Tensor, "*batch"] | None = None


def eps_from_x_0(level: Level, x_t: X, x_0: X) -> X:
    """Return eps = (x_t - alpha x_0) / sigma."""
    return (x_t - over(level.alpha, x_t) * x_0) / over(level.sigma, x_t)


def x_0_from_eps(level: Level, x_t: X, eps: X) -> X:
    """Return x_0 = (x_t - sigma eps) / alpha."""
    return (x_t - over(level.sigma, x_t) * eps) / over(level.alpha, x_t)


@runtime_checkable
class Parameterization(Protocol):
    """How an output becomes a prediction, and what the output is compared with in training; i indexes `chain`."""

    def predict(self, chain: Chain, i: Int[Tensor, " batch"], x_t: X, output: X) -> Prediction:
        """Return x_0 and eps (and mu) for a network's output."""
        ...

    def target(self, chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, eps: X) -> X:
        """Return what the output should be, given the data and the noise."""
        ...

    def output(self, chain: Chain, i: Int[Tensor, " batch"], prediction: Prediction) -> X:
        """Return the network's output that a prediction came from."""
        ...


class Eps:
    """The network predicts the noise. Source: Ho et al. 2020, eq. 11."""

    def predict(self, chain: Chain, i: Int[Tensor, " batch"], x_t: X, output: X) -> Prediction:
        return Prediction(x_0=x_0_from_eps(chain.level(i), x_t, output), eps=output)

    def target(self, chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, eps: X) -> X:
        return eps

    def output(self, chain: Chain, i: Int[Tensor, " batch"], prediction: Prediction) -> X:
        return prediction.eps


class X0:
    """The network predicts the data."""

    def predict(self, chain: Chain, i: Int[Tensor, " batch"], x_t: X, output: X) -> Prediction:
        return Prediction(x_0=output, eps=eps_from_x_0(chain.level(i), x_t, output))

    def target(self, chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, eps: X) -> X:
        return x_0

    def output(self, chain: Chain, i: Int[Tensor, " batch"], prediction: Prediction) -> X:
        return prediction.x_0


class Mu:
    """The network predicts the mean of q(x_s | x_t, x_0) of its training chain. Source: Ho et al. 2020, eq. 8."""

    def predict(self, chain: Chain, i: Int[Tensor, " batch"], x_t: X, output: X) -> Prediction:
        own = output - over(chain.x_t_coefficient[i], x_t) * x_t
        x_0 = own / over(chain.x_0_coefficient[i], x_t)
        return Prediction(x_0=x_0, eps=eps_from_x_0(chain.level(i), x_t, x_0), mean=output)

    def target(self, chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, eps: X) -> X:
        return chain.posterior_mean(i, x_0, x_t)

    def output(self, chain: Chain, i: Int[Tensor, " batch"], prediction: Prediction) -> X:
        if prediction.mean is None:
            raise ValueError("the prediction carries no mean: mu is defined on the training chain only")
        return prediction.mean


class V:
    """The network predicts v = alpha eps - sigma x_0. Source: Salimans and Ho 2022, appendix D."""

    def predict(self, chain: Chain, i: Int[Tensor, " batch"], x_t: X, output: X) -> Prediction:
        alpha, sigma = over(chain.alphas[i], x_t), over(chain.sigmas[i], x_t)
        square = alpha**2 + sigma**2
        return Prediction(x_0=(alpha * x_t - sigma * output) / square, eps=(sigma * x_t + alpha * output) / square)

    def target(self, chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, eps: X) -> X:
        return over(chain.alphas[i], x_t) * eps - over(chain.sigmas[i], x_t) * x_0

    def output(self, chain: Chain, i: Int[Tensor, " batch"], prediction: Prediction) -> X:
        return self.target(chain, i, prediction.x_0, prediction.x_0, prediction.eps)


PARAMETERIZATIONS: dict[str, Parameterization] = {"eps": Eps(), "x_0": X0(), "mu": Mu(), "v": V()}

"""The possible meanings of a network's output: eps, x_0, mu (the posterior mean) or v, each converted to x_0 and eps.

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
    """What a denoiser predicts from x_t.

    variance_fraction: the place of the log reverse variance between log beta_tilde (0) and log beta (1) of the chain in
    use.
    log_variance: the log of a learned diagonal variance, on the full training chain only.
    no_last_variance: whether the reverse variance of the last step is 0, as beta_tilde is there (fixed small). Its
    logarithm does not exist; log beta_tilde_2 replaces it, and only the decoder uses that.
    mean: the predicted mu, unclipped, on the training chain only.
    gradient: s grad log p(y | x_t) of guidance, for samplers that apply it themselves.
    x_0_variance: the mean over entries of Var[x_0 | x_t], for one level or for each image's; None if it is not known.
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
    """The conversion of an output to a prediction and back, and the target of training; i is a step of `chain`."""

    def predict(self, chain: Chain, i: Int[Tensor, " batch"], x_t: X, output: X) -> Prediction:
        """Return the prediction of x_0 and eps (and mu) that a network's output means."""
        ...

    def target(self, chain: Chain, i: Int[Tensor, " batch"], x_0: X, x_t: X, eps: X) -> X:
        """Return what the output should be, given the data and the noise."""
        ...

    def output(self, chain: Chain, i: Int[Tensor, " batch"], prediction: Prediction) -> X:
        """Return the network's output from which a prediction was made."""
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

"""The interface between models and samplers: denoiser(x, level, condition) -> Prediction.

A sampler sees only noise levels and predictions, never a network, a parameterisation or a timestep.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.plugins import DottedPath
from diffbench.diffusion.off_grid import OffGrid
from diffbench.diffusion.parameterization import PARAMETERIZATIONS, Prediction, X, eps_from_x_0, x_0_from_eps
from diffbench.diffusion.process import Chain, Level, over, respaced_chain, training_chain
from diffbench.diffusion.schedules import schedule_of
from diffbench.diffusion.trained_levels import OffGridError, TrainedLevels

Variance = Literal["fixed_small", "fixed_large", "learned_range", "learned_diagonal"]
Network = Callable[[X, Float[Tensor, " batch"], Int[Tensor, " batch"] | None, X | None], Tensor]
"""network(x, t, y, low_res); y and low_res are None if the model has no such condition."""


NO_LABEL = -1
"""The value of a label that means no label, for a network that was also trained without labels."""


@dataclass(frozen=True)
class Condition:
    """The condition of samples: a label per image (or NO_LABEL), a low-resolution image per image, both or neither."""

    y: Int[Tensor, " batch"] | None = None
    low_res: X | None = None

    def to(self, device: torch.device | str) -> "Condition":
        """Return the condition on a device."""
        y, low_res = self.y, self.low_res
        return Condition(None if y is None else y.to(device), None if low_res is None else low_res.to(device))


@runtime_checkable
class Denoiser(Protocol):
    """What samplers call: a network with its process, so that it takes noise levels and returns predictions."""

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        """Return the prediction at x; all images are at `level`, or each image at its own entry of it."""
        ...


LONGEST_CHAIN = 1_000_000
"""The most timesteps of a training chain, because its tables hold a number for each."""


@dataclass(frozen=True)
class Diffusion:
    """The process on which a model was trained and the meaning of its output, which its weights do not say.

    timesteps: T, the number of noise levels of the training chain. schedule: how the noise grows with t: a name, or the
    dotted path of a function from T to its betas. parameterization: what the network predicts: the noise eps, the image
    x_0, the mean mu of the reverse step, or v. variance: that of the reverse steps: beta_tilde (fixed_small), beta
    (fixed_large), learned between the two (learned_range), or learned freely (learned_diagonal). rescale_timesteps: the
    network is given t 1000 / T instead of t.
    """

    timesteps: int = 1000
    schedule: DottedPath | Literal["linear", "cosine"] = "linear"
    parameterization: Literal["eps", "x_0", "mu", "v"] = "eps"
    variance: Variance = "fixed_large"
    rescale_timesteps: bool = False

    def __post_init__(self):
        if self.timesteps < 2:
            raise ValueError(f"timesteps must be at least 2, not {self.timesteps}")
        if self.timesteps > LONGEST_CHAIN:
            raise ValueError(f"timesteps must be at most {LONGEST_CHAIN}, not {self.timesteps}")
        schedule_of(self.schedule)

    @property
    def learns_variance(self) -> bool:
        """Whether the network has a second half of output channels for the variance."""
        return self.variance.startswith("learned")

    def chain(self, spacing: str = "") -> Chain:
        """Return the training chain, or the part of it that a spacing keeps. Raises: UserError for a bad spacing."""
        if not spacing:
            return training_chain(self.schedule, self.timesteps)
        return respaced_chain(self.schedule, self.timesteps, spacing)

    def network_timesteps(self) -> Float[Tensor, " steps"]:
        """Return the t that the network is given at each level of the training chain, the noisiest first."""
        t = torch.arange(self.timesteps - 1, -1, -1, dtype=torch.float32)
        return t * (1000.0 / self.timesteps) if self.rescale_timesteps else t


@dataclass
class ModelDenoiser:
    """The denoiser of a network that was trained on a chain.

    network_t: the t that the network is given at each level of `chain`. off_grid: the rule for levels between them, see
    TrainedLevels. full_chain: whether sampling takes all steps of the chain; if not, a predicted mu is used only to
    compute x_0. rows: evaluations of the network so far, one for each image of a batch.
    """

    network: Network
    chain: Chain
    network_t: Float[Tensor, " steps"]
    parameterization: Literal["eps", "x_0", "mu", "v"] = "eps"
    variance: Variance = "fixed_large"
    off_grid: OffGrid = "refuse"
    full_chain: bool = True
    rows: int = field(default=0, init=False)

    @classmethod
    def of(
        cls, diffusion: Diffusion, network: Network, *, full_chain: bool = True, off_grid: OffGrid = "refuse"
    ) -> "ModelDenoiser":
        """Return the denoiser of a network and the process it was trained on."""
        chain, network_t = diffusion.chain(), diffusion.network_timesteps()
        return cls(network, chain, network_t, diffusion.parameterization, diffusion.variance, off_grid, full_chain)

    def __post_init__(self):
        self.levels = TrainedLevels(self.chain, self.network_t, self.off_grid)

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        i, t, exact = self.levels.at(level)
        i, t = (value.expand(len(x)) if value.ndim else value.repeat(len(x)) for value in (i, t))
        condition = condition or Condition()
        self.rows += len(x)
        output = self.network(x, t.to(x.device, non_blocking=True), condition.y, condition.low_res)
        return self.interpret(x, i, output) if exact else self._interpret_at(x, level, i, output)

    def at_steps(self, x: X, i: Int[Tensor, " batch"], condition: Condition) -> Prediction:
        """Return the prediction at steps i of the training chain, one per image.

        It is what a call at those levels returns, without the search for the levels on the host, for which a GPU waits.
        """
        self.rows += len(x)
        output = self.network(x, self.network_t[i], condition.y, condition.low_res)
        return self.interpret(x, i, output)

    def to(self, device: torch.device) -> "ModelDenoiser":
        """Return the denoiser with its tables on a device; only `at_steps` and `interpret` can be used there."""
        return replace(self, chain=self.chain.to(device), network_t=self.network_t.to(device))

    def interpret(self, x: X, i: Int[Tensor, " batch"], output: Tensor) -> Prediction:
        """Return the prediction that a network's output means at level i of the training chain."""
        mean_output, variance_output = self._split(x, output)
        prediction = PARAMETERIZATIONS[self.parameterization].predict(self.chain, i, x, mean_output)
        if not self.full_chain:
            prediction = replace(prediction, mean=None)
        return self._with_variance(prediction, i, variance_output)

    def _interpret_at(self, x: X, level: Level, i: Int[Tensor, " batch"], output: Tensor) -> Prediction:
        """Return the same as `interpret` for a level between those of the chain, with that level's coefficients.

        Raises: OffGridError for mu and for a learned diagonal variance, which are not defined there.
        """
        if self.parameterization == "mu" or self.variance == "learned_diagonal":
            raise OffGridError("mu-prediction and a learned diagonal are defined at the training chain's levels only")
        mean_output, variance_output = self._split(x, output)
        own = Chain.__new__(Chain)
        own.alphas, own.sigmas = level.alpha.expand(len(x)).cpu(), level.sigma.expand(len(x)).cpu()
        prediction = PARAMETERIZATIONS[self.parameterization].predict(own, torch.arange(len(x)), x, mean_output)
        # i = 0 because the special rule for the chain's last step does not apply to a level between its levels.
        return self._with_variance(prediction, torch.zeros_like(i), variance_output)

    def _split(self, x: X, output: Tensor) -> tuple[X, X | None]:
        channels = x.shape[1]
        if output.shape != (len(x), channels * (1 + self.variance.startswith("learned")), *x.shape[2:]):
            raise UserError(
                f"the network returned {tuple(output.shape)} for {tuple(x.shape)} with variance {self.variance}"
            )
        return output[:, :channels], output[:, channels:] if output.shape[1] > channels else None

    def _with_variance(self, prediction: Prediction, i: Int[Tensor, " batch"], output: X | None) -> Prediction:
        if self.variance == "learned_range" and output is not None:
            # [-1, 1] becomes [0, 1], as in Nichol and Dhariwal's code. As there, it is not clipped.
            return replace(prediction, variance_fraction=(output + 1) / 2)
        if self.variance == "learned_diagonal":
            if not self.full_chain:
                raise UserError(
                    "a learned diagonal variance belongs to the full training chain; sample with all its steps"
                )
            return replace(prediction, log_variance=output)
        # Fixed large is beta except at the last step, where both published codes use beta_tilde_2, the share 0.
        large = (self.variance == "fixed_large") * (i < len(self.chain) - 1)
        share = large.to(prediction.x_0.device, torch.float64)
        fraction = over(share, prediction.x_0).expand_as(prediction.x_0)
        return replace(prediction, variance_fraction=fraction, no_last_variance=self.variance == "fixed_small")


@dataclass
class ClippedDenoiser:
    """A denoiser whose x_0 is clipped to [-1, 1], with eps computed anew from x_0, for jobs that ask for clipping."""

    denoiser: Denoiser

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        prediction = self.denoiser(x, level, condition)
        return with_x_0(prediction, prediction.x_0.clamp(-1, 1), x, level)


def with_x_0(prediction: Prediction, x_0: X, x: X, level: Level) -> Prediction:
    """Return the prediction with another x_0 and the eps that follows from it."""
    return replace(prediction, x_0=x_0, eps=eps_from_x_0(level, x, x_0))


def with_eps(prediction: Prediction, eps: X, x: X, level: Level) -> Prediction:
    """Return the prediction with another eps and the x_0 that follows from it."""
    return replace(prediction, x_0=x_0_from_eps(level, x, eps), eps=eps)


def reverse_mean(chain: Chain, i: int | Int[Tensor, " batch"], x_t: X, prediction: Prediction) -> X:
    """Return the mean of p(x_s | x_t) at step i: the predicted mu, or else the posterior's mean for the predicted x_0.

    Source: Ho et al. 2020, eq. 11.
    """
    if prediction.mean is not None:
        return prediction.mean
    return chain.posterior_mean(i, prediction.x_0, x_t)


def reverse_variance(chain: Chain, i: int, prediction: Prediction) -> X:
    """Return the variance of p(x_s | x_t) at step i, by which guidance scales its gradient.

    At the last step it is that of the published codes: 0 for fixed small, beta_tilde_2 for fixed large.
    """
    variance = reverse_log_variance(chain, i, prediction).exp()
    return torch.zeros_like(variance) if prediction.no_last_variance and i == len(chain) - 1 else variance


def reverse_log_variance(chain: Chain, i: int | Int[Tensor, " batch"], prediction: Prediction) -> X:
    """Return the log variance of p(x_s | x_t) at step i.

    Source: Ho et al. 2020, section 3.2; Nichol and Dhariwal 2021, eq. 15.
    """
    if prediction.log_variance is not None:
        return prediction.log_variance
    if prediction.variance_fraction is None:
        raise UserError("this denoiser predicts no reverse variance; use a sampler that needs none (ddim)")
    return chain.log_variance(i, prediction.variance_fraction)

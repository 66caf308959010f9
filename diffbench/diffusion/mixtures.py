"""Mixtures of normals: best denoiser and density are closed forms, flow map and mean squared error are numerical.

Entries are independent within a component. Given x_t, component k has the weight w_k N(x_t; alpha m_k, alpha^2 v_k +
sigma^2) up to a constant, and the best x_0 is the mean of the components' posterior means with these weights. Unlike
for normal data, this denoiser is not linear in x.
"""

# scipy has no annotations.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from scipy.integrate import solve_ivp
from torch import Tensor

from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level, over

REACH = 12.0
"""How many standard deviations beyond the outermost means a quadrature ends: densities are below 1e-31 of the peak."""


@dataclass(frozen=True)
class Mixture:
    """Data from a few normals with independent entries.

    weights: those of the components, with the sum 1. means, variances: an image for each component.
    """

    weights: Float64[Tensor, " components"]
    means: Float64[Tensor, "components channel height width"]
    variances: Float64[Tensor, "components channel height width"]

    def __post_init__(self):
        if not math.isclose(float(self.weights.sum()), 1, rel_tol=1e-12) or not bool((self.weights > 0).all()):
            raise ValueError("weights must be positive and sum to 1")
        if self.means.shape != self.variances.shape or len(self.means) != len(self.weights):
            raise ValueError("means and variances must have one image for each weight")
        if not bool((self.variances > 0).all()):
            raise ValueError("variances must be positive")

    def draw(self, index: Int[Tensor, " batch"], seed: int, shape: Sequence[int]) -> X:
        """Return image k of the data for each index k, in float64; it depends on (seed, k) alone."""
        if tuple(shape) != tuple(self.means.shape[1:]):
            raise ValueError(f"images of this mixture are {tuple(self.means.shape[1:])}, not {tuple(shape)}")
        stream = Stream(seed, "data")
        component = torch.searchsorted(self.weights.cumsum(0)[:-1], stream.uniform(index, 1)[:, 0])
        return self.means[component] + self.variances[component].sqrt() * stream.normal(index, 0, shape).double()

    def log_density(self, x: X, level: Level) -> Float[Tensor, " batch"]:
        """Return log q(x_t) of each image in nats."""
        return self._log_joint(x, level).logsumexp(1)

    def denoiser(self, variance_fraction: float = 0.0) -> "MixtureDenoiser":
        """Return the exact denoiser of this data, which reports the given reverse variance."""
        return MixtureDenoiser(self.weights, self.means, self.variances, variance_fraction)

    def flow(self, x: X, level: Level, target: Level, *, tolerance: float = 1e-12) -> X:
        """Return the point to which the probability-flow ODE carries x from one level to another, in either direction.

        The eighth-order Dormand-Prince method solves dz/dr = eps with z = x / alpha and r = sigma / alpha, which is
        regular down to r = 0. tolerance: the relative error of each of its steps. The error of the result is about ten
        times that; tests measure it against the closed form of one component, and by going there and back.
        Source: Karras et al. 2022, eq. 1.
        """
        alpha, sigma = float(level.alpha), float(level.sigma)
        start, end = sigma / alpha, float(target.sigma / target.alpha)
        shape, one = x.shape, torch.ones((), dtype=torch.float64)

        def slope(r: float, z: np.ndarray) -> np.ndarray:
            here = Level(one, torch.tensor(r, dtype=torch.float64))
            return self._posterior(torch.as_tensor(z).reshape(shape), here)[1].flatten().numpy()

        z = (x.double() / alpha).flatten().numpy()
        solved = solve_ivp(slope, (start, end), z, method="DOP853", rtol=tolerance, atol=tolerance / 10)
        if not solved.success:
            raise ValueError(f"the flow from noise {start:g} to {end:g} was not found: {solved.message}")
        return torch.as_tensor(solved.y[:, -1]).reshape(shape) * target.alpha

    def error(self, level: Level, nodes: int = 801) -> float:
        """Return E[Var[x_0 | x_t]] per entry, the least mean squared error of any prediction.

        It is integrated over x_t by the trapezoidal rule with `nodes` nodes for each entry. The error falls faster than
        any power of the distance of the nodes. The difference from the result with half of the nodes is a bound for it
        (below 1e-9 in the tests).
        Raises: ValueError for images of more than two entries, whose integrals have too many dimensions.
        """
        shape = self.means.shape[1:]
        if shape.numel() > 2:
            raise ValueError(f"quadrature is for one or two entries, not {shape.numel()}; draw data instead")
        means = float(level.alpha) * self.means.flatten(1)
        spread = (float(level.alpha) ** 2 * self.variances.flatten(1) + float(level.sigma) ** 2).sqrt()
        axes = [
            torch.linspace(float(low), float(high), nodes, dtype=torch.float64)
            for low, high in zip((means - REACH * spread).amin(0), (means + REACH * spread).amax(0), strict=True)
        ]
        x = torch.cartesian_prod(*axes).reshape(-1, *shape)
        weight = self.log_density(x, level).exp()
        predicted, _, square = self._posterior(x, level)
        remaining = (square - predicted**2).flatten(1).mean(1)
        return float((weight * remaining).sum() / weight.sum())

    def _posterior(self, x: X, level: Level) -> tuple[X, X, X]:
        """Return the means of x_0, eps and x_0^2 given x_t."""
        alpha, sigma, means, variances, total = self._at(x, level)
        share = self._log_joint(x, level).softmax(1).reshape(len(x), -1, 1, 1, 1)
        scaled = (x[:, None] - alpha * means) / total
        own = means + alpha * variances * scaled
        square = own**2 + variances * sigma**2 / total
        return (share * own).sum(1), (share * sigma * scaled).sum(1), (share * square).sum(1)

    def _log_joint(self, x: X, level: Level) -> Float[Tensor, "batch components"]:
        alpha, _, means, _, total = self._at(x, level)
        log = -0.5 * ((x[:, None] - alpha * means) ** 2 / total + total.log() + math.log(2 * math.pi))
        return log.flatten(2).sum(2) + self.weights.to(x).log()

    def _at(self, x: X, level: Level) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return alpha, sigma, m, v and alpha^2 v + sigma^2 with axes (batch, component, channel, height, width)."""
        alpha, sigma = (over(value, x).reshape(-1, 1, 1, 1, 1) for value in (level.alpha, level.sigma))
        means, variances = (value.to(x)[None] for value in (self.means, self.variances))
        return alpha, sigma, means, variances, alpha**2 * variances + sigma**2


@dataclass(frozen=True)
class MixtureDenoiser(Mixture):
    """The exact denoiser E[x_0 | x_t] of a mixture.

    variance_fraction: the reverse variance to report, between beta_tilde (0) and beta (1).
    """

    variance_fraction: float = 0.0

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        x_0, eps, _ = self._posterior(x, level)
        return Prediction(x_0, eps, variance_fraction=x.new_full((1,), self.variance_fraction).expand_as(x))

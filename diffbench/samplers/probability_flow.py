"""The probability-flow ODE by an adaptive Runge-Kutta method (scipy's RK45, Dormand and Prince).

Song et al. 2021, "Score-based generative modeling", section 4.3 and appendix D.4. In sigma / alpha the flow is
d(x / alpha) = eps d(sigma / alpha); the solver's variable is its logarithm.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._lockstep import RightHandSide, Vector, answered_together


@dataclass(frozen=True)
class ProbabilityFlow:
    """Chooses its steps between the chain's ends separately for each image, then takes the predicted x_0.

    rtol, atol: tolerances of x / alpha, of each step. An image that is done waits for its batch without evaluations.
    """

    rtol: float = 1e-3
    atol: float = 1e-3

    order: ClassVar[int] = 5
    startup_order: ClassVar[int] = 5
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False
    leaves_grid: ClassVar[bool] = True
    adaptive: ClassVar[bool] = True

    def __post_init__(self):
        if not (1e-12 <= self.rtol < 1 and self.atol > 0):
            raise ValueError(f"rtol must be between 1e-12 and 1 and atol positive, not {self.rtol} and {self.atol}")

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        start, end = float(chain.log_noise[0]), float(chain.log_noise[-2])
        y_T = (x_T / over(chain.alphas[0], x_T)).double().cpu().numpy().reshape(len(x_T), -1)
        at, y = np.full(len(x_T), start), y_T.copy()
        solving = answered_together(lambda k, f: self.solved(f, start, end, y_T[k]), len(x_T))
        try:
            questions = next(solving)
            while True:
                for question in questions:
                    at[question.k], y[question.k] = question.t, question.y
                level = chain.level_at(torch.from_numpy(at.copy()))
                x = torch.from_numpy(y).reshape(x_T.shape).to(x_T) * over(level.alpha, x_T)
                eps = denoiser(x, level).eps.double().cpu().numpy().reshape(len(x_T), -1)
                if not np.isfinite(eps).all():
                    raise UserError("the network returned values that are not finite")
                slopes = np.exp(at)[:, None] * eps
                questions = solving.send([slopes[question.k] for question in questions])
        except StopIteration as finished:
            found = finished.value
        finally:
            solving.close()
        nfe = torch.tensor([evaluations for _, evaluations in found])
        last = chain.level(len(chain) - 1)
        y = np.stack([value for value, _ in found])
        x = torch.from_numpy(y).reshape(x_T.shape).to(x_T) * over(last.alpha, x_T)
        x_0 = denoiser(x, last).x_0
        yield State(last, x, x_0, nfe)
        yield State(chain.level(len(chain)), x_0, x_0, nfe + 1)

    def solved(self, f: RightHandSide, start: float, end: float, y: Vector) -> tuple[Vector, int]:
        """Return y at the end, and the evaluations it took. Raises: UserError where the step became too small."""
        from scipy.integrate import RK45  # slow to import

        solver = RK45(f, start, y, end, rtol=self.rtol, atol=self.atol)
        while solver.status == "running":
            message = solver.step()
            if solver.status == "failed":
                raise UserError(f"probability_flow: {message}; raise rtol and atol")
        return solver.y, solver.nfev

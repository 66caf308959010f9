"""How a scheduler of diffusers walks a chain of ours: levels, scales and noise, translated in both directions.

The scheduler's training chain is our chain of K levels. Its tables of alpha_bar are the chain's, exact and in float64,
and it takes all of its K timesteps, so the levels that it asks about are the chain's own. It works in one of two
scales: that of a variance-preserving process, or x_0 + (sigma / alpha) eps. Its `scale_model_input` tells which. The
denoiser sees the scale of the chain.
"""

import inspect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType, MethodType
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level, over
from diffbench.samplers._contract import Noise, State

SAME = 1e-6
"""Levels that are as near as this in log noise are one level, because schedulers keep their tables in float32."""

TABLES = ("sigmas", "sigmas_interpol", "sigmas_up", "sigmas_down")
OUTPUTS = {
    **dict.fromkeys(
        ("DDIMScheduler", "DDIMParallelScheduler", "DDPMScheduler", "DDPMParallelScheduler"), "v_prediction"
    ),
    **dict.fromkeys(("DEISMultistepScheduler", "DPMSolverMultistepScheduler"), "v_prediction"),
    **dict.fromkeys(("DPMSolverSinglestepScheduler", "SASolverScheduler", "UniPCMultistepScheduler"), "v_prediction"),
    "IPNDMScheduler": "v_prediction",
    "UnCLIPScheduler": "sample",
}
"""What schedulers get as the network's output; the others get eps. Those that compute x_0 from the output would lose
digits with eps where alpha is small; with v they lose none. Those that keep a history of outputs, or scale x, are
meant for eps.
"""
RUNGE_KUTTA_STEPS = 4
"""How many steps the chain must have for PNDM's Runge-Kutta start."""


@dataclass(frozen=True)
class Place:
    """Where a call of the denoiser is made.

    index: the level's position on the chain, None between its levels. scale: the factor of the scheduler's x.
    """

    level: Level
    log_noise: float
    index: int | None
    scale: Float64[Tensor, ""]


@dataclass
class Walk:
    """One use of a scheduler. A scheduler keeps state, so a walk is made for one chain and taken once.

    draws, off_grid: how many draws it asked for, and how many evaluations between the chain's levels.
    """

    scheduler: Any
    stepped: dict[str, Any]
    chain: Chain
    draws: int = field(default=0, init=False)
    off_grid: int = field(default=0, init=False)

    @classmethod
    def of(cls, kind: type, made: dict[str, Any], stepped: dict[str, Any], chain: Chain) -> "Walk":
        """Return a walk of a fresh scheduler; made, stepped: its settings, and those of its step. Raises: UserError."""
        name = kind.__name__
        log_noise, per_step = chain.log_noise[:-1], 1
        if name == "PNDMScheduler" and not made["skip_prk_steps"]:
            if len(chain) < RUNGE_KUTTA_STEPS:
                raise UserError(
                    f"{name} needs at least {RUNGE_KUTTA_STEPS} steps for its Runge-Kutta start, not {len(chain)}; "
                    "set skip_prk_steps: true"
                )
            log_noise, per_step = _with_midpoints(log_noise), 2
        alpha_bar = torch.sigmoid(-2 * log_noise).flip(0)
        betas = 1 - alpha_bar / torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
        forced: dict[str, Any] = {
            "num_train_timesteps": per_step * len(chain),
            "trained_betas": betas.tolist(),
            "timestep_spacing": "trailing",
            "prediction_type": OUTPUTS.get(name, "epsilon"),
        }
        if name == "IPNDMScheduler":
            forced["trained_betas"] = [*torch.sigmoid(2 * log_noise).sqrt().tolist(), 0.0]
        if name == "SASolverScheduler":
            # Its own rule draws noise between t = 200 and 800 of 1000; this is the same part of our chain's timesteps.
            forced["tau_func"] = lambda t: int(200 <= (float(t) + 1) * 1000 / len(chain) - 1 <= 800)
        taken = inspect.signature(kind.__init__).parameters
        try:
            scheduler = kind(**made, **{key: value for key, value in forced.items() if key in taken})
            if name != "IPNDMScheduler":
                scheduler.betas, scheduler.alphas, scheduler.alphas_cumprod = betas, 1 - betas, alpha_bar
            if hasattr(scheduler, "final_alpha_cumprod") and not made.get("set_alpha_to_one", True):
                scheduler.final_alpha_cumprod = alpha_bar[per_step - 1]
            _set_timesteps(scheduler, len(chain), plain="timestep_spacing" in taken or _lays_own_levels(scheduler))
        except (ValueError, NotImplementedError, AssertionError, ImportError) as error:
            raise UserError(f"{name}: {' '.join(str(error).split())}") from error
        walk = cls(scheduler, stepped, chain)
        walk._sharpen()
        return walk

    def states(self, denoiser: Denoiser, x_T: X, noise: Noise) -> Iterator[State]:
        """Yield a State for each step, as a sampler does."""
        self._redirect(noise, x_T)
        x, prediction = None, None
        before: Place | None = None
        reached: State | None = None
        for position, t in enumerate(self.scheduler.timesteps):
            place = self._place(t, position)
            if x is None or prediction is None:
                x = x_T / over(place.scale, x_T)
            else:
                # If a level is asked about again, only the last x there was final.
                if reached is not None and before is not None and place.log_noise < before.log_noise:
                    yield reached
                    reached = None
                if place.index is not None or (_lays_own_levels(self.scheduler) and self._whole):
                    reached = State(place.level, over(place.scale, x) * x, prediction.x_0)
            self.off_grid += place.index is None
            prediction = denoiser(over(place.scale, x) * x, place.level)
            x = self.scheduler.step(self._output(prediction, place), t, x, **self.stepped).prev_sample
            before = place
        if x is None or prediction is None:
            raise UserError(f"{self._name}: takes no steps")
        if reached is not None:
            yield reached
        yield State(self.chain.level(len(self.chain)), x, prediction.x_0)

    @property
    def _name(self) -> str:
        return type(self.scheduler).__name__

    @property
    def _whole(self) -> bool:
        """Whether a step is finished, for schedulers with two evaluations a step."""
        return getattr(self.scheduler, "state_in_first_order", True)

    def _sharpen(self) -> None:
        """Put the chain's own numbers into the scheduler's float32 tables of noise."""
        known = (self.chain.sigmas / self.chain.alphas)[:-1]
        if self._name == "IPNDMScheduler":
            square = torch.cat([(1 + known**-2).reciprocal(), known.new_zeros(1)])
            self.scheduler.betas, self.scheduler.alphas = square.sqrt(), (1 - square).sqrt()
        for name in TABLES:
            table = getattr(self.scheduler, name, None)
            if table is not None:
                found = table.double()
                index = (found[:, None] - known.to(found)).abs().argmin(1)
                near = known.to(found)[index]
                setattr(self.scheduler, name, torch.where((found / near - 1).abs() < SAME, near, found))
        if self._name == "KDPM2AncestralDiscreteScheduler":
            self._split_ancestrally()

    def _split_ancestrally(self) -> None:
        """Make KDPM2's ancestral tables again in float64. Its half step is at the next level, which float32 misses."""
        here = self.scheduler.sigmas[::2]
        there = torch.cat([here[1:], here[-1:]])
        down = torch.cat([there[:-1] ** 2 / here[:-1], here[-1:]])
        tables = {"sigmas_interpol": there, "sigmas_down": down, "sigmas_up": (there**2 - down**2).clamp(min=0).sqrt()}
        for name, table in tables.items():
            setattr(self.scheduler, name, torch.cat([table[:1], table[1:].repeat_interleave(2), table[-1:]]))

    def _place(self, t: Tensor, position: int) -> Place:
        """Return where the scheduler is before a call at its timestep t."""
        scheduler = self.scheduler
        factor = float(scheduler.scale_model_input(torch.ones((), dtype=torch.float64), t))
        if factor != 1:
            noise = ((1 - factor) * (1 + factor)) ** 0.5 / factor
        elif hasattr(scheduler, "sigmas"):
            noise = float(scheduler.sigmas[position])
        elif self._name == "IPNDMScheduler":
            noise = float(scheduler.betas[position] / scheduler.alphas[position])
        else:
            alpha_bar = float(scheduler.alphas_cumprod[int(t)])
            noise = (1 / alpha_bar - 1) ** 0.5
        wanted = torch.tensor(noise, dtype=torch.float64).log()
        known = self.chain.log_noise[:-1]
        index = int((known - wanted).abs().argmin())
        on_chain = bool((known[index] - wanted).abs() < SAME)
        level = self.chain.level(index) if on_chain else self.chain.level_at(wanted)
        scale = level.alpha if factor != 1 else (level.alpha**2 + level.sigma**2).sqrt()
        return Place(level, float(known[index] if on_chain else wanted), index if on_chain else None, scale)

    def _output(self, prediction: Prediction, place: Place) -> X:
        """Return what the scheduler takes as the network's output, with the variance's channels if it wants them."""
        kind, level = OUTPUTS.get(self._name), place.level
        output = prediction.x_0 if kind == "sample" else prediction.eps
        if kind == "v_prediction":
            norm = (level.alpha**2 + level.sigma**2).sqrt()
            alpha, sigma = over(level.alpha / norm, output), over(level.sigma / norm, output)
            output = alpha * prediction.eps - sigma * prediction.x_0
        if self.scheduler.config.get("variance_type") == "learned_range":
            if prediction.variance_fraction is None:
                raise UserError(f"{self._name}: the denoiser learned no variance; set variance_type: fixed_small")
            return torch.cat([output, 2 * prediction.variance_fraction - 1], dim=1)
        return output

    def _redirect(self, noise: Noise, x: X) -> None:
        """Let this scheduler, and no other, draw from `noise` wherever its methods call diffusers' randn_tensor.

        Its methods are made again with other globals. With float64 images they then also compute in float64 throughout.
        """
        number = itertools.count()

        def randn_tensor(shape: Any, generator: Any = None, device: Any = None, dtype: Any = None) -> X:
            if tuple(shape) != tuple(x.shape):
                raise UserError(f"{self._name}: draws noise of shape {tuple(shape)} for images of {tuple(x.shape)}")
            self.draws += 1
            return noise(next(number)).to(device=device, dtype=dtype)

        others: dict[str, Any] = {"randn_tensor": randn_tensor}
        used = {"randn_tensor"}
        if x.dtype == torch.float64:
            others, used = others | {"torch": _Wide()}, used | {"float32"}
        for name, method in inspect.getmembers_static(type(self.scheduler)):
            if isinstance(method, FunctionType) and used & set(method.__code__.co_names):
                there = {**method.__globals__, **others}
                own = FunctionType(method.__code__, there, name, method.__defaults__, method.__closure__)
                own.__kwdefaults__ = method.__kwdefaults__
                setattr(self.scheduler, name, MethodType(own, self.scheduler))


class _Wide:
    """torch with float64 instead of float32."""

    float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def _with_midpoints(log_noise: Float64[Tensor, " levels"]) -> Float64[Tensor, " twice"]:
    """Return the levels, each followed by one halfway to the next less noisy one. That of the last is never visited."""
    below = torch.cat([log_noise[1:], log_noise[-1:] - 1])
    return torch.stack([log_noise, (log_noise + below) / 2], dim=1).flatten()


def _lays_own_levels(scheduler: Any) -> bool:
    """Return whether a scheduler uses its own grid between the chain's ends (Karras and others)."""
    names = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")
    return any(scheduler.config.get(name) for name in names)


def _set_timesteps(scheduler: Any, steps: int, *, plain: bool) -> None:
    """Let the scheduler take every timestep of its training chain. plain: give it their number instead of a list."""
    if not plain and "timesteps" in inspect.signature(scheduler.set_timesteps).parameters:
        scheduler.set_timesteps(timesteps=list(range(steps - 1, -1, -1)))
    else:
        scheduler.set_timesteps(steps)
    if hasattr(scheduler, "set_begin_index"):
        # If its own grid repeats a timestep, only the position tells the two apart.
        scheduler.set_begin_index(0)

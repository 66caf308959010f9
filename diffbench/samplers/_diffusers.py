"""Schedulers of the diffusers package as samplers: the family `diffusers:DDIMScheduler`, options beside the name.

A member's fields are the scheduler's own settings and those of its `step`, with diffusers' defaults. What the model and
the chain decide is not a field: the betas, the timesteps, what the network's output means. The sampling job says
whether x_0 is clipped, so a scheduler's own clipping is off unless it is asked for.
"""

import dataclasses
import functools
import importlib
import inspect
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, ClassVar

import torch

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, respaced_chain
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._diffusers_facts import DEFAULTS, NO_OPTIONS, OF_A_STEP, REFUSED, orders
from diffbench.samplers._diffusers_walk import Walk

DRY_RUN = 8
"""Steps of the run on normal data that every member makes when it is created: enough for PNDM's start."""


@dataclass(frozen=True)
class Scheduler:
    """A scheduler of diffusers that walks a chain. `part` makes the members of the family from this class.

    scheduler: the class. on_step: the fields that go to its `step`. no_options: see `diffbench.base.plugins.configure`.
    """

    scheduler: ClassVar[type]
    on_step: ClassVar[frozenset[str]]
    applies_gradient: ClassVar[bool] = False
    no_options: ClassVar[Mapping[str, str]] = NO_OPTIONS

    def __post_init__(self):
        """Make a short run, so that what the scheduler cannot do is reported before any work. Raises: UserError."""
        if getattr(self, "variance_type", None) == "learned":
            raise UserError(
                "variance_type: a learned diagonal is not handed on; allowed: learned_range and the fixed ones"
            )
        _ = self._seen

    @property
    def order(self) -> int:
        """The order that its source states; 1 if none is known."""
        return orders(self)[0]

    @property
    def startup_order(self) -> int:
        """The order of its first steps, before its history is full."""
        return orders(self)[1]

    @property
    def stochastic(self) -> bool:
        """Whether it draws noise, as found in a short run."""
        return self._seen.draws > 0

    @property
    def leaves_grid(self) -> bool:
        """Whether it asks about levels between those of its chain, as found in a short run."""
        return self._seen.off_grid > 0

    @property
    def needs_variance(self) -> bool:
        """Whether it is set to take the variance that the network learned."""
        return getattr(self, "variance_type", None) == "learned_range"

    def settings(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what was set for the scheduler, and what for its step. None keeps diffusers' default."""
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        given = {name: _listed(value) for name, value in given.items() if value is not None}
        made = {name: value for name, value in given.items() if name not in self.on_step}
        return made, {name: value for name, value in given.items() if name in self.on_step}

    def walk(self, chain: Chain) -> Walk:
        """Return a fresh scheduler on a chain. Raises: UserError if it does not take its settings."""
        made, stepped = self.settings()
        return Walk.of(self.scheduler, made, stepped, chain)

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        yield from self.walk(chain).states(denoiser, x_T, noise)

    @functools.cached_property
    def _seen(self) -> Walk:
        """A walk that has been taken, which tells what the scheduler asked for."""
        # The chain is not a regular grid of noise, because a scheduler's own grid could coincide with such a one.
        chain, x = respaced_chain("linear", 1000, str(DRY_RUN)), torch.ones(1, 1, 1, 1)
        before = torch.get_rng_state()
        walk = self.walk(chain)
        for state in walk.states(GaussianDenoiser(), x, lambda i: torch.zeros_like(x)):
            if not bool(torch.isfinite(state.x).all()):
                raise UserError(f"{self.scheduler.__name__} with these settings gives values that are not finite")
        if not torch.equal(before, torch.get_rng_state()):
            torch.set_rng_state(before)
            raise UserError(f"{self.scheduler.__name__} draws noise that cannot be replaced by the image's own")
        return walk


@functools.cache
def part(name: str) -> type:
    """Return the sampler class of a scheduler of diffusers.

    Raises: UserError if diffusers is not installed, if it has no such scheduler, or if that cannot walk a chain.
    """
    found = _found(name)
    fields, on_step = [], set()
    for function in (found.__init__, found.step):
        hints = _hints(function)
        for key, parameter in inspect.signature(function).parameters.items():
            if key in NO_OPTIONS or (function is found.step and key in OF_A_STEP) or key == "self":
                continue
            if key == "variance_type" and not name.startswith(("DDPM", "UnCLIP")):
                continue  # it says that the network's output has a second half; the denoiser has split that off already
            hint, default = _plain(hints.get(key, Any), DEFAULTS.get((name, key), DEFAULTS.get(key, parameter.default)))
            fields.append((key, hint, dataclasses.field(default=default)))
            on_step |= {key} if function is found.step else set()
    made = dataclasses.make_dataclass(name, fields, bases=(Scheduler,), frozen=True)
    made.scheduler, made.on_step, made.__module__ = found, frozenset(on_step), __name__
    return made


def _found(name: str) -> Any:
    try:
        schedulers = importlib.import_module("diffusers.schedulers")
    except ImportError as error:
        raise UserError(
            f"diffusers:{name} needs the package diffusers ({error}); pip install 'diffbench[diffusers]'"
        ) from None
    offered = [key for key in dir(schedulers) if key.endswith("Scheduler")]
    if name in REFUSED:
        raise UserError(f"diffusers:{name} cannot sample these models: {REFUSED[name]}")
    if name not in offered:
        raise UserError(f"diffusers has no scheduler '{name}'; {nearest(name, sorted(set(offered) - set(REFUSED)))}")
    try:
        found = getattr(schedulers, name)
    except Exception as error:  # diffusers imports the scheduler only now
        raise UserError(f"diffusers:{name} cannot be imported ({' '.join(str(error).split())})") from error
    # UnCLIP's is DDPM's with a schedule that is always cosine. Its tables are replaced like those of any other.
    if "trained_betas" not in inspect.signature(found.__init__).parameters and name != "UnCLIPScheduler":
        raise UserError(f"diffusers:{name} cannot sample these models: it takes no table of betas (trained_betas)")
    step = inspect.signature(found.step).parameters
    for key, parameter in step.items():
        if parameter.default is inspect.Parameter.empty and key not in OF_A_STEP:
            raise UserError(f"diffusers:{name} cannot sample these models: its step needs '{key}'")
    return found


def _hints(function: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # an annotation in diffusers that means nothing here
        return {}


def _plain(hint: Any, default: Any) -> tuple[Any, Any]:
    """Return a setting's type and default as a configuration can hold them: lists as tuples, no infinities."""
    if isinstance(default, float) and not math.isfinite(default):
        return float | None, None
    if isinstance(default, list):
        return tuple[int, ...], tuple(default)
    if isinstance(hint, type) and default is not None and not isinstance(default, hint):
        # 0 for a float is common.
        hint = float if hint is float and isinstance(default, int) else type(default)
    known = typing.get_origin(hint) in (typing.Literal, typing.Union, UnionType) or isinstance(hint, type)
    return (hint if known else Any), default


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

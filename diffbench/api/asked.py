"""What a person asks of a model in Python (sampler, labels, scale, numbers), checked before anything is computed."""

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from diffbench.base.errors import UserError
from diffbench.base.plugins import completed, configure
from diffbench.benchmark.entries import SamplerEntry
from diffbench.benchmark.load import sampler_of
from diffbench.commands.sampler_option import as_entry
from diffbench.jobs.sample import GuidancePart
from diffbench.samplers._contract import Sampler
from diffbench.stages._conditions import Labels

AskedSampler = str | Sampler | type
"""A sampler by its name, with options after it (`ddim eta=0.5`), or a sampler of your own, or its class."""

AskedLabels = int | Sequence[int] | np.ndarray | None
"""One label for all images, one for each, or None for those that a benchmark would choose."""


def sampler_asked(
    asked: AskedSampler, known: Mapping[str, Any], spacing: str | None, off_grid: str | None
) -> SamplerEntry:
    """Return the entry of a sampler. known: the entries of a tree. spacing, off_grid: those that replace the entry's.

    Raises: UserError if there is no such sampler, or an object is none.
    """
    own = {key: value for key, value in (("spacing", spacing), ("off_grid", off_grid)) if value is not None}
    if isinstance(asked, str):
        name, entry = as_entry(asked, known, "sampler")
        return sampler_of(name, entry | own, f"sampler '{asked}'")
    sampler = _made(asked) if inspect.isclass(asked) else asked
    _require_sampler(sampler)
    name = type(sampler).__name__
    if sampler.adaptive and spacing is not None:
        raise UserError(f"sampler {name}: chooses its own steps over all of the chain; leave spacing out")
    if sampler.leaves_grid and off_grid is None:
        raise UserError(
            f"sampler {name}: asks for noise levels between those that a model is trained at; say which timestep "
            "stands for them: off_grid='interpolate' (a fractional one) or off_grid='nearest'"
        )
    # An object has no name to load it by. The rules for time grids are those of any sampler.
    return dataclasses.replace(sampler_of(name, {"name": "ddim"} | own, f"sampler {name}"), name=name, part=sampler)


def _made(kind: type) -> Any:
    if dataclasses.is_dataclass(kind):
        return configure(kind, {}, f"sampler {kind.__name__}")
    try:
        return kind()
    except TypeError as error:
        raise UserError(f"sampler {kind.__name__}: cannot be made without options ({error}); give an object") from None


def _require_sampler(sampler: Any) -> None:
    """Add the contract's defaults to a sampler's class. Raises: UserError if it lacks what a sampler must declare."""
    kind, contract = type(sampler), vars(Sampler)
    declared = [name for name in contract["__annotations__"] if name not in contract]
    missing = [name for name in declared if not hasattr(sampler, name)]
    if not callable(sampler) or missing:
        what = f"has no {', '.join(missing)}" if missing else "has no __call__(self, denoiser, chain, x_T, noise)"
        raise UserError(f"sampler {kind.__name__}: {what}; docs/own_sampler.md shows a whole one")
    completed("samplers", kind)


def steps_asked(entry: SamplerEntry, steps: int | None) -> int:
    """Return the number of steps; 0 for a sampler that chooses its own. Raises: UserError if it is not a number."""
    if entry.adaptive:
        if steps not in (None, 0):
            raise UserError(f"steps: {entry.name} chooses its own; leave them out")
        return 0
    if steps is None:
        raise UserError(f"steps: say how many {entry.name} is to take, for example steps=25")
    return whole("steps", steps, least=1)


def whole(name: str, value: Any, *, least: int) -> int:
    """Return a whole number. Raises: UserError if it is none, or is smaller than `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise UserError(f"{name}: {value!r} is not a whole number")
    if value < least:
        raise UserError(f"{name}: must be at least {least}, not {value}")
    return int(value)


def guidance_asked(own: GuidancePart | None, scale: float | None) -> GuidancePart | None:
    """Return a model's guidance at a scale; None as the scale keeps the model's own.

    Raises: UserError if the rule does not take such a scale.
    """
    if scale is None or own is None:
        return own
    if isinstance(scale, bool) or not isinstance(scale, (int, float, np.integer, np.floating)):
        raise UserError(f"guidance_scale: {scale!r} is not a number")
    guided = dataclasses.replace(own, options=own.options | {"scale": float(scale)})
    guided.configured()
    return guided


def labels_asked(asked: AskedLabels, num_images: int, num_classes: int | None) -> Labels | None:
    """Return labels as a function of images' numbers; None if none were asked for.

    num_classes: None if the model takes no labels. Raises: UserError if they are not labels of so many images.
    """
    if asked is None:
        return None
    if num_classes is None:
        raise UserError("labels: this model takes none, and no classifier guides it; leave them out")
    given = np.asarray(asked)
    if given.dtype.kind not in "iu" or given.ndim > 1:
        raise UserError(f"labels: {asked!r} is neither a whole number nor a list of them")
    if given.ndim == 1 and len(given) != num_images:
        raise UserError(f"labels: {len(given)} for {num_images} images; give one for each, or one number for all")
    odd = given[(given < 0) | (given >= num_classes)]
    if odd.size:
        raise UserError(f"labels: {odd.flat[0]} is no class of this data; they are 0 to {num_classes - 1}")
    return torch.from_numpy(np.broadcast_to(given, (num_images,)).astype(np.int64)).__getitem__

"""Grids of models: all combinations of the choices that an ablation varies, except those without a meaning.

grids:
  ddpm: {base: narrow, parameterization: [eps, mu], objective: [simple, vlb], variance: fixed_large, schedule: linear}

makes the models eps-simple-fixed_large-linear and so on. Each has the base's entry with its own value of these four
keys. A run names the grid instead of the models.
"""

import math
from collections.abc import Mapping
from itertools import product
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.names import require_names
from diffbench.base.plugins import nearest

MOST_MODELS = 1_000
AXES = ("parameterization", "objective", "variance", "schedule")


class SenselessError(UserError):
    """A combination without a meaning. It is an error in a model's entry, and is left out of a grid."""


def check_combination(objective: Any, objective_name: str, diffusion: Any, where: str) -> None:
    """Raise SenselessError if an objective does not fit the variance.

    A learned variance needs an objective that trains it. An objective that trains the variance needs a learned one.
    """
    needs = type(objective).needs_variance
    if needs is None or needs == diffusion.learns_variance:
        return
    wanted = (
        "learns a variance: use variance learned_range"
        if needs
        else "trains no variance: use fixed_small or fixed_large"
    )
    raise SenselessError(f"{where}: objective {objective_name} {wanted}, not {diffusion.variance}")


def expanded(models: Mapping[str, Any], grids: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Return the entries of all models, those of grids last, and the names of each grid's models.

    Two grids may make the same model if their base is the same. Raises: UserError if a name has two meanings.
    """
    entries, members = dict(models), {}
    for grid, content in grids.items():
        where = f"grids.{grid}"
        if grid in models:
            raise UserError(f"{where}: there is a model of that name; use another")
        made = _product(where, content)
        for name, entry in made.items():
            if entries.setdefault(name, entry) != entry:
                raise UserError(f"{where}: {name} is there already, of another base; use one base for both")
        members[grid] = tuple(made)
    return entries, members


def _product(where: str, content: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: must be a map of base, {', '.join(AXES)}")
    for key in content:
        if key not in ("base", *AXES):
            raise UserError(f"{where}: unknown key '{key}'; {nearest(key, ('base', *AXES))}")
    for key in ("base", *AXES):
        if key not in content:
            raise UserError(f"{where}: '{key}' is missing")
    axes = [_values(f"{where}.{axis}", content[axis]) for axis in AXES]
    if (count := math.prod(map(len, axes))) > MOST_MODELS:
        raise UserError(f"{where}: {count} combinations; at most {MOST_MODELS} are made")
    combinations = [dict(zip(AXES, values, strict=True)) for values in product(*axes)]
    made = {"-".join(entry.values()): {"base": content["base"], **entry} for entry in combinations}
    require_names(made, where)
    return made


def _values(where: str, content: Any) -> list[str]:
    values = content if isinstance(content, list) else [content]
    for value in values:
        if not isinstance(value, str):
            raise UserError(f"{where}: {value!r} is not a name, or a list of names")
    if not values or len(set(values)) < len(values):
        raise UserError(f"{where}: must be one or more different names")
    return values

"""The entry `numerics` of a benchmark: how the networks of each stage compute."""

from dataclasses import dataclass, fields
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.plugins import configure, is_map, nearest, stated


@dataclass(frozen=True)
class StageNumerics:
    """How the networks of each stage compute; a stage that is left out computes in float32.

    train: models and classifiers in training. sample: models that are sampled or followed. bound: models whose bound is
    evaluated. extract: extractors of features.
    """

    train: Numerics = DEFAULT_NUMERICS
    sample: Numerics = DEFAULT_NUMERICS
    bound: Numerics = DEFAULT_NUMERICS
    extract: Numerics = DEFAULT_NUMERICS

    def of_row(self, *stages: str) -> str | None:
        """Return how the networks of some stages compute, as tables say it; None if all compute by default."""
        asked = {stage: getattr(self, stage) for stage in stages}
        return ", ".join(f"{stage} {own}" for stage, own in asked.items() if own != DEFAULT_NUMERICS) or None


def numerics_of(entry: Any) -> StageNumerics:
    """Return how each stage computes. Raises: UserError for an unknown stage or a wrong setting."""
    entry, stages = stated(entry), [field.name for field in fields(StageNumerics)]
    if not is_map(entry):
        raise UserError(f"numerics: {entry!r} is not a map of stages ({', '.join(stages)})")
    found: dict[str, Numerics] = {}
    for stage, options in entry.items():
        if stage not in stages:
            raise UserError(f"numerics: unknown key '{stage}'; {nearest(stage, stages)}")
        found[stage] = configure(Numerics, stated(options), f"numerics.{stage}")
    return StageNumerics(**found)

"""Sample sets whose images took the same number of network evaluations (NFE)."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from diffbench.comparison.claims._evidence import Evidence, Group, Properties, Side

NEAREST = 1.0
"""By how much NFE may differ. A method of second order has an odd NFE, one of first order its number of steps."""


def equal_cost_pairs(
    evidence: Evidence, metric: str, differ: Mapping[str, tuple[Any, Any]], where: Properties | None = None
) -> Iterator[tuple[Side, Side]]:
    """Yield pairs of sides that differ only in steps and in some properties, at equal NFE.

    The first side may have up to one evaluation less than the second, and never more.
    """
    for group in evidence.groups(metric, ("steps", *differ), where):
        first, second = (
            _by_cost(evidence, group, {name: values[end] for name, values in differ.items()}) for end in (0, 1)
        )
        for side, cost in first:
            dearer = [(other - cost, i) for i, (_, other) in enumerate(second) if 0 <= other - cost <= NEAREST]
            if dearer:
                yield side, second[min(dearer)[1]][0]


def evaluations(evidence: Evidence, side: Side) -> float | None:
    """Return the mean NFE of a side's images; None if it is not recorded."""
    found = [nfe for item in side.scored if (nfe := evidence.beside(item, "nfe")) is not None]
    return fmean(nfe.value for nfe in found) if found else None


def _by_cost(evidence: Evidence, group: Group, wanted: Properties) -> list[tuple[Side, float]]:
    """Return the sides with some properties for each number of steps, with their NFE."""
    steps = sorted({item.properties["steps"] for item in group.scored})
    sides = [group.side({**wanted, "steps": count}) for count in steps]
    return [(side, nfe) for side in sides if side and (nfe := evaluations(evidence, side)) is not None]

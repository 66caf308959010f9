"""Sample sets whose images took the same number of network evaluations (NFE)."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from diffbench.comparison.claims._evidence import Evidence, Properties, Side

NEAREST = 1.0
"""By how much NFE may differ. A method of second order has an odd NFE, one of first order its number of steps."""


def equal_cost_pairs(
    evidence: Evidence, metric: str, differ: Mapping[str, tuple[Any, Any]], where: Properties | None = None
) -> Iterator[tuple[Side, Side]]:
    """Yield pairs of sides that differ only in steps and in some properties, at equal NFE.

    The first side may have up to one evaluation less than the second, and never more.
    """
    for group in evidence.groups(metric, ("steps", *differ), where):
        ends = [
            group.side({"steps": steps, **{name: values[end] for name, values in differ.items()}})
            for end in (0, 1)
            for steps in sorted({item.properties["steps"] for item in group.scored})
        ]
        sides = [(side, cost) for side in ends if side and (cost := evaluations(evidence, side)) is not None]
        others = [(b, cost) for b, cost in sides if _is_at(b, differ, 1)]
        for a, cost in sides:
            above = [(other - cost, i) for i, (_, other) in enumerate(others) if 0 <= other - cost <= NEAREST]
            if _is_at(a, differ, 0) and above:
                yield a, others[min(above)[1]][0]


def evaluations(evidence: Evidence, side: Side) -> float | None:
    """Return the mean NFE of a side's images; None if it is not recorded."""
    found = [nfe for item in side.scored if (nfe := evidence.beside(item, "nfe")) is not None]
    return fmean(nfe.value for nfe in found) if found else None


def _is_at(side: Side, differ: Mapping[str, tuple[Any, Any]], end: int) -> bool:
    return all(side.properties.get(name) == values[end] for name, values in differ.items())

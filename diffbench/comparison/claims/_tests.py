"""The tests that claims share. Each returns a finding, or None if two sides have no seeds in common.

A claim holds only if all that it says is resolved, and fails only if the contrary of a part is resolved. A part that is
one of several may fail by chance, so intervals are then widened by Bonferroni's correction.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from diffbench.base.records import Estimate
from diffbench.comparison.claims._contract import FAILS, HOLDS, NOT_RESOLVED, Finding, judged, untestable
from diffbench.comparison.claims._contrasts import Contrast, difference, over_seeds, ratio
from diffbench.comparison.claims._evidence import Scored, Side

INFINITY = math.inf


def below(a: Side, b: Side, *, test: str, margin: float = 0.0) -> Finding | None:
    """Return whether a - b < margin."""
    return _judged(difference(a, b), (-INFINITY, margin), test, against(a, b))


def ratio_between(a: Side, b: Side, low: float, high: float, *, test: str) -> Finding | None:
    """Return whether low < a / b < high."""
    return _judged(ratio(a, b), (low, high), test, against(a, b))


def measured_between(
    side: Side, measure: Callable[[Scored], Estimate | None], low: float, high: float, *, test: str
) -> Finding | None:
    """Return whether a number that is measured on each of a side's scores is between two bounds.

    measure: returns the number with its interval, and None if it cannot be measured, for example without the terms of
    the bound. Seeds for which it cannot be are left out.
    """
    each = [(item, found) for item in side.scored if (found := measure(item)) is not None]
    if not each:
        return None
    if not all(math.isfinite(end) for _, one in each for end in (one.value, one.low, one.high)):
        return untestable(test, "what is measured is not a number with an interval", side.label)
    found = over_seeds([one for _, one in each], [item for item, _ in each])
    return _judged(found, (low, high), test, side.label)


def measures_monotone(
    side: Side, measures: Sequence[tuple[str, Callable[[Scored], Estimate | None]]], *, rising: bool, test: str
) -> Finding | None:
    """Return whether each of several numbers that are measured on a side's scores is above (or below) 0.

    measures: what is measured, in words, and the function as `measured_between` takes it. It decides as `monotone`.
    """
    plain, wide = [], []
    for words, measure in measures:
        each = [(item, found) for item in side.scored if (found := measure(item)) is not None]
        if not each:
            return None
        values, scored = [one for _, one in each], [item for item, _ in each]
        plain.append((over_seeds(values, scored), words))
        wide.append((over_seeds(values, scored, tests=len(measures)), words))
    return _weakest(plain, wide, 1 if rising else -1, test, side.label)


def monotone(sides: Mapping[Any, Side], *, rising: bool, test: str) -> Finding | None:
    """Return whether a score rises (or falls) from each value of a property to the next.

    The effect is the step that decides: the one that contradicts the claim most, in units of its interval. The claim
    holds if every step is resolved. It fails if one step is resolved to be contrary, with an interval that is widened
    for the number of steps.
    """
    sign, steps = (1 if rising else -1), _steps(sides)
    wide = [(difference(b, a, tests=len(steps)), key) for key, a, b in steps]
    plain = [(difference(b, a), key) for key, a, b in steps]
    return _weakest(plain, wide, sign, test, _swept(sides))


def not_contrary(sides: Mapping[Any, Side], *, rising: bool, test: str) -> Finding | None:
    """Return whether a score rises (or falls) from end to end, and no step between contradicts it.

    This is a weaker statement than that of `monotone`: steps may be unresolved. It fails if the two ends are resolved
    to be contrary, or one step is.
    """
    sign, steps = (1 if rising else -1), _steps(sides)
    first, *_, last = sides.values()
    ends, on = difference(last, first), _swept(sides)
    wide = [(difference(b, a, tests=len(steps)), key) for key, a, b in steps]
    contrary = _weakest(wide, wide, sign, test, on)
    if ends is None or contrary is None or contrary.effect is None or contrary.outcome == FAILS:
        return contrary
    return _judged(ends, (0, INFINITY) if rising else (-INFINITY, 0), test, f"{on}, from end to end")


def best_inside(sides: Mapping[Any, Side], *, test: str) -> Finding | None:
    """Return whether the lowest score is at a value between the two ends, in rising order.

    The effect is how far an inner score is below the end that it is resolved least against, for the inner value where
    that is largest. It holds if an inner value is resolved to be below both ends (widened for the number of inner
    values), and fails if one end is resolved to be below each of them.
    """
    (_, left), *inner, (_, right) = sides.items()
    on, found = _swept(sides), []
    for value, side in inner:
        gaps = [gap for end in (left, right) if (gap := difference(end, side, tests=len(inner)))]
        if len(gaps) < 2:
            return None
        # A score that is no number has no order, so it is taken before any other.
        nearer = min(gaps, key=lambda gap: (not math.isnan(gap.effect.value), gap.effect.low))
        found.append((_judged(nearer, (0, INFINITY), test, f"{on}, {_short(value)} against the ends"), nearer))
    for finding, gap in found:
        if math.isnan(gap.effect.value):
            return finding
    finding, _ = max(found, key=lambda one: one[1].effect.low)
    if finding is None or finding.outcome == HOLDS:
        return finding
    for end in (left, right):
        # The nearest of the inner sides decides. There are two ends, one of which is chosen.
        gaps = [gap for _, side in inner if (gap := difference(end, side, tests=2))]
        if all(gap.effect.high < 0 for gap in gaps):
            return _judged(max(gaps, key=lambda gap: gap.effect.high), (0, INFINITY), test, finding.on)
    return replace(finding, outcome=NOT_RESOLVED)


def against(a: Side, b: Side) -> str:
    """Return the names of two sides, with what they share said once."""
    one, other = a.label.split("/"), b.label.split("/")
    if a.label == b.label:
        return a.label
    if one[1:] == other[1:]:
        return "/".join([f"{one[0]} against {other[0]}", *one[1:]])
    return f"{a.label} against {b.label}"


def _judged(found: Contrast | None, bounds: tuple[float, float], test: str, on: str) -> Finding | None:
    if found is None:
        return None
    if math.isnan(found.effect.value):
        return untestable(test, found.method.removeprefix("none: "), on)
    return judged(found.effect, bounds, test=test, on=on, method=found.method)


def _weakest(
    plain: Sequence[tuple[Contrast | None, str]],
    wide: Sequence[tuple[Contrast | None, str]],
    sign: int,
    test: str,
    on: str,
) -> Finding | None:
    """Return the finding on the step that supports a direction least. plain, wide: the steps with both intervals."""
    bounds = (0.0, INFINITY) if sign > 0 else (-INFINITY, 0.0)
    findings = [
        (_judged(one, bounds, test, f"{on}, {key}"), _judged(other, bounds, test, f"{on}, {key}"))
        for (one, key), (other, _) in zip(plain, wide, strict=True)
    ]
    if any(one is None or other is None for one, other in findings):
        return None
    pairs = [(one, other) for one, other in findings if one and other]
    for one, _ in pairs:
        if one.effect is None:
            return one
    own, widened = min(pairs, key=lambda pair: _support(pair[0], sign))
    if widened.outcome == FAILS:
        return widened
    if own.outcome == HOLDS and all(one.outcome == HOLDS for one, _ in pairs):
        return own
    return replace(own, outcome=NOT_RESOLVED)


def _support(finding: Finding, sign: int) -> float:
    """Return how much a step supports a direction: its size in half-widths of its interval."""
    assert finding.effect is not None
    half = (finding.effect.high - finding.effect.low) / 2
    size = sign * finding.effect.value
    return size / half if half > 0 else math.copysign(INFINITY, size) if size else 0.0


def _steps(sides: Mapping[Any, Side]) -> list[tuple[str, Side, Side]]:
    items = list(sides.items())
    pairs = zip(items, items[1:], strict=False)
    return [(f"from {_short(a)} to {_short(b)}", one, other) for (a, one), (b, other) in pairs]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _swept(sides: Mapping[Any, Side]) -> str:
    """Return the names of the sides, with the first and the last of each part that varies."""
    labels = [side.label.split("/") for side in sides.values()]
    parts = [list(dict.fromkeys(part)) for part in zip(*labels, strict=True)]
    return "/".join(part[0] if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts)

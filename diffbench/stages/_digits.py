"""Numbers as people read them: as many digits as their intervals support, and the best ones of a column."""

import math
from collections.abc import Sequence
from statistics import median

from diffbench.base.sheets import Mark

LARGEST_WHOLE = 10**6
"""Whole numbers from here on are written with a power of ten."""

MOST_DECIMALS = 8


def decimals_of(half_widths: Sequence[float]) -> int | None:
    """Return how many decimals a column's numbers have: two digits of its median half-width; None without intervals.

    All rows of a column have the same number, so that they can be compared by eye.
    """
    known = [width for width in half_widths if math.isfinite(width) and width > 0]
    if not known:
        return None
    return min(max(0, 1 - math.floor(math.log10(median(known)))), MOST_DECIMALS)


def decimals_without_intervals(values: Sequence[float]) -> int | None:
    """Return how many decimals show four digits of every number of a column; None if all are whole or one is tiny."""
    texts = [f"{value:.4g}" for value in values if math.isfinite(value)]
    longest = max((len(text.partition(".")[2]) for text in texts), default=0)
    return longest if longest and not any("e" in text for text in texts) else None


def shown(value: float, decimals: int | None = None) -> str:
    """Return a number as text, "" for none. decimals: None keeps whole numbers whole, and four digits of others.

    Large numbers without decimals have three digits and a power of ten.
    """
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if decimals is not None:
        text = f"{value:.{decimals}f}"
        return text.lstrip("-") if float(text) == 0 else text
    if value == int(value) and abs(value) < LARGEST_WHOLE:
        return str(int(value))
    digits, _, power = (f"{value:.2e}" if abs(value) >= LARGEST_WHOLE else f"{value:.4g}").partition("e")
    return f"{digits}e{int(power)}" if power else digits


def marks(texts: Sequence[str], groups: Sequence[object], *, higher: bool) -> list[Mark | None]:
    """Return the mark of each value of a column, from the values as they are shown: equal texts have equal marks.

    groups: values are compared within a group; None for a value that takes no part. A group whose values are all equal
    has no best one.
    """
    found: list[Mark | None] = [None] * len(texts)
    for group in dict.fromkeys(group for group in groups if group is not None):
        places = [place for place, own in enumerate(groups) if own == group and texts[place]]
        ranked = sorted({_number(texts[place]) for place in places}, reverse=higher)
        if len(ranked) < 2:
            continue
        for place in places:
            number = _number(texts[place])
            found[place] = "best" if number == ranked[0] else "second" if number == ranked[1] else None
    return found


def _number(text: str) -> float:
    return float(text.replace("∞", "inf"))

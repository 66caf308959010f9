"""Points with the bars of their intervals, and a logarithmic x axis on which neighbouring lines are moved apart."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas
import seaborn
from matplotlib.axes import Axes

APART = 0.012
"""How far neighbouring lines are moved apart, as a share of the axis, so that equal points and bars are both seen."""

APART_ALONE = 0.08
"""The same for an axis of one value, on which there is space."""

SPREAD, SPREAD_ALONE = 0.3, 0.75
"""The largest distance of the first and the last line: as a share of the distance of two values, and, for an axis of
one value, of the axis."""

MARGIN = 0.045
"""What is left free on each side of the axis, as a share of the distance of the first and the last value."""

NEAREST_TICKS = 1.05
"""The smallest ratio of neighbouring labels on the axis, if it is short; longer axes need more."""


def draw_line(axes: Axes, x: Any, y: Any, look: Mapping[str, Any]) -> None:
    """Draw a line through points in their own order. look: matplotlib's properties of the line, with its label."""
    places, values = np.asarray(x, float), np.asarray(y, float)
    # The points are means already, and their intervals are known. So seaborn must neither average nor resample them.
    seaborn.lineplot(x=places, y=values, ax=axes, estimator=None, errorbar=None, sort=False, legend=False, **look)


def draw_points(axes: Axes, x: Any, points: pandas.DataFrame, score: str, look: Mapping[str, Any]) -> None:
    """Draw a line through the points of a score, with a bar for each interval that there is.

    points: columns `score`, `score`_low and `score`_high. Where a bar would be below 0 on a logarithmic axis, it leaves
    the picture. look: see `draw_line`.
    """
    draw_line(axes, x, points[score], look)
    low, high = (points[f"{score}_{end}"].astype(float) for end in ("low", "high"))
    value = points[score].astype(float)
    reach = np.array([(value - low).clip(lower=0), (high - value).clip(lower=0)])
    known = np.isfinite(reach).all(axis=0)
    if known.any():
        places = np.asarray(x, float)[known]
        # No caps: with many lines they hide the points.
        bars = {"fmt": "none", "ecolor": look["color"], "elinewidth": 1.5, "capsize": 0}
        axes.errorbar(places, value[known], yerr=reach[:, known], zorder=1.9, **bars)


def moves(values: Sequence[float], lines: int) -> list[float]:
    """Return how far each line is moved along an axis with these ascending values; the middle one stays in its place.

    On a logarithmic axis, give and add logarithms.
    """
    if len(values) > 1:
        span = values[-1] - values[0]
        apart = min(APART * span, SPREAD * min(np.diff(values)) / max(1, lines - 1))
    else:
        apart = min(APART_ALONE, SPREAD_ALONE / max(1, lines - 1)) * _ALONE
    return [(place - (lines - 1) / 2) * apart for place in range(lines)]


_ALONE = 2 * math.log(2)
"""The length of the logarithmic axis of one value: from half of it to its double."""


def log_x_axis(axes: Axes, values: Sequence[float], lines: int) -> None:
    """Limit a logarithmic x axis to the ascending values, and label them."""
    axes.set_xscale("log")
    first, last = math.log(values[0]), math.log(values[-1])
    beside = MARGIN * (last - first) + max(moves([math.log(value) for value in values], lines))
    if len(values) == 1:
        beside = _ALONE / 2
    axes.set_xlim(math.exp(first - beside), math.exp(last + beside))
    label_ticks(axes, values)


def label_ticks(axes: Axes, values: Sequence[float]) -> None:
    """Label ascending values of a logarithmic x axis, except those too close to the one before."""
    ticks: list[float] = []
    for value in map(float, values):
        # Numbers that are too close would be printed over one another. The first of them is kept.
        if not ticks or value / ticks[-1] > NEAREST_TICKS * (values[-1] / values[0]) ** 0.05:
            ticks.append(value)
    axes.set_xticks(ticks, [f"{value:,.0f}" if value == round(value) else f"{value:.3g}" for value in ticks])
    axes.minorticks_off()

"""What the figures of training logs share: how the lines of several trainings look."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from diffbench.figures import _style as style
from diffbench.figures._points import draw_line
from diffbench.figures._style import every_so_often, log_if_wide

Logs = Mapping[str, pandas.DataFrame]
"""The log of each training by its name."""

LINE = {"markersize": 5, "linewidth": 1.6, "markeredgewidth": 1.2}


def looks(names: Mapping[str, Any] | list[str]) -> dict[str, dict[str, Any]]:
    """Return the look of the line of each training."""
    return {name: style.dashed_look(place) | LINE for place, name in enumerate(names)}


def entries(found: Mapping[str, dict[str, Any]]) -> dict[str, Line2D]:
    """Return the legend's entries of lines."""
    return {name: Line2D([], [], **look) for name, look in found.items()}


def numbers_of(log: pandas.DataFrame, column: str) -> np.ndarray:
    """Return a column's numbers; those of a column that the log does not have are not finite."""
    return log[column].to_numpy(float) if column in log else np.full(len(log), np.nan)


def gaps_of(logs: Logs, column: str) -> list[str]:
    """Return the trainings of which a cell of a column is empty or not finite, and how many are."""
    missing = {name: int(np.count_nonzero(~np.isfinite(numbers_of(log, column)))) for name, log in logs.items()}
    return [f"{name} ({count} of {len(logs[name])} rows)" for name, count in missing.items() if count]


def draw_column(axes: Axes, logs: Logs, column: str, found: Mapping[str, dict[str, Any]]) -> None:
    """Draw a column of each log by step. Cells that are empty or not finite are left out."""
    values: list[float] = []
    for name, log in logs.items():
        numbers = numbers_of(log, column)
        known = np.isfinite(numbers)
        if known.any():
            values += [float(numbers[known].min()), float(numbers[known].max())]
            look = dict(found[name]) | {"markevery": every_so_often(int(known.sum())), "label": name}
            draw_line(axes, log["step"].to_numpy(float)[known], numbers[known], look)
    if values:
        log_if_wide(axes, min(values), max(values))
    step_axis(axes)


def step_axis(axes: Axes) -> None:
    """Label an x axis of training steps."""
    axes.set_xlabel("training step")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")

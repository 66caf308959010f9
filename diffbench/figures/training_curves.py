"""The loss, the gradient's norm and, of classifiers, the accuracy along training."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.figures import _style as style
from diffbench.figures._logs import LINE, Logs, draw_column, entries, gaps_of, looks, step_axis
from diffbench.figures._panels import Panels
from diffbench.figures._points import draw_line
from diffbench.figures._style import BETWEEN, every_so_often, said, styled

COLUMNS = {"loss": "loss", "gradient_norm": "gradient norm"}
"""Columns of a log that have a panel, and the texts of their axes."""

HELD_OUT = "held_out_"
"""The beginning of the names of columns that were counted on held-out images."""

QUARTER = re.compile(r"accuracy_q(\d+)")


@dataclass(frozen=True)
class TrainingCurves:
    """A panel each for the loss and the gradient's norm, with a line for each training, and one for each classifier."""

    title: str = "Training"

    consumes: ClassVar[str] = "logs"

    def __call__(self, logs: Logs) -> Figure:
        """Return the figure of training logs by name. A cell that is empty or not a number is left out and named."""
        told = {name: log for name, log in logs.items() if len(log)}
        with styled():
            if not told:
                return said(self.title, "no training has a log with a row")
            return _drawn(told, self.title, [name for name in logs if name not in told])


def _drawn(logs: Logs, title: str, without: list[str]) -> Figure:
    found = looks(dict.fromkeys(logs))
    classifiers = [name for name, log in logs.items() if any(QUARTER.fullmatch(column) for column in log)]
    handles: dict[str, Any] = entries(found)
    quarters = {quarter: _quarter_look(quarter) for name in classifiers for quarter in _quarters(logs[name])}
    handles |= {_quarter_name(quarter, quarters): Line2D([], [], **look) for quarter, look in quarters.items()}
    words = ["each point: the mean since the point before", "losses of different objectives do not compare"]
    words += ["accuracy: solid on training batches, dashed on held-out images"] if classifiers else []
    words += [f"no rows: {', '.join(without)}"] if without else []
    for column, label in COLUMNS.items():
        gaps = gaps_of(logs, column)
        words += [f"no {label}: {', '.join(gaps)}"] if gaps else []
    figure, panels = Panels(title, BETWEEN.join(words), handles, body=470).draw(len(COLUMNS) + len(classifiers))
    for axes, (column, label) in zip(panels, COLUMNS.items(), strict=False):
        draw_column(axes, logs, column, found)
        axes.set_ylabel(f"{label} (log scale)" if axes.get_yscale() == "log" else label)
    for axes, name in zip(panels[len(COLUMNS) :], classifiers, strict=True):
        _accuracy(axes, logs[name], quarters)
        axes.set_title(f"{name}", fontsize=11)
    return figure


def _accuracy(axes: Axes, log: pandas.DataFrame, quarters: dict[int, dict[str, Any]]) -> None:
    for quarter in _quarters(log):
        for column, dashes in ((f"accuracy_q{quarter}", "-"), (f"{HELD_OUT}accuracy_q{quarter}", (0, (4, 2)))):
            known = log[log[column].notna()] if column in log else log.iloc[:0]
            if len(known):
                look = quarters[quarter] | {"linestyle": dashes, "markevery": every_so_often(len(known))}
                draw_line(axes, known["step"], known[column], look)
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1.03)
    step_axis(axes)


def _quarters(log: pandas.DataFrame) -> list[int]:
    return sorted(int(match[1]) for column in log if (match := QUARTER.fullmatch(column)))


def _quarter_look(quarter: int) -> dict[str, Any]:
    return style.look(quarter) | LINE | style.fill(1, style.COLOURS[quarter % len(style.COLOURS)])


def _quarter_name(quarter: int, quarters: dict[int, Any]) -> str:
    ends = {min(quarters): ", the least noise", max(quarters): ", the most noise"}
    return f"accuracy, quarter {quarter + 1} of t{ends.get(quarter, '')}"

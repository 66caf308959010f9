"""Noise schedules: alpha_bar by t, and beta_tilde / beta by number of steps, as in figures 1 and 5 of their source.

Source: Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models", section 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.figures import _style as style
from diffbench.figures._panels import Panels
from diffbench.figures._points import draw_line
from diffbench.figures._style import BETWEEN, every_so_often, said, styled

Curves = Mapping[int, Mapping[str, np.ndarray]]
"""For each number of steps of a schedule: `t`, from 0 to 1, and `alpha_bar` and `ratio` (beta_tilde / beta) there."""

LABELS = {"alpha_bar": "alpha_bar", "ratio": "beta_tilde / beta"}


@dataclass(frozen=True)
class Schedules:
    """A panel for alpha_bar of the training chains, and one for the ratio of the variances of shorter chains too."""

    title: str = "Noise schedules"
    chains: dict[str, int] = field(default_factory=dict)
    """The training chains that are drawn: their lengths by the schedule's name."""
    steps: tuple[int, ...] = ()
    """The numbers of steps of the shorter chains, evenly spaced."""

    consumes: ClassVar[str] = "schedules"

    def __call__(self, schedules: Mapping[str, Curves]) -> Figure:
        """Return the figure of curves by schedule."""
        with styled():
            if not schedules:
                return said(self.title, "no model of the benchmark has a schedule that is known")
            return _drawn(schedules, self.title)


def _drawn(schedules: Mapping[str, Curves], title: str) -> Figure:
    counts = sorted({count for curves in schedules.values() for count in curves}, reverse=True)
    looks = {
        (name, count): _look(place, counts.index(count))
        for place, (name, curves) in enumerate(schedules.items())
        for count in sorted(curves, reverse=True)
    }
    handles = {f"{name}, {count:,} steps": Line2D([], [], **look) for (name, count), look in looks.items()}
    words = ["t: 0 is clean, 1 is noise", "chains of fewer steps keep evenly spaced levels of the training chain"]
    words.append("beta_tilde / beta: the lower bound of the reverse variance over the upper one")
    figure, panels = Panels(title, BETWEEN.join(words), handles, body=560).draw(2)
    for axes, column in zip(panels, LABELS, strict=True):
        for (name, count), look in looks.items():
            curves = schedules[name]
            if column == "ratio" or count == max(curves):
                across, up = curves[count]["t"], curves[count][column]
                markers = _markers(across) if column == "ratio" else every_so_often(len(across), 8)
                draw_line(axes, across, up, look | {"markevery": markers})
        axes.set_xlabel("t / T")
        axes.set_ylabel(LABELS[column])
        axes.set_ylim(-0.03, 1.03)
    panels[0].set_xlim(0, 1)
    _log_time(panels[1], min(float(curve["t"].min()) for curves in schedules.values() for curve in curves.values()))
    return figure


def _log_time(axes: Any, first: float) -> None:
    """Give the axis of t a logarithmic scale, because the ratios differ near the clean end alone."""
    axes.set_xscale("log")
    axes.set_xlim(first / 1.3, 1.15)
    axes.set_xlabel("t / T (log scale)")
    axes.minorticks_off()


def _markers(across: np.ndarray) -> list[int]:
    """Return which points of a line have a marker, about evenly on a logarithmic axis."""
    wanted = np.geomspace(across.min(), across.max(), 9)
    return sorted({int(np.abs(across - value).argmin()) for value in wanted})


def _look(schedule: int, length: int) -> dict[str, Any]:
    """Return a colour and a filling for each schedule, dashes and a marker for each number of steps."""
    colour = style.COLOURS[schedule % len(style.COLOURS)]
    look = {"color": colour, "marker": style.MARKERS[length % len(style.MARKERS)], "markersize": 5, "linewidth": 1.6}
    return look | {"linestyle": style.DASHES[length % len(style.DASHES)]} | style.fill(schedule, colour)

"""A grid of panels with a title above it, and a legend and small print below it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diffbench.figures._legend import Legend
from diffbench.figures._style import WIDTH, empty_figure, note, note_height

LEFT, RIGHT = 0.105, 0.975
"""Where panels begin and end, as shares of the width."""

HEAD, TITLE = 135, 42
"""The height of what is above the panels, and the distance of the title's middle from the top, in pixels."""

AXIS_ROW = 130
"""The height in pixels of the numbers and the label below a panel."""


@dataclass(frozen=True)
class Panels:
    """Where everything is. Use it inside `styled`. body: the height of a panel in pixels. gap: between panels, as a
    share of a panel's width. shared: whether all panels have the same axes."""

    title: str
    words: str
    handles: Mapping[str, Any] = field(default_factory=dict)
    abreast: int = 2
    body: int = 520
    gap: float = 0.24
    left: float = LEFT
    shared: bool = False

    def draw(self, count: int) -> tuple[Figure, list[Axes]]:
        """Return the figure and its panels, row by row; a place that no panel needs is left empty."""
        abreast = min(self.abreast, count)
        down = math.ceil(count / abreast)
        legend = Legend(self.handles) if self.handles else None
        below = note_height(self.words)
        # Shared axes have their numbers at the edges of the grid alone.
        head, between = HEAD, 75 if self.shared else AXIS_ROW + 50
        foot = AXIS_ROW + 15 + below + (legend.height if legend else 0)
        height = head + down * self.body + (down - 1) * between + foot
        figure = empty_figure(height=height)
        grid = figure.subplots(down, abreast, squeeze=False, sharex=self.shared, sharey=self.shared)
        figure.subplots_adjust(
            left=self.left,
            right=RIGHT,
            top=1 - head / height,
            bottom=foot / height,
            wspace=self.gap,
            hspace=between / self.body,
        )
        panels = list(grid.flat)
        for axes in panels[count:]:
            axes.remove()
        # The panel above an empty place is the last of its column, and has the numbers of its axis.
        for axes in panels[max(0, count - abreast) : count]:
            axes.xaxis.set_tick_params(labelbottom=True)
        figure.text(self.left, 1 - TITLE / height, self.title, fontsize=12, fontweight="bold", ha="left", va="center")
        if legend:
            legend.draw(figure, middle=(self.left + RIGHT) / 2 * WIDTH, bottom=below)
        note(figure, self.words)
        return figure, panels[:count]

"""A legend in its own place outside the panels, in which it would hide points."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.legend import Legend as Drawn
from matplotlib.textpath import TextPath

from diffbench.figures._style import DOTS_PER_INCH, WIDTH

SIZE = 10.5
"""The size of the texts in points, if all of them fit into the width."""

HANDLE, BESIDE_HANDLE, BETWEEN_COLUMNS = 3.4, 0.8, 2.0
"""Lengths in units of the text's size, as matplotlib counts them."""

ROW = 46
"""The height of a row in pixels."""

MOST_COLUMNS = 4


@dataclass(frozen=True)
class Legend:
    """The entries of a legend, and the width in pixels that it may take.

    It is computed before the figure, whose height depends on the number of rows. Use it inside `styled`.
    """

    handles: Mapping[str, Any]
    """What stands beside each text."""
    width: int = WIDTH - 60

    @property
    def columns(self) -> int:
        """As many columns as fit, and no more than the rows need."""
        between = BETWEEN_COLUMNS * self._pixels(SIZE)
        fitting = int((self.width + between) // (self._widest(SIZE) + between))
        rows = math.ceil(len(self.handles) / max(1, min(MOST_COLUMNS, fitting)))
        return math.ceil(len(self.handles) / rows)

    @property
    def height(self) -> int:
        """The height in pixels."""
        return ROW * math.ceil(len(self.handles) / self.columns)

    @property
    def size(self) -> float:
        """The size of the texts in points. One that is longer than the width makes all of them smaller."""
        return SIZE * min(1.0, self.width / self._widest(SIZE))

    def draw(self, figure: Figure, *, middle: float, bottom: float) -> Drawn:
        """Draw the legend. middle, bottom: its place in pixels from the figure's lower left corner."""
        width, height = (side * DOTS_PER_INCH for side in figure.get_size_inches())
        return figure.legend(
            list(self.handles.values()),
            list(self.handles),
            loc="lower center",
            bbox_to_anchor=(middle / width, bottom / height),
            ncols=self.columns,
            fontsize=self.size,
            handlelength=HANDLE,
            handletextpad=BESIDE_HANDLE,
            columnspacing=BETWEEN_COLUMNS,
            borderpad=0,
            borderaxespad=0,
        )

    def _widest(self, size: float) -> float:
        widths = [TextPath((0, 0), text, size=size).get_extents().width if text else 0 for text in self.handles]
        return max(widths) * DOTS_PER_INCH / 72 + (HANDLE + BESIDE_HANDLE) * self._pixels(size)

    @staticmethod
    def _pixels(size: float) -> float:
        return size * DOTS_PER_INCH / 72

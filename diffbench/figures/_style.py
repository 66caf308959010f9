"""The look of all figures, and how equal figures become equal bytes.

Figures are 1600 pixels wide and are shown at half of that, so that 11 points are as large as the text around
them. The colours are those of Okabe and Ito, which remain distinct to colour-blind eyes, in an order in which their
greys differ too. Whatever colours tell apart, markers or dashes tell apart as well.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib

matplotlib.use("Agg")  # draws into memory: no window, no display
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

WIDTH = 1600
DOTS_PER_INCH = 200

COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))
QUIET = "#555555"
"""The colour of what is read last: notes, and the floor that lines are compared with. Its contrast on white is 7:1."""

SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.dpi": DOTS_PER_INCH,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so it is the same on every machine
    "font.size": 11,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 7,
    "savefig.dpi": "figure",
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in the style of this package, whatever the user's own matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast(Any, SETTINGS))  # its annotation lists all keys as literals
        yield


def empty_figure(width: int = WIDTH, height: int = 1000) -> Figure:
    """Return a blank figure of this many pixels."""
    return Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), layout=None)


LONGEST_SIDE = 2**15
"""In pixels. matplotlib draws fewer than 2^16, and a table of many rows must not fail at its figure."""

LONGEST_NOTE = 128
"""Characters of small print that fit into the width of a figure."""


def note(figure: Figure, text: str) -> None:
    """Put a line of small print under the axes: what was measured, and what the bands cover."""
    # A long note gets a smaller font, so that it ends inside the picture.
    size = min(8.5, 8.5 * LONGEST_NOTE / max(map(len, text.splitlines())))
    figure.text(0.012, 0.015, text, fontsize=size, color=QUIET, ha="left", va="bottom")


def plain_log_ticks(axes: Axes, low: float, high: float) -> None:
    """Label a logarithmic y axis with plain numbers; the shorter the axis, the more of them."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    steps = (1, 2, 5) if high / low > 8 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [step * 10.0**power for power in range(-6, 7) for step in steps]
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG. Equal figures give equal bytes (the file has no date and no software version).

    A figure that is longer than LONGEST_SIDE is drawn smaller.
    """
    dots = min(DOTS_PER_INCH, LONGEST_SIDE / max(figure.get_size_inches()))
    with styled():
        figure.savefig(path, format="png", dpi=dots, metadata={"Software": None})

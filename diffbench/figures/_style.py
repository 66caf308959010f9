"""The look of all figures, and how equal figures become equal bytes.

The theme is seaborn's white grid, except for the settings below. Figures are 1600 pixels wide and are shown at half of
that, so that 11 points are as large as the text around them. The colours are those of Okabe and Ito, which remain
distinct to colour-blind eyes, in an order in which their greys differ too. Whatever colours tell apart, markers or
dashes tell apart as well.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import seaborn

matplotlib.use("Agg")  # draws into memory: no window, no display
from matplotlib.axis import Axis  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

WIDTH = 1600
DOTS_PER_INCH = 200

COLOURS = ("#0072B2", "#E69F00", "#000000", "#56B4E9", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)))
QUIET = "#555555"
"""The colour of what is read last: notes, and the floor that lines are compared with. Its contrast on white is 7:1."""

FLOOR: dict[str, Any] = {"color": QUIET, "linestyle": (0, (6, 3)), "linewidth": 1.6}
"""The line of what all others are compared with."""

SETTINGS = {
    "axes.edgecolor": "#888888",
    "axes.labelsize": 11,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.dpi": DOTS_PER_INCH,
    "font.size": 11,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "legend.fontsize": 10.5,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 7,
    # TrueType, which a reader can search and journals accept; the default, Type 3, many refuse.
    "pdf.fonttype": 42,
    "savefig.dpi": "figure",
    # Text is outlines, so that a picture looks the same where the font is not installed.
    "svg.fonttype": "path",
    # Names inside an SVG file are hashes with this salt; without it they would be random.
    "svg.hashsalt": "diffbench",
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
}
"""What differs from seaborn's theme."""

FONT = "DejaVu Sans"
"""It comes with matplotlib, so it is the same on every machine."""


@contextmanager
def styled() -> Iterator[None]:
    """Draw and save in the style of this package, whatever the user's own matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        # seaborn's short names of colours ("b") would stay changed in the whole process.
        seaborn.set_theme(style="whitegrid", palette=COLOURS, font=FONT, color_codes=False, rc=SETTINGS)
        yield


def empty_figure(width: int = WIDTH, height: int = 1000) -> Figure:
    """Return a blank figure of this many pixels."""
    return Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), layout=None)


def said(title: str, sentence: str) -> Figure:
    """Return a figure that has nothing to draw: an empty frame that says why. Use it inside `styled`."""
    figure = empty_figure(height=400)
    axes = figure.add_axes((0.03, 0.08, 0.94, 0.68), xticks=[], yticks=[])
    axes.text(0.5, 0.5, sentence, ha="center", va="center", color=QUIET, transform=axes.transAxes, wrap=True)
    figure.text(0.03, 0.88, title, fontsize=12, fontweight="bold", ha="left", va="center")
    return figure


LONGEST_SIDE = 2**15
"""In pixels. matplotlib draws fewer than 2^16, and a table of many rows must not fail at its figure."""

LONGEST_NOTE = 128
"""Characters of small print that fit into the width of a figure."""

NOTE_SIZE, NOTE_LINE, NOTE_MARGIN = 8.5, 32, 18
"""The size of small print in points, and the height of its lines and of the space around it in pixels."""

BETWEEN = "   ·   "
"""What separates the parts of small print."""


def look(place: int) -> dict[str, Any]:
    """Return the colour and the marker of the model or sampler at a place; no two of the first 49 places are alike."""
    again = place // len(COLOURS)
    return {"color": COLOURS[place % len(COLOURS)], "marker": MARKERS[(place + again) % len(MARKERS)]}


def dashed_look(place: int) -> dict[str, Any]:
    """Return the look of the line at a place, with dashes. Where colours come again, markers are filled otherwise."""
    own = look(place) | {"linestyle": DASHES[place % len(DASHES)]}
    return own | fill(place // len(COLOURS), own["color"])


def fill(place: int, colour: str) -> dict[str, Any]:
    """Return how a marker is filled, which tells the kinds of one colour apart where no line can show its dashes."""
    fills = ("full", "full", "left", "bottom", "right", "top")
    inside = "white" if place % len(fills) == 1 else colour
    edge = {"markeredgecolor": colour, "markeredgewidth": 1.5, "markerfacecoloralt": "white"}
    return {"fillstyle": fills[place % len(fills)], "markerfacecolor": inside, **edge}


def note_height(text: str) -> int:
    """Return how many pixels the small print takes at the bottom of a figure."""
    return NOTE_LINE * len(_wrapped(text)) + 2 * NOTE_MARGIN


def note(figure: Figure, text: str) -> None:
    """Put small print under the axes: what was measured, and what the bars cover. Long text gets further lines."""
    lines = _wrapped(text)
    # If one part alone is too long for a line, the font is smaller, so that it ends inside the picture.
    size = min(NOTE_SIZE, NOTE_SIZE * LONGEST_NOTE / max(map(len, lines)))
    width, height = (side * DOTS_PER_INCH for side in figure.get_size_inches())
    place = {"ha": "left", "va": "bottom", "linespacing": 1.3}
    figure.text(NOTE_MARGIN / width, NOTE_MARGIN / height, "\n".join(lines), fontsize=size, color=QUIET, **place)


def _wrapped(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for part in paragraph.split(BETWEEN):
            longer = f"{line}{BETWEEN}{part}" if line else part
            if line and len(longer) > LONGEST_NOTE:
                lines.append(line)
                longer = part
            line = longer
        lines.append(line)
    return lines


def log_if_wide(axes: Any, low: float, high: float, *, ratio: float = 10.0) -> bool:
    """Give an axes a logarithmic y axis if its values are above 0 and their ratio is large; return whether it has one.

    low, high: the least and the greatest value.
    """
    if not (low > 0 and high / low > ratio):
        return False
    beside = (high / low) ** 0.05
    axes.set_yscale("log")
    axes.set_ylim(low / beside, high * beside)
    plain_log_ticks(axes.yaxis, low / beside, high * beside)
    return True


def every_so_often(count: int, wanted: int = 12) -> slice:
    """Return which of a line's points have a marker, because a marker at each would hide its dashes."""
    return slice(None, None, max(1, round(count / wanted)))


def plain_log_ticks(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis with plain numbers, or with powers of ten if it is long."""
    from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

    steps = (1,) if high / low > 1e5 else (1, 2, 5) if high / low > 8 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [step * 10.0**power for power in range(-6, 7) for step in steps]
    axis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axis.set_minor_locator(NullLocator())
    # Over many decades plain numbers would be too long for the place that they have.
    powers = len(steps) == 1
    axis.set_major_formatter(lambda value, _: f"$10^{{{round(math.log10(value))}}}$" if powers else f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


FORMATS: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}
"""The formats that a figure is saved in, and what matplotlib would write into a file of each: its version, the date."""


def save_figure(figure: Figure, files: Mapping[str, Path]) -> None:
    """Write a figure into the file of each format. Equal figures give equal bytes, on any day and in any locale.

    files: paths by format, one or more of FORMATS. A PNG longer than LONGEST_SIDE is drawn smaller.
    """
    dots = min(DOTS_PER_INCH, LONGEST_SIDE / max(figure.get_size_inches()))
    with styled():
        for name, path in files.items():
            figure.savefig(path, format=name, dpi=dots, metadata=FORMATS[name])


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure as PNG alone. Equal figures give equal bytes."""
    save_figure(figure, {"png": path})

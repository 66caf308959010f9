"""Pictures in rows and columns with words around them: labels of rows, heads of columns, numbers below pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import numpy as np
from jaxtyping import UInt8
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from diffbench.figures._pictures import ImageSet
from diffbench.figures._style import BETWEEN, COLOURS, DOTS_PER_INCH, FONT, QUIET, WIDTH, empty_figure

Picture = UInt8[np.ndarray, "_ _ _"]
"""Bytes, channels last: grey or colours."""

GAP, BREAK = 6, 24
"""Pixels between pictures, and between groups of columns or of rows."""

LARGEST_CELL = 150
"""In pixels. Small pictures are enlarged no further, even if a row has few of them."""

WIDEST = 2 * WIDTH
"""In pixels. Large pictures have fewer columns, down to FEWEST, so that their row ends before this."""

FEWEST = 8

NARROWEST = 1000
"""In pixels. A figure of few small pictures is as wide as this, so that its small print has few lines."""

TITLE, LABEL, HEAD, CAPTION, SMALL = 12.0, 10.5, 9.5, 8.5, 8.5
"""The sizes of words in points, in a figure of the usual width."""

POINTS = 72 / DOTS_PER_INCH
"""Points in a pixel."""

MARGIN, FRAME = 18, 4
"""Pixels that are left free at the sides, and the width of a frame, in a figure of the usual width."""

INK = "#262626"
"""The colour of words, that of the axes of other figures."""

FRAME_COLOUR = COLOURS[4]
"""Neither white nor black, which is what pictures and the space between them are."""


@dataclass(frozen=True)
class Row:
    """Pictures side by side. None leaves a place empty.

    captions: words below each picture. framed: the places of pictures with a frame. apart: whether there is more space
    above the row.
    """

    label: str
    pictures: Sequence[Picture | None] | ImageSet
    captions: Sequence[str] = ()
    framed: Sequence[int] = ()
    apart: bool = False


@dataclass(frozen=True)
class Grid:
    """All that a figure of pictures shows.

    heads: the words above each column. header: what they are, on their left. breaks: the columns with more space on
    their left. words: the parts of the small print.
    """

    rows: Sequence[Row]
    title: str = ""
    header: str = ""
    heads: Sequence[str] = ()
    breaks: Sequence[int] = ()
    words: Sequence[str] = ()

    @property
    def columns(self) -> int:
        """The number of columns, that of the longest row."""
        return max(len(row.pictures) for row in self.rows)

    @property
    def size(self) -> tuple[int, int]:
        """The height and width of the pictures, which must have one size."""
        sizes = {shown.shape[:2] for row in self.rows for shown in row.pictures if shown is not None}
        assert len(sizes) == 1, f"pictures of one size are needed, not of {sorted(sizes)}"
        return next(iter(sizes))


def columns_of(width: int, most: int) -> int:
    """Return how many pictures of a width a row has: `most`, or fewer if they are large."""
    return min(most, max(FEWEST, WIDEST // (width + GAP)))


def evenly(places: int, columns: int) -> list[int]:
    """Return the places that are shown if there are more than columns: the first, the last, and some between them."""
    if places <= columns:
        return list(range(places))
    return [round(column * (places - 1) / (columns - 1)) for column in range(columns)]


def text_length(text: str, size: float, *, bold: bool = False) -> int:
    """Return how many pixels the longest line of a text takes at a size in points."""
    return max((_line_length(line, size, "bold" if bold else "normal") for line in text.splitlines()), default=0)


@cache
def _line_length(line: str, size: float, weight: str) -> int:
    # The renderer of PNGs measures 30 times as fast as the outlines of letters can be drawn and measured.
    font = FontProperties(family=FONT, size=size, weight=weight)
    width, _, _ = RendererAgg(1, 1, DOTS_PER_INCH).get_text_width_height_descent(line, font, "$" in line)
    return round(width)


def drawn(grid: Grid) -> Figure:
    """Return the figure of a grid, in which every pixel of a picture is a square of the file's own pixels."""
    layout = _Layout(grid)
    page = _Page(empty_figure(layout.width, layout.height), layout.width, layout.height, layout.scale)
    right, middles = layout.lefts[0] - layout.margin, [left + layout.cell[1] / 2 for left in layout.lefts]
    for x, text in zip(middles, grid.heads, strict=False):
        page.write(x, layout.tops[0] - layout.tall(0.5 * HEAD), text, layout.head_size, ha="center", va="bottom")
    for row, top in zip(grid.rows, layout.tops, strict=True):
        _draw_row(page, layout, row, top)
    page.write(
        right, layout.tops[0] - layout.tall(0.5 * HEAD), grid.header, layout.head_size, QUIET, ha="right", va="bottom"
    )
    page.write(layout.margin, layout.margin + layout.tall(TITLE) / 2, grid.title, TITLE, weight="bold")
    for number, line in enumerate(layout.small_print):
        page.write(layout.margin, layout.bottom + layout.tall(SMALL) * (1.4 + 1.4 * number), line, SMALL, QUIET)
    return page.figure


@dataclass(frozen=True)
class _Layout:
    """Lengths in pixels. If pictures are so large that the figure grows, so do its words."""

    grid: Grid

    @cached_property
    def labels(self) -> int:
        """The width of the labels of rows in a figure of the usual width."""
        return max(text_length(self.grid.header, HEAD), *(text_length(row.label, LABEL) for row in self.grid.rows))

    @property
    def _room(self) -> int:
        return WIDTH - self.labels - 3 * MARGIN

    @property
    def _apart(self) -> int:
        return (BREAK - GAP) * len(self.grid.breaks)

    @cached_property
    def upscale(self) -> int:
        """How many of the file's pixels a side of a picture's pixel is."""
        room = (self._room - self._apart) // self.grid.columns - GAP
        return max(1, min(room, LARGEST_CELL) // self.grid.size[1])

    @property
    def cell(self) -> tuple[int, int]:
        """The height and width of an enlarged picture."""
        return self.grid.size[0] * self.upscale, self.grid.size[1] * self.upscale

    @cached_property
    def scale(self) -> float:
        """How much wider the figure is than usual."""
        across = self.grid.columns * (self.cell[1] + GAP) - GAP + self._apart
        return max(1.0, across / self._room)

    @property
    def margin(self) -> int:
        """What is left free at the sides."""
        return round(MARGIN * self.scale)

    @cached_property
    def width(self) -> int:
        """The width of the figure: usually less than WIDTH, since pictures grow by whole numbers only."""
        across = self.lefts[-1] + self.cell[1] + self.margin
        title = (text_length(self.grid.title, TITLE, bold=True) + 2 * MARGIN) * self.scale
        return max(across, round(title), NARROWEST)

    @cached_property
    def lefts(self) -> list[int]:
        """Where each column begins."""
        first = round((self.labels + 2 * MARGIN) * self.scale)
        steps = [self.cell[1] + (BREAK if place in self.grid.breaks else GAP) for place in range(1, self.grid.columns)]
        return list(accumulate([first, *steps]))

    @cached_property
    def tops(self) -> list[int]:
        """Where each row begins."""
        lines = max((text.count("\n") + 1 for text in (*self.grid.heads, self.grid.header) if text), default=0)
        top = self.margin + self.tall(1.6 * TITLE if self.grid.title else 0)
        top += self.tall(HEAD * (1.35 * lines + 0.7) if lines else 0)
        found = []
        for number, row in enumerate(self.grid.rows):
            top += BREAK - GAP if row.apart and number else 0
            found.append(round(top))
            top += self.cell[0] + GAP + self._below(row)
        return found

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        return self.tops[-1] + self.cell[0] + self._below(self.grid.rows[-1])

    @property
    def height(self) -> int:
        """The height of the figure."""
        return round(self.bottom + self.tall(SMALL) * (1.4 * len(self.small_print) + 1.4))

    def tall(self, size: float) -> float:
        """Return the height of a line of words. size: in points, in a figure of the usual width."""
        return size * self.scale / POINTS

    def _below(self, row: Row) -> float:
        return self.tall(1.5 * self.caption_size) if any(row.captions) else 0.0

    @cached_property
    def caption_size(self) -> float:
        """The size of words below pictures, which are no wider than their column."""
        return self._fitting([text for row in self.grid.rows for text in row.captions], CAPTION)

    @cached_property
    def head_size(self) -> float:
        """The size of the heads of columns, which are no wider than their column."""
        return self._fitting(self.grid.heads, HEAD)

    def _fitting(self, texts: Sequence[str], size: float) -> float:
        longest = max((text_length(text, size) for text in texts), default=0)
        return size * min(1.0, (self.cell[1] + GAP) / self.scale * 0.9 / max(1, longest))

    @cached_property
    def small_print(self) -> list[str]:
        """The lines of the small print."""
        return list(wrapped(self.grid.words, round(self.width / self.scale) - 2 * MARGIN))


@dataclass(frozen=True)
class _Page:
    """A figure with places in pixels from its left and its top, and sizes of words as in a figure of usual width."""

    figure: Figure
    width: int
    height: int
    scale: float

    def write(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str = INK,
        *,
        ha: str = "left",
        va: str = "center",
        weight: str = "normal",
    ) -> None:
        """Write words at a place."""
        place = {"ha": ha, "va": va, "linespacing": 1.3, "fontweight": weight}
        self.figure.text(x / self.width, 1 - y / self.height, text, fontsize=size * self.scale, color=colour, **place)

    def paste(self, picture: Picture, left: float, top: float) -> None:
        """Put a picture at a place, one of its pixels on one of the file's."""
        tall, wide = picture.shape[:2]
        place = (left / self.width, 1 - (top + tall) / self.height, wide / self.width, tall / self.height)
        axes = self.figure.add_axes(place)
        axes.imshow(picture, interpolation="none", aspect="auto")
        axes.set_axis_off()

    def frame(self, left: float, top: float, size: tuple[int, int]) -> None:
        """Put a frame around a picture at a place. size: height and width of the picture."""
        thick = FRAME * self.scale
        corner = ((left - thick / 2) / self.width, 1 - (top + size[0] + thick / 2) / self.height)
        sides = ((size[1] + thick) / self.width, (size[0] + thick) / self.height)
        edge = {"fill": False, "edgecolor": FRAME_COLOUR, "linewidth": thick * POINTS}
        self.figure.add_artist(Rectangle(corner, *sides, transform=self.figure.transFigure, **edge))


def _draw_row(page: _Page, layout: _Layout, row: Row, top: int) -> None:
    tall, wide = layout.cell
    strip = np.full((tall, layout.lefts[-1] + wide - layout.lefts[0], 3), 255, np.uint8)
    for left, picture in zip(layout.lefts, row.pictures, strict=False):
        if picture is not None:
            start = left - layout.lefts[0]
            strip[:, start : start + wide] = picture.repeat(layout.upscale, axis=0).repeat(layout.upscale, axis=1)
    # One picture a row, because a file of vectors holds each picture as a file of its own.
    page.paste(strip, layout.lefts[0], top)
    page.write(layout.lefts[0] - layout.margin, top + tall / 2, row.label, LABEL, ha="right")
    for place in row.framed:
        page.frame(layout.lefts[place], top, layout.cell)
    for left, text in zip(layout.lefts, row.captions, strict=False):
        below = top + tall + layout.tall(0.75 * layout.caption_size)
        page.write(left + wide / 2, below, text, layout.caption_size, QUIET, ha="center")


def wrapped(parts: Sequence[str], width: int) -> Iterator[str]:
    """Yield the lines of small print, which break between its parts and, in a long part, between its words."""
    line = ""
    for part in filter(None, parts):
        for number, word in enumerate(part.split(" ")):
            longer = word if not line else f"{line} {word}" if number else f"{line}{BETWEEN}{word}"
            whole = f"{line}{BETWEEN}{part}" if line and not number else longer
            if line and text_length(whole, SMALL) > width and (not number or text_length(longer, SMALL) > width):
                yield line
                longer = word
            line = longer
    if line:
        yield line

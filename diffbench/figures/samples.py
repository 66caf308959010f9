"""Sample sets side by side, one row each, so that a person sees what the numbers are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._grid import GAP, POINTS, columns_of, text_length
from diffbench.figures._pictures import ImageSet, Pictures, classes_shown, first_of, start_alike
from diffbench.figures._style import BETWEEN, QUIET, WIDTH, empty_figure, styled

LABEL_SHARE = 0.16
"""The share of the figure's width that is left for the labels of rows."""


@dataclass(frozen=True)
class Samples:
    """Images of every set, a row each. No image is chosen by hand.

    If a set has classes, each column shows one class: its first image, then its second, and so on. The classes are
    above the rows that have them. Sets without classes show their first images, in their own order.
    """

    columns: int = 16
    """Images in a row, at most."""
    title: str = ""

    consumes: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise ValueError(f"columns: {self.columns} is not allowed; 1 or more")

    def __call__(self, images: Mapping[str, Pictures]) -> Figure:
        """Return a figure with one row for each label, enlarged without smoothing. All images must have one size."""
        if not images:
            raise UserError("samples: no image sets to draw")
        columns = columns_of(max(found.images.shape[2] for found in images.values()), self.columns)
        classes = classes_shown(images, columns)
        rows = {
            label: (*first_of(found, classes, columns), found.labels is not None) for label, found in images.items()
        }
        words = _words(rows, bool(classes), start_alike(images, classes, columns))
        with styled():
            return _drawn(rows, columns, classes, self.title, words)


Row = tuple[ImageSet, Sequence[int], bool]
"""The images of a row, their columns, and whether the classes above are theirs."""


def image_row(
    images: ImageSet, columns: int, *, upscale: int, gap: int, places: Sequence[int] | None = None
) -> UInt8[np.ndarray, "rows across 3"]:
    """Return images side by side, enlarged, with white between them and in columns that have none.

    places: the column of each image; if None, the first images are in the columns from the left.
    """
    height, width = (size * upscale for size in images.shape[1:3])
    row = np.full((height, columns * (width + gap) - gap, 3), 255, np.uint8)
    for place, image in zip(range(columns) if places is None else places, images, strict=False):
        left = place * (width + gap)
        row[:, left : left + width] = image.repeat(upscale, axis=0).repeat(upscale, axis=1)
    return row


@dataclass(frozen=True)
class _Layout:
    """Lengths in pixels, so that a pixel of a row is a pixel of the file. Text grows with a wider figure."""

    scale: float
    font_size: float
    left: int
    """Where rows begin."""
    head: int
    """The height of the title, at the top."""
    above: int
    """The height of the classes, below the title."""
    foot: int
    row: tuple[int, int]
    """The height and the width of a row."""

    @property
    def margin(self) -> int:
        """What is left free at the sides."""
        return round(16 * self.scale)


def _drawn(sets: Mapping[str, Row], columns: int, classes: Sequence[int], title: str, words: str) -> Figure:
    image_width = _image_width(sets)
    upscale = max(1, int((WIDTH * (1 - LABEL_SHARE) / columns - GAP) // image_width))
    rows = {
        label: image_row(images, columns, upscale=upscale, gap=GAP, places=places)
        for label, (images, places, _) in sets.items()
    }
    header = _header(sets) if classes else ""
    size = next(iter(rows.values())).shape[:2]
    layout = _layout([*rows, header], (size[0], size[1]), has_title=bool(title), has_classes=bool(classes))
    tops = _tops(list(rows), size[0], layout.head + layout.above)
    right = max(layout.left + size[1], layout.margin + text_length(words, 8.5 * layout.scale))
    width, height = right + layout.margin, tops[-1] + size[0] + layout.foot
    figure = empty_figure(width, height)
    for (label, row), top in zip(rows.items(), tops, strict=True):
        bottom = height - top - size[0]
        axes = figure.add_axes((layout.left / width, bottom / height, size[1] / width, size[0] / height))
        axes.imshow(row, interpolation="none", aspect="auto")
        axes.set_axis_off()
        place = ((layout.left - layout.margin) / width, (bottom + size[0] / 2) / height)
        figure.text(*place, label, ha="right", va="center", fontsize=layout.font_size)
    if classes:
        pitch = (size[1] + GAP) / columns
        _class_names(figure, classes, header, layout, pitch, (width, height))
    left, small = layout.margin / width, 8.5 * layout.scale
    y = 1 - layout.head / 2 / height
    figure.text(left, y, title, fontsize=12 * layout.scale, fontweight="bold", va="center")
    figure.text(left, layout.foot / 2 / height, words, fontsize=small, color=QUIET, va="center")
    return figure


def _image_width(sets: Mapping[str, Row]) -> int:
    """Return the width of the images. Raises: UserError if two sets have images of different sizes."""
    sizes = {label: images.shape[1:3] for label, (images, _, _) in sets.items()}
    first_label, (_, width) = next(iter(sizes.items()))
    for label, size in sizes.items():
        if size != sizes[first_label]:
            raise UserError(f"images of '{label}' are {size}, of '{first_label}' {sizes[first_label]}; draw them apart")
    return width


def _layout(labels: Sequence[str], row: tuple[int, int], *, has_title: bool, has_classes: bool) -> _Layout:
    scale = max(1.0, row[1] / WIDTH)
    font_size = min(10.5 * scale, 0.6 * row[0] * POINTS)
    margin = round(16 * scale)
    return _Layout(
        scale=scale,
        font_size=font_size,
        left=max(text_length(label, font_size) for label in labels) + 2 * margin,
        head=round(64 * scale) if has_title else margin,
        above=round(38 * scale) if has_classes else 0,
        foot=round(54 * scale),
        row=row,
    )


def _class_names(
    figure: Figure, classes: Sequence[int], header: str, layout: _Layout, pitch: float, size: tuple[int, int]
) -> None:
    """Write the class of each column above it. pitch: the distance of two columns. size: the figure's."""
    width, height = size
    y = 1 - (layout.head + layout.above / 2) / height
    largest = 9.5 * layout.scale
    longest = max(text_length(str(name), largest) for name in classes)
    font_size = min(largest, largest * 0.9 * pitch / longest)
    for column, name in enumerate(classes):
        x = (layout.left + column * pitch + (pitch - GAP) / 2) / width
        figure.text(x, y, str(name), ha="center", va="center", fontsize=font_size, color=QUIET)
    x = (layout.left - layout.margin) / width
    figure.text(x, y, header, ha="right", va="center", fontsize=layout.font_size, color=QUIET)


def _header(sets: Mapping[str, Row]) -> str:
    """Return what is beside the classes: if one row alone has classes, it names that row."""
    labelled = [label for label, (_, _, has_classes) in sets.items() if has_classes]
    return "class" if len(labelled) == len(sets) else f"class of {labelled[0]}" if len(labelled) == 1 else "class"


def _words(sets: Mapping[str, Row], classes: bool, alike: bool) -> str:
    """Return the small print: by which rule the images were chosen, and whether those of a column start alike."""
    without = [label for label, (_, _, labelled) in sets.items() if not labelled]
    parts = []
    if classes:
        parts.append("the first images of each class")
    if without:
        these = "rows without classes" if classes else "every set"
        parts.append(f"{these}: the first images")
    if alike:
        parts.append("the samples of a column start from the same $x_T$")
    return BETWEEN.join([*parts, "no image was chosen by hand"])


def _tops(labels: list[str], row_height: int, first: int) -> list[int]:
    # Between two families (the label's text before its comma) there is more space.
    tops = [first]
    for above, label in pairwise(labels):
        same_family = above.split(",")[0] == label.split(",")[0]
        tops.append(tops[-1] + row_height + (GAP if same_family else 4 * GAP))
    return tops

"""Sample sets side by side, one row each, so that a person sees what the numbers are about."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from diffbench.base.errors import UserError
from diffbench.figures._style import DOTS_PER_INCH, WIDTH, empty_figure, styled

ImageSet = UInt8[np.ndarray, "_ _ _ _"]
"""Bytes, channels last. Sets may differ in their numbers of images, so the axes have no names."""

LABEL_SHARE = 0.16
"""The share of the figure's width that is left for the labels of rows."""

GAP = 6
"""Pixels between images."""

POINTS = 72 / DOTS_PER_INCH
"""Points in a pixel."""


@dataclass(frozen=True)
class Samples:
    """The first images of every set, in their own order. No image is chosen by hand."""

    columns: int = 16
    """Images in a row."""
    title: str = ""

    consumes: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise ValueError(f"columns: {self.columns} is not allowed; 1 or more")

    def __call__(self, images: Mapping[str, ImageSet]) -> Figure:
        """Return a figure with one row for each label, enlarged without smoothing. All images must have one size."""
        with styled():
            return _drawn(images, self.columns, self.title)


def image_row(images: ImageSet, columns: int, *, upscale: int, gap: int) -> UInt8[np.ndarray, "rows across 3"]:
    """Return the first `columns` images side by side, enlarged, with white between them; missing ones are white."""
    height, width = (size * upscale for size in images.shape[1:3])
    row = np.full((height, columns * (width + gap) - gap, 3), 255, np.uint8)
    for place, image in enumerate(images[:columns]):
        left = place * (width + gap)
        row[:, left : left + width] = image.repeat(upscale, axis=0).repeat(upscale, axis=1)
    return row


def _drawn(images: Mapping[str, ImageSet], columns: int, title: str) -> Figure:
    if not images:
        raise UserError("samples: no image sets to draw")
    sizes = {label: batch.shape[1:3] for label, batch in images.items()}
    first_label, (_, image_width) = next(iter(sizes.items()))
    for label, size in sizes.items():
        if size != sizes[first_label]:
            raise UserError(f"images of '{label}' are {size}, of '{first_label}' {sizes[first_label]}; draw them apart")
    upscale = max(1, int((WIDTH * (1 - LABEL_SHARE) / columns - GAP) // image_width))
    rows = {label: image_row(batch, columns, upscale=upscale, gap=GAP) for label, batch in images.items()}

    # Lengths are in pixels, so that a pixel of a row is a pixel of the file. Text grows with a wider figure.
    row_height, row_width = rows[first_label].shape[:2]
    scale = max(1.0, row_width / WIDTH)
    font_size = min(10.5 * scale, 0.6 * row_height * POINTS)
    margin = round(16 * scale)
    label_width = round(max(TextPath((0, 0), label, size=font_size).get_extents().width for label in rows) / POINTS)
    left, head = label_width + 2 * margin, round(64 * scale) if title else margin
    tops = _tops(list(rows), row_height, head)
    width, height = left + row_width + margin, tops[-1] + row_height + margin
    figure = empty_figure(width, height)
    for (label, row), top in zip(rows.items(), tops, strict=True):
        bottom = height - top - row_height
        axes = figure.add_axes((left / width, bottom / height, row_width / width, row_height / height))
        axes.imshow(row, interpolation="none", aspect="auto")
        axes.set_axis_off()
        middle = (bottom + row_height / 2) / height
        figure.text((left - margin) / width, middle, label, ha="right", va="center", fontsize=font_size)
    if title:
        place = 1 - head / 2 / height
        figure.text(left / width, place, title, fontsize=12 * scale, fontweight="bold", va="center")
    return figure


def _tops(labels: list[str], row_height: int, first: int) -> list[int]:
    # Between two families (the label's text before its comma) there is more space.
    tops = [first]
    for above, label in pairwise(labels):
        same_family = above.split(",")[0] == label.split(",")[0]
        tops.append(tops[-1] + row_height + (GAP if same_family else 4 * GAP))
    return tops

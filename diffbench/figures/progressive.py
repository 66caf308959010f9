"""Real images as their bits arrive: the model's guess at chosen rates, as in section 4.3 of Ho et al. 2020."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from diffbench.base.errors import UserError
from diffbench.figures._style import DOTS_PER_INCH, QUIET, WIDTH, empty_figure, styled

GAP = 6
"""Pixels between images."""

MARGIN, HEAD, FOOT = 20, 150, 70
"""Pixels that are left free at the sides, at the top for the labels of columns, and at the bottom."""


@dataclass(frozen=True)
class Progressive:
    """One row for each test image: the x_0 predicted from x_t at rising rates, and at the end the image itself."""

    images: int = 8
    """The largest number of rows. The first images that were kept are shown."""
    title: str = ""

    consumes: ClassVar[str] = "progressive"

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"images: {self.images} is not allowed; 1 or more")

    def __call__(self, progressive: Mapping[str, np.ndarray]) -> Figure:
        """Return the figure, enlarged without smoothing.

        progressive: originals (images, height, width, channels) and reconstructions (images, points, height, width,
        channels), bytes; rate (bits/dim) and rmse (0-255 scale) of each point, over all test images.
        """
        originals, found = progressive["originals"], progressive["reconstructions"]
        points = (len(progressive["rate"]), len(progressive["rmse"]))
        if found.shape != (len(originals), points[0], *originals.shape[1:]) or points[0] != points[1]:
            shapes = f"originals {originals.shape}, reconstructions {found.shape}"
            raise UserError(f"progressive: {shapes}, {points[0]} rates and {points[1]} errors do not fit together")
        with styled():
            return _drawn(progressive, self.images, self.title)


def _drawn(progressive: Mapping[str, np.ndarray], rows: int, title: str) -> Figure:
    order = np.argsort(progressive["rate"], kind="stable")
    originals = progressive["originals"][:rows]
    found = progressive["reconstructions"][:rows, order]
    cells = np.concatenate([found, originals[:, None]], axis=1)
    height, width = originals.shape[1:3]
    columns = cells.shape[1]
    upscale = max(1, ((WIDTH - 2 * MARGIN) // columns - GAP) // width)
    across, down = columns * (width * upscale + GAP) - GAP, len(cells) * (height * upscale + GAP) - GAP
    # Large images are not shrunk. Instead the figure grows, and its text with it.
    scale = max(1.0, (across + 2 * MARGIN) / WIDTH)
    margin, head, foot = (round(size * scale) for size in (MARGIN, HEAD, FOOT))
    total_width, total_height = max(WIDTH, across + 2 * margin), down + head + foot
    left = (total_width - across) // 2
    figure = empty_figure(total_width, total_height)
    axes = figure.add_axes((left / total_width, foot / total_height, across / total_width, down / total_height))
    axes.imshow(_sheet(cells, upscale), interpolation="none", aspect="auto")
    axes.set_axis_off()
    labels = [_spoken(rate) for rate in progressive["rate"][order]]
    errors = [f"{rmse:.3g}" for rmse in progressive["rmse"][order]]
    # With many rates the numbers are smaller, so that they are beside one another.
    longest = max(TextPath((0, 0), text, size=9 * scale).get_extents().width for text in [*labels, *errors, "image"])
    size = 9 * scale * min(1.0, 0.9 * (width * upscale + GAP) * 72 / DOTS_PER_INCH / longest)
    for place, (label, error) in enumerate(zip([*labels, "image"], [*errors, ""], strict=True)):
        middle = left + place * (width * upscale + GAP) + width * upscale / 2
        y = 1 - (head - 14 * scale) / total_height
        text = f"{label}\n{error}" if error else label
        figure.text(middle / total_width, y, text, ha="center", va="bottom", fontsize=size)
    if title:
        y = 1 - 0.22 * head / total_height
        figure.text(left / total_width, y, title, fontsize=12 * scale, fontweight="bold", va="center")
    text = "above: rate (bits/dim) and RMSE (0-255 scale), means over test images; below: the x_0 predicted from x_t"
    figure.text(left / total_width, 0.3 * foot / total_height, text, fontsize=8.5 * scale, color=QUIET, va="center")
    return figure


def _sheet(cells: np.ndarray, upscale: int) -> np.ndarray:
    rows, columns, height, width, _ = cells.shape
    tall, wide = height * upscale + GAP, width * upscale + GAP
    sheet = np.full((rows * tall - GAP, columns * wide - GAP, 3), 255, np.uint8)
    for i, j in np.ndindex(rows, columns):
        enlarged = cells[i, j].repeat(upscale, axis=0).repeat(upscale, axis=1)
        sheet[i * tall : i * tall + height * upscale, j * wide : j * wide + width * upscale] = enlarged
    return sheet


def _spoken(rate: float) -> str:
    return f"{rate:.2g}" if rate >= 1e-3 else f"{rate:.1e}".replace("e-0", "e-")

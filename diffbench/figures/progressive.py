"""Real images as their bits arrive: the model's guess at chosen rates, as in section 4.3 of Ho et al. 2020."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._grid import Grid, Row, columns_of, drawn, evenly
from diffbench.figures._style import styled


@dataclass(frozen=True)
class Progressive:
    """One row for each test image: the x_0 predicted from x_t at rising rates, and at the end the image itself."""

    images: int = 8
    """The largest number of rows. The first images that were kept are shown."""
    columns: int = 48
    """The largest number of columns, the image's own included."""
    title: str = ""

    consumes: ClassVar[str] = "progressive"

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"images: {self.images} is not allowed; 1 or more")
        if self.columns < 3:
            raise ValueError(f"columns: {self.columns} is not allowed; 3 or more, for a first, a last and the image")

    def __call__(self, progressive: Mapping[str, np.ndarray]) -> Figure:
        """Return the figure, enlarged without smoothing.

        progressive: originals (images, height, width, channels) and reconstructions (images, points, height, width,
        channels), bytes; rate (bits/dim) and rmse (0-255 scale) of each point, over all test images; index (images), if
        it is known: their places in the split.
        """
        originals, found = progressive["originals"], progressive["reconstructions"]
        points = (len(progressive["rate"]), len(progressive["rmse"]))
        if found.shape != (len(originals), points[0], *originals.shape[1:]) or points[0] != points[1]:
            shapes = f"originals {originals.shape}, reconstructions {found.shape}"
            raise UserError(f"progressive: {shapes}, {points[0]} rates and {points[1]} errors do not fit together")
        rising = np.argsort(progressive["rate"], kind="stable")
        order = rising[evenly(len(rising), columns_of(originals.shape[2], self.columns) - 1)]
        index = progressive.get("index", np.arange(len(originals)))
        rows = [
            Row(f"image {index[number]}", [*found[number, order], originals[number]])
            for number in range(min(self.images, len(originals)))
        ]
        rates, errors = (progressive[name][order] for name in ("rate", "rmse"))
        heads = [f"{_spoken(rate)}\n{error:.3g}" for rate, error in zip(rates, errors, strict=True)]
        with styled():
            return drawn(
                Grid(
                    rows,
                    title=self.title,
                    header="rate, bits/dim\nRMSE, 0-255",
                    heads=[*heads, "image"],
                    breaks=[len(order)],
                    words=[
                        "rates and errors: means over test images",
                        "pictures: the $x_0$ predicted from $x_t$",
                        "the first images that were evaluated, none chosen by hand",
                    ],
                )
            )


def _spoken(rate: float) -> str:
    return f"{rate:.2g}" if rate >= 1e-3 else f"{rate:.1e}".replace("e-0", "e-")

"""Images of noise between two draws, on the arc from one to the other: Song et al. 2021, section 5.3 and figure 6.

DDIM with eta 0 maps x_T to an image without further noise. If its images change smoothly along the arc, x_T says what
they show.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._grid import Grid, Row, columns_of, drawn, evenly
from diffbench.figures._style import styled


@dataclass(frozen=True)
class Interpolation:
    """One row for each pair of draws. The ends, which have frames, are images of the sample set with the same steps."""

    rows: int = 8
    """The largest number of rows."""
    title: str = ""

    consumes: ClassVar[str] = "interpolation"

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError(f"rows: {self.rows} is not allowed; 1 or more")

    def __call__(self, interpolation: Mapping[str, np.ndarray]) -> Figure:
        """Return the figure, enlarged without smoothing.

        interpolation: images (rows, columns, height, width, channels), bytes; index (rows, 2): the numbers of the
        images at both ends; num_steps: those of the sampler; labels (rows), if there are any.
        """
        images, index = interpolation["images"][: self.rows], interpolation["index"][: self.rows]
        if images.ndim != 5 or images.shape[1] < 2 or index.shape != (len(images), 2):
            raise UserError(f"interpolation: images {images.shape} and index {index.shape} do not fit together")
        count = images.shape[1]
        places = evenly(count, columns_of(images.shape[3], count))
        labels = interpolation.get("labels")
        rows = [
            Row(_name(index[row], None if labels is None else labels[row]), shown[places], framed=(0, len(places) - 1))
            for row, shown in enumerate(images)
        ]
        heads = ["first\n0", *(f"{place / (count - 1):.2f}" for place in places[1:-1]), "last\n1"]
        with styled():
            return drawn(
                Grid(
                    rows,
                    title=self.title,
                    header="share of the arc",
                    heads=heads,
                    breaks=(1, len(places) - 1),
                    words=_words(int(interpolation["num_steps"]), labels is not None),
                )
            )


def _name(ends: np.ndarray, label: int | None) -> str:
    pair = f"images {ends[0]} and {ends[1]}"
    return pair if label is None else f"class {label}: {pair}"


def _words(steps: int, labelled: bool) -> list[str]:
    pairs = "the first two images of a class" if labelled else "neighbours in the set"
    return [
        "framed: DDIM from the x_T of two images of a sample set, by their numbers there",
        f"between them: DDIM, eta 0, {steps} steps from noise on the arc between their $x_T$",
        f"pairs: {pairs}, none chosen by hand",
    ]

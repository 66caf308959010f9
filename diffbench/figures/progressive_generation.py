"""Samples as they take shape: the model's guess at the image at several points of sampling.

Ho et al. 2020, figure 6 and section 4.3: the x_0 that is predicted from x_t while t falls. Large forms come first.
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
class ProgressiveGeneration:
    """One row for each sample: the x_0 predicted at some of the steps, and the sample itself at the end.

    Above them is the way of the first sample's x_t, in which there is nothing to see for a long time.
    """

    images: int = 8
    """The largest number of rows. The first samples that were followed are shown."""
    columns: int = 12
    """The largest number of columns, the sample's own included."""
    title: str = ""

    consumes: ClassVar[str] = "generation"

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"images: {self.images} is not allowed; 1 or more")
        if self.columns < 3:
            raise ValueError(f"columns: {self.columns} is not allowed; 3 or more, for a first, a last and the sample")

    def __call__(self, generation: Mapping[str, np.ndarray]) -> Figure:
        """Return the figure, enlarged without smoothing.

        generation: x_0 and x_t (images, points, height, width, channels) and samples (images, height, width, channels),
        all bytes; step and sigma (points): the steps done before each point, and the noise level there; num_steps: the
        number of all; index and, if there are any, labels (images): the numbers and classes of the images.
        """
        x_0, x_t, samples, step = (generation[name] for name in ("x_0", "x_t", "samples", "step"))
        if x_0.shape != x_t.shape or x_0.shape != (len(samples), len(step), *samples.shape[1:]):
            shapes = f"x_0 {x_0.shape}, x_t {x_t.shape}, samples {samples.shape} and {len(step)} steps"
            raise UserError(f"progressive_generation: {shapes} do not fit together")
        points = evenly(len(step), columns_of(samples.shape[2], self.columns) - 1)
        names = names_of(generation, self.images)
        rows = [Row(f"$x_t$ of {names[0]}", [x_t[0, point] for point in points])]
        rows += [
            Row(name, [*(x_0[number, point] for point in points), samples[number]], apart=not number)
            for number, name in enumerate(names)
        ]
        heads = [f"{step[point]}\n{_spoken(generation['sigma'][point])}" for point in points]
        with styled():
            return drawn(
                Grid(
                    rows,
                    title=self.title,
                    header="steps done\nnoise σ",
                    heads=[*heads, "sample"],
                    breaks=[len(points)],
                    words=_words(generation),
                )
            )


def names_of(generation: Mapping[str, np.ndarray], most: int) -> list[str]:
    """Return the names of the first images: their classes, if they have any, or else their numbers in a sample set."""
    index, labels = generation["index"][:most], generation.get("labels")
    if labels is None:
        return [f"image {number}" for number in index]
    classes = [int(label) for label in labels[:most]]
    twice = {label for label in classes if classes.count(label) > 1}
    return [
        f"class {label}, image {number}" if label in twice else f"class {label}"
        for label, number in zip(classes, index, strict=True)
    ]


def _words(generation: Mapping[str, np.ndarray]) -> list[str]:
    chosen = "the first image of each class" if "labels" in generation else "the first images of a sample set"
    return [
        f"rows: the $x_0$ predicted from $x_t$ on the way, in {generation['num_steps']} steps",
        "top row: $x_t$ of the first image, with the contrast of an image",
        chosen,
        "no image was chosen by hand",
    ]


def _spoken(sigma: float) -> str:
    return f"{sigma:.2f}" if sigma >= 0.095 else f"{sigma:.2g}"

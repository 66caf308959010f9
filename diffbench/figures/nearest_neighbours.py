"""Samples above the training images that are nearest to them, which shows whether a model copies what it has seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._grid import Grid, Row, columns_of, drawn
from diffbench.figures._neighbours import Nearest, Neighbours
from diffbench.figures._style import styled


@dataclass(frozen=True)
class NearestNeighbours:
    """Samples in the first row; below each, its nearest training images by every measure, with their distances."""

    columns: int = 10
    """The largest number of samples. They are the first ones, or the first of each class."""
    title: str = ""

    consumes: ClassVar[str] = "neighbours"

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise ValueError(f"columns: {self.columns} is not allowed; 1 or more")

    def __call__(self, neighbours: Neighbours) -> Figure:
        """Return the figure, enlarged without smoothing. Raises: UserError if nothing was compared."""
        if not neighbours.measures or not len(neighbours.samples):
            raise UserError("nearest_neighbours: no samples, or no measure by which training images are near to them")
        columns = min(len(neighbours.samples), columns_of(neighbours.samples.shape[2], self.columns))
        rows = [Row("sample", neighbours.samples[:columns])]
        for nearest in neighbours.measures:
            rows += _rows(nearest, columns)
        labels = neighbours.labels
        heads = () if labels is None else [str(label) for label in labels[:columns]]
        header = "" if labels is None else "class of the sample"
        with styled():
            return drawn(Grid(rows, title=self.title, header=header, heads=heads, words=list(_words(neighbours))))


def _rows(nearest: Nearest, columns: int) -> Iterator[Row]:
    """Yield the rows of one measure: the nearest of every sample, the second nearest, and so on."""
    names = (f"nearest by {nearest.measure}", "second", "third")
    for place in range(nearest.images.shape[1]):
        name = names[place] if place < len(names) else f"number {place + 1}"
        captions = [_spoken(distance, nearest) for distance in nearest.distances[:columns, place]]
        yield Row(name, nearest.images[:columns, place], captions, apart=place == 0)


def _words(neighbours: Neighbours) -> Iterator[str]:
    for nearest in neighbours.measures:
        usual = ""
        if nearest.usual is not None:
            usual = f" (median from a training image to the nearest other: {_spoken(nearest.usual, nearest)})"
        yield f"numbers by {nearest.measure}: {nearest.explained}{usual}"
    whole = neighbours.searched == neighbours.of
    yield f"searched: {'all' if whole else f'{neighbours.searched:,} of'} {neighbours.of:,} training images"
    yield from neighbours.missing
    yield "samples: the first of each class" if neighbours.labels is not None else "samples: the first of the set"
    yield "none chosen by hand"


def _spoken(distance: float, nearest: Nearest) -> str:
    """Return a distance with as many places after the point as all of its measure have."""
    largest = max(float(nearest.distances.max(initial=0)), nearest.usual or 0)
    return f"{distance:.{0 if largest >= 100 else 1 if largest >= 10 else 2}f}"

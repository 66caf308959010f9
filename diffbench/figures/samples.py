"""Sample sets side by side, one row each, so that a person sees what the numbers are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._grid import Grid, Row, columns_of, drawn
from diffbench.figures._pictures import BLANK, Pictures, classes_shown, shown_in, start_alike
from diffbench.figures._style import styled


@dataclass(frozen=True)
class Samples:
    """Images of every set, a row each. No image is chosen by hand.

    If a set has classes, each column shows one class: its first image, then its second, and so on. The classes are
    above the rows that have them. Sets without classes show their first images, in their own order.
    """

    columns: int = 16
    """Images in a row, at most."""
    title: str = ""
    notes: tuple[str, ...] = ()
    """Further parts of the small print."""

    consumes: ClassVar[str] = "images"

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise ValueError(f"columns: {self.columns} is not allowed; 1 or more")

    def __call__(self, images: Mapping[str, Pictures]) -> Figure:
        """Return a figure with one row for each label, enlarged without smoothing. All images must have one size."""
        if not images:
            raise UserError("samples: no image sets to draw")
        _require_one_size(images)
        columns = columns_of(max(found.images.shape[2] for found in images.values()), self.columns)
        classes = classes_shown(images, columns)
        words = _words(images, classes, alike=start_alike(images, classes, columns))
        with styled():
            return drawn(
                Grid(
                    _rows(images, classes, columns),
                    title=self.title,
                    header=_header(images) if classes else "",
                    heads=[str(name) for name in classes],
                    words=[*words, *self.notes],
                )
            )


def _require_one_size(images: Mapping[str, Pictures]) -> None:
    sizes = {label: found.images.shape[1:3] for label, found in images.items()}
    first_label = next(iter(sizes))
    for label, size in sizes.items():
        if size != sizes[first_label]:
            raise UserError(f"images of '{label}' are {size}, of '{first_label}' {sizes[first_label]}; draw them apart")


def _rows(images: Mapping[str, Pictures], classes: Sequence[int], columns: int) -> list[Row]:
    """Return the rows. Between two families (the label's text before its comma) there is more space."""
    rows, above = [], ""
    shown_by = {label: shown_in(found, classes, columns) for label, found in images.items()}
    used = max(sum(place != BLANK for place in places) for places in shown_by.values())
    for label, found in images.items():
        # Columns that no set fills are left out, so that few images are drawn larger.
        places = shown_by[label][: max(used, len(classes))]
        shown = [None if place == BLANK else found.images[place] for place in places]
        family = label.split(",")[0]
        rows.append(Row(label, shown, apart=family != above))
        above = family
    return rows


def _header(images: Mapping[str, Pictures]) -> str:
    """Return what is beside the classes: if one row alone has classes, it names that row."""
    labelled = [label for label, found in images.items() if found.labels is not None]
    return "class" if len(labelled) != 1 or len(images) == 1 else f"class of {labelled[0]}"


def _words(images: Mapping[str, Pictures], classes: Sequence[int], *, alike: bool) -> list[str]:
    """Return the small print: by which rule the images were chosen, and whether those of a column start alike."""
    parts = ["the first images of each class"] if classes else []
    if any(found.labels is None for found in images.values()):
        these = "rows without classes" if classes else "every set"
        parts.append(f"{these}: the first images")
    if alike:
        parts.append("the samples of a column start from the same $x_T$")
    return [*parts, "no image was chosen by hand"]

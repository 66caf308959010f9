"""Before and after: low-resolution images, the same enlarged bilinearly, and what an upsampler made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from diffbench.base.sizes import enlarged
from diffbench.figures._grid import columns_of
from diffbench.figures._pictures import ImageSet, Pictures, classes_shown, first_of
from diffbench.figures.samples import Samples


@dataclass(frozen=True)
class Upsampling:
    """Images of every set, by class if all sets have classes. A set of smaller images is shown a second time, enlarged.

    A label has a family and, after a comma, says what the set is: "adm_u, given".
    """

    columns: int = 16
    """Images in a row."""
    title: str = ""

    consumes: ClassVar[str] = "images"

    def __call__(self, images: Mapping[str, Pictures]) -> Figure:
        """Return a figure with one row for each set, and two for a set of small images. Small pixels are drawn large.

        Raises: UserError if the size of a set's images does not divide the largest size.
        """
        height, width = max(found.images.shape[1:3] for found in images.values())
        columns = columns_of(width, self.columns)
        rows: dict[str, Pictures] = {}
        for label, (shown, labels) in _shown(images, columns).items():
            times = height // shown.shape[1]
            rows[label] = Pictures(shown.repeat(times, axis=1).repeat(times, axis=2), labels)
            if times > 1:
                rows[f"{label.split(',')[0]}, enlarged"] = Pictures(enlarged(shown, height, width), labels)
        return Samples(columns, self.title, _notes(images))(rows)


def _notes(images: Mapping[str, Pictures]) -> tuple[str, ...]:
    """Return what the labels leave open: how images were enlarged, and why some have no true ones."""
    families = {label.split(",")[0] for label in images}
    true = {label.split(",")[0] for label in images if label.endswith(", true")}
    gap = ("no true images where samples of a model were given",) if true < families else ()
    return ("enlarged: bilinearly", *gap)


def _shown(images: Mapping[str, Pictures], columns: int) -> dict[str, tuple[ImageSet, np.ndarray | None]]:
    """Return the images of each set that are shown, with their labels.

    The sets of an upsampler show the same pictures, so classes count only if every set has them.
    """
    if any(found.labels is None for found in images.values()):
        return {label: (found.images[:columns], None) for label, found in images.items()}
    classes = classes_shown(images, columns)
    chosen = {label: first_of(found, classes, columns) for label, found in images.items()}
    return {label: (shown, np.array(classes)[places]) for label, (shown, places) in chosen.items()}

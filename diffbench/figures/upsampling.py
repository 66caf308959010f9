"""Before and after: low-resolution images, the same enlarged bilinearly, and what an upsampler made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from diffbench.base.sizes import enlarged
from diffbench.figures.samples import ImageSet, Samples


@dataclass(frozen=True)
class Upsampling:
    """The first images of every set, in their own order. A set of smaller images is shown a second time, enlarged.

    A label has a family and, after a comma, says what the set is: "adm_u, given".
    """

    columns: int = 16
    """Images in a row."""
    title: str = ""

    consumes: ClassVar[str] = "images"

    def __call__(self, images: Mapping[str, ImageSet]) -> Figure:
        """Return a figure with one row for each set, and two for a set of small images. Small pixels are drawn large.

        Raises: UserError if the size of a set's images does not divide the largest size.
        """
        height, width = max(batch.shape[1:3] for batch in images.values())
        rows: dict[str, ImageSet] = {}
        for label, batch in images.items():
            first, times = batch[: self.columns], height // batch.shape[1]
            rows[label] = first.repeat(times, axis=1).repeat(times, axis=2)
            if times > 1:
                rows[f"{label.split(',')[0]}, enlarged"] = enlarged(first, height, width)
        return Samples(self.columns, self.title)(rows)

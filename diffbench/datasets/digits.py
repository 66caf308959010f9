"""scikit-learn's 8x8 handwritten digits: real images that need no download.

Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI 1998 (its test part, 1,797
images); it comes with scikit-learn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np

from diffbench.base.names import SplitName
from diffbench.datasets._split import Split, split_of_arrays

NUM_TEST = 500
SPLIT_SEED = 0
"""The split is part of what `digits` means: numbers measured on another split could not be compared."""


@dataclass(frozen=True)
class Digits:
    """1,297 training and 500 test images of 8x8 pixels in 17 grey levels, stored as round(v 255/16)."""

    levels: ClassVar[int] = 17
    shape: ClassVar[tuple[int, int, int]] = (8, 8, 1)
    published_images: ClassVar[Mapping[SplitName, int]] = {"train": 1297, "test": NUM_TEST}
    flip: ClassVar[bool] = False
    num_classes: ClassVar[int] = 10

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"."""
        # scikit-learn takes half a second to import; a caller that only asks for `levels` should not wait.
        from sklearn.datasets import load_digits

        bunch = cast(Any, load_digits())  # annotated as a tuple too, which it is only where that is asked for
        order = np.random.Generator(np.random.PCG64(SPLIT_SEED)).permutation(len(bunch.target))
        chosen = order[:NUM_TEST] if split == "test" else order[NUM_TEST:]
        images = np.rint(bunch.images[chosen] * 255 / 16).astype(np.uint8)[..., None]
        return split_of_arrays(images, bunch.target[chosen])

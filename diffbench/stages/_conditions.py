"""What images are to be: drawn or stored labels, and the low-resolution images that an upsampler starts from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from diffbench.base.arrays import read_member
from diffbench.base.classes import LabelRule
from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.parameterization import X
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.stages._image_file import stored_labels

Index = Int[Tensor, " batch"]
Labels = Callable[[Index], Int[Tensor, " batch"]]
"""labels(index) are the labels of the images of these indices."""


@dataclass(frozen=True)
class Wanted:
    """What images are to be: `wanted(index)` is the condition of the images of these indices.

    Labels are apart, because a set is written with all of its labels at once and without its low-resolution images.
    """

    labels: Labels | None = None
    low_res: Callable[[Index], X] | None = None

    def __call__(self, index: Index) -> Condition:
        y = None if self.labels is None else self.labels(index)
        return Condition(y, None if self.low_res is None else self.low_res(index))


def drawn_labels(rule: LabelRule, seed: int, facts: WeightsFacts) -> Labels:
    """Return the labels of samples.

    iid: a label drawn uniformly by (seed, k); balanced: k modulo the number of classes; as_in_data: a label drawn by
    (seed, k), each class as often as in training. Raises: UserError if the weights' record does not say how often.
    Source: guided-diffusion's classifier_sample.py draws labels independently and uniformly.
    """
    stream, counts, num_classes = Stream(seed, "label"), facts.class_counts, facts.num_classes
    if rule == "as_in_data":
        return _as_in_data(stream, counts)
    if num_classes is None:
        raise UserError("labels: the weights are of data without classes; leave labels and guidance by them out")
    if rule == "balanced":
        return lambda index: index % num_classes
    return lambda index: stream.integers(index, 0, num_classes)


def _as_in_data(stream: Stream, counts: tuple[int, ...] | None) -> Labels:
    if not counts:
        raise UserError(
            "labels: as_in_data needs the class_counts of the training images, and the weights' record has none; "
            "train the model here, or choose iid or balanced"
        )
    # Draw an image of the training data and take its class. Sorted by class, the images of class y end before ends[y].
    ends, total = torch.tensor(counts).cumsum(0), sum(counts)
    return lambda index: torch.searchsorted(ends, stream.integers(index, 0, total), right=True)


def upsampled_from(low_res: Path, facts: WeightsFacts, num_images: int, *, labelled: bool) -> Wanted:
    """Return the low-resolution images that samples start from, with their labels if the file has any.

    Sample k starts from the k-th image of the file. labelled: whether labels are needed.
    Raises: UserError if the images are too few, have another size than in the upsampler's training, or lack labels.
    """
    images = read_member(low_res, "arr_0")
    height, width, channels = facts.shape
    low_size = facts.low_size or height
    wanted = (low_size, width * low_size // height, channels)
    if images.dtype != np.uint8 or images.shape[1:] != wanted:
        found = f"{images.dtype} images of {'x'.join(map(str, images.shape[1:]))}"
        raise UserError(f"{low_res}: {found}, the upsampler was trained on uint8 of {'x'.join(map(str, wanted))}")
    if len(images) < num_images:
        raise UserError(f"{low_res}: {len(images)} images, and {num_images} are to be upsampled; ask for fewer")
    labels = _looked_up(stored_labels(low_res))
    if labels is None and labelled:
        raise UserError(f"{low_res}: no labels (arr_1), which the upsampler or its guidance needs")
    return Wanted(labels, lambda index: to_float(images[index.numpy()]))


def own_labels(data: Path) -> Labels:
    """Return the labels of real images. Raises: UserError if they have none."""
    labels = _looked_up(stored_labels(data))
    if labels is None:
        raise UserError(f"{data}: a class-conditional network needs labels, and this split has none")
    return labels


def _looked_up(stored: np.ndarray | None) -> Labels | None:
    return None if stored is None else torch.from_numpy(stored).__getitem__

"""Facts of a sample set: what its images cost, and the size to which they are enlarged."""

from dataclasses import dataclass, field
from typing import Union

from diffbench.base.provenance_file import Recorded
from diffbench.jobs.facts import Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class Unsampled(Facts):
    """The cost of images that no network made, which is nothing."""


@dataclass(frozen=True, kw_only=True)
class Cost(Facts):
    """The average cost of an image of a sample set in network evaluations and floating-point operations.

    nfe: evaluations that an image needed. nfe_max: the same for the image that needed most. nfe_evaluated: evaluations
    that were computed, including those of images that were done before the rest of their batch. The last two are there
    only if images differ. flops_...: operations of one evaluation. classifier_...: the same for the classifier's
    gradient, in guidance by a classifier. low_res: the cost of the image that was upsampled; None if none was.
    """

    nfe: float
    nfe_max: float | None = field(default=None, metadata=OMITTED)
    nfe_evaluated: float | None = field(default=None, metadata=OMITTED)
    flops_per_evaluation: int
    classifier_evaluations: float | None = field(default=None, metadata=OMITTED)
    flops_per_classifier_evaluation: int | None = field(default=None, metadata=OMITTED)
    low_res: Union["Cost", Unsampled, None] = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class SampleFacts(Cost):
    """Facts of a sample set.

    full_size: height and width to which its images are enlarged before they are scored. micro_batch: how many images
    the network evaluated at once, if memory decided that.
    """

    full_size: tuple[int, int] | None = field(default=None, metadata=OMITTED)
    micro_batch: int | None = field(default=None, metadata=OMITTED)


def cost_of(record: Recorded) -> Cost | Unsampled:
    """Return the cost of images from their record, which is that of samples or of a data split. Raises: UserError."""
    return Cost.recorded(record) if "nfe" in record["facts"] else Unsampled()

"""Facts of a sample set: what its images cost, and the size of those that they are a smaller copy of."""

from dataclasses import dataclass, field
from typing import Union

from diffbench.base.provenance_file import Recorded
from diffbench.jobs.facts import Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class Unsampled(Facts):
    """Images that no network made, which cost nothing."""


@dataclass(frozen=True, kw_only=True)
class Cost(Facts):
    """What an image of a sample set cost in network evaluations and floating-point operations, on average.

    nfe: evaluations that an image needed. nfe_max: those of the image that needed most, and nfe_evaluated: those that
    were computed, images that were done before the rest of their batch included; both where images differ. flops_...:
    of one evaluation. classifier_...: of the classifier's gradient, in guidance by one. low_res: what the image that it
    was upsampled from cost; None where it was not upsampled.
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
    """Facts of a sample set. full_size: height and width that its images are enlarged to before they are scored."""

    full_size: tuple[int, int] | None = field(default=None, metadata=OMITTED)


def cost_of(record: Recorded) -> Cost | Unsampled:
    """Return what images cost, by their record: samples, or a split of a data set. Raises: UserError."""
    return Cost.recorded(record) if "nfe" in record["facts"] else Unsampled()

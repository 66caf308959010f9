"""Facts of the terms of a model's bound: the images, and their codelength without a model."""

from dataclasses import dataclass, field

from diffbench.base.names import SplitName
from diffbench.base.numerics import Precision
from diffbench.jobs.data_facts import Codes
from diffbench.jobs.facts import MERGED, Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class TermsFacts(Facts):
    """Facts of the terms of a bound.

    num_images: how many images were evaluated. of: how many the split has. levels: the number of grey levels.
    ssim_window: the side in pixels of the window for the structural similarity of reconstructions; None without
    reconstructions. codes: codelengths of the test split without a model; None for the terms of another split.
    precision: the precision of the model's network, which the facts of the device say.
    """

    num_images: int
    of: int
    levels: int
    split: SplitName
    ssim_window: int | None = field(default=None, metadata=OMITTED)
    codes: Codes | None = field(default=None, metadata=MERGED)
    precision: Precision | None = field(default=None, metadata=OMITTED)

"""Facts of the terms of a model's bound: which images, and what they are coded with anyway."""

from dataclasses import dataclass, field
from typing import Literal

from diffbench.jobs.data_facts import Codes
from diffbench.jobs.facts import MERGED, Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class TermsFacts(Facts):
    """Facts of the terms of a bound.

    num_images: evaluated, `of` so many of the split. levels: grey levels. ssim_window: in pixels, of the structural
    similarity of reconstructions; None without any. codes: of the test split.
    """

    num_images: int
    of: int
    levels: int
    split: Literal["train", "test"]
    ssim_window: int | None = field(default=None, metadata=OMITTED)
    codes: Codes | None = field(default=None, metadata=MERGED)

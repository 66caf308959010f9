"""DDPM-2: FID to training images and to as many test images."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, judged
from diffbench.comparison.claims._references import reference_gap

TEST = "FID(to training images) - FID(to as many test images) < 0"
NEEDS = "samples that are scored by FID to training images, with their features and those of test images"


@dataclass(frozen=True)
class Ddpm2(Claim):
    """Whether samples are nearer to the training images than to others, at equal numbers of both."""

    id = "DDPM-2"
    source = "Ho et al. 2020, section 4.1"
    statement = "FID to the training set is lower than FID to the test set."
    published = "3.17 < 5.24, and 3.21 < 5.27 by others (CIFAR-10; 50,000 and 10,000 images)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each set of samples in as many steps as the most of its model."""
        sides = {}
        for side in evidence.sides("fid", {"guidance.name": None}):
            of = side.label.partition("/")[0]
            if of not in sides or side.properties["steps"] > sides[of].properties["steps"]:
                sides[of] = side
        found = []
        for side in sides.values():
            gap = reference_gap(side, evidence.real)
            if gap is not None:
                found.append(judged(gap.effect, (-INFINITY, 0), test=TEST, on=side.label, method=gap.method))
        yield from found_or(found, TEST, NEEDS)

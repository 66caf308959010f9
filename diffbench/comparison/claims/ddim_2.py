"""DDIM-2: the large variance at few and at all steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, Side, below, found_or

FEW = 50
WHERE = {"diffusion.variance": "fixed_large"}
NEEDS = "a model with fixed_large that is sampled by ancestral sampling and by ddim with"


@dataclass(frozen=True)
class Ddim2(Claim):
    """Whether the large variance is worse than DDIM's small one at few steps, and better than none at all steps."""

    id = "DDIM-2"
    source = "Song et al. 2021 (DDIM), section 5.1 and table 1"
    statement = "Sampling with the large variance is far worse at few steps, and best at all steps of the chain."
    published = "FID 367.43, 133.37, 32.72 > 41.07, 18.36, 8.01 at 10, 20, 50 steps; 3.17 < 4.04 at 1000 (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model and number of steps."""
        test = f"FID(eta = 1) - FID(large variance) < 0 at K <= {FEW} and K <= T / 2"
        pairs = _pairs(evidence, 1.0)
        few = (below(eta, large, test=test) for large, eta in pairs if _are_few(*_steps(large)))
        yield from found_or(few, test, f"{NEEDS} eta 1, in at most {FEW} steps and half the chain")
        test = "FID(large variance) - FID(eta = 0) < 0 at K = T"
        whole = (below(large, eta, test=test) for large, eta in _pairs(evidence, 0.0) if len(set(_steps(large))) == 1)
        yield from found_or(whole, test, f"{NEEDS} eta 0, in all steps of its chain")


def _pairs(evidence: Evidence, eta: float) -> Iterator[tuple[Side, Side]]:
    """Yield the sides of ancestral sampling and of DDIM."""
    return evidence.pairs("fid", {"sampler.name": ("ancestral", "ddim"), "sampler.eta": (None, eta)}, WHERE)


def _are_few(steps: int, timesteps: int) -> bool:
    return steps <= min(FEW, timesteps / 2)


def _steps(side: Side) -> tuple[int, int]:
    """Return the steps of the samples and of the whole chain."""
    return side.properties["steps"], side.properties["diffusion.timesteps"]

"""DDPM-10: two fixed variances at the full chain (a negative control)."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, Side, found_or, ratio_between

TEST = "FID(beta_t) / FID(beta_tilde_t) from 0.8 to 1.25, at K = T"
NEEDS = "all steps of a chain by ancestral sampling with fixed_large, and with fixed_small or by ddim with eta 1"


@dataclass(frozen=True)
class Ddpm10(Claim):
    """Whether the large and the small fixed variance give alike samples. DDIM with eta 1 has the small one."""

    id = "DDPM-10"
    source = "Ho et al. 2020, section 3.2"
    statement = "The variances beta_t and beta_tilde_t give similar results at all steps of the chain."
    published = "FID 3.17 and 4.73 (CIFAR-10), 3.26 and 5.98 (CelebA), by Song et al. 2021, table 1"
    published_holds = False
    control = "the table of DDIM: ratios of 1.49 and 1.83"

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model."""
        by_model = evidence.pairs("fid", {"diffusion.variance": ("fixed_large", "fixed_small")})
        differ = {"sampler.name": ("ancestral", "ddim"), "sampler.eta": (None, 1.0)}
        by_sampler = evidence.pairs("fid", differ, {"diffusion.variance": "fixed_large"})
        pairs = [(a, b) for a, b in (*by_model, *by_sampler) if _is_whole(a)]
        yield from found_or((ratio_between(a, b, 0.8, 1.25, test=TEST) for a, b in pairs), TEST, NEEDS)


def _is_whole(side: Side) -> bool:
    return side.properties["steps"] == side.properties["diffusion.timesteps"]

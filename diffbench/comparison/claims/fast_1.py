"""FAST-1: solvers of higher order at equal cost."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, equal_cost_pairs, found_or, untestable
from diffbench.comparison.claims._costs import evaluations

MOST = 25
GRIDS = ("log_snr", "karras")
"""Spacings that the solvers of higher order were made for. Both sides have the same one."""
SOLVERS = {
    "DPM-Solver-2": {"sampler.name": ("dpm_solver", "ddim"), "sampler.order": (2, None)},
    "DPM-Solver-3": {"sampler.name": ("dpm_solver", "ddim"), "sampler.order": (3, None)},
    "Heun": {"sampler.name": ("heun", "ddim")},
}


@dataclass(frozen=True)
class Fast1(Claim):
    """Whether a solver of higher order beats DDIM at equal NFE. In sigma / alpha, Heun's method is semi-linear too."""

    id = "FAST-1"
    source = "Lu et al. 2022 (DPM-Solver), table 1; Karras et al. 2022 (EDM), figure 2"
    statement = "At equal network evaluations, semi-linear solvers of higher order beat DDIM and Runge-Kutta methods."
    published = "all rows from 12 to 48 evaluations (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each solver, model and cost."""
        for solver, differ in SOLVERS.items():
            test = f"FID({solver}) - FID(DDIM) < 0 at equal NFE <= {MOST}"
            pairs = equal_cost_pairs(evidence, "fid", {**differ, "sampler.eta": (None, 0.0)})
            found = (
                below(a, b, test=test)
                for a, b in pairs
                if str(a.properties.get("spacing")).startswith(GRIDS) and (evaluations(evidence, b) or 0) <= MOST
            )
            needs = (
                f"a model that is sampled by {solver} and by ddim on the same {' or '.join(GRIDS)} grid at equal NFE"
            )
            yield from found_or(found, test, needs)
        yield untestable("FID(DPM-Solver-3) - FID(RK3) < 0", "no sampler here is a Runge-Kutta method in t")

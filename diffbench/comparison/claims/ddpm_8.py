"""DDPM-8: distortion falls steeply at a low rate."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import (
    INFINITY,
    Claim,
    Estimate,
    Evidence,
    Finding,
    Scored,
    found_or,
    measured_between,
    measures_monotone,
)
from diffbench.comparison.claims._terms import rate_share, steps_of_distortion

WHERE = {"objective.name": "simple"}
NEEDS = "the terms of the bound of a model with L_simple"


def _step(number: int) -> Callable[[Scored], Estimate | None]:
    def measured(item: Scored) -> Estimate | None:
        steps = steps_of_distortion(item)
        return steps[number] if steps is not None and number < len(steps) else None

    return measured


@dataclass(frozen=True)
class Ddpm8(Claim):
    """Whether little of the rate is spent until t = 0.1 T, and the error of x_0 falls from point to point."""

    id = "DDPM-8"
    source = "Ho et al. 2020, section 4.3 and table 4"
    statement = "Most bits describe detail at the end of the reverse process, and distortion falls all the way."
    published = "0.11994 / 1.77581 = 0.068; RMSE falls over all 10 rows (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding on the rate and one on the distortion for each model."""
        sides = evidence.sides("nll_bits_per_dim", WHERE)
        test = "rate at t = 0.1 T / whole rate < 0.3"
        rates = (measured_between(side, rate_share, -INFINITY, 0.3, test=test) for side in sides)
        yield from found_or(rates, test, NEEDS)
        test = "the squared error of x_0 rises with t, at every point of the curve"
        curves = []
        for side in sides:
            steps = steps_of_distortion(side.scored[0]) or []
            measures = [(f"step {number + 1} of {len(steps)}", _step(number)) for number in range(len(steps))]
            curves += [measures_monotone(side, measures, rising=True, test=test)] if measures else []
        yield from found_or(curves, test, f"{NEEDS}, with reconstructions")

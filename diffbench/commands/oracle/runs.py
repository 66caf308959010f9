"""Errors of samplers on data with known results, and how they fall with the number of steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas
import torch
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.seeds import Stream
from diffbench.commands.oracle.data import LOG_SNR, Stack, mixture, oracle_chain, spectra
from diffbench.commands.sampler_option import Entry
from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain
from diffbench.samplers._batches import walked
from diffbench.samplers._contract import Sampler
from diffbench.samplers._outcome import CountingDenoiser, NotAffineError, exact_outcome

STEPS = {
    "linear": (10, 25, 50, 100, 250),
    "cosine": (10, 25, 50, 100, 250),
    LOG_SNR: (8, 16, 32, 64, 128, 256),
}
FITTED = 64
"""The fewest steps of the log-SNR chain whose errors are used to fit the order."""

NUM_STARTS = 64
FLOW = 1e-10
"""The tolerance of the mixture's exact flow, far below all errors that are measured against it."""

SIZE = 8
VARIANCES = {"fixed_small": 0.0, "fixed_large": 1.0}
"""Reverse variances, as shares of the way from log beta_tilde to log beta. A sampler that uses none runs once."""

MIXTURE = "mixture"
COLUMNS = (
    "data", "schedule", "sampler", "reverse_variance", "steps", "nfe", "stochastic", "rmse", "frechet", "error",
    "order", "startup_order", "measured_order",
)  # fmt: skip


@dataclass
class Runs:
    """Rows of the table, and notes on what could not be measured."""

    rows: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self) -> pandas.DataFrame:
        """Return the rows as a table, with the order that each sampler's errors have on the log-SNR chain."""
        table = pandas.DataFrame(self.rows, columns=pandas.Index(COLUMNS))
        keys = ["data", "sampler", "reverse_variance"]
        for _, rows in table[(table["schedule"] == LOG_SNR) & (table["steps"] >= FITTED)].groupby(keys):
            table.loc[rows.index, "measured_order"] = measured_order(list(rows["steps"]), list(rows["error"]))
        return table


def measured_order(steps: Sequence[float], errors: Sequence[float]) -> float:
    """Return the exponent p of error = c steps^-p, by least squares in logarithms; NaN if an error is 0."""
    x, y = np.asarray(steps, np.float64), np.asarray(errors, np.float64)
    if not (y > 0).all():
        return float("nan")
    return -float(np.polyfit(np.log(x), np.log(y), 1)[0])


def run_samplers(entries: Sequence[Entry]) -> Runs:
    """Return the errors of every sampler on all data and chains."""
    runs, stack = Runs(), Stack.of(spectra(SIZE))
    exact = _Exact(stack)
    for entry in entries:
        if entry.sampler.adaptive:
            runs.notes.append(f"{entry.name}: chooses its own steps, so that there is no order to measure; left out")
            continue
        fractions, unknown = _fractions(entry, stack)
        if unknown:
            runs.notes.append(f"{unknown}: its Frechet distances are left out")
        for schedule, counts in STEPS.items():
            for steps in counts:
                chain = oracle_chain(schedule, steps)
                for variance, fraction in fractions.items():
                    key = {"schedule": schedule, "sampler": entry.name, "reverse_variance": variance, "steps": steps}
                    for row in _measured(entry.sampler, chain, fraction, exact, key, moments=not unknown):
                        runs.rows.append(key | row)
    return runs


@dataclass
class _Exact:
    """The exact end points of the flow, which are computed once for all chains that begin at the same level."""

    stack: Stack
    _ends: dict[tuple[float, str], tuple[X, X]] = field(default_factory=dict)

    def ends(self, chain: Chain, data: str) -> tuple[X, X]:
        """Return the starting points x_T, and the exact end points."""
        key = (float(chain.sigmas[0]), data)
        if key not in self._ends:
            shape = (1, 1, 2) if data == MIXTURE else self.stack.shape
            x_T = Stream(0, "x_T").normal(torch.arange(NUM_STARTS), 0, shape).double()
            ends = chain.level(0), chain.level(len(chain))
            exact = mixture().flow(x_T, *ends, tolerance=FLOW) if data == MIXTURE else self.stack.data.flow(x_T, *ends)
            self._ends[key] = x_T, exact
        return self._ends[key]


def _fractions(entry: Entry, stack: Stack) -> tuple[dict[str, float], str]:
    """Return the reverse variances for a sampler, and the reason if its exact moments cannot be computed, or ""."""
    chain = oracle_chain("linear", 10)
    outcomes = []
    for fraction in VARIANCES.values():
        try:
            outcomes.append(exact_outcome(entry.sampler, stack.data.denoiser(fraction), chain, stack.shape).variance)
        except NotAffineError as error:
            return (VARIANCES if entry.sampler.stochastic else {"": 0.0}), str(error)
    return ({"": 0.0} if torch.equal(*outcomes) else VARIANCES), ""


def _measured(
    sampler: Sampler, chain: Chain, fraction: float, exact: _Exact, key: dict, *, moments: bool
) -> Iterator[dict]:
    stack, declared = exact.stack, {"stochastic": sampler.stochastic, "order": sampler.order}
    declared["startup_order"] = sampler.startup_order
    denoiser = stack.data.denoiser(fraction)
    outcome = exact_outcome(sampler, denoiser, chain, stack.shape) if moments else None
    nfe, off = None, None
    if not sampler.stochastic:
        nfe, off = _off(sampler, denoiser, chain, exact, "spectra")
    distances = {} if outcome is None else stack.frechet(outcome.mean, outcome.variance)
    for name, place in stack.places.items():
        counts = stack.counts[place]
        row: dict = {"data": name, "nfe": nfe if outcome is None else outcome.nfe, **declared}
        if off is not None:
            row["rmse"] = float(((off[..., place] ** 2) @ counts).mean() / counts.sum()) ** 0.5
        if outcome is not None:
            row["frechet"] = distances[name]
        known = row.get("rmse")
        if known is None and outcome is not None:
            known = (row["frechet"] / float(counts.sum())) ** 0.5
        yield row | {"error": known}
    if not sampler.stochastic:
        nfe, off = _off(sampler, mixture().denoiser(fraction), chain, exact, MIXTURE)
        rmse = float((off**2).mean()) ** 0.5
        yield {"data": MIXTURE, "nfe": nfe, **declared, "rmse": rmse, "error": rmse}


def _off(sampler: Sampler, denoiser: Denoiser, chain: Chain, exact: _Exact, data: str) -> tuple[float, Tensor]:
    x_T, end = exact.ends(chain, data)
    counting = CountingDenoiser(denoiser)
    found = walked(sampler, counting, chain, x_T, _refused(sampler))
    return counting.rows / len(x_T), found - end


def _refused(sampler: Sampler):  # noqa: ANN202  (a Noise)
    def noise(i: int) -> X:
        raise UserError(f"sampler {type(sampler).__name__}: declares stochastic = False and asks for noise")

    return noise

"""The command: tests of samplers and of the papers' claims on data with known results, without any network."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pandas
import torch

from diffbench.base import plugins
from diffbench.base.writing import replacing
from diffbench.commands.oracle import bound_claims as bound
from diffbench.commands.oracle import sampling_claims as sampling
from diffbench.commands.oracle.claims import Claim
from diffbench.commands.oracle.data import LOG_SNR
from diffbench.commands.oracle.runs import run_samplers
from diffbench.commands.sampler_option import entry_of

NEAR = 0.3
"""The largest difference of a measured order from the declared one. Orders are fitted at finite steps."""

FAMILIES = (
    bound.prior,
    bound.decoder_share,
    bound.low_noise_share,
    bound.reverse_variances,
    sampling.skipping,
    sampling.noise_share,
    sampling.encoding,
    sampling.temperature,
)

VERDICTS = {True: "holds", False: "fails"}
FILES = ("oracle.csv", "oracle_claims.csv", "oracle.png")


def oracle(samplers: Sequence[str], out: Path) -> tuple[str, bool]:
    """Write oracle.csv, oracle_claims.csv and oracle.png; return a report, and whether all verdicts are as expected.

    samplers: names or dotted paths, with options after them (`ddim eta=0.5`); if empty, all samplers of the package.
    Raises: UserError for a sampler that does not exist or fails.
    """
    entries = [entry_of(text) for text in samplers or plugins.names("samplers")]
    with one_thread():
        runs = run_samplers(entries)
        table = runs.table()
        verdicts = [*order_claims(table), *(claim for family in FAMILIES for claim in family())]
    frame = pandas.DataFrame(
        [dataclasses.asdict(claim) | {"as_expected": claim.as_expected} for claim in verdicts]
    ).replace({"holds": VERDICTS, "expected": VERDICTS})
    out.mkdir(parents=True, exist_ok=True)
    for name, content in zip(FILES[:2], (table, frame.rename(columns={"holds": "verdict"})), strict=True):
        with replacing(out / name) as temporary:
            content.to_csv(temporary, index=False)
    # matplotlib is slow to import, so it is imported only here.
    from diffbench.figures._style import save_png
    from diffbench.figures.error_vs_nfe import ErrorVsNfe

    files = FILES if len(table) else FILES[:2]
    if len(table):
        with replacing(out / FILES[2]) as temporary:
            save_png(ErrorVsNfe()(table), temporary)
    lines = [printed(verdicts), *runs.notes, f"written: {', '.join(str(out / name) for name in files)}"]
    return "\n".join(lines), all(claim.as_expected for claim in verdicts)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread in this block, since tensors here are so small that more threads make it slower."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def order_claims(table: pandas.DataFrame) -> list[Claim]:
    """Return a claim for each sampler: its errors fall with the number of steps as its declared order says.

    It is tested on the data with the smallest measured order; for a stochastic sampler, on the data with the largest
    errors. A solver may have a higher order on some data (the flow of normal data is linear), but never a lower one.
    """
    found = []
    fitted = table.loc[(table["schedule"] == LOG_SNR) & table["measured_order"].notna()]
    for key, rows in fitted.groupby(["sampler", "reverse_variance"], sort=False):
        sampler, variance = cast(tuple[str, str], key)
        # Errors of a variance may change their sign with more steps, so the largest are used for a stochastic sampler.
        errors, orders = cast(pandas.Series, rows["error"]), cast(pandas.Series, rows["measured_order"])
        least = rows.loc[errors.idxmax() if rows.iloc[0]["stochastic"] else orders.idxmin()]
        order, declared = float(least["measured_order"]), int(least["order"])
        # First steps of a lower order limit the order of the whole, but their effect may be too small to show.
        lowest = min(declared, int(least["startup_order"]) + 1)
        found.append(
            Claim(
                "ORDER",
                f"{sampler}{f', {variance}' if variance else ''}",
                "error ~ steps^-order, as declared",
                f"{order:.2f} ({least['data']})",
                f"{lowest if lowest == declared else f'{lowest} to {declared}'} +- {NEAR}",
                lowest - NEAR <= order <= declared + NEAR,
                True,
            )
        )
    return found


def printed(verdicts: Sequence[Claim]) -> str:
    """Return the claims as a table, in which unexpected verdicts are marked."""
    rows = [("claim", "on", "statement", "measured", "threshold", "verdict", "expected", "")]
    for claim in verdicts:
        verdict, expected = VERDICTS[claim.holds], VERDICTS[claim.expected]
        rows.append(
            (
                claim.claim,
                claim.data,
                claim.statement,
                claim.measured,
                claim.threshold,
                verdict,
                expected,
                "" if claim.as_expected else "<- NOT AS EXPECTED",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )

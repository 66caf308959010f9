"""The command: it finds a folder of results, tests claims on it, and returns what it found as text."""

from collections.abc import Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.base.records import Estimate
from diffbench.commands.claims.table import write_table
from diffbench.commands.missing import way_to
from diffbench.comparison.claims._contract import OUTCOMES, Finding
from diffbench.comparison.claims._decided import Decided, decided
from diffbench.comparison.claims._evidence import evidence_of


def claims(results: Path, names: Sequence[str] = (), out: Path | None = None) -> str:
    """Return the claims with their outcomes as text, or where the table was written.

    results: a folder of results, or a benchmark's folder. names: ids of claims, or dotted paths of your own; empty for
    all. out: a CSV file to write instead. Raises: UserError with the way out.
    """
    if out is not None and out.suffix.lower() != ".csv":
        raise UserError(f"--out {out}: must end in .csv")
    folder = _folder(results)
    evidence = evidence_of(folder)
    found = decided(evidence, names)
    if out is not None:
        write_table(out, found)
        return f"written to {out}"
    blocks = [_block(item) for item in found]
    if evidence.left_out:
        blocks.append(
            f"left out: {len(evidence.left_out)} files of scores that no table here was made from, such as "
            f"{evidence.left_out[0]}"
        )
    return "\n\n".join([*blocks, _summary(found)])


def _folder(results: Path) -> Path:
    inside = results / RESULTS
    folder = inside if inside.is_dir() else results
    if not folder.is_dir():
        raise UserError(f"{folder}: no folder of results; {way_to(folder)}")
    return folder


def _block(item: Decided) -> str:
    claim = item.claim
    control = " (negative control)" if claim.control else ""
    lines = [f"{claim.id}{control}: {item.outcome}", f"  {claim.statement} {claim.source}."]
    if claim.published:
        agrees = {True: ", which agree", False: ", which contradict it", None: ""}[claim.published_holds]
        lines.append(f"  Published: {claim.published}{agrees}.")
    if claim.control:
        lines.append(f"  Contradicted by: {claim.control}.")
    rows = [_cells(finding) for finding in item.findings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return "\n".join(lines)


def _cells(finding: Finding) -> tuple[str, ...]:
    if finding.effect is None:
        return finding.outcome, finding.test, finding.on, finding.reason
    return finding.outcome, finding.test, finding.on, f"{_written(finding.effect)}, {finding.method}"


def _written(effect: Estimate) -> str:
    return f"{effect.value:.3g} ({effect.low:.3g} to {effect.high:.3g})"


def _summary(found: Sequence[Decided]) -> str:
    counts = {outcome: sum(item.outcome == outcome for item in found) for outcome in OUTCOMES}
    listed = ", ".join(f"{outcome} {count}" for outcome, count in counts.items() if count)
    number = f"{len(found)} claim{'s' if len(found) > 1 else ''}"
    return f"{number}: {listed}. Intervals are of 95 %."

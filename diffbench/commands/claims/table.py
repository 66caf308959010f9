r"""The table of claims: each test of each claim, with its outcome, the effect and its interval.

python -m diffbench.commands.claims.table --spec SPEC --scores a.json b.json --out results/claims.csv

The workflow's rule calls it. What is not in the scores (terms of bounds, features) is found by their records.
"""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import RESULTS
from diffbench.base.writing import replacing
from diffbench.comparison.claims._contract import Claim, Finding
from diffbench.comparison.claims._decided import Decided, decided
from diffbench.comparison.claims._evidence import evidence_from
from diffbench.jobs.claims import ClaimsJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record

COLUMNS = (
    *("claim", "negative_control", "statement", "source", "test", "on", "outcome"),
    *("effect", "effect_low", "effect_high", "above", "below", "interval", "covers", "published", "published_holds"),
    "reason",
)


def tabulate(
    job: ClaimsJob, *, scores: Sequence[Path], traces: Sequence[Path] = (), out: Path, home: Path = Path()
) -> None:
    """Write the table with its record. scores: the files of the job, in any order. traces: samples on their way from
    noise. home: where the paths start.

    Raises: UserError naming a file that is missing, damaged or not what a score was made from.
    """
    if {str(path) for path in scores} != set(job.scores):
        raise UserError(f"--scores: {len(scores)} files, but the spec names {len(job.scores)} others")
    upstream = upstream_of(job.upstream, scores=scores, traces=traces)
    inputs = checked({str(path): home / path for path in (*scores, *traces)}, upstream=upstream)
    found = decided(evidence_from([home / path for path in job.scores], home / RESULTS))
    write_table(out, found)
    facts = {"given": {"scores": [str(path) for path in scores], "traces": [str(path) for path in traces]}}
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts)


def write_table(out: Path, found: Sequence[Decided]) -> None:
    """Write the findings on some claims as CSV."""
    with replacing(out) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(_row(item.claim, finding) for item in found for finding in item.findings)


def _row(claim: Claim, finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = {
        **{"claim": claim.id, "negative_control": claim.control, "statement": claim.statement, "source": claim.source},
        **{"published": claim.published, "published_holds": _word(claim.published_holds)},
        **{key: getattr(finding, key) for key in ("test", "on", "outcome", "reason")},
    }
    if finding.effect is None or finding.bounds is None:
        return row
    effect = finding.effect
    ends = {"effect": effect.value, "effect_low": effect.low, "effect_high": effect.high}
    ends |= {key: end for key, end in zip(("above", "below"), finding.bounds, strict=True) if math.isfinite(end)}
    row |= {key: f"{number:.6g}" for key, number in ends.items()}
    return row | {"interval": finding.method, "covers": effect.covers}


def _word(holds: bool | None) -> str:
    return "" if holds is None else "yes" if holds else "no"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table as the command line says."""
    parser = stage_parser(__doc__, ClaimsJob.read)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="files of records")
    parser.add_argument("--traces", type=Path, nargs="*", default=[], help="samples on their way from noise")
    parser.add_argument("--out", type=Path, required=True, help="the table to write (.csv)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="tabulate"):
        tabulate(given.spec, scores=given.scores, traces=given.traces, out=given.out)


if __name__ == "__main__":
    run_stage(main)

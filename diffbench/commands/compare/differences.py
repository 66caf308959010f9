r"""The table of differences to a baseline sampler and a baseline model, with intervals and verdicts.

python -m diffbench.commands.compare.differences --spec SPEC --scores a.json b.json --out results/differences.csv

The workflow's rule calls it. A Frechet distance has an interval from pairs of images, for which the features are read.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.records import read_records
from diffbench.base.writing import replacing
from diffbench.comparison.differences import Difference, differences
from diffbench.comparison.pairs import Pairs
from diffbench.jobs.differences import DifferencesJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record

SIDE = ("model", "sampler", "guidance_scale")

COLUMNS = (
    *("benchmark", "compared", "metric", *SIDE, "steps", *(f"baseline_{key}" for key in SIDE), "num_images"),
    *(f"{side}{end}" for side in ("value", "baseline_value", "difference") for end in ("", "_low", "_high")),
    *("outcome", "interval", "covers", "protocol"),
)

NO_SCORE = "no score"
"""The outcome if a side has no finite score."""


def tabulate(job: DifferencesJob, *, scores: Sequence[Path], out: Path, home: Path = Path()) -> None:
    """Write the table with its record. scores: the files of the job's sets, in any order; home: where its paths start.

    Raises: UserError naming a file that is missing, damaged or not what a score was made from.
    """
    wanted = list(dict.fromkeys(item.scores for item in job.sets))
    if {str(path) for path in scores} != set(wanted):
        raise UserError(
            f"--scores: {len(scores)} files, but the spec names {len(wanted)} others; give those of the spec"
        )
    inputs = checked({str(path): home / path for path in scores}, upstream=upstream_of(job.upstream, scores=scores))
    records = {path: read_records([home / path]) for path in wanted}
    protocols = {item.name: item.protocol.configured() for item in job.protocols}
    found = differences(job, records, Pairs(protocols, home, job.sets))
    with replacing(out) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({"benchmark": job.benchmark, **_row(item)} for item in found)
    facts = {"given": {"scores": [str(path) for path in scores]}}
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts)


def _row(item: Difference) -> dict[str, Any]:
    row: dict[str, Any] = {"compared": item.compared, "metric": item.metric, "steps": item.own["steps"]}
    row |= {key: _cell(item.own[key]) for key in (*SIDE, "num_images", "protocol")}
    row |= {f"baseline_{key}": _cell(item.baseline[key]) for key in SIDE}
    if item.verdict is None:
        return row | {"outcome": NO_SCORE}
    verdict = item.verdict
    sides = {"value": verdict.a, "baseline_value": verdict.b, "difference": verdict.difference}
    for side, estimate in sides.items():
        ends: Mapping[str, float] = {"": estimate.value, "_low": estimate.low, "_high": estimate.high}
        row |= {f"{side}{end}": f"{value:.6g}" for end, value in ends.items()}
    return row | {"outcome": verdict.outcome, "interval": verdict.method, "covers": verdict.difference.covers}


def _cell(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table as the command line says."""
    parser = stage_parser(__doc__, DifferencesJob.read)
    parser.add_argument("--scores", type=Path, nargs="+", required=True, help="files of records")
    parser.add_argument("--out", type=Path, required=True, help="the table to write (.csv)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="tabulate"):
        tabulate(given.spec, scores=given.scores, out=given.out)


if __name__ == "__main__":
    run_stage(main)

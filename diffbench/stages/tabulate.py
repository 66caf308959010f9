r"""The stage tabulate: a table (CSV) of score files, with numbers for `dvc metrics show` (JSON), or of bounds' terms.

python -m diffbench.stages.tabulate --spec '{"benchmark": "digits", "table": {"name": "table2"}}' \
    --scores a.json b.json --out table2.csv metrics.json [--logs results/logs --cost results/cost.csv]
python -m diffbench.stages.tabulate --spec '{"benchmark": "digits", "table": {"name": "rate_distortion"},
    "rows": [{"benchmark": "digits", "model": "ddpm", "train_seed": 0}]}' \
    --terms results/terms/ddpm/train0/test.npz --out rate_distortion.csv

The table and the numbers depend on the scores alone. The cost differs from run to run, so it goes to a separate
file, which no hash covers.
"""

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.names import REAL
from diffbench.base.provenance import write_provenance
from diffbench.base.records import read_records
from diffbench.base.writing import replacing
from diffbench.jobs.tabulate import ModelRow, TableJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record
from diffbench.tables.table2 import NUMBERS_OF_A_MODEL

FLOAT_FORMAT = "%.6g"
"""Six digits are more than any interval resolves, and so few that the last bits of two machines do not show.

The exact numbers are in the score files."""

VARIANT_KEYS = ("guidance_scale", "train_seed", "sample_seed", "num_images", "protocol")
"""Columns in which two rows of the same model, sampler and steps may differ."""

SOURCES = {"records": "scores", "terms": "terms"}
"""The argument that gives what a table consumes."""

COST_COLUMNS = (
    *("stage", "run", "seconds", "cpu_seconds", "startup_cpu_seconds", "num_images", "images_per_second"),
    *("peak_memory_mib", "machine", "processors", "date"),
)


def tabulate(
    job: TableJob,
    *,
    out_table: Path,
    scores: Sequence[Path] = (),
    terms: Sequence[Path] = (),
    out_metrics: Path | None = None,
) -> pandas.DataFrame:
    """Write the table of score files or of terms, its provenance and its numbers as JSON, and return the table.

    Raises: UserError naming a file that is missing or damaged, or if the table is not made from what was given.
    """
    table = job.table.configured()
    if table.consumes != ("terms" if terms else "records"):
        raise UserError(f"table {job.table.name}: is made from --{SOURCES[table.consumes]}, and from nothing else")
    given = {"scores": scores, "terms": terms}
    wanted = upstream_of(job.upstream, **{source: paths for source, paths in given.items() if paths})
    inputs = checked({str(path): path for path in (*scores, *terms)}, upstream=wanted)
    frame = table(_identified(job.rows, terms) if terms else _records(scores, out_table))
    with replacing(out_table) as temporary:
        frame.to_csv(temporary, index=False, float_format=FLOAT_FORMAT, lineterminator="\n")
    # The order of the files is recorded because the table's rows follow it.
    facts = {"given": {source: list(map(str, paths)) for source, paths in given.items()}}
    write_provenance(out_table, spec=job.as_json(), inputs=inputs, facts=facts)
    if out_metrics:
        with replacing(out_metrics) as temporary:
            temporary.write_text(json.dumps(nested_numbers(frame), indent=1) + "\n")
    return frame


def _records(scores: Sequence[Path], out_table: Path) -> list[dict[str, Any]]:
    records = read_records(scores)
    if not records:
        raise UserError(f"{out_table}: no scores to put into the table; score a sample set first")
    return records


def _identified(rows: Sequence[ModelRow], terms: Sequence[Path]) -> list[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    if len(rows) != len(terms):
        raise UserError(f"--spec.rows: {len(rows)} rows for {len(terms)} files; give each file one of its own")
    return [
        (dataclasses.asdict(row), {name: read_member(path, name) for name in member_names(path)})
        for row, path in zip(rows, terms, strict=True)
    ]


def nested_numbers(frame: pandas.DataFrame) -> dict[str, Any]:
    """Return {model: {sampler: {steps: {"fid": ...}}}}, with the table's digits and without intervals.

    The row `real` has neither sampler nor steps. A model's own numbers are beside its samplers; if there are several
    seeds, they are those of the first row. If rows share model, sampler and steps, their last key also names the
    columns in which they differ.
    """
    numbers = [name for name in frame.columns if f"{name}_low" in frame.columns]
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    places = [[str(row[key]) for key in ("model", "sampler", "steps") if pandas.notna(row[key])] for row in rows]
    crowded = Counter(map(tuple, places))
    sampled = [row for row in rows if row["model"] != REAL]
    varying = [
        key for key in VARIANT_KEYS if len({row[key] for row in sampled if key in row and pandas.notna(row[key])}) > 1
    ]
    result: dict[str, Any] = {}
    for place, row in zip(places, rows, strict=True):
        if crowded[tuple(place)] > 1:
            place[-1] += "".join(f" {key}={row[key]}" for key in varying if pandas.notna(row[key]))
        node = result
        for key in place:
            node = node.setdefault(key, {})
        node |= {name: _rounded(row[name]) for name in numbers if pandas.notna(row[name])}
        for name in NUMBERS_OF_A_MODEL:
            if name in frame.columns and pandas.notna(row[name]):
                result[place[0]].setdefault(name, _rounded(row[name]))
    return result


def _rounded(value: float) -> float:
    return float(FLOAT_FORMAT % value)


def cost_table(logs: Path) -> pandas.DataFrame:
    """Return one row for each run record (`*.run.json`) under `logs`: stage, seconds, images/s, memory, machine.

    Raises: UserError naming a record that is not JSON.
    """
    rows = []
    for path in sorted(logs.rglob("*.run.json")):
        try:
            run = json.loads(path.read_text())
        except json.JSONDecodeError:
            raise UserError(f"{path}: not JSON; remove it") from None
        if "images_per_second" not in run and run.get("num_images") and run.get("seconds"):
            run["images_per_second"] = round(run["num_images"] / run["seconds"], 2)
        rows.append({"run": str(path.relative_to(logs)).removesuffix(".run.json")} | run)
    frame = pandas.DataFrame(rows, columns=list(COST_COLUMNS))
    return frame.convert_dtypes(convert_string=False, convert_floating=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Tabulate as the command line says."""
    parser = stage_parser(__doc__, TableJob.read)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--scores", type=Path, nargs="+", default=[], help="files of records")
    source.add_argument("--terms", type=Path, nargs="+", default=[], help="bounds, one for each model")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="TABLE.csv [METRICS.json]")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where the run records are")
    parser.add_argument("--cost", type=Path, help="where to write what the runs cost (CSV)")
    given = parser.parse_args(arguments)
    if len(given.out) > 2:
        parser.error("--out takes the table and, after it, the metrics")
    if given.terms and len(given.out) == 2:
        parser.error("a table of terms has no metrics file; give --out one path")
    if (given.logs is None) != (given.cost is None):
        parser.error("--logs and --cost go together")
    with run_record(given.run_record, stage="tabulate"):
        out_metrics = given.out[1] if len(given.out) == 2 else None
        tabulate(given.spec, scores=given.scores, terms=given.terms, out_table=given.out[0], out_metrics=out_metrics)
    if given.cost:
        with replacing(given.cost) as temporary:
            cost_table(given.logs).to_csv(temporary, index=False, float_format=FLOAT_FORMAT, lineterminator="\n")


if __name__ == "__main__":
    run_stage(main)

r"""The stage tabulate: a table of score files, of bounds' terms or of models, as CSV and in forms for people.

python -m diffbench.stages.tabulate --spec '{"benchmark": "digits", "table": {"name": "table2"}}' \
    --scores a.json b.json --out table2.csv metrics.json table2.md table2.html [--logs logs --cost cost.csv]
python -m diffbench.stages.tabulate --spec '{"benchmark": "digits", "table": {"name": "rate_distortion"},
    "rows": [{"benchmark": "digits", "model": "ddpm", "train_seed": 0}]}' \
    --terms results/terms/ddpm/train0/test.npz --out rate_distortion.csv
python -m diffbench.stages.tabulate --spec '{"benchmark": "digits", "table": {"name": "table1"}, "rows": [...]}' \
    --scores a.json --weights weights.safetensors.json --samples 10.npz.json --out table1.csv

The endings of --out say what is written: the table as CSV, Markdown or HTML, or its numbers for `dvc metrics
show` as JSON. They depend on the inputs alone, and the forms for people on the CSV alone. The cost differs from run to
run, so it goes to a separate file, which no hash covers.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked, require_upstream, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import Recorded, read_recorded
from diffbench.base.records import read_records
from diffbench.base.writing import replacing
from diffbench.jobs.tabulate import ModelRow, TableJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._numbers import headline_numbers
from diffbench.stages._run_record import run_record
from diffbench.stages._table_text import table_text
from diffbench.stages._wide import FLOAT_FORMAT

SOURCES = {"records": ("scores",), "terms": ("terms",), "models": ("scores", "weights", "samples")}
"""The arguments that give what a table consumes."""

NUMBERS = ".json"
"""The ending of the numbers for `dvc metrics show`."""

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
    weights: Sequence[Path] = (),
    samples: Sequence[Path] = (),
    out_metrics: Path | None = None,
    out_shown: Sequence[Path] = (),
) -> pandas.DataFrame:
    """Write a table, its provenance and its numbers as JSON, and return the table.

    scores, terms: artifacts. weights, samples: records of artifacts, one for each row of the job. out_table, out_shown:
    files whose endings say their formats. Raises: UserError naming a file that is missing or damaged, or if the table
    is not made from what was given.
    """
    given = {"scores": scores, "terms": terms, "weights": weights, "samples": samples}
    given = {source: list(paths) for source, paths in given.items() if paths}
    table = job.table.configured()
    wanted = SOURCES[table.consumes]
    if tuple(given) != wanted:
        raise UserError(f"table {job.table.name}: is made from {_options(wanted)}, and from nothing else")
    inputs, records = _checked(job, given)
    frame = table(_data(job, given, records, out_table))
    # The order of the files is recorded because the table's rows follow it.
    facts = {"given": {source: list(map(str, paths)) for source, paths in given.items()}}
    for path in (out_table, *out_shown):
        with replacing(path) as temporary:
            temporary.write_text(table_text(frame, job.table.name, path), encoding="utf-8")
        write_provenance(path, spec=job.as_json(), inputs=inputs, facts=facts)
    if out_metrics:
        with replacing(out_metrics) as temporary:
            temporary.write_text(json.dumps(headline_numbers(frame), indent=1) + "\n")
    return frame


def _options(sources: Iterable[str]) -> str:
    return ", ".join(f"--{source}" for source in sources)


def _checked(job: TableJob, given: Mapping[str, Sequence[Path]]) -> tuple[Inputs, dict[Path, Recorded]]:
    """Return the input files, and the records that are among them. Raises: UserError for one that is not the job's."""
    wanted = upstream_of(job.upstream, **given)
    records = [path for source in ("weights", "samples") for path in given.get(source, ())]
    expected = {path: wanted.pop(str(path), None) for path in records}
    files = [path for paths in given.values() for path in paths]
    inputs = checked({str(path): path for path in files}, foreign=list(map(str, records)), upstream=wanted)
    found = {path: read_recorded(path) for path in dict.fromkeys(records)}
    for path, digest in expected.items():
        if digest is not None:
            require_upstream(path, digest, found[path], found[path]["sha256"])
    return inputs, found


def _data(job: TableJob, given: Mapping[str, list[Path]], records: Mapping[Path, Recorded], out: Path) -> list[Any]:
    """Return what a table is made from."""
    for source in ("terms", "weights", "samples"):
        if source in given and len(job.rows) != len(given[source]):
            raise UserError(
                f"--spec.rows: {len(job.rows)} rows for {len(given[source])} files of --{source}; give each row one"
            )
    if "terms" in given:
        return _identified(job.rows, given["terms"])
    scores = _records(given["scores"], out)
    if "weights" not in given:
        return scores
    described = zip(job.rows, given["weights"], given["samples"], strict=True)
    return [_described(row, records[weights], records[samples], scores) for row, weights, samples in described]


def _records(scores: Sequence[Path], out_table: Path) -> list[dict[str, Any]]:
    records = read_records(scores)
    if not records:
        raise UserError(f"{out_table}: no scores to put into the table; score a sample set first")
    return records


def _described(
    row: ModelRow, weights: Recorded, samples: Recorded, scores: Sequence[dict[str, Any]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the facts of a model from the records of its weights and of one of its sample sets, and its scores.

    Weights that were trained elsewhere have no settings of training.
    """
    training = weights["spec"].get("training") or {}
    facts = dataclasses.asdict(row) | {
        "parameters": weights["facts"].get("parameters"),
        "flops_per_evaluation": samples["facts"].get("flops_per_evaluation"),
        "training_steps": training.get("steps"),
        "batch_size": training.get("batch_size"),
    }
    return facts, [item for item in scores if (item["model"], item["train_seed"]) == (row.model, row.train_seed)]


def _identified(rows: Sequence[ModelRow], terms: Sequence[Path]) -> list[tuple[dict[str, Any], dict[str, np.ndarray]]]:
    return [
        (dataclasses.asdict(row), {name: read_member(path, name) for name in member_names(path)})
        for row, path in zip(rows, terms, strict=True)
    ]


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
    parser.add_argument("--scores", type=Path, nargs="+", default=[], help="files of records")
    parser.add_argument("--terms", type=Path, nargs="+", default=[], help="bounds, one for each model")
    parser.add_argument("--weights", type=Path, nargs="+", default=[], help="records of weights, one for each model")
    parser.add_argument("--samples", type=Path, nargs="+", default=[], help="records of samples, one for each model")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="files to write: .csv .md .html .json")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where the run records are")
    parser.add_argument("--cost", type=Path, help="where to write what the runs cost (CSV)")
    given = parser.parse_args(arguments)
    numbers = [path for path in given.out if path.suffix == NUMBERS]
    tables = [path for path in given.out if path.suffix != NUMBERS]
    if not tables or len(numbers) > 1:
        parser.error("--out takes tables and at most one file of numbers")
    if given.terms and numbers:
        parser.error("a table of terms has no file of numbers")
    if (given.logs is None) != (given.cost is None):
        parser.error("--logs and --cost go together")
    with run_record(given.run_record, stage="tabulate"):
        tabulate(
            given.spec,
            scores=given.scores,
            terms=given.terms,
            weights=given.weights,
            samples=given.samples,
            out_table=tables[0],
            out_metrics=numbers[0] if numbers else None,
            out_shown=tables[1:],
        )
    if given.cost:
        with replacing(given.cost) as temporary:
            cost_table(given.logs).to_csv(temporary, index=False, float_format=FLOAT_FORMAT, lineterminator="\n")


if __name__ == "__main__":
    run_stage(main)

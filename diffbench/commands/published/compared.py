"""The table of published and reproduced numbers, with differences, intervals and verdicts.

python -m diffbench.commands.published.compared --spec SPEC --out results/published.csv

The workflow's rule calls it. The spec names the files: scores, the records of weights, samples and data, and, for data
that were published as pixels, the training images, of which the first few are looked at.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.arrays import read_member
from diffbench.base.inputs import checked, require_upstream, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import Recorded, read_recorded
from diffbench.base.records import Estimate, read_records
from diffbench.base.writing import replacing
from diffbench.comparison.published import recorded
from diffbench.comparison.published.matching import Published, nearest
from diffbench.comparison.published.recorded import Ours
from diffbench.comparison.published.verdict import Verdict, verdict
from diffbench.datasets._jpeg_grid import saved_as_jpeg
from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.published import PublishedJob, Reproduced
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.published.numbers import METRICS, numbers_of
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record

LOOKED_AT = 2000
"""The number of images that are tested for JPEG."""

RECORDS = ("weights", "samples", "data")
"""The kinds of files of which only the record is read."""

ENDS = ("", "_low", "_high")

COLUMNS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "num_images", "reference", "metric"),
    *(f"value{end}" for end in ENDS),
    *("published", "published_spread", "published_spread_of"),
    *(f"difference{end}" for end in ENDS),
    *("verdict", "differs", "covers", "paper", "arxiv", "table", "published_model", "verified", "note", "protocol"),
)

TABLE = "Table "

OURS = ("model", "sampler", "steps", "guidance_scale", "num_images", "protocol")


def files_of(job: PublishedJob) -> dict[str, list[Path]]:
    """Return the files of a job by what they are: scores, records of weights, samples and data, and images."""
    rows = job.reproduced
    named = {
        "scores": [row.scores for row in rows],
        "weights": [row.weights for row in rows],
        "samples": [row.samples for row in rows if row.samples is not None],
        "data": [job.data],
        "images": [job.images] if job.images is not None else [],
    }
    return {name: [Path(path) for path in dict.fromkeys(paths)] for name, paths in named.items() if paths}


def tabulate(job: PublishedJob, *, out: Path) -> None:
    """Write the table with its record.

    Raises: UserError naming a file that is missing, damaged or not what a score was made from.
    """
    files = files_of(job)
    wanted = upstream_of(job.upstream, **files)
    descriptions = [path for name in RECORDS for path in files.get(name, [])]
    expected = {path: wanted.pop(str(path), None) for path in descriptions}
    every = [path for paths in files.values() for path in paths]
    inputs = checked({str(path): path for path in every}, foreign=list(map(str, descriptions)), upstream=wanted)
    records = {str(path): read_recorded(path) for path in descriptions}
    for path, digest in expected.items():
        if digest is not None:
            require_upstream(path, digest, records[str(path)], records[str(path)]["sha256"])
    found = list(_compared(job, records))
    with replacing(out) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({"benchmark": job.benchmark, **_row(*item)} for item in found)
    facts = {"given": {"scores": list(map(str, files["scores"]))}}
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts)


def _compared(job: PublishedJob, records: Mapping[str, Recorded]) -> Iterator[tuple[Ours, Published, Verdict]]:
    """Yield each score beside the published numbers that are nearest to it."""
    known = DataFacts.recorded(records[job.data])
    jpeg = job.images is not None and saved_as_jpeg(read_member(Path(job.images), "arr_0")[:LOOKED_AT])
    for ours in _scores(job, records, known.num_images, jpeg=jpeg):
        for one in nearest(ours, numbers_of(ours.facts["dataset"], ours.facts["size"])):
            yield ours, one, verdict(ours, one)


def _scores(job: PublishedJob, records: Mapping[str, Recorded], num_images: int, *, jpeg: bool) -> list[Ours]:
    """Return the scores of the job, those of several seeds as one."""
    groups: dict[tuple[Any, ...], list[tuple[dict[str, Any], dict[str, str]]]] = {}
    for row in job.reproduced:
        weights = records[row.weights]
        size = WeightsFacts.recorded(weights).shape[0]
        shared = recorded.of_data(job.dataset, num_images, size, jpeg=jpeg) | recorded.of_weights(weights)
        for item in read_records([Path(row.scores)]):
            if item["metric"] in METRICS:
                facts = shared | _measured(job, row, item, records, shared["timesteps"])
                key = tuple(item[key] for key in (*OURS, "metric"))
                groups.setdefault((*key, *facts.values()), []).append((item, facts))
    return [Ours(held[0][0]["metric"], tuple(item for item, _ in held), held[0][1]) for held in groups.values()]


def _measured(
    job: PublishedJob, row: Reproduced, item: Mapping[str, Any], records: Mapping[str, Recorded], timesteps: str
) -> dict[str, str]:
    """Return the facts of how a score was sampled and measured."""
    published = recorded.published_images(job.dataset)
    protocols = {named.name: named.protocol for named in job.protocols}
    if row.samples is None or row.protocol is None:
        split = "train" if item["metric"] == "nll_train_bits_per_dim" else "test"
        return recorded.of_bound(timesteps) | recorded.of_score(item, None, published, split)
    sampled = recorded.of_samples(records[row.samples], item["steps"] or 0, timesteps)
    return sampled | recorded.of_score(item, protocols[row.protocol], published, "")


def _row(ours: Ours, published: Published, found: Verdict) -> dict[str, Any]:
    first, number = ours.records[0], published.numbers[0]
    tables = _joined([one.table for one in published.numbers if one.table])
    notes = "; ".join(dict.fromkeys(one.note for one in published.numbers if one.note))
    return {
        **{key: _number(first[key]) for key in OURS},
        "reference": ours.facts["reference"],
        "metric": ours.metric,
        **_ends("value", ours.estimate),
        "published": number.value,
        "published_spread": number.spread,
        "published_spread_of": number.spread_of,
        **({} if found.difference is None else _ends("difference", found.difference)),
        "verdict": found.outcome,
        "differs": "; ".join(map(str, published.differs)),
        "covers": ours.estimate.covers,
        **{"paper": number.paper, "arxiv": number.arxiv, "table": tables, "published_model": number.model},
        **{"verified": number.verified, "note": notes},
    }


def _joined(tables: Sequence[str]) -> str:
    """Return the places of a number in one paper: "Table 4, 5, 9" if all are tables."""
    places = list(dict.fromkeys(tables))
    numbered = [place.removeprefix(TABLE) for place in places if place.startswith(TABLE)]
    return TABLE + ", ".join(numbered) if places and len(numbered) == len(places) else "; ".join(places)


def _ends(name: str, estimate: Estimate) -> dict[str, str]:
    values = (estimate.value, estimate.low, estimate.high)
    return {f"{name}{end}": f"{value:.6g}" for end, value in zip(ENDS, values, strict=True)}


def _number(value: Any) -> Any:
    return f"{value:g}" if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the table as the command line says."""
    parser = stage_parser(__doc__, PublishedJob.read)
    parser.add_argument("--out", type=Path, required=True, help="the table to write (.csv)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="tabulate"):
        tabulate(given.spec, out=given.out)


if __name__ == "__main__":
    run_stage(main)

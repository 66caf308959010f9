"""JSON Schemas of what runs write beside artifacts: provenance, scores, run records, and metrics.json.

They are made from the dataclasses of jobs, facts, rows and estimates.
"""

import dataclasses
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffbench.base.field_texts import field_texts, summary
from diffbench.base.json_schema import DRAFT, Schema, any_of, closed, of_class, of_type
from diffbench.base.provenance_file import DIGEST
from diffbench.base.record_types import PROVENANCE
from diffbench.base.records import NUMERICS, Estimate, Row
from diffbench.base.stage_names import STAGES
from diffbench.jobs.bound import BoundJob
from diffbench.jobs.claims import ClaimsJob
from diffbench.jobs.convert import ConvertJob, GivenWeights
from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.differences import DifferencesJob
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.facts import Facts
from diffbench.jobs.features_facts import FeaturesFacts
from diffbench.jobs.fit import FitJob
from diffbench.jobs.job import Job, Part
from diffbench.jobs.plot import PlotJob
from diffbench.jobs.prepare import PrepareJob
from diffbench.jobs.published import PublishedJob
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.sample_facts import SampleFacts
from diffbench.jobs.score import BoundScoreJob, PairsJob, ScoreJob
from diffbench.jobs.shrink import ShrinkJob
from diffbench.jobs.tabulate import TableJob
from diffbench.jobs.terms_facts import TermsFacts
from diffbench.jobs.trace import TraceJob
from diffbench.jobs.train import TrainJob
from diffbench.jobs.weights_facts import WeightsFacts

JOBS: Sequence[type[Job]] = (
    *(PrepareJob, ShrinkJob, FitJob, TrainJob, ConvertJob, GivenWeights, SampleJob, ExtractJob, BoundJob, TraceJob),
    *(ScoreJob, PairsJob, BoundScoreJob, TableJob, DifferencesJob, ClaimsJob, PublishedJob, PlotJob),
)
"""The jobs whose JSON is the `spec` in a record."""

FACTS: Sequence[type[Facts]] = (DataFacts, WeightsFacts, SampleFacts, FeaturesFacts, TermsFacts)


@dataclass(frozen=True)
class RunRecord:
    """What a job cost, and where it ran. No hash covers it.

    stage: the stage. out: the path of its artifact. seconds: the time that passed. cpu_seconds: the time of all
    processors. startup_cpu_seconds: the part of it before the work, for the interpreter and for imports.
    peak_memory_mib: the largest memory of the process in MiB. machine: the name of the machine. platform: its system.
    processors: how many it has. date: the end of the job, in UTC. git_commit: that of the working directory. device:
    the kind of device that ran the network. num_images: how many images were made or read. image_steps: evaluations of
    the network, one for each image. evaluations: the same for a bound. images_per_second: the speed of a training.
    parameters: those of the network. processes: how many processes torchrun started, whose processor times and memory
    are added up. sharded: whether they shared the weights.
    """

    stage: str
    seconds: float
    cpu_seconds: float
    startup_cpu_seconds: float
    peak_memory_mib: float
    machine: str
    platform: str
    processors: int | None
    date: str
    git_commit: str | None
    out: str = ""
    device: str = ""
    num_images: int = 0
    image_steps: float = 0
    evaluations: float = 0
    images_per_second: float = 0
    parameters: int = 0
    processes: int = 1
    sharded: bool = False


def provenance_schema() -> Schema:
    """Return the JSON Schema of the record beside an artifact."""
    keys = {key: of_type(kind) for key, kind in PROVENANCE.items()}
    keys["spec"] = {"description": "The job that made the artifact.", **_spec()}
    keys["facts"] = {"type": "object", "properties": _facts(), "description": "What the job found out."}
    keys["places"] = {"type": "object", "additionalProperties": {"type": "string"}}
    keys[DIGEST] = {"type": "string", "description": "The SHA-256 of all other keys."}
    for key in ("sha256", DIGEST):
        keys[key]["pattern"] = "^[0-9a-f]{64}$"
    named = {kind.__name__: _of_fields(kind) for kind in JOBS}
    return _document("The record beside an artifact of diffbench", closed(keys, keys)) | {"$defs": named}


def scores_schema() -> Schema:
    """Return the JSON Schema of a file of scores."""
    row, estimate = of_class(Row), of_class(Estimate)
    own: dict[str, Schema] = {"protocol": {"type": ["string", "null"]}, "metric": {"type": "string"}}
    keys = {**row["properties"], "model": {"type": ["string", "null"]}, **own, **estimate["properties"]}
    for key in keys:
        keys[key] = {name: value for name, value in keys[key].items() if name != "default"}
    records = {"type": "array", "items": closed(keys, [key for key in keys if key != NUMERICS])}
    return _document("A file of scores of diffbench", closed({"records": records}, ["records"]))


def run_schema() -> Schema:
    """Return the JSON Schema of a run record."""
    schema = of_class(RunRecord)
    for held in schema["properties"].values():
        held.pop("default", None)
    schema["properties"]["stage"] |= {"enum": [*STAGES, "train_classifier"]}
    return _document("What a job of diffbench cost", schema)


def metrics_schema() -> Schema:
    """Return the JSON Schema of metrics.json: for each model, its best row and the numbers of it."""
    numbers = {"type": "object", "properties": {"row": {"type": "string"}}, "additionalProperties": {"type": "number"}}
    return _document("The numbers of table 2 by model", {"type": "object", "additionalProperties": numbers})


def _document(title: str, schema: Schema) -> Schema:
    return {"$schema": DRAFT, "title": title, **schema}


# -- jobs


def _spec() -> Schema:
    """Return the schema of a spec: one of the jobs, or settings that no stage read, such as a question's."""
    marks = sorted({name for kind in JOBS for name in _required(kind)} - {"seed", "threads", "benchmark"})
    other = {"type": "object", "not": {"anyOf": [{"required": [name]} for name in marks]}}
    return {"anyOf": [*({"$ref": f"#/$defs/{kind.__name__}"} for kind in JOBS), other]}


def _of_fields(kind: type) -> Schema:
    """Return the schema of a job's JSON, or of that of a dataclass in it."""
    hints, texts = typing.get_type_hints(kind), field_texts(kind)
    keys = {field.name: _of_job_type(hints[field.name]) for field in dataclasses.fields(kind)}
    described = {
        name: schema | ({"description": texts[name]} if name in texts else {}) for name, schema in keys.items()
    }
    return closed(described, _required(kind)) | {"description": summary(kind)}


def _of_job_type(hint: Any) -> Schema:
    """Return the schema of a field of a job, as diffbench/jobs/job.py writes it."""
    arguments = typing.get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Part):
        return {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _of_fields(hint)
    if type(None) in arguments:
        return any_of(*map(_of_job_type, arguments))
    if typing.get_origin(hint) is tuple and len(arguments) == 2 and dataclasses.is_dataclass(arguments[0]):
        return {"type": "array", "items": _of_job_type(arguments[0])}
    return of_type(hint)


def _required(kind: type) -> list[str]:
    none = dataclasses.MISSING
    return [item.name for item in dataclasses.fields(kind) if item.default is none and item.default_factory is none]


# -- facts


def _facts() -> Mapping[str, Schema]:
    """Return the schemas of the facts that later stages read. A fact of one name may have several kinds."""
    found: dict[str, list[Schema]] = {}
    for name, schema in (pair for kind in FACTS for pair in _facts_of(kind)):
        if schema not in found.setdefault(name, []):
            found[name].append(schema)
    return {name: any_of(*schemas) for name, schemas in found.items()}


def _facts_of(kind: type) -> Iterator[tuple[str, Schema]]:
    hints, texts = typing.get_type_hints(kind), field_texts(kind)
    for item in dataclasses.fields(kind):
        inner = [one for one in typing.get_args(hints[item.name]) or (hints[item.name],) if _is_facts(one)]
        if item.metadata.get("merged"):
            yield from _facts_of(inner[0])
        elif inner:
            yield item.name, {"type": ["object", "null"]}
        else:
            about = {"description": texts[item.name]} if item.name in texts else {}
            yield item.name, of_type(hints[item.name]) | about


def _is_facts(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Facts)

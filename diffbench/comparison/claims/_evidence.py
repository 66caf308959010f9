"""The evidence for claims: scores of a benchmark, each with all that is recorded of its samples and its model.

Claims ask for models and sample sets by these properties, never by names that a benchmark gave them. A property is
named by its place in the record: `objective.name`, `diffusion.schedule`, `network.dropout`, `training.steps`,
`sampler.eta`, `guidance.scale`, `bound.timesteps`. Some are simpler than in the record: `steps`, `spacing` (without
the number of steps), `data` (the hash of the training data) and `protocol`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import load_member, member_names
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import RESULTS, provenance_path, read_provenance, read_recorded, way_out
from diffbench.base.records import ROW_KEYS, SEEDS, Estimate
from diffbench.comparison.sources import Sourced, Tables, records_of
from diffbench.comparison.verdicts import own
from diffbench.jobs.score import ProtocolPart
from diffbench.protocols._contract import Protocol

Properties = Mapping[str, Any]

REAL = "real"
"""The model of scores of held-out images."""

OF_NO_CLAIM = (
    *("code", "upstream", "seed", "threads"),
    *("sampling.micro_batch", "sampling.fit_memory", "training.log_every"),
)
"""Settings that are recorded and that no claim is about. Two records that differ in them alone are alike."""


@dataclass(frozen=True, eq=False)
class Scored:
    """One score, with the properties of what was scored and the files from which it was made, by their names.

    The files are `scores` and those in its record: `features` and `reference`, or `terms_test` and `terms_train`.
    `samples` and `weights` are added if their records are there, and `trace` to the scores of a model itself, which are
    samples of the same weights on their way from noise.
    """

    record: Mapping[str, Any]
    properties: Properties
    files: Mapping[str, Path]
    sha256: Mapping[str, str]

    @property
    def estimate(self) -> Estimate:
        """The score with its own interval."""
        return own(self.record)

    @property
    def seeds(self) -> tuple[Any, Any]:
        """The seeds of training and of sampling."""
        return self.record["train_seed"], self.record["sample_seed"]

    @property
    def protocol(self) -> Protocol:
        """The protocol of a score of samples, from the record of its file."""
        made = read_recorded(provenance_path(self.files["scores"]))
        return ProtocolPart.read(made["spec"]["protocol"], "protocol").configured()

    @property
    def label(self) -> str:
        """The row's name, without seeds: model/sampler/steps."""
        scale = self.record["guidance_scale"]
        model = self.record["model"] if scale is None else f"{self.record['model']}@{scale:g}"
        return "/".join(str(part) for part in (model, self.record["sampler"], self.record["steps"]) if part is not None)

    def arrays(self, file: str, *names: str) -> list[np.ndarray] | None:
        """Return arrays of one of the files; None if it is not there, is not what was scored, or lacks one of them."""
        path = self.files.get(file)
        if path is None or not path.is_file() or checked({file: path}).sha256[file] != self.sha256[file]:
            return None
        return [load_member(path, name) for name in names] if set(names) <= set(member_names(path)) else None


@dataclass(frozen=True)
class Side:
    """The scores of things that are alike in all properties, one for each pair of seeds. It is false if it is empty."""

    scored: tuple[Scored, ...]

    @classmethod
    def of(cls, scored: Iterable[Scored]) -> "Side":
        """Return the scores without those of equal seeds, sorted by seeds."""
        first: dict[tuple[Any, Any], Scored] = {}
        for item in scored:
            first.setdefault(item.seeds, item)
        return cls(tuple(first[key] for key in sorted(first, key=str)))

    def __bool__(self) -> bool:
        return bool(self.scored)

    @property
    def label(self) -> str:
        """The name of the row."""
        return self.scored[0].label

    @property
    def properties(self) -> Properties:
        """The properties that all its scores share."""
        return self.scored[0].properties

    @property
    def num_seeds(self) -> int:
        """How many training seeds there are."""
        return len({item.seeds[0] for item in self.scored})


@dataclass(frozen=True)
class Group:
    """Scores that are alike in all properties except those that vary."""

    scored: Sequence[Scored]

    def side(self, wanted: Properties) -> Side:
        """Return the scores whose properties are as wanted; a property that something lacks is None."""
        return Side.of(item for item in self.scored if has(item.properties, wanted))

    def sweep(self, name: str) -> dict[Any, Side]:
        """Return the scores by the values of one property, in rising order; what lacks it is left out."""
        values = {item.properties[name] for item in self.scored if item.properties.get(name) is not None}
        return {value: self.side({name: value}) for value in sorted(values)}


@dataclass(frozen=True)
class Evidence:
    """The scores of a benchmark. real: those of held-out images, as if they were sampled. left_out: older scores."""

    scored: Sequence[Scored]
    real: Sequence[Scored] = ()
    left_out: Sequence[Path] = ()

    def of(self, metric: str, where: Properties | None = None) -> list[Scored]:
        """Return the scores of one metric whose properties are as wanted."""
        return [item for item in self._by_metric.get(metric, []) if has(item.properties, where or {})]

    def sides(self, metric: str, where: Properties | None = None) -> list[Side]:
        """Return the scores of one metric, in sides that are alike in all but the seeds."""
        return [Side.of(group.scored) for group in self.groups(metric, (), where)]

    def groups(self, metric: str, varies: Sequence[str], where: Properties | None = None) -> list[Group]:
        """Return the scores of one metric in groups that are alike in all properties except those that vary.

        varies: names of properties. `x.name` varies together with all other properties of `x`, since other samplers or
        objectives have other settings.
        """
        found: dict[tuple[Any, ...], list[Scored]] = {}
        for item in self.of(metric, where):
            found.setdefault(_key(item.properties, varies), []).append(item)
        return [Group(items) for items in found.values()]

    def pairs(
        self, metric: str, differ: Mapping[str, tuple[Any, Any]], where: Properties | None = None
    ) -> Iterator[tuple[Side, Side]]:
        """Yield all pairs of sides that differ only in some properties. differ: for each, its values on both sides."""
        for group in self.groups(metric, tuple(differ), where):
            a, b = (group.side({name: values[end] for name, values in differ.items()}) for end in (0, 1))
            if a and b:
                yield a, b

    def sweeps(
        self, metric: str, name: str, fewest: int, also: Sequence[str] = (), where: Properties | None = None
    ) -> Iterator[dict[Any, Side]]:
        """Yield the sides of each group that differ only in one property, by its values, if there are enough of them.

        also: properties that may vary with it.
        """
        for group in self.groups(metric, (name, *also), where):
            found = group.sweep(name)
            if len(found) >= fewest:
                yield found

    def beside(self, item: Scored, metric: str) -> Estimate | None:
        """Return another metric of what was scored, from the same file; None if it is not there."""
        found = self._by_file.get((item.files["scores"], metric), [])
        same = (one for one in found if all(one.record[key] == item.record[key] for key in ROW_KEYS))
        return next((one.estimate for one in same), None)

    @cached_property
    def _by_file(self) -> dict[tuple[Path, str], list[Scored]]:
        found: dict[tuple[Path, str], list[Scored]] = {}
        for item in self.scored:
            found.setdefault((item.files["scores"], item.record["metric"]), []).append(item)
        return found

    @cached_property
    def _by_metric(self) -> dict[str, list[Scored]]:
        found: dict[str, list[Scored]] = {}
        for item in self.scored:
            found.setdefault(item.record["metric"], []).append(item)
        return found


def has(properties: Properties, wanted: Properties) -> bool:
    """Return whether properties are as wanted; one that is missing is None."""
    return all(properties.get(name) == value for name, value in wanted.items())


def evidence_of(results: Path) -> Evidence:
    """Return the evidence in a folder of results.

    Scores of an older configuration, from which the tree's tables were not made, are left out.
    Raises: UserError if there are no scores, or a record is damaged.
    """
    records = [item for item in records_of(results) if isinstance(item, Sourced)]
    tables: set[Tables] = {item.tables for item in records}
    within = max((table for one in tables for table in one), key=len, default=None)
    current = [item for item in records if within is None or item.sha256 in within]
    left_out = dict.fromkeys(item.source for item in records if item not in current and item.source)
    return _evidence(current, results, list(left_out))


def evidence_from(paths: Sequence[Path], results: Path) -> Evidence:
    """Return the evidence in some files of scores. results: the folder in which they are.

    Raises: UserError if a record is damaged.
    """
    return _evidence([item for path in paths for item in records_of(path)], results)


def _evidence(records: Iterable[Mapping[str, Any]], results: Path, left_out: Sequence[Path] = ()) -> Evidence:
    scored = sorted(_scored(records, results), key=_order)
    real = [item for item in scored if item.record["model"] == REAL]
    return Evidence([item for item in scored if item.record["model"] != REAL], real, left_out)


def _order(item: Scored) -> tuple[Any, ...]:
    """Return the key by which scores are sorted, so that no order of files decides that of findings."""
    row = item.record
    named = [row[name] or "" for name in ("model", "sampler", "protocol", "metric")]
    numbers = [-1 if row[name] is None else row[name] for name in ("guidance_scale", "steps", *SEEDS)]
    return named[0], named[1], *numbers, *named[2:], str(item.files["scores"])


def _scored(records: Iterable[Mapping[str, Any]], results: Path) -> Iterator[Scored]:
    known: dict[Path, _File] = {}
    for item in records:
        assert isinstance(item, Sourced) and item.source is not None
        if not provenance_path(item.source).is_file():
            continue
        if item.source not in known:
            known[item.source] = _File.read(item.source, results)
        yield known[item.source].scored(item)


@dataclass(frozen=True)
class _File:
    """A file of scores: the properties of what it scores, and what it was made from."""

    properties: Properties
    files: Mapping[str, Path]
    sha256: Mapping[str, str]

    @classmethod
    def read(cls, path: Path, results: Path) -> "_File":
        """Follow the records from the scores to the samples or terms and to the weights.

        Raises: UserError if one of them was made from something else than the scores say.
        """
        made = read_provenance(path)
        files = {"scores": path, **{name: _below(results, place) for name, place in made["places"].items()}}
        sha256: dict[str, str] = dict(made["inputs"])
        held: dict[str, Any] = {}
        source = files.get("samples_provenance")
        if source is not None:
            files["samples"] = source.with_suffix("")
        source = source or provenance_path(files["terms_test"]) if "terms_test" in files else source
        if source is not None and source.is_file():
            origin = read_recorded(source)
            if "samples" in files:
                sha256["samples"] = origin["sha256"]
            elif origin["sha256"] != sha256["terms_test"]:
                raise UserError(f"{files['terms_test']}: is not what {path} was made from; {way_out(path)}")
            held = {**origin["spec"]}
            weights = _below(results, origin["places"].get("weights", ""))
            if provenance_path(weights).is_file():
                held |= _of_weights(weights, origin["inputs"]["weights"], source)
                files["weights"], sha256["weights"] = weights, origin["inputs"]["weights"]
            low_res = _below(results, origin["places"].get("low_res", ""))
            if provenance_path(low_res).is_file():
                held["low_res"] = {**(held.get("low_res") or {}), **_of_low_res(low_res)}
            trace = _trace(path, results, origin["inputs"]["weights"]) if "terms_test" in files else None
            if trace is not None:
                files["trace"], sha256["trace"] = trace
        return cls(_flat(held), files, sha256)

    def scored(self, record: Mapping[str, Any]) -> Scored:
        """Return one score of the file."""
        steps = record["steps"]
        added = {"steps": steps, "protocol": record["protocol"], "num_images": record["num_images"]}
        if "spacings" in self.properties:
            added["spacing"] = _spacing(self.properties["spacings"][0], steps)
        held = {name: value for name, value in self.properties.items() if name != "spacings"}
        return Scored(record, {**held, **added}, self.files, self.sha256)


def _of_weights(weights: Path, expected: str, source: Path) -> dict[str, Any]:
    """Return the settings of training. Raises: UserError if the weights are others than the samples' record says."""
    made = read_provenance(weights)
    if made["sha256"] != expected:
        raise UserError(f"{weights}: is not what {source} was made from; {way_out(weights)}")
    trained = {name: made["spec"][name] for name in ("objective", "training") if name in made["spec"]}
    return {**trained, "data": made["inputs"].get("data")}


def _of_low_res(samples: Path) -> dict[str, Any]:
    """Return how the images that an upsampler enlarges were made; nothing if they are real."""
    spec = read_recorded(provenance_path(samples))["spec"]
    return {name: spec[name] for name in ("network", "diffusion", "guidance") if name in spec}


def _trace(scores: Path, results: Path, weights: str) -> tuple[Path, str] | None:
    """Return the trace of the weights of a bound and its hash; None if there is none, or it is of other weights."""
    path = results / "traces" / scores.parent.name / f"{scores.stem}.npz"
    if not provenance_path(path).is_file():
        return None
    made = read_provenance(path)
    return (path, made["sha256"]) if made["inputs"]["weights"] == weights else None


def _below(results: Path, place: str) -> Path:
    """Return the path of a file whose recorded place is relative to the folder in which `results` was."""
    return results / place.removeprefix(f"{RESULTS}/")


def _spacing(spacing: str, steps: int) -> str:
    """Return the name of a spacing without its number of steps: `uniform`, `log_snr`, `karras rho=5`."""
    found = re.fullmatch(rf"([A-Za-z_]*){steps}( .*)?", spacing)
    return f"{found[1] or 'uniform'}{found[2] or ''}" if found else spacing


def _flat(settings: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in settings.items():
        place = f"{before}{name}"
        if place in OF_NO_CLAIM:
            continue
        if isinstance(value, Mapping):
            found |= _flat(value, f"{place}.")
        elif value is not None:
            found[place] = tuple(value) if isinstance(value, list) else value
    return found


def _key(properties: Properties, varies: Sequence[str]) -> tuple[Any, ...]:
    whole = tuple(name.removesuffix("name") for name in varies if name.endswith(".name"))
    kept = (name for name in properties if name not in varies and not (whole and name.startswith(whole)))
    return tuple((name, str(properties[name])) for name in sorted(kept))

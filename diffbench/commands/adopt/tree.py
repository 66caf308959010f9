"""The artifacts of a finished tree in three kinds: up to date, made by other code only, and all others."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.progress import progress
from diffbench.base.provenance_file import Recorded, difference, read_provenance
from diffbench.base.stage_names import STAGES
from diffbench.benchmark.foreign import Spec
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.outdated import Held, change_of, of_changed_code
from diffbench.benchmark.paths import training_log, validation
from diffbench.benchmark.report import Report
from diffbench.benchmark.stage_of import stage_of


@dataclass(frozen=True)
class Tree:
    """A benchmark's artifacts that are here, named by their paths below `home`.

    records: those of undamaged artifacts. current: artifacts whose record has the present spec and whose inputs are
    here.
    outdated: artifacts for which only code changed, upstream first. left: the others, with the reason why they are
    left.
    """

    home: Path
    records: Mapping[str, Recorded]
    current: tuple[str, ...]
    outdated: tuple[Held, ...]
    left: Mapping[str, str]


def specs_of(graph: Graph) -> dict[str, Spec]:
    """Return the present spec of every artifact of a benchmark, by its path."""
    held_out = [graph.held_out(name) for name in graph.benchmark.protocols]
    found = {item.path: item.spec for item in (*graph.everything(), *held_out, *Report(graph).everything())}
    made = {path: spec for path, spec in found.items() if spec is not None}
    trained = {path: spec for path, spec in made.items() if stage_of(PurePath(path), spec) == "train"}
    logs = {training_log(path): spec for path, spec in trained.items()}
    return made | logs | {validation(path): spec for path, spec in trained.items() if "validation" in spec}


def tree_of(home: Path, specs: Mapping[str, Spec], stages: Collection[str] = STAGES) -> Tree:
    """Return what is here of the artifacts with these specs, each compared with its record.

    stages: those whose artifacts may be adopted.
    """
    records, left = _whole(home, [path for path in specs if (home / path).is_file()])
    held = [Held(path, record["spec"], specs[path]) for path, record in records.items()]
    current = (item.path for item in held if item.recorded == item.present)
    whole = tuple(path for path in current if _missing(home, records[path]) is None)
    changed = [item for item in held if item.recorded != item.present]
    for item in changed:
        reason = f"stage {item.stage} is not among those to adopt"
        if item.stage in stages:
            reason = _missing(home, records[item.path]) or _other(home, records[item.path], records)
        if reason is not None:
            left[item.path] = reason
    outdated = of_changed_code(item for item in changed if item.path not in left)
    known = {*left, *(item.path for item in outdated)}
    left |= {item.path: str(change_of(item.recorded, item.present)) for item in changed if item.path not in known}
    return Tree(home, records, whole, tuple(outdated), left)


def _whole(home: Path, paths: Sequence[str]) -> tuple[dict[str, Recorded], dict[str, str]]:
    """Return the records of undamaged artifacts, and what is wrong with the others."""
    records: dict[str, Recorded] = {}
    wrong: dict[str, str] = {}
    with progress(len(paths), "adopt", unit="artifact") as bar:
        for path in paths:
            bar.update()
            try:
                record = read_provenance(home / path)
            except UserError as error:
                wrong[path] = str(error)
                continue
            found = sha256(home / path)
            if found == record["sha256"]:
                records[path] = record
            else:
                wrong[path] = difference(found, record["sha256"])
    return records, wrong


def _missing(home: Path, record: Recorded) -> str | None:
    """Return which input of an artifact is not here, or None. Snakemake would have to make the missing input again."""
    return next(
        (f"its {name}, {place}, is not here" for name, place in _places(record) if not (home / place).is_file()), None
    )


def _other(home: Path, record: Recorded, records: Mapping[str, Recorded]) -> str | None:
    """Return which input of an artifact changed since the artifact was made, or None."""
    for name, place in _places(record):
        of_record = place.removesuffix(".json") in records  # This input is itself a record.
        found = sha256(home / place) if of_record else records[place]["sha256"] if place in records else None
        if found not in (None, record["inputs"][name]):
            return f"was made from another version of its {name}, {place}"
    return None


def _places(record: Recorded) -> Iterable[tuple[str, str]]:
    return record["places"].items()

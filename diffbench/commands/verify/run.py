"""The command: it compares artifacts, inputs and tables of a results tree with the records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.progress import progress
from diffbench.base.provenance_file import RESULTS, difference, provenance_path, read_provenance, way_out
from diffbench.benchmark.paths import FIGURE_ENDINGS, TABLE_ENDINGS
from diffbench.commands.missing import way_to
from diffbench.commands.verify.rerun import made_again
from diffbench.comparison import verdicts
from diffbench.jobs.tabulate import TableJob
from diffbench.stages.tabulate import tabulate

KINDS = (".npz", ".safetensors", ".json", *TABLE_ENDINGS, *FIGURE_ENDINGS)
"""The endings of artifacts' names."""

TEXTS = (".md", ".html")
"""The endings of tables for people. A file of the user may have them too, and it has no record."""

UNRECORDED = ("README.md", "cost.csv", "benchmark.yaml", "report.html")
"""Files that have no record: costs, which differ from run to run, the page of results, and a comparison's question."""


@dataclass
class Report:
    """The result of the command: a line for each mistake, notes, and the number of compared artifacts."""

    compared: int = 0
    bad: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join([*self.bad, *self.notes, f"{self.compared} artifacts, {len(self.bad)} differ"])


def verify(results: Path, *, rerun: int = 0, seed: int = 0) -> Report:
    """Return what is wrong in a tree of results, of which parts may be missing.

    rerun: the number of artifacts to make again in a scratch folder. Stages take turns, and `seed` chooses artifacts.
    Raises: UserError if there is no tree.
    """
    results = results / RESULTS if (results / RESULTS).is_dir() else results
    if not results.is_dir():
        raise UserError(f"{results}: no such folder of results; {way_to(results)}")
    if rerun and results.name != RESULTS:
        raise UserError(f"{results}: --rerun needs a folder that is called {RESULTS}, as records name their inputs")
    tree = Tree(results)
    if not tree.artifacts and not tree.records:
        raise UserError(f"{results}: no artifacts below it; name a benchmark's folder of results, or {way_to(results)}")
    report = Report()
    good = _compare_artifacts(tree, report)
    _compare_inputs(tree, good, report)
    _compare_tables(tree, good, report)
    _note_the_rest(tree, report)
    if rerun:
        again = made_again(tree.home, good, rerun, seed)
        report.bad += again.bad
        report.notes += again.notes
    return report


class Tree:
    """The files of a folder of results: artifacts, records (by the paths of their artifacts), and others."""

    def __init__(self, results: Path):
        self.results, self.home = results, results.parent
        self.artifacts, self.records, self.others = [], [], []
        for path in sorted(path for path in results.rglob("*") if path.is_file()):
            parts = path.relative_to(results).parts
            if "logs" in parts[:-1] or path.name.startswith(".") or path.name.endswith((".log", ".run.json")):
                continue
            if path.suffix == ".json" and Path(path.stem).suffix in KINDS:
                self.records.append(path.with_suffix(""))
            elif path.name in UNRECORDED or path.suffix not in KINDS or _is_own_text(path):
                self.others.append(path)
            else:
                self.artifacts.append(path)

    def shown(self, path: Path) -> str:
        """Return a file's path relative to the folder in which the jobs ran."""
        return path.relative_to(self.home).as_posix()

    def at(self, place: str) -> Path:
        """Return the path of a file that a record names. The tree may have been copied to another name."""
        parts = Path(place).parts
        return self.results.joinpath(*parts[1:]) if parts[:1] == (RESULTS,) else self.home / place


def _is_own_text(path: Path) -> bool:
    return path.suffix in TEXTS and not provenance_path(path).is_file()


def _compare_artifacts(tree: Tree, report: Report) -> dict[Path, dict[str, Any]]:
    """Report changed artifacts and records, and return the records of the undamaged artifacts."""
    good, absent = {}, []
    held = set(tree.artifacts)
    with progress(len(tree.records), "verify", unit="artifact") as bar:
        for path in tree.records:
            bar.update()
            try:
                recorded = read_provenance(path)
                expected, *_ = (recorded[key] for key in ("sha256", "inputs", "places", "spec", "facts"))
            except UserError as error:
                report.bad.append(str(error).replace(way_out(path), _again(tree, path)))
                continue
            if path not in held:
                absent.append(path)
                continue
            report.compared += 1
            found = sha256(path)
            if found == expected:
                good[path] = recorded
            else:
                report.bad.append(f"{tree.shown(path)}: {difference(found, expected)}; {_again(tree, path)}")
    known = set(tree.records)
    for path in tree.artifacts:
        if path not in known and path != tree.results / "metrics.json":
            report.bad.append(f"{tree.shown(path)}: has no record beside it; {_again(tree, path)}")
    _note(report, "artifacts that records name are absent here", [tree.shown(path) for path in absent])
    return good


def _again(tree: Tree, path: Path) -> str:
    """Return how to make an artifact again: verdicts by `compare-samplers`, all others by the workflow."""
    if path.name == verdicts.FILE:
        return "ask `diffbench compare-samplers` again, or remove it and its record"
    return way_out(tree.shown(path))


def _compare_inputs(tree: Tree, good: Mapping[Path, Mapping[str, Any]], report: Report) -> None:
    """Report artifacts that were made from another version of an input than the tree holds now."""
    hashed = cache(sha256)
    absent, foreign = set(), 0
    for path, recorded in good.items():
        foreign += len(recorded["inputs"].keys() - recorded["places"].keys())
        for name, place in recorded["places"].items():
            source, wanted = tree.at(place), recorded["inputs"][name]
            if not source.is_file():
                absent.add(place)
                continue
            # A damaged input is reported once, and not again for everything that was made from it.
            if wanted not in (_recorded_hash(source), hashed(source)):
                report.bad.append(
                    f"{tree.shown(path)}: was made from another version of its {name}, {place}; {_again(tree, path)}"
                )
    _note(report, "inputs that records name are absent here", sorted(absent))
    if foreign:
        report.notes.append(f"note: {foreign} inputs came from outside the tree and were not compared")


def _recorded_hash(path: Path) -> str | None:
    try:
        return read_provenance(path)["sha256"] if provenance_path(path).is_file() else None
    except UserError:
        return None


def _compare_tables(tree: Tree, good: Mapping[Path, Mapping[str, Any]], report: Report) -> None:
    """Report tables, and the numbers beside table 2, that differ from those computed from their scores or terms."""
    for path, recorded in good.items():
        if path.suffix not in TABLE_ENDINGS or "table" not in recorded["spec"]:
            continue
        given = {name: [tree.at(file) for file in files] for name, files in recorded["facts"]["given"].items()}
        if not all(file.is_file() for files in given.values() for file in files):
            report.notes.append(f"note: {tree.shown(path)}: not computed again, since not all of its scores are here")
            continue
        metrics = tree.results / "metrics.json" if path == tree.results / "table2.csv" else None
        for line in _differences(path, metrics, recorded["spec"], given):
            report.bad.append(f"{tree.shown(path)}: {line}; {_again(tree, path)}")


def _differences(
    table: Path, metrics: Path | None, spec: Mapping[str, Any], given: Mapping[str, list[Path]]
) -> Iterator[str]:
    with TemporaryDirectory() as folder:
        again, numbers = Path(folder, f"table{table.suffix}"), Path(folder, "metrics.json")
        try:
            tabulate(TableJob.read(spec, "spec"), out_table=again, out_metrics=numbers if metrics else None, **given)
        except UserError as error:
            yield f"cannot be computed again ({error})"
            return
        if again.read_bytes() != table.read_bytes():
            yield "is not what its scores give"
        if metrics is not None and metrics.is_file() and metrics.read_bytes() != numbers.read_bytes():
            yield f"{metrics.name} beside it is not what its scores give"


def _note_the_rest(tree: Tree, report: Report) -> None:
    strangers = [tree.shown(path) for path in tree.others if path.name not in UNRECORDED]
    _note(report, "files are no artifacts of a workflow", strangers)


def _note(report: Report, words: str, places: list[str]) -> None:
    """Add a note with the number of paths and the first three of them."""
    if places:
        more = ", ..." if len(places) > 3 else ""
        report.notes.append(f"note: {len(places)} {words}: {', '.join(places[:3])}{more}")

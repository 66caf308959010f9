"""A tree of results that is merged: its artifacts, each compared with its record, and its logs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.progress import progress
from diffbench.base.provenance_file import RESULTS, Recorded, difference, provenance_path, read_provenance
from diffbench.benchmark.stage_of import stage_of
from diffbench.commands.missing import way_to
from diffbench.commands.verify.run import Tree

SUMMARIES = ("tabulate", "plot")
"""The stages whose artifacts summarise a whole benchmark. Those of a part of it are not merged."""


@dataclass(frozen=True)
class Part:
    """A tree that is merged. name: as it was given.

    artifacts: the records of its artifacts by their paths from `home` on, such as "results/data/train.npz". logs: what
    differs from run to run.
    """

    name: str
    home: Path
    artifacts: Mapping[str, Recorded]
    logs: tuple[str, ...]

    def stage(self, path: str) -> str:
        """Return the stage that made an artifact."""
        return stage_of(Path(path), self.artifacts[path]["spec"])


def part_of(given: Path) -> Part:
    """Return a tree. Raises: UserError naming a file that is damaged, has no record, or is missing beside it."""
    results = given / RESULTS if (given / RESULTS).is_dir() else given
    if not results.is_dir() or results.absolute().name != RESULTS:
        raise UserError(f"{given}: no folder of results; {way_to(given)}")
    tree = Tree(results.absolute())
    if not tree.records:
        raise UserError(f"{given}: holds no artifacts; name a benchmark's folder of results")
    artifacts: dict[str, Recorded] = {}
    with progress(len(tree.records), "merge", unit="artifact") as bar:
        for path in tree.records:
            bar.update()
            artifacts[tree.shown(path)] = _checked(path, results.parent / tree.shown(path), given)
    stray = [path for path in tree.artifacts if tree.shown(path) not in artifacts and path.name != "metrics.json"]
    if stray:
        raise UserError(
            f"{given}: {tree.shown(stray[0])}: has no record beside it, so nothing was merged; {_out(given)}"
        )
    logs = [path for path in (results / "logs").rglob("*") if path.is_file()]
    shown = tuple(sorted(tree.shown(path.absolute()) for path in logs))
    return Part(str(given), tree.home, artifacts, shown)


def _checked(path: Path, shown: Path, given: Path) -> Recorded:
    """Return the record of an undamaged artifact. shown: its path in messages."""
    if not path.is_file():
        raise UserError(f"{shown}: is missing beside its record, so nothing was merged; {_out(given)}")
    record = read_provenance(path)
    if (found := sha256(path)) != record["sha256"]:
        raise UserError(f"{shown}: {difference(found, record['sha256'])}, and nothing was merged; {_out(given)}")
    return record


def _out(given: Path) -> str:
    return f"`diffbench verify {given}` says what to make again"


def record_of(path: str) -> str:
    """Return the path of an artifact's record."""
    return str(provenance_path(path))

"""The command: it makes some artifacts again and, if their bytes are equal, records all as made by this code."""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.base.provenance_file import RESULTS
from diffbench.base.stage_names import STAGES
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.outdated import Held
from diffbench.benchmark.places import CONFIGURATION, home_of, require_own_tree
from diffbench.benchmark.tree import alone_in
from diffbench.commands.adopt.stamp import stamp
from diffbench.commands.adopt.tree import Tree, specs_of, tree_of
from diffbench.commands.missing import way_to
from diffbench.commands.verify.rerun import Again, by_stage, in_turn, remade
from diffbench.commands.workflow import require_workflow, take_for_made

CHANGED = "nothing was adopted, since these bytes changed; --stage names stages to adopt without the others"


@dataclass(frozen=True)
class Report:
    """The result in lines. good: whether all artifacts that were made again had the same bytes."""

    lines: tuple[str, ...]
    good: bool

    def __str__(self) -> str:
        return "\n".join(self.lines)


def adopt(
    results: Path, config: Path | None, *, rerun: int | None = None, seed: int = 0, stages: Collection[str] = STAGES
) -> Report:
    """Return the result of adopting a tree. Nothing is written unless all remade artifacts have the same bytes.

    config: the benchmark's file; None for the one that configured the tree. rerun: the number of artifacts to make
    again in a scratch folder; None for one of each stage. `seed` chooses which. stages: those whose artifacts may be
    adopted.
    Raises: UserError if there is no such tree or stage, or none of its artifacts can be made again.
    """
    for stage in stages:
        if stage not in STAGES:
            raise UserError(f"--stage: no stage '{stage}'; {nearest(stage, STAGES)}")
    require_workflow()
    home = _home(results)
    config = config or _configured(home)
    benchmark = load_benchmark(config)
    if home_of(benchmark.name).resolve() != home.resolve():
        raise UserError(f"{results}: is not the tree of {config}, whose results are in {home_of(benchmark.name)}")
    require_own_tree(home, config, benchmark.name)
    with alone_in(home):
        tree = tree_of(home, specs_of(Graph(benchmark, home)), stages)
        again = _made_again(tree, rerun, seed)
        if again.bad:
            return Report((*again.bad, CHANGED), good=False)
        stamp(tree)
    kept = [*tree.current, *(item.path for item in tree.outdated)]
    if kept:  # Even if nothing is out of date, since an interrupted adoption may have stamped artifacts.
        take_for_made(config, kept)
    left = (f"left alone: {path}: {reason}" for path, reason in sorted(tree.left.items()))
    return Report((*again.notes, *left, _summary(tree)), good=True)


def _home(results: Path) -> Path:
    results = results / RESULTS if (results / RESULTS).is_dir() else results
    if not results.is_dir() or results.absolute().name != RESULTS:
        raise UserError(
            f"{results}: no folder of results; name a benchmark's, such as runs/smoke/results, or {way_to(results)}"
        )
    return results.parent


def _configured(home: Path) -> Path:
    """Return the file that configured a tree of results. Raises: UserError if the tree does not name it."""
    try:
        return home / (home / CONFIGURATION).read_text().strip()
    except OSError:
        raise UserError(f"{home}: does not say which file configured it; name the file by --configfile") from None


def _made_again(tree: Tree, count: int | None, seed: int) -> Again:
    """Return the result of making some of the outdated artifacts again, from as many stages as possible."""
    chosen = [path.relative_to(tree.home).as_posix() for path in _chosen(tree, count, seed)]
    if tree.outdated and not chosen:
        raise UserError("none of the artifacts whose code changed can be made again: their inputs are not all here")
    again = remade(tree.home, {tree.home / path: tree.records[path] for path in chosen})
    again.notes += _unproved(tree, chosen)
    return again


def _unproved(tree: Tree, chosen: Collection[str]) -> list[str]:
    """Return a note on each stage whose code changed and of which nothing was made again, so that it is not tested."""
    told = Counter(item.stage for item in tree.outdated if _has_other_code(item))
    proved = {item.stage for item in tree.outdated if item.path in chosen}
    return [
        f"note: stage {stage}: none of its {count} artifacts was made again, so their bytes may be different"
        for stage, count in told.items()
        if stage not in proved
    ]


def _chosen(tree: Tree, count: int | None, seed: int) -> list[Path]:
    """Return artifacts whose own code changed. Stages take turns; `seed` decides the order of stages and in each.

    An artifact that is out of date only by its sources has unchanged code, so to make it again would test nothing.
    """
    told = [item for item in tree.outdated if _has_other_code(item)]
    stages = by_stage(tree.home, {tree.home / item.path: tree.records[item.path] for item in told}, seed)
    order = sorted(stages)
    random.Random(seed).shuffle(order)
    return in_turn(stages, order)[: len(order) if count is None else count]


def _has_other_code(item: Held) -> bool:
    return item.recorded.get("code") != item.present.get("code")


def _summary(tree: Tree) -> str:
    adopted, current = len(tree.outdated), len(tree.current)
    return f"{adopted} artifacts adopted, {current} were of this code already, {len(tree.left)} left alone"

"""The end of a run: the short table, the paths of tables and figures, the time, and the next commands."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark import paths
from diffbench.commands.costs import position
from diffbench.commands.missing import uv_run
from diffbench.commands.reporting.failures import nearby
from diffbench.commands.reporting.progress import Progress
from diffbench.commands.reporting.result_table import ScoredRow, best, rows_of, shown
from diffbench.commands.reporting.words import LONGEST, counted, spoken

TABLE = paths.table("table2")

RECORDS = tuple(f"{ending}.json" for ending in (*paths.TABLE_ENDINGS, *paths.FIGURE_ENDINGS))
"""The ends of the paths of tables' and figures' records."""

WIDTH = 9
"""The letters before the text of a line, for example "tables:  "."""


MOST_FILES = 12
"""The most figures that are named."""


@dataclass(frozen=True)
class Outcome:
    """The files that a run was asked for.

    home: the benchmark's folder, at which their paths start. here: the folder in which the user gave the command.
    targets: the files that were asked for. files: all files that they need, made now or before.
    """

    home: Path
    here: Path
    targets: Sequence[str]
    files: Sequence[str]

    def lines(self) -> list[str]:
        """Return the lines on the result: the table if it was asked for, and the paths of what there is."""
        rows = self._rows()
        made = [path for path in self.targets if not path.endswith(RECORDS) and self._is(path)]
        tables = [path for path in made if path.endswith(".csv")]
        if TABLE in tables:
            tables = list(dict.fromkeys([*tables, *(path for path in self.files if _is_table(path))]))
        # Each figure is there as SVG and as PDF too, under the same name.
        figures = [path for path in dict.fromkeys(self.files) if path.endswith(".png") and self._is(path)]
        page = [path for path in dict.fromkeys(self.files) if path == paths.PAGE and self._is(path)]
        known = (".json", *paths.TABLE_ENDINGS, *paths.FIGURE_ENDINGS)
        others = [path for path in made if not path.endswith(known) and path not in page]
        lines = ["", *shown(rows), ""] if rows else []
        lines += _paragraph("tables:", [self._place(path) for path in tables])
        lines += _paragraph("figures:", self._in_folders(figures))
        lines += _paragraph("page:", [self._place(path) for path in page])
        lines += _paragraph("made:", [self._place(path) for path in others])
        return lines + _paragraph("next:", self._next(rows), apart=True)

    def _rows(self) -> list[ScoredRow]:
        """Return the rows of the main table, if the run was asked for it."""
        if TABLE not in self.targets or not self._is(TABLE):
            return []
        return rows_of(self.home / TABLE)

    def _is(self, path: str) -> bool:
        return (self.home / path).is_file()

    def _place(self, path: str) -> str:
        return nearby(self.home / path, self.here)

    def _in_folders(self, files: Sequence[str]) -> list[str]:
        """Return the paths of files, those after the first of a folder by their names; of many, only the first."""
        folders: dict[str, list[str]] = {}
        for path in files:
            folders.setdefault(os.path.dirname(path), []).append(os.path.basename(path))
        words = [
            word for folder, (first, *more) in folders.items() for word in (self._place(f"{folder}/{first}"), *more)
        ]
        return words if len(words) <= MOST_FILES else [*words[:MOST_FILES], f"and {len(words) - MOST_FILES} more"]

    def _next(self, rows: Sequence[ScoredRow]) -> list[str]:
        """Return commands that a user may want now."""
        if not rows:
            return []
        elsewhere = self.home != self.here
        ranked = best(rows)
        # A guided model at scale 0 is its own unguided row again.
        others = [row for row in ranked if row.score["value"] != ranked[0].score["value"]]
        commands = []
        if others:
            pair = f"compare {ranked[0].selector} {others[0].selector}"
            commands.append(pair + (f" --results {self._place(RESULTS)}" if elsewhere else ""))
        folder = f" {nearby(self.home, self.here)}" if elsewhere else ""
        commands += [] if paths.PAGE in self.files else [f"report{folder}"]
        commands.append(f"verify{folder}")
        return [f"{uv_run()}diffbench {command}" for command in commands]


def time_line(progress: Progress, logs: str) -> list[str]:
    """Return lines on the time of a run: in all, and of the jobs of each stage. logs: the folder of run records."""
    spent: dict[str, float] = {}
    with progress.lock:
        for number, seconds in progress.seconds.items():
            if number in progress.jobs:
                stage = progress.jobs[number].stage
                spent[stage] = spent.get(stage, 0.0) + seconds
    stages = sorted(spent, key=position)
    beside = f"up to {progress.side_by_side} jobs at once: " if progress.side_by_side > 1 else ""
    first, *more = [f"{stage} {spoken(spent[stage])}" for stage in stages] or [""]
    whole = spoken(progress.elapsed) + (f"; {beside}{first}" if first else "")
    return [*_paragraph("time:", [whole, *more]), *_paragraph("", [f"{uv_run()}diffbench costs {logs} shows more"])]


def said(outcome: Outcome) -> list[str]:
    """Return the lines of an outcome. A table that cannot be read is named, and does not make the run fail."""
    try:
        return outcome.lines()
    except UserError as error:
        return [f"diffbench: {error}"]


def counts(stages: Mapping[str, int]) -> str:
    """Return how many jobs each stage has: "1 prepare, 5 train"."""
    ordered = sorted(stages, key=position)
    return ", ".join(f"{stages[stage]} {stage}" for stage in ordered)


def beginning(benchmark: str, stages: Mapping[str, int], cores: int | None) -> str:
    """Return the first lines of a run: its jobs by stage, and that it can be interrupted."""
    beside = "" if cores is None or cores < 2 else f", up to {cores} at once"
    total = counted(sum(stages.values()), "job")
    return f"benchmark {benchmark}: {total}{beside} ({counts(stages)})\nCtrl-C is safe: the same command goes on"


def _is_table(path: str) -> bool:
    return path.endswith(".csv") and os.path.dirname(path) == RESULTS


def _paragraph(head: str, words: Sequence[str], *, apart: bool = False) -> list[str]:
    """Return words with commas between them as lines, below each other behind a head. apart: a line for each."""
    lines: list[str] = []
    for word in words:
        if lines and not apart and WIDTH + len(lines[-1]) + len(word) + 2 <= LONGEST:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return [f"{'' if place else head:<{WIDTH}}{line}" for place, line in enumerate(lines)]

"""What a run cost, and where it ran: the sums of cost.csv by stage, and the row of each job."""

import math
from collections.abc import Sequence
from typing import Any

import pandas

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.commands.costs import position
from diffbench.commands.report.records import Tree
from diffbench.commands.report.tables import shown
from diffbench.commands.reporting.words import counted, spoken
from diffbench.page.contents import Fact, Table
from diffbench.stages._wide import read_wide

PLACE = f"{RESULTS}/cost.csv"

WANTED = ("stage", "run", "seconds", "peak_memory_mib", "machine", "processors", "date")

"""The columns that are read of it."""

PEAK = "peak memory (MiB)"


def read_cost(tree: Tree) -> pandas.DataFrame | None:
    """Return the cost of each job; None if it is not here. Raises: UserError if the file is damaged."""
    if not tree.has(PLACE):
        return None
    frame = read_wide(tree.path(PLACE))
    if lacking := [name for name in WANTED if name not in frame]:
        raise UserError(f"{tree.path(PLACE)}: has no column '{lacking[0]}'; remove it, and table2.csv makes it again")
    return frame


def cost_tables(frame: pandas.DataFrame | None) -> tuple[Table, ...]:
    """Return the tables of the section on cost."""
    if frame is None:
        words = f"{PLACE} is not here, so what the run cost is not known. The job of table2.csv writes it."
        return (Table("cost-stages", "By stage", PLACE, missing=words),)
    if not len(frame):
        return (Table("cost-stages", "By stage", PLACE, missing=f"{PLACE} has no rows."),)
    lines: list[dict[str, Any]] = [
        {
            "stage": stage,
            "jobs": len(jobs),
            "seconds": jobs["seconds"].sum(),
            PEAK: jobs["peak_memory_mib"].max(),
        }
        for stage, jobs in frame.groupby("stage")
    ]
    sums = pandas.DataFrame(sorted(lines, key=lambda line: position(line["stage"])))
    stages = shown(sums, "cost", place=PLACE, title="By stage", name="cost-stages", always=list(sums.columns))
    named = frame.rename(columns={"peak_memory_mib": PEAK})
    jobs = shown(named, "cost", place=PLACE, title="By job", name="cost-jobs", always=("stage", "run", "seconds", PEAK))
    return stages, jobs


def cost_facts(frame: pandas.DataFrame | None) -> list[Fact]:
    """Return the machine, the time and the dates of a run."""
    if frame is None or not len(frame):
        return [Fact("Machine and cost", f"not known, since {PLACE} is not here")]
    pairs = zip(frame["machine"], frame["processors"], strict=True)
    machines = dict.fromkeys(pair for pair in pairs if not any(map(pandas.isna, pair)))
    dates = sorted({str(date)[:10] for date in frame["date"] if not pandas.isna(date)})
    seconds = spoken(math.fsum(value for value in frame["seconds"] if not pandas.isna(value)))
    return [
        Fact("Machine", _few([f"{name}, {counted(int(number), 'processor')}" for name, number in machines])),
        Fact("Cost", f"{seconds} of work in {counted(len(frame), 'job')}, of which several may run at once"),
        Fact("Date", dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}" if dates else "not known"),
    ]


def _few(names: Sequence[str], most: int = 4) -> tuple[str, ...]:
    """Return the first of some names, and how many more there are."""
    rest = [f"and {len(names) - most} more"] if len(names) > most else []
    return (*names[:most], *rest) or ("not known",)

"""The short table at the end of a run: model, sampler, steps, FID with its interval, and bits/dim of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.names import REAL
from diffbench.base.records import NAMING_KEYS, SEEDS
from diffbench.comparison.table_file import records_of_table

MOST_ROWS = 40
"""The most rows that are shown. Of more, those with the lowest FID are shown."""

BITS = "nll_bits_per_dim"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class ScoredRow:
    """A row of table2.csv. score: its record of FID. bits: that of its model's bits/dim, if there is one."""

    score: Record
    bits: Record | None

    @property
    def selector(self) -> str:
        """The name of the row for `diffbench compare`."""
        scale = self.score["guidance_scale"]
        model = self.score["model"] if scale is None else f"{self.score['model']}@{scale:g}"
        return "/".join([model, *(str(self.score[key]) for key in NAMING_KEYS[1:] if self.score[key] is not None)])


def rows_of(table: Path) -> list[ScoredRow]:
    """Return the rows of a table2.csv that have a FID, in its order. Raises: UserError if it is damaged."""
    records = records_of_table(table)
    bits = {(item["model"], item["train_seed"]): item for item in records if item["metric"] == BITS}
    return [
        ScoredRow(item, bits.get((item["model"], item["train_seed"]))) for item in records if item["metric"] == "fid"
    ]


def best(rows: Sequence[ScoredRow]) -> list[ScoredRow]:
    """Return the sampled rows, the lowest FID first; of rows that differ in their seeds alone, the best one."""
    ranked = sorted((row for row in rows if row.score["model"] != REAL), key=lambda row: row.score["value"])
    return list({row.selector: row for row in reversed(ranked)}.values())[::-1]


def shown(rows: Sequence[ScoredRow]) -> list[str]:
    """Return the lines of the short table."""
    kept = list(rows)
    if len(kept) > MOST_ROWS:
        few = sorted(kept, key=lambda row: (row.score["model"] != REAL, row.score["value"]))[:MOST_ROWS]
        kept = [row for row in kept if any(row is other for other in few)]
    # Columns that are the same in all rows would only take room.
    apart = [key for key in (*SEEDS, "num_images", "protocol") if _varies(rows, key)]
    scaled = _varies(rows, "guidance_scale")
    heads = ["model", "sampler", "steps", *(["scale"] if scaled else []), *(key.replace("_", " ") for key in apart)]
    cells = [[*heads, "FID", "95 % interval", "bits/dim"]]
    for row in kept:
        keys = ("model", "sampler", "steps", *(["guidance_scale"] if scaled else []), *apart)
        cells.append([_cell(row.score[key]) for key in keys] + _numbers(row))
    if not any(line[-1] for line in cells[1:]):
        cells = [line[:-1] for line in cells]
    lines = aligned(cells)
    return lines if len(kept) == len(rows) else [*lines, f"the {len(kept)} of {len(rows)} rows with the lowest FID"]


def _numbers(row: ScoredRow) -> list[str]:
    value, low, high = (f"{row.score[key]:.2f}" for key in ("value", "low", "high"))
    if row.bits is None:
        return [value, f"{low} to {high}", ""]
    return [value, f"{low} to {high}", f"{row.bits['value']:.2f} ± {(row.bits['high'] - row.bits['low']) / 2:.2f}"]


def _varies(rows: Sequence[ScoredRow], key: str) -> bool:
    # Held-out images have neither seeds nor a scale.
    values = {row.score[key] for row in rows if row.score["model"] != REAL}
    return len(values) > 1


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines whose columns are aligned, numbers on the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [all(not cell or cell[0].isdigit() for cell in column[1:]) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    ]

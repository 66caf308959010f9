"""The contents of the page of results: what it says, in the order in which it says it, without any HTML."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fact:
    """A line of the overview. text: one text, or several that are listed."""

    name: str
    text: str | tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    key: its name in the CSV file. title: its head. direction: "up" if higher is better, "down" if lower is, or "".
    extra: whether it is shown only if all columns are.
    """

    key: str
    title: str
    numeric: bool = False
    direction: str = ""
    extra: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell.

    order: the number by which it is sorted, as text with all its digits; "" if it is empty or a name. mark: "best" or
    "second" of its column, or "".
    """

    text: str = ""
    interval: str = ""
    order: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A row. name: how it is called in words. files: the places of its files in `Contents.files`."""

    name: str
    cells: tuple[Cell, ...]
    files: tuple[int, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table, or the words on why it is missing.

    name: its identifier in the page. place: the path of its file. notes: sentences below it.
    """

    name: str
    title: str
    place: str
    caption: str = ""
    columns: tuple[Column, ...] = ()
    rows: tuple[Row, ...] = ()
    missing: str = ""
    notes: tuple[str, ...] = ()

    @property
    def has_extra(self) -> bool:
        """Whether some columns are shown only if all are."""
        return any(column.extra for column in self.columns)


@dataclass(frozen=True)
class Image:
    """The bytes of an image. kind: its media type, such as image/png."""

    kind: str
    data: bytes


@dataclass(frozen=True)
class Figure:
    """A figure, or the words on why it is not shown.

    places: the paths of its files, in every format. group: the title of those that are folded together, or "".
    """

    name: str
    title: str
    caption: str
    alt: str
    places: tuple[str, ...]
    image: Image | None = None
    missing: str = ""
    group: str = ""


@dataclass(frozen=True)
class Shown:
    """The first images of a sample set, side by side in one image.

    count: how many are shown, of `of`. size: the height and width of each. labels: their classes, if they are known.
    """

    model: str
    sampler: str
    steps: str
    train_seed: str
    sample_seed: str
    place: str
    count: int
    of: int
    size: tuple[int, int]
    image: Image
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Grids:
    """The sample sets that are shown, real images of the same sizes, and the rule by which images were chosen."""

    sets: tuple[Shown, ...] = ()
    real: tuple[Shown, ...] = ()
    rule: str = ""
    missing: str = ""


@dataclass(frozen=True)
class File:
    """An artifact and what its record says. inputs: its sources by name, as places in `Contents.files` or a hash.

    numbers: the scores in the file: metric, value, low, high, what the interval covers, and the protocol.
    again: the command that makes the file again.
    """

    place: str
    stage: str
    sha256: str
    again: str
    inputs: tuple[tuple[str, int | str], ...] = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    threads: int | None = None
    numbers: tuple[tuple[str, str, str, str, str, str], ...] = ()


@dataclass(frozen=True)
class Contents:
    """All that the page says.

    gaps: sentences on what is missing, for the overview. verify: the command that compares all files with their
    records. tables, figures: those that exist, and those whose absence is worth a word.
    """

    benchmark: str
    facts: tuple[Fact, ...]
    models: Table
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]
    grids: Grids
    files: tuple[File, ...]
    cost: tuple[Table, ...]
    protocols: tuple[tuple[str, str], ...] = ()
    gaps: tuple[str, ...] = ()
    verify: str = ""

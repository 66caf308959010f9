"""A table as people read it: a sheet of cells with values, intervals and marks, which a format writes as text."""

from dataclasses import dataclass
from typing import Literal

Direction = Literal["up", "down"]
"""Whether higher or lower values of a column are better."""

Mark = Literal["best", "second"]
"""The rank of a value in its column, if it has one of the first two."""

METRICS = "*"
"""In the columns of a view: every metric that has an interval, in the order of the table."""


@dataclass(frozen=True)
class View:
    """What people are shown of a wide table.

    title: the beginning of the caption. columns: those that are shown, in order, if they hold anything; none shows all.
    if_varied: those among them that are shown only if rows differ in them. beside: metrics that are shown only if no
    other metric is. ranked: whether the best values are marked. covers: what intervals are over.
    """

    title: str = ""
    columns: tuple[str, ...] = ()
    if_varied: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    ranked: bool = True
    covers: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a sheet.

    title: its head. names: the columns of the wide table that it shows: a value and, after it, the ends of its interval
    or its error. direction: None if values are not ranked. numeric: whether it holds numbers.
    """

    title: str
    names: tuple[str, ...]
    direction: Direction | None = None
    numeric: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a sheet.

    text: the rounded value; "" if there is none. interval: such as "3.0 to 4.0" or "± 0.5"; "" if there is none. exact:
    the content of the wide table, one text for each of the column's names.
    """

    text: str
    interval: str = ""
    mark: Mark | None = None
    exact: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """A table that is ready to be written: name of its file, caption, columns, rows of cells, and notes below it."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()

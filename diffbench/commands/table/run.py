"""The command: it finds a table of results, and returns it as Markdown, LaTeX, HTML or CSV."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.plugins import load, names, nearest
from diffbench.base.provenance_file import RESULTS, provenance_path
from diffbench.base.writing import replacing
from diffbench.commands.missing import way_to
from diffbench.commands.table.rows import chosen_rows
from diffbench.formats._contract import Format
from diffbench.stages._sheets import every_column, sheet_of
from diffbench.stages._wide import read_wide

DEFAULT_TABLE, DEFAULT_FORMAT = "table2", "markdown"


@dataclass(frozen=True)
class Asked:
    """What a user asks for.

    results: a folder of results, a benchmark's folder, or a table as CSV. table: None for the main one. format: its
    name or an ending; None for that of `out`, and Markdown without one. columns, rows: empty for those that are shown
    by default. out: the file to write; None to print.
    """

    results: Path = Path(RESULTS)
    table: str | None = None
    format: str | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    out: Path | None = None


def table(asked: Asked) -> str:
    """Return the text to print: the table, or where it was written. Raises: UserError with the way out."""
    form = _format(asked)
    if asked.out is not None:
        _require_own(asked.out, form)
    path = table_file(asked.results, asked.table)
    checked({str(path): path}, foreign=[str(path)])
    frame = read_wide(path)
    if asked.rows:
        frame = chosen_rows(frame, asked.rows)
    text = form(sheet_of(frame, path.stem, _columns(frame, asked, form)))
    if asked.out is None:
        return text
    with replacing(asked.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return f"written to {asked.out}\n"


def table_file(results: Path, table: str | None) -> Path:
    """Return the path of a table. Raises: UserError with the command that makes it if it is not there."""
    if results.suffix.lower() == ".csv":
        if table is not None:
            raise UserError(f"--table {table}: has no effect, since {results} is a table itself; leave one of them out")
        return _require_file(results)
    name = (table or DEFAULT_TABLE).removesuffix(".csv").replace("-", "_").lower()
    inside = results / RESULTS
    is_home = inside.is_dir() or not (results.name == RESULTS or (results / f"{name}.csv").is_file())
    path = (inside if is_home else results) / f"{name}.csv"
    if not path.is_file() and name not in names("tables"):
        raise UserError(f"--table {table}: no such table; {nearest(name, _tables(path.parent))}")
    return _require_file(path)


def _tables(folder: Path) -> list[str]:
    held = [path.stem for path in folder.glob("*.csv")] if folder.is_dir() else []
    return list({*names("tables"), *held} - {"cost"})


def _require_file(path: Path) -> Path:
    if not path.is_file():
        of = f", which only a benchmark with {ONLY_WITH[path.stem]} has" if path.stem in ONLY_WITH else ""
        raise UserError(f"{path}: no such table{of}; {way_to(path)}")
    return path


ONLY_WITH = {
    "table4": "a guided model",
    "table5": "an upsampler",
    "rate_distortion": "a bound",
    "published": "data that papers published numbers of",
}
"""What a benchmark must have for a table that not every benchmark has."""


def formats() -> dict[str, Format]:
    """Return every format by its name and by its endings without the dot."""
    found: dict[str, Format] = {}
    for name in names("formats"):
        form = load("formats", name)()
        found |= {word: form for word in (name, *(ending.removeprefix(".") for ending in form.endings))}
    return found


def _format(asked: Asked) -> Format:
    """Return the format that is asked for by its name or by the ending of a file. Raises: UserError."""
    known = formats()
    named = _known(known, asked.format.lower(), f"--format {asked.format}") if asked.format else None
    ending = asked.out.suffix.removeprefix(".").lower() if asked.out else ""
    if named is None:
        return _known(known, ending, f"--out {asked.out}") if asked.out else known[DEFAULT_FORMAT]
    if known.get(ending, named) is not named:
        raise UserError(f"--format {asked.format}: the ending of {asked.out} says another format; change one of them")
    return named


def _known(known: Mapping[str, Format], word: str, said: str) -> Format:
    if word not in known:
        raise UserError(f"{said}: no such format of tables; {nearest(word, known)}")
    return known[word]


def _require_own(out: Path, form: Format) -> None:
    """Raise UserError for a file that this command did not write, so that nothing else is lost."""
    if not out.exists():
        return
    if provenance_path(out).is_file():
        raise UserError(f"--out {out}: is a result of the workflow; name another file")
    try:
        own = out.is_file() and form.wrote(out.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        own = False
    if not own:
        raise UserError(f"--out {out}: exists, and nothing in it says that this command wrote it; name another file")


def _columns(frame: pandas.DataFrame, asked: Asked, form: Format) -> Sequence[str] | None:
    if asked.columns:
        return asked.columns
    return every_column(frame) if form.wide else None

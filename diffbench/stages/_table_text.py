"""Tables as text in the format that the ending of a file names."""

from pathlib import Path

import pandas

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.formats._contract import Format
from diffbench.formats.csv import Csv
from diffbench.formats.html import Html
from diffbench.formats.markdown import Markdown
from diffbench.stages._sheets import sheet_of
from diffbench.stages._wide import csv_text, frame_of

FORMATS: dict[str, Format] = {ending: form for form in (Csv(), Markdown(), Html()) for ending in form.endings}
"""The formats that the workflow writes, by the endings of files. They are imported here as part of the stage's code."""


def table_text(frame: pandas.DataFrame, name: str, path: Path) -> str:
    """Return the text of a table's file. Raises: UserError if its ending is not a format.

    What people are shown is made from the CSV, so that `diffbench table` writes the same from that file alone.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise UserError(f"--out {path}: the ending is not a format of tables; {nearest(path.suffix, FORMATS)}")
    text = csv_text(frame)
    return text if form.wide else form(sheet_of(frame_of(text), name))

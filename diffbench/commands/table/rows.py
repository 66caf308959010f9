"""Rows of a table by the names that `diffbench compare` uses: model, model/sampler or model/sampler/steps."""

from collections.abc import Sequence

import pandas

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.base.records import NAMING_KEYS


def chosen_rows(frame: pandas.DataFrame, words: Sequence[str]) -> pandas.DataFrame:
    """Return the rows that the words name, in the order of the table. Raises: UserError for a word that names none.

    A guided model may be named with its scale: adm_g@4.
    """
    if "model" not in frame:
        raise UserError("--rows: this table has no models; leave it out")
    named = [_named(frame, word) for word in words]
    return pandas.DataFrame(frame[[any(row) for row in zip(*named, strict=True)]]).reset_index(drop=True)


def _named(frame: pandas.DataFrame, word: str) -> list[bool]:
    """Return for each row whether a word names it."""
    model, *rest = word.split("/")
    model, at, scale = model.partition("@")
    wanted = dict(zip(NAMING_KEYS, [model, *rest], strict=False)) | ({"guidance_scale": scale} if at else {})
    held = {key: list(map(_written, frame[key])) for key in (*NAMING_KEYS, "guidance_scale") if key in frame}
    absent = [key for key in wanted if key not in held]
    if absent or len(rest) >= len(NAMING_KEYS):
        raise UserError(f"--rows {word}: write model/sampler/steps; the table has {', '.join(held)}")
    found = [all(held[key][row] == value for key, value in wanted.items()) for row in range(len(frame))]
    if not any(found):
        keys = [key for key in wanted if key in NAMING_KEYS]
        known = {"/".join(filter(None, row)) for row in zip(*(held[key] for key in keys), strict=True)}
        raise UserError(f"--rows {word}: names no row; {nearest(word, known)}")
    return found


def _written(value: object) -> str:
    if value is None or value is pandas.NA or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)

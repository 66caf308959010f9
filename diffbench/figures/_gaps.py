"""The rows of a table that a figure cannot draw, named for its small print."""

from collections.abc import Sequence

import pandas

from diffbench.base.names import REAL

MOST_NAMED = 4
"""How many rows are named; the others are counted."""


def gaps_in(rows: pandas.DataFrame, columns: Sequence[str], what: str) -> list[str]:
    """Return one part of the small print, such as "no FID: adm ddim 10", or none if every sample set has a number."""
    samples = rows.loc[rows["model"] != REAL]
    empty = samples.loc[samples[list(columns)].isna().any(axis=1)]
    if empty.empty:
        return []
    names = list(dict.fromkeys(_name(row) for _, row in empty.iterrows()))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return [f"no {what}: {', '.join(names[:MOST_NAMED])}{more}"]


def _name(row: pandas.Series) -> str:
    scale = row.get("guidance_scale")
    words = [str(row["model"]), str(row["sampler"]), f"{row['steps']:g}"]
    return " ".join([*words, f"scale {scale:g}"] if scale is not None and scale == scale else words)

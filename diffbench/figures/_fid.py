"""What all figures of FIDs use: which rows are drawn, the floor of real images, their axes, the small print."""

import math
from typing import Any

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.figures._gaps import gaps_in
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import BETWEEN, FLOOR, QUIET, plain_log_ticks

LOG_FROM = 3
"""The ratio of the greatest and the least FID from which on the axis is logarithmic."""

ALWAYS_NEAR, LEAST_SHARE = 6, 0.35
"""The floor is drawn if it is within this ratio of all samples, or if they keep this share of the axis' height."""

TINY = 1e-6
"""The value that stands for 0 on a logarithmic axis."""

HIDDEN = "rows without a place on a logarithmic axis"
"""The attribute of a table's rows that says how many others were left out."""


MISSING = "rows without an FID"
"""The attribute of a table's rows that names those which have none, for the small print."""

NO_FID = "no row of the table has an FID above 0"
"""What a figure of FIDs says if it has nothing to draw."""


def rows_with_fid(table: pandas.DataFrame, protocol: str | None, figure: str) -> pandas.DataFrame:
    """Return the rows of one protocol that have an FID; held-out real images are among them.

    A logarithmic axis cannot show an FID of 0 or less; `small_print` says how many rows are left out, and which have
    none. Without a protocol there may be no row of samples, which the figure then says.
    Raises: UserError, with the figure's name, if the protocol that was asked for has none.
    """
    fid = table["fid"] if "fid" in table else pandas.Series(np.nan, index=table.index)
    fid = fid.where(np.isfinite(fid.astype(float)))
    rows = table.loc[fid > 0]
    rows.attrs[HIDDEN] = int((fid <= 0).sum())
    rows.attrs[MISSING] = tuple(gaps_in(table.assign(fid=fid), ["fid"], "FID"))
    held = sorted(rows.loc[rows["model"] != REAL, "protocol"].dropna().unique())
    # If there are fewer real images than samples, their protocol is another one, and they are no floor for the samples.
    chosen = protocol or main_protocol(rows.loc[rows["model"] != REAL])
    if chosen is not None:
        rows = rows.loc[rows["protocol"] == chosen]
    if protocol is not None and not (rows["model"] != REAL).any():
        raise UserError(f"{figure}: no row with an FID to draw; protocols in the table: {', '.join(held) or 'none'}")
    return rows


def near(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return the row of held-out real images, or no row if samples are so far above it that it would flatten them."""
    samples, real = rows.loc[rows["model"] != REAL], rows.loc[rows["model"] == REAL].head(1)
    if real.empty:
        return real
    (low, high), (floor, top) = _span(samples), _span(real)
    joined = math.log(max(high, top) / min(low, floor))
    return real if joined <= max(math.log(ALWAYS_NEAR), math.log(high / low) / LEAST_SHARE) else real.iloc[:0]


def floor_entry(rows: pandas.DataFrame) -> dict[str, Any]:
    """Return the legend's entry for held-out real images: their FID with its interval, in words."""
    real = rows.loc[rows["model"] == REAL].head(1)
    if real.empty:
        return {}
    fid, low, high = (float(real[name].iloc[0]) for name in ("fid", "fid_low", "fid_high"))
    interval = f" ({max(low, 0):.3g} to {high:.3g})" if low == low and high == high else ""
    if near(rows).empty:
        return {f"real images, held out: {fid:.3g}{interval}, far below": Line2D([], [], linestyle="none")}
    handle = (Patch(color=QUIET, alpha=0.15, linewidth=0), Line2D([], [], **FLOOR))
    return {f"real images, held out: {fid:.3g}{interval}": handle}


def draw_fids(axes: Axes, rows: pandas.DataFrame) -> None:
    """Draw the floor of held-out real images if it is near, and limit and label the y axis to what is drawn.

    The axis is logarithmic if its ends differ by more than a factor of LOG_FROM. An interval may reach 0, which a
    logarithmic axis cannot show. Then it goes beyond the edge of the picture.
    """
    floor = near(rows)
    for row in floor.to_dict("records"):
        if row["fid_low"] == row["fid_low"]:
            axes.axhspan(max(row["fid_low"], TINY), row["fid_high"], color=QUIET, alpha=0.15, linewidth=0)
        axes.axhline(row["fid"], zorder=1.5, **FLOOR)
    spans = [_span(rows.loc[rows["model"] != REAL]), *([] if floor.empty else [_span(floor)])]
    low, high = min(span[0] for span in spans), max(span[1] for span in spans)
    if high / low > LOG_FROM:
        beside = (high / low) ** 0.04
        axes.set_yscale("log")
        axes.set_ylim(low / beside, high * beside)
        plain_log_ticks(axes.yaxis, low / beside, high * beside)
    else:
        beside = 0.06 * (high - low)
        axes.set_ylim(low - beside, high + beside)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def fid_label(axes: Axes) -> str:
    """Return the text of an axis of FIDs."""
    return "FID (log scale, lower is better)" if axes.get_yscale() == "log" else "FID (lower is better)"


def _span(rows: pandas.DataFrame) -> tuple[float, float]:
    """Return the least and the greatest FID that rows show with their intervals; of one FID, a little on each side."""
    fid = rows["fid"].astype(float)
    low, high = (rows[f"fid_{end}"].astype(float).fillna(fid) for end in ("low", "high"))
    least = max(float(np.min(low)), 0.4 * float(np.min(fid)))
    greatest = max(float(np.max(high)), float(np.max(fid)))
    return (least, greatest) if greatest > 1.02 * least else (0.9 * least, 1.1 * greatest)


def _measured(protocol: str) -> str:
    """Return what a reader of the figure needs of a protocol's id: whose features, and against which images."""
    fields = dict(part.split("=", 1) for part in protocol.split(";") if "=" in part)
    if {"extractor", "reference"} <= fields.keys():
        split, _, count = fields["reference"].partition(":")
        return f"features of {fields['extractor']}, against {count.partition('@')[0]} {split} images"
    return f"protocol {protocol}"


def small_print(rows: pandas.DataFrame, *more: str) -> str:
    """Return what was measured on how many images and seeds, and what the bars cover. more: further parts."""
    samples = rows.loc[rows["model"] != REAL]
    counts = sorted(int(count) for count in samples["num_images"].dropna().unique())
    seeds = samples[["train_seed", "sample_seed"]].drop_duplicates()
    parts = [
        str(samples["benchmark"].iloc[0]),
        f"{' or '.join(f'{count:,}' for count in counts)} images a point",
    ]
    parts += [_measured(protocol) for protocol in samples["protocol"].dropna().unique()]
    known = bool(samples[["fid_low", "fid_high"]].notna().all(axis=1).any())
    parts.append("bars: 95 % intervals" if known else "no intervals")
    parts[-1] += f", over {len(seeds)} seeds" if len(seeds) > 1 else ""
    if rows.attrs.get(HIDDEN):
        parts.append(f"without {rows.attrs[HIDDEN]} rows of FID 0 or less")
    return BETWEEN.join([*parts, *more, *rows.attrs.get(MISSING, ())])

"""What all figures of FIDs use: which rows are drawn, the floor of real images, their axes, the small print."""

from collections.abc import Sequence

import pandas
from matplotlib.axes import Axes

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import QUIET, plain_log_ticks

NEAREST_TICKS = 1.05
"""Ratio of neighbouring labels on the logarithmic axis, for an axis of one point; longer axes need more."""

TINY = 1e-6
"""The value that stands for 0 on a logarithmic axis."""

HIDDEN = "rows without a place on a logarithmic axis"
"""The attribute of a table's rows that says how many others were left out."""


def rows_with_fid(table: pandas.DataFrame, protocol: str | None, figure: str) -> pandas.DataFrame:
    """Return the rows of one protocol that have an FID; held-out real images are among them.

    A logarithmic axis cannot show an FID of 0 or less; `small_print` says how many rows are left out.
    Raises: UserError, with the figure's name, if no row is left.
    """
    rows = table.loc[table["fid"] > 0]
    rows.attrs[HIDDEN] = int((table["fid"] <= 0).sum())
    held = sorted(rows.loc[rows["model"] != REAL, "protocol"].dropna().unique())
    # If there are fewer real images than samples, their protocol is another one, and they are no floor for the samples.
    chosen = protocol or main_protocol(rows.loc[rows["model"] != REAL])
    if chosen is not None:
        rows = rows.loc[rows["protocol"] == chosen]
    if not (rows["model"] != REAL).any():
        raise UserError(f"{figure}: no row with an FID to draw; protocols in the table: {', '.join(held) or 'none'}")
    return rows


def has_fid(table: pandas.DataFrame) -> bool:
    """Return whether samples of a table have an FID that a logarithmic axis can show."""
    return bool(((table["fid"] > 0) & (table["model"] != REAL)).any())


def draw_floor(axes: Axes, real: pandas.DataFrame, *, name: bool) -> None:
    """Draw the FID of held-out real images with its interval, if there is one; name: write beside it what it is."""
    if real.empty:
        return
    row = real.iloc[0]
    axes.axhspan(max(row["fid_low"], TINY), row["fid_high"], color=QUIET, alpha=0.13, linewidth=0)
    axes.axhline(row["fid"], color=QUIET, linestyle=(0, (6, 3)), linewidth=1.6)
    if name:
        axes.annotate(
            f"real images, held out: {row['fid']:.3g}",
            (0.008, row["fid"]),
            xycoords=("axes fraction", "data"),
            xytext=(0, -4),
            textcoords="offset points",
            va="top",
            fontsize=9.5,
            color="#333333",
        )


def show_fids(axes: Axes, rows: pandas.DataFrame) -> None:
    """Limit and label a logarithmic y axis of FIDs.

    An interval may reach 0, which a logarithmic axis cannot show. Then it goes beyond the edge of the picture.
    """
    low, high = axes.get_ylim()
    low = max(low, 0.4 * rows["fid"].min())
    axes.set_ylim(low, high)
    plain_log_ticks(axes, low, high)


def log_ticks_at(axes: Axes, values: Sequence[float]) -> None:
    """Label a logarithmic x axis with the ascending values themselves, except those too close to the one before."""
    ticks: list[float] = []
    for value in map(float, values):
        # Numbers that are too close would be printed over one another. The first of them is kept.
        if not ticks or value / ticks[-1] > NEAREST_TICKS * (values[-1] / values[0]) ** 0.05:
            ticks.append(value)
    axes.set_xticks(ticks, [f"{value:.3g}" for value in ticks])
    axes.minorticks_off()


def _measured(protocol: str) -> str:
    """Return what a reader of the figure needs of a protocol's id: whose features, and against which images."""
    fields = dict(part.split("=", 1) for part in protocol.split(";") if "=" in part)
    if {"extractor", "reference"} <= fields.keys():
        split, _, count = fields["reference"].partition(":")
        return f"features of {fields['extractor']}, against {count.partition('@')[0]} {split} images"
    return f"protocol {protocol}"


def small_print(rows: pandas.DataFrame) -> str:
    """Return what was measured on how many images and seeds, and what the bands cover."""
    samples = rows.loc[rows["model"] != REAL]
    counts = sorted(int(count) for count in samples["num_images"].dropna().unique())
    seeds = samples[["train_seed", "sample_seed"]].drop_duplicates()
    parts = [
        str(samples["benchmark"].iloc[0]),
        f"{' or '.join(f'{count:,}' for count in counts)} images a point",
    ]
    parts += [_measured(protocol) for protocol in samples["protocol"].dropna().unique()]
    parts.append("bands: 95 % intervals" + (f", over {len(seeds)} seeds" if len(seeds) > 1 else ""))
    if rows.attrs.get(HIDDEN):
        parts.append(f"without {rows.attrs[HIDDEN]} rows of FID 0 or less")
    return "   ·   ".join(parts)

"""FID against the number of sampling steps, as in figure 8 of Nichol and Dhariwal 2021."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import (
    COLOURS,
    DASHES,
    MARKERS,
    QUIET,
    empty_figure,
    note,
    plain_log_ticks,
    styled,
)

NEAREST_TICKS = 1.05
"""Ratio of neighbouring labels on the logarithmic axis, for an axis of one point; longer axes need more."""

TINY = 1e-6
"""What a logarithmic axis takes for 0."""

LINE_KEYS = ("model", "sampler", "guidance_scale")


@dataclass(frozen=True)
class FidVsSteps:
    """One line for each model and sampler, its interval as a band, over held-out real images as the floor."""

    title: str = "FID against sampling steps"
    protocol: str | None = None
    """Which protocol's rows to draw; without it, those of the protocol that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table2's columns; seeds are averaged, bands span all of them."""
        rows = _with_lines(_chosen(table, self.protocol))
        with styled():
            return _drawn(rows, self.title)


def _chosen(table: pandas.DataFrame, protocol: str | None) -> pandas.DataFrame:
    rows = table.dropna(subset=["fid"])
    held = sorted(rows.loc[rows["model"] != "real", "protocol"].dropna().unique())
    # Real images that are fewer than the samples have a protocol of their own, and are no floor for them.
    chosen = protocol or main_protocol(rows[rows["model"] != "real"])
    if chosen is not None:
        rows = rows[rows["protocol"] == chosen]
    if (rows["fid"] <= 0).any():
        raise UserError("fid_vs_steps: a row has an FID of 0 or less, which a logarithmic axis cannot show")
    if not (rows["model"] != "real").any():
        raise UserError(
            f"fid_vs_steps: no row with an FID to draw; protocols in the table: {', '.join(held) or 'none'}"
        )
    return rows


def _with_lines(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows without those that are points, not lines, where there are lines: sweeps of something else."""
    counts = rows.groupby(list(LINE_KEYS), dropna=False)["steps"].transform("nunique")
    return rows[(counts > 1) | (rows["model"] == "real")] if (counts > 1).any() else rows


def _drawn(rows: pandas.DataFrame, title: str) -> Figure:
    samples, real = rows[rows["model"] != "real"], rows[rows["model"] == "real"]
    # Solvers that call the network more than once a step must not look cheaper than they are.
    both = bool((samples["nfe"].notna() & (samples["nfe"] != samples["steps"])).any())
    panels = ["steps", "nfe"] if both else ["steps"]
    words = {
        "steps": "sampling steps" if both else "sampling steps = network evaluations",
        "nfe": "network evaluations",
    }
    if samples["nfe"].isna().all():
        words["steps"] = "sampling steps"

    num_lines = len(samples[list(LINE_KEYS)].drop_duplicates())
    longest = max(
        len(model) + len(sampler) for model, sampler in zip(samples["model"], samples["sampler"], strict=True)
    )
    columns = 1 if longest > 44 else 2 if longest > 24 or num_lines in (2, 4) else 3
    # The legend has a place of its own under the axes: in them it would hide lines. In pixels:
    head, body, foot = 90, 620, 200 + 46 * math.ceil(num_lines / columns)
    height = head + body + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.095, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06)
    for axes, x in zip(grid, panels, strict=True):
        _lines(axes, samples, x)
        _floor(axes, real, name=axes is grid[0])
        axes.set_xlabel(words[x])
    grid[0].set_ylabel("FID (log scale, lower is better)")
    grid[0].set_title(title)
    # An interval may reach 0, which a logarithmic axis has no place for: it leaves the picture instead.
    low, high = grid[0].get_ylim()
    low = max(low, 0.4 * rows["fid"].min())
    grid[0].set_ylim(low, high)
    plain_log_ticks(grid[0], low, high)
    handles, labels = grid[0].get_legend_handles_labels()
    anchor = (0.53, 50 / height)
    figure.legend(handles, labels, loc="lower center", ncols=columns, bbox_to_anchor=anchor, handlelength=3.4)
    note(figure, _small_print(rows))
    return figure


def _lines(axes: Axes, samples: pandas.DataFrame, x: str) -> None:
    models, samplers = list(samples["model"].unique()), list(samples["sampler"].unique())
    scales = [None, *samples["guidance_scale"].dropna().unique()]
    axes.set(xscale="log", yscale="log")
    for model, (place, (sampler, scale)) in product(models, enumerate(product(samplers, scales))):
        guided = samples["guidance_scale"].isna() if scale is None else samples["guidance_scale"] == scale
        line = samples[(samples["model"] == model) & (samples["sampler"] == sampler) & guided]
        if line.empty:
            continue
        look = models.index(model)
        points = line.groupby(x, as_index=False).agg({"fid": "mean", "fid_low": "min", "fid_high": "max"}).astype(float)
        colour = COLOURS[look % len(COLOURS)]
        seaborn.lineplot(
            points,
            x=x,
            y="fid",
            ax=axes,
            color=colour,
            marker=MARKERS[look % len(MARKERS)],
            # A sampler shows in the dash and in filled or hollow markers: dashes alone drown in bands.
            markerfacecolor="white" if place % 2 else colour,
            markeredgecolor=colour,
            markeredgewidth=1.6,
            linestyle=DASHES[place % len(DASHES)],
            label=f"{model}, {sampler}" + ("" if scale is None else f", guidance {scale:g}"),
            legend=False,
            errorbar=None,
        )
        axes.fill_between(
            points[x],
            points["fid_low"].clip(lower=TINY),
            points["fid_high"],
            color=colour,
            alpha=0.16,
            linewidth=0,
        )
    _step_ticks(axes, sorted(samples[x].dropna().unique()))
    axes.set_ylabel("")


def _step_ticks(axes: Axes, values: Sequence[float]) -> None:
    ticks: list[float] = []
    for value in map(float, values):
        # Numbers that would be printed over one another: the first of them stays.
        if not ticks or value / ticks[-1] > NEAREST_TICKS * (values[-1] / values[0]) ** 0.05:
            ticks.append(value)
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    axes.minorticks_off()


def _floor(axes: Axes, real: pandas.DataFrame, *, name: bool) -> None:
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


def _measured(protocol: str) -> str:
    """Return what of a protocol's id a reader of the figure needs: whose features, and against which images."""
    fields = dict(part.split("=", 1) for part in protocol.split(";") if "=" in part)
    if {"extractor", "reference"} <= fields.keys():
        split, _, count = fields["reference"].partition(":")
        return f"features of {fields['extractor']}, against {count.partition('@')[0]} {split} images"
    return f"protocol {protocol}"


def _small_print(rows: pandas.DataFrame) -> str:
    samples = rows[rows["model"] != "real"]
    counts = sorted(int(count) for count in samples["num_images"].dropna().unique())
    seeds = samples[["train_seed", "sample_seed"]].drop_duplicates()
    parts = [
        str(samples["benchmark"].iloc[0]),
        f"{' or '.join(f'{count:,}' for count in counts)} images a point",
    ]
    parts += [_measured(protocol) for protocol in samples["protocol"].dropna().unique()]
    parts.append("bands: 95 % intervals" + (f", over {len(seeds)} seeds" if len(seeds) > 1 else ""))
    return "   ·   ".join(parts)

"""FID against the number of sampling steps, as in figure 8 of Nichol and Dhariwal 2021."""

import math
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, cast

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diffbench.base.names import REAL
from diffbench.figures._fid import TINY, draw_floor, has_fid, log_ticks_at, rows_with_fid, show_fids, small_print
from diffbench.figures._style import COLOURS, DASHES, MARKERS, empty_figure, note, styled

LINE_KEYS = ("model", "sampler", "guidance_scale")


@dataclass(frozen=True)
class FidVsSteps:
    """One line for each model and sampler, with its interval as a band, over held-out real images as the floor."""

    title: str = "FID against sampling steps"
    protocol: str | None = None
    """The protocol whose rows are drawn; if None, the one that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table2's columns. Seeds are averaged, and bands span all of them.

        If a table without FIDs was made from other scores, the figure says so. Raises: UserError if the protocol has no
        FIDs.
        """
        if self.protocol is None and not has_fid(table):
            with styled():
                return _without(self.title)
        rows = _with_lines(rows_with_fid(table, self.protocol, "fid_vs_steps"))
        with styled():
            return _drawn(rows, self.title)


def _without(title: str) -> Figure:
    figure = empty_figure(height=200)
    figure.text(0.5, 0.6, title, ha="center", fontweight="bold")
    figure.text(0.5, 0.35, "no row of the table has an FID above 0: none to draw", ha="center")
    return figure


def _with_lines(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows that form lines. Single points (sweeps of something else) are kept only if there is no line."""
    counts = cast(pandas.Series, rows.groupby(list(LINE_KEYS), dropna=False)["steps"].transform("nunique"))
    # Adaptive solvers always have one point.
    kept = (counts > 1) | (rows["model"] == REAL) | (rows["steps"] == 0)
    return rows.loc[kept] if (counts > 1).any() else rows


def _drawn(rows: pandas.DataFrame, title: str) -> Figure:
    samples, real = rows.loc[rows["model"] != REAL], rows.loc[rows["model"] == REAL]
    # Solvers that call the network more than once a step must not look cheaper than they are.
    both = bool((samples["nfe"].notna() & (samples["nfe"] != samples["steps"])).any())
    panels = ["steps", "nfe"] if both else ["steps"]
    if not (samples["steps"] > 0).any():
        panels = ["nfe"]
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
    # The legend is in its own place, under the axes, because in them it would hide lines. In pixels:
    head, body, foot = 90, 620, 200 + 46 * math.ceil(num_lines / columns)
    height = head + body + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.095, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06)
    for axes, x in zip(grid, panels, strict=True):
        # The number of steps of an adaptive solver is 0, which an axis of steps cannot show.
        _lines(axes, samples.loc[samples[x] > 0] if x == "steps" else samples, x)
        draw_floor(axes, real, name=axes is grid[0])
        axes.set_xlabel(words[x])
    grid[0].set_ylabel("FID (log scale, lower is better)")
    grid[0].set_title(title)
    show_fids(grid[0], rows)
    handles, labels = grid[0].get_legend_handles_labels()
    anchor = (0.53, 50 / height)
    figure.legend(handles, labels, loc="lower center", ncols=columns, bbox_to_anchor=anchor, handlelength=3.4)
    note(figure, small_print(rows))
    return figure


def _lines(axes: Axes, samples: pandas.DataFrame, x: str) -> None:
    models, samplers = list(samples["model"].unique()), list(samples["sampler"].unique())
    scales = [None, *samples["guidance_scale"].dropna().unique()]
    axes.set(xscale="log", yscale="log")
    for model, (place, (sampler, scale)) in product(models, enumerate(product(samplers, scales))):
        guided = samples["guidance_scale"].isna() if scale is None else samples["guidance_scale"] == scale
        line = samples.loc[(samples["model"] == model) & (samples["sampler"] == sampler) & guided]
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
            # Dashes alone cannot be seen within bands, so a sampler shows in filled or hollow markers too.
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
    log_ticks_at(axes, sorted(samples[x].dropna().unique()))
    axes.set_ylabel("")

"""FID against network evaluations, by sampler, on the same weights: what an evaluation is worth."""

import math
from dataclasses import dataclass
from typing import ClassVar

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.figures._fid import TINY, draw_floor, log_ticks_at, rows_with_fid, show_fids, small_print
from diffbench.figures._style import COLOURS, DASHES, MARKERS, empty_figure, note, styled

PANELS_ABREAST = 2
"""More would leave too little of the width to tell neighbouring numbers of evaluations apart."""

APART, SPREAD = 1.012, 1.07
"""The ratio by which neighbouring lines are moved apart, so that equal points and their intervals can both be seen; and
the largest ratio between the first and the last."""


CLOSE = 1.3
"""If two numbers of evaluations have a smaller ratio than this, one label is enough."""


@dataclass(frozen=True)
class FidVsNfe:
    """A panel for each model, with a line for each sampler and bars for the intervals, over held-out real images."""

    title: str = "FID against network evaluations"
    protocol: str | None = None
    """The protocol whose rows are drawn; if None, the one that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table2's columns. Seeds are averaged, and bars span all of them.

        Raises: UserError if no row has both an FID and a count of evaluations.
        """
        rows = rows_with_fid(table, self.protocol, "fid_vs_nfe")
        counted = rows.loc[rows["nfe"].notna() | (rows["model"] == REAL)]
        if not (counted["model"] != REAL).any():
            raise UserError("fid_vs_nfe: no row says how many network evaluations it took; use samples made here")
        with styled():
            return _drawn(counted, self.title)


def _drawn(rows: pandas.DataFrame, title: str) -> Figure:
    samples, real = rows.loc[rows["model"] != REAL], rows.loc[rows["model"] == REAL]
    models, samplers = list(samples["model"].unique()), list(samples["sampler"].unique())
    abreast = min(PANELS_ABREAST, len(models))
    down = math.ceil(len(models) / abreast)
    columns = 1 if max(map(len, samplers)) > 40 else 2 if max(map(len, samplers)) > 22 else 3
    # The legend is in its own place, under the axes. In pixels:
    head, body, foot = 150, 560 if abreast == 1 else 520, 190 + 46 * math.ceil(len(samplers) / columns)
    height = head + down * body + (down - 1) * 120 + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(down, abreast, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=0.095, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06, hspace=120 / body + 0.08
    )
    panels = list(grid.flat)
    for axes, model in zip(panels, models, strict=False):
        own = samples.loc[samples["model"] == model]
        _lines(axes, own, samplers)
        axes.xaxis.set_tick_params(labelbottom=True)
        draw_floor(axes, real, name=axes is panels[0])
        axes.set_title(model, fontsize=11)
    for axes in panels[len(models) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel("FID (log scale, lower is better)")
    # The panels of the last row, and those above an empty place, have a label.
    for axes in panels[max(0, len(models) - abreast) : len(models)]:
        axes.set_xlabel("network evaluations an image")
    log_ticks_at(panels[0], _ticks(samples["nfe"]))
    show_fids(panels[0], rows)
    figure.text(0.095, 1 - 62 / height, title, fontsize=12, fontweight="bold", ha="left", va="bottom")
    figure.legend(
        handles=[_handle(place, sampler) for place, sampler in enumerate(samplers)],
        loc="lower center",
        ncols=min(columns, len(samplers)),
        bbox_to_anchor=(0.53, 50 / height),
        handlelength=3.4,
    )
    note(figure, small_print(rows).replace("bands:", "bars:"))
    return figure


def _lines(axes: Axes, rows: pandas.DataFrame, samplers: list[str]) -> None:
    axes.set(xscale="log", yscale="log")
    middle = (len(samplers) - 1) / 2
    ratio = min(APART, SPREAD ** (1 / max(1, len(samplers) - 1)))
    for place, sampler in enumerate(samplers):
        line = rows.loc[rows["sampler"] == sampler]
        if line.empty:
            continue
        # Grouped by steps and not by evaluations, because an adaptive solver has another number of these for each seed.
        means = {"nfe": "mean", "fid": "mean", "fid_low": "min", "fid_high": "max"}
        points = line.groupby(["steps", "guidance_scale"], dropna=False, as_index=False).agg(means).astype(float)
        points = points.sort_values("nfe")
        low = (points["fid"] - points["fid_low"].clip(lower=TINY)).clip(lower=0)
        high = (points["fid_high"] - points["fid"]).clip(lower=0)
        style = _style(place)
        axes.errorbar(
            points["nfe"] * ratio ** (place - middle),
            points["fid"],
            yerr=(low, high),
            elinewidth=1.3,
            capsize=2.5,
            markeredgewidth=1.4,
            markersize=5.5,
            **style,
        )


def _ticks(nfe: pandas.Series) -> list[float]:
    """Return the numbers to label, ascending. Of two that are close, the one that more points have is kept."""
    chosen: list[float] = []
    for value in nfe.value_counts(sort=True).index:
        if all(max(value, other) / min(value, other) > CLOSE for other in chosen):
            chosen.append(float(value))
    return sorted(chosen)


def _style(place: int) -> dict:
    colour = COLOURS[place % len(COLOURS)]
    again = place // len(COLOURS)
    return {
        "color": colour,
        "marker": MARKERS[(place + again) % len(MARKERS)],
        # After the last colour the first one comes again; dashes and hollow markers then tell the two rounds apart.
        "markerfacecolor": "white" if again % 2 else colour,
        "markeredgecolor": colour,
        "linestyle": DASHES[again % len(DASHES)],
    }


def _handle(place: int, sampler: str) -> Line2D:
    return Line2D([], [], label=sampler, markeredgewidth=1.6, **_style(place))

"""FID against network evaluations, by sampler, on the same weights: what an evaluation is worth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.figures import _style as style
from diffbench.figures._fid import draw_fids, fid_label, floor_entry, rows_with_fid, small_print
from diffbench.figures._legend import Legend
from diffbench.figures._points import draw_points, label_ticks, log_x_axis, moves
from diffbench.figures._style import WIDTH, empty_figure, note, note_height, styled

PANELS_ABREAST = 2
"""More would leave too little of the width to tell neighbouring numbers of evaluations apart."""

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
    samples = rows.loc[rows["model"] != REAL]
    models, samplers = list(samples["model"].unique()), list(samples["sampler"].unique())
    abreast = min(PANELS_ABREAST, len(models))
    down = math.ceil(len(models) / abreast)
    values, ticks = sorted(samples["nfe"].astype(float).unique()), _ticks(samples["nfe"])
    shown: dict[str, Any] = {"linestyle": "none"} if len(values) == 1 else {}
    looks = {sampler: _look(place) for place, sampler in enumerate(samplers)}
    handles = {sampler: Line2D([], [], **(look | shown)) for sampler, look in looks.items()}
    legend, words = Legend(handles | floor_entry(rows)), small_print(rows)
    # In pixels. Where many lines overlap, the panels are higher.
    head, body, foot = 150, 520 if len(samplers) <= 6 else 700, 145 + legend.height + note_height(words)
    between = 165
    height = head + down * body + (down - 1) * between + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(down, abreast, sharex=True, sharey=True, squeeze=False)
    figure.subplots_adjust(
        left=0.095, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06, hspace=between / body
    )
    panels = list(grid.flat)
    for axes, model in zip(panels, models, strict=False):
        # seaborn hides the label of an axis whose numbers are hidden, as those of shared axes are.
        axes.xaxis.set_tick_params(labelbottom=True)
        _lines(axes, samples.loc[samples["model"] == model], looks, values)
        axes.set_title(model, fontsize=11)
        log_x_axis(axes, values, len(samplers))
        label_ticks(axes, ticks)
        draw_fids(axes, rows)
    for axes in panels[len(models) :]:
        axes.remove()
    for axes in grid[:, 0]:
        axes.set_ylabel(fid_label(axes))
    # The panels of the last row, and those above an empty place, have a label.
    for axes in panels[max(0, len(models) - abreast) : len(models)]:
        axes.set_xlabel("network evaluations an image")
    figure.text(0.095, 1 - 62 / height, title, fontsize=12, fontweight="bold", ha="left", va="bottom")
    legend.draw(figure, middle=0.53 * WIDTH, bottom=note_height(words))
    note(figure, words)
    return figure


def _lines(axes: Axes, rows: pandas.DataFrame, looks: dict[str, dict[str, Any]], values: Sequence[float]) -> None:
    offsets = moves([math.log(value) for value in values], len(looks))
    for (sampler, look), offset in zip(looks.items(), offsets, strict=True):
        line = rows.loc[rows["sampler"] == sampler]
        if line.empty:
            continue
        # Grouped by steps and not by evaluations, because an adaptive solver has another number of these for each seed.
        means = {"nfe": "mean", "fid": "mean", "fid_low": "min", "fid_high": "max"}
        points = line.groupby(["steps", "guidance_scale"], dropna=False, as_index=False).agg(means).sort_values("nfe")
        look = look | {"label": sampler, "markersize": 5.5}
        draw_points(axes, points["nfe"].astype(float) * math.exp(offset), points, "fid", look)


def _ticks(nfe: pandas.Series) -> list[float]:
    """Return the numbers to label, ascending. Of two that are close, the one that more points have is kept."""
    chosen: list[float] = []
    for value in nfe.value_counts(sort=True).index:
        if all(max(value, other) / min(value, other) > CLOSE for other in chosen):
            chosen.append(float(value))
    return sorted(chosen)


def _look(place: int) -> dict[str, Any]:
    look = style.look(place)
    # After the last colour the first one comes again; dashes and hollow markers then tell the two rounds apart.
    again = place // len(style.COLOURS)
    return look | {"linestyle": style.DASHES[again % len(style.DASHES)]} | style.fill(again, look["color"])

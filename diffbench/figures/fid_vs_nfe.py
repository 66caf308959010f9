"""FID against network evaluations, by sampler, on the same weights: what an evaluation is worth."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.base.names import REAL
from diffbench.figures._fid import NO_FID, draw_fids, fid_label, floor_entry, rows_with_fid, small_print
from diffbench.figures._multiples import OTHERS, abreast, line_look, panels_and_lines
from diffbench.figures._panels import Panels
from diffbench.figures._points import draw_points, label_ticks, log_x_axis, moves
from diffbench.figures._style import said, styled

CLOSE = 1.3
"""If two numbers of evaluations have a smaller ratio than this, one label is enough."""

BODIES = {1: 620, 2: 520, 3: 380}
"""The height of a panel in pixels, by the number of panels beside each other."""

Look = dict[str, Any]


@dataclass(frozen=True)
class FidVsNfe:
    """A panel for each model with a line for each sampler, or, of many samplers, a panel for each with all models.

    Bands and bars are intervals. What other panels show is grey in the background of each.
    """

    title: str = "FID against network evaluations"
    protocol: str | None = None
    """The protocol whose rows are drawn; if None, the one that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table2's columns. Seeds are averaged, and intervals span all of them.

        Raises: UserError if the protocol that was asked for has no FIDs.
        """
        rows = rows_with_fid(table, self.protocol, "fid_vs_nfe")
        counted = rows.loc[rows["nfe"].notna() | (rows["model"] == REAL)]
        with styled():
            if not (rows["model"] != REAL).any():
                return said(self.title, NO_FID)
            if not (counted["model"] != REAL).any():
                return said(self.title, "no row says how many network evaluations it took; use samples made here")
            return _drawn(counted, self.title)


def _drawn(rows: pandas.DataFrame, title: str) -> Figure:
    samples = rows.loc[rows["model"] != REAL]
    by, within = panels_and_lines(samples)
    names, lines = list(samples[by].unique()), list(samples[within].unique())
    values, ticks = sorted(samples["nfe"].astype(float).unique()), _ticks(samples["nfe"])
    shown: Look = {"linestyle": "none"} if len(values) == 1 else {}
    looks: dict[str, Look] = {line: line_look(place) for place, line in enumerate(lines)}
    handles: dict[str, Any] = {line: Line2D([], [], **(look | shown)) for line, look in looks.items()}
    handles |= {f"every other {by}": Line2D([], [], **OTHERS)} if len(names) > 1 and len(values) > 1 else {}
    beside = min(abreast(len(names)), len(names))
    layout = Panels(
        title,
        small_print(rows, *_told(samples)),
        handles | floor_entry(rows),
        beside,
        BODIES[beside],
        gap=0.06,
        shared=True,
    )
    figure, panels = layout.draw(len(names))
    curves = [
        (cast(tuple[str, str], key)[0], _points(cast(pandas.DataFrame, line)))
        for key, line in samples.groupby([by, within], sort=False)
    ]
    for axes, name in zip(panels, names, strict=True):
        _behind(axes, [points for panel, points in curves if panel != name])
        _lines(axes, samples.loc[samples[by] == name], within, looks, values)
        axes.set_title(name, fontsize=11)
        log_x_axis(axes, values, len(lines))
        label_ticks(axes, ticks)
        draw_fids(axes, rows)
    for place, axes in enumerate(panels):
        first, last = place % beside == 0, place >= len(panels) - beside
        wide = beside < 3
        axes.set_ylabel("" if not first else fid_label(axes) if wide else fid_label(axes).partition(",")[0] + ")")
        # The panels of the last row, and those above an empty place, have a label.
        axes.set_xlabel("" if not last else "network evaluations an image" if wide else "network evaluations")
    return figure


def _told(samples: pandas.DataFrame) -> list[str]:
    """Return what the small print says of points that share a number of evaluations."""
    scales = samples.groupby(["model", "sampler", "steps"], dropna=False)["guidance_scale"].nunique()
    return ["points above one another: guidance scales"] if bool((scales > 1).any()) else []


def _behind(axes: Axes, others: Sequence[pandas.DataFrame]) -> None:
    """Draw the lines of other panels in grey."""
    for points in others:
        # Every panel has nearly all lines of the table, and seaborn would take a hundred times as long for each.
        axes.add_line(Line2D(points["nfe"], points["fid"], zorder=1.2, **OTHERS))


def _lines(axes: Axes, rows: pandas.DataFrame, within: str, looks: Mapping[str, Look], values: Sequence[float]) -> None:
    offsets = moves([math.log(value) for value in values], len(looks))
    for (name, look), offset in zip(looks.items(), offsets, strict=True):
        line = rows.loc[rows[within] == name]
        if line.empty:
            continue
        points = _points(line)
        across = points["nfe"].astype(float) * math.exp(offset)
        draw_points(axes, across, points, "fid", look | {"label": name, "markersize": 5.5})
        known = np.isfinite(points[["fid_low", "fid_high"]].to_numpy(float)).all(axis=1)
        if known.sum() > 1:
            low, high = (points[f"fid_{end}"].to_numpy(float)[known] for end in ("low", "high"))
            axes.fill_between(
                across.to_numpy(float)[known], low.clip(min=1e-6), high, color=look["color"], alpha=0.15, linewidth=0
            )


def _points(line: pandas.DataFrame) -> pandas.DataFrame:
    """Return the points of a line, over the seeds, in the order of their evaluations."""
    # Grouped by steps and not by evaluations, because an adaptive solver has another number of these for each seed.
    means = {"nfe": "mean", "fid": "mean", "fid_low": "min", "fid_high": "max"}
    grouped = line.groupby(["steps", "guidance_scale"], dropna=False, as_index=False).agg(means)
    return cast(pandas.DataFrame, grouped).sort_values("nfe")


def _ticks(nfe: pandas.Series) -> list[float]:
    """Return the numbers to label, ascending. Of two that are close, the one that more points have is kept."""
    chosen: list[float] = []
    for value in nfe.value_counts(sort=True).index:
        if all(max(value, other) / min(value, other) > CLOSE for other in chosen):
            chosen.append(float(value))
    return sorted(chosen)

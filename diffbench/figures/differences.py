"""Differences of a score to a baseline with their intervals, sorted, beside a line at 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from diffbench.figures import _style as style
from diffbench.figures._legend import Legend
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import (
    BETWEEN,
    DOTS_PER_INCH,
    FLOOR,
    QUIET,
    WIDTH,
    empty_figure,
    note,
    note_height,
    said,
    styled,
)

OUTCOMES: dict[str, dict[str, Any]] = {
    "better": {"marker": "o", "color": style.COLOURS[0], "markerfacecolor": style.COLOURS[0]},
    "not resolved": {"marker": "o", "color": QUIET, "markerfacecolor": "white"},
    "worse": {"marker": "D", "color": style.COLOURS[4], "markerfacecolor": "white", "fillstyle": "left"},
}
"""The marker of each verdict: filled, hollow, or a half-filled diamond. Colours only repeat what the filling says."""

HEADS = {"sampler": "samplers against {baseline}", "model": "models against {baseline}"}
"""The title of the panel of each kind of comparison."""

METRIC = "fid"

ROW, HEAD, BETWEEN_PANELS, AXIS = 40, 95, 100, 115
"""Heights in pixels: of a row, of what is above the panels, of the title between two, and of an axis with its label."""

MOST_SHARE = 0.45
"""The largest share of the width that the names of rows take; longer names are in a smaller font."""

NAME_SIZE = 9.5


@dataclass(frozen=True)
class Differences:
    """A panel each for samplers and for models, a row for each comparison; a marker's filling tells the verdict."""

    title: str = "Differences to a baseline"
    metric: str | None = None
    """The score whose differences are drawn; if None, FID, or else the first of the table."""
    protocol: str | None = None
    """The protocol whose rows are drawn; if None, the one that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with the columns of differences.csv."""
        with styled():
            if table.empty:
                return said(self.title, "the table has no difference: no two sets share steps and a model or sampler")
            metrics = list(table["metric"].unique())
            metric = self.metric or (METRIC if METRIC in metrics else metrics[0])
            every = table.loc[table["metric"] == metric]
            chosen = self.protocol or main_protocol(every.dropna(subset=["difference"]))
            rows = every if chosen is None else every.loc[every["protocol"] == chosen]
            known = rows.loc[rows["difference"].notna()]
            if known.empty:
                return said(self.title, f"no difference of {metric} is known")
            return _drawn(known, rows.loc[rows["difference"].isna()], self.title, metric, others=len(every) - len(rows))


def _drawn(rows: pandas.DataFrame, gaps: pandas.DataFrame, title: str, metric: str, others: int) -> Figure:
    kinds = [kind for kind in HEADS if (rows["compared"] == kind).any()]
    parts = [rows.loc[rows["compared"] == kind].sort_values("difference", kind="stable") for kind in kinds]
    labels = [[_name(row, kind, part) for _, row in part.iterrows()] for kind, part in zip(kinds, parts, strict=True)]
    shown = [name for name in OUTCOMES if (rows["outcome"] == name).any()]
    legend = Legend({name: Line2D([], [], linestyle="none", **_look(name)) for name in shown})
    words = _small_print(rows, gaps, metric)
    words += f"{BETWEEN}rows of other protocols: see the table ({others})" if others else ""
    heights = [ROW * (len(part) + 0.6) for part in parts]
    height = HEAD + sum(heights) + len(parts) * (BETWEEN_PANELS + AXIS) - 40 + legend.height + note_height(words)
    figure = empty_figure(height=round(height))
    size, left = _room(labels)
    top = height - HEAD
    for kind, part, names, body in zip(kinds, parts, labels, heights, strict=True):
        top -= 40
        axes = figure.add_axes((left, (top - body) / height, 0.97 - left, body / height))
        _panel(axes, part, names, size)
        axes.set_title(HEADS[kind].format(baseline=_baseline(part.iloc[0], kind)), fontsize=11)
        scale = "" if axes.get_xscale() == "linear" else " (linear near 0, then logarithmic)"
        axes.set_xlabel(f"difference of {_written(metric)}{scale}")
        top -= body + BETWEEN_PANELS - 40 + AXIS
    figure.text(0.03, 1 - 45 / height, title, fontsize=12, fontweight="bold", ha="left", va="center")
    legend.draw(figure, middle=(left + 0.97) / 2 * WIDTH, bottom=note_height(words))
    note(figure, words)
    return figure


def _panel(axes: Axes, rows: pandas.DataFrame, names: Sequence[str], size: float) -> None:
    # The smallest difference is at the top.
    for place, (_, row) in enumerate(rows.iterrows()):
        y = len(rows) - 1 - place
        look = _look(str(row["outcome"]))
        if row["difference_low"] == row["difference_low"]:
            axes.hlines(y, row["difference_low"], row["difference_high"], color=look["color"], linewidth=1.6, zorder=2)
        axes.plot([row["difference"]], [y], linestyle="none", zorder=3, **look)
    axes.axvline(0, zorder=1.5, **FLOOR)
    signed = rows[["difference_low", "difference_high", "difference"]].to_numpy(float)
    middle = float(np.median(np.abs(rows["difference"].to_numpy(float))))
    if middle > 0 and float(np.nanmax(np.abs(signed))) > WIDE * middle:
        # Near 0 the axis is linear, and beyond it logarithmic, so that one large difference does not hide the others.
        axes.set_xscale("asinh", linear_width=middle)
        _asinh_ticks(axes, min(float(np.nanmin(signed)), 0.0), max(float(np.nanmax(signed)), 0.0), middle)
    axes.set_yticks(range(len(rows)), list(reversed(names)), fontsize=size)
    axes.set_ylim(-0.8, len(rows) - 0.2)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


WIDE = 12
"""The ratio of the largest and the median difference from which on the axis is not linear."""


def _asinh_ticks(axes: Axes, low: float, high: float, width: float) -> None:
    """Limit and label an axis that is linear within `width` of 0."""
    ends = np.arcsinh(np.array([low, high]) / width)
    beside = 0.05 * (ends[1] - ends[0])
    low, high = (float(end) for end in width * np.sinh(ends + np.array([-beside, beside])))
    axes.set_xlim(low, high)
    steps = [step * 10.0**power for power in range(-3, 5) for step in (1, 3)]
    ticks = [0.0, *(sign * step for step in steps for sign in (-1, 1) if step >= width)]
    axes.set_xticks(sorted(tick for tick in ticks if low <= tick <= high))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.minorticks_off()


def _look(outcome: str) -> dict[str, Any]:
    own = OUTCOMES.get(outcome, OUTCOMES["not resolved"])
    edge = {"markeredgecolor": own["color"], "markeredgewidth": 1.5, "markerfacecoloralt": "white", "markersize": 7}
    if own.get("fillstyle") == "left":
        edge |= {"markerfacecolor": own["color"]}
    return own | edge


def _name(row: pandas.Series, kind: str, part: pandas.DataFrame) -> str:
    """Return the name of a row: the side that is compared, and what both sides share."""
    scale = row["guidance_scale"]
    model = str(row["model"]) + ("" if scale != scale else f" (scale {scale:g})")
    steps = [f"{row['steps']:g} steps"] if part["steps"].nunique() > 1 or kind == "sampler" else []
    first, second = (row["sampler"], model) if kind == "sampler" else (model, row["sampler"])
    return ", ".join([str(first), str(second), *steps])


def _baseline(row: pandas.Series, kind: str) -> str:
    """Return the name of the baseline of a panel, with its scale if it is a guided model."""
    scale = row["baseline_guidance_scale"] if kind == "model" else float("nan")
    return f"{row[f'baseline_{kind}']}" + ("" if scale != scale else f" (scale {scale:g})")


def _room(labels: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Return the size of the rows' names in points, and where the panels begin, as a share of the width."""
    longest = max((name for names in labels for name in names), key=len)
    pixels = TextPath((0, 0), longest, size=NAME_SIZE).get_extents().width * DOTS_PER_INCH / 72 * 1.04 + 40
    shrunk = min(1.0, MOST_SHARE * WIDTH / pixels)
    return NAME_SIZE * shrunk, (pixels * shrunk + 20) / WIDTH


def _written(metric: str) -> str:
    return {"fid": "FID", "kid": "KID", "sfid": "sFID"}.get(metric, metric.replace("_", " "))


def _small_print(rows: pandas.DataFrame, gaps: pandas.DataFrame, metric: str) -> str:
    counts = " or ".join(f"{int(count):,}" for count in sorted(rows["num_images"].dropna().unique()))
    words = [str(rows["benchmark"].iloc[0]), f"{counts} images a set", "bars: 95 % intervals of the difference"]
    words += [", ".join(dict.fromkeys(rows["interval"].dropna()))]
    words.append(f"they cover {', or '.join(dict.fromkeys(rows['covers'].dropna()))}")
    words.append("better or worse: the interval excludes 0")
    names = [_name(row, str(row["compared"]), gaps) for _, row in gaps.iterrows()]
    words += (
        [f"no {_written(metric)}: {'; '.join(names[:4])}" + (" and more" if len(names) > 4 else "")] if names else []
    )
    return BETWEEN.join(words)

"""Scores beside published numbers of the same model, sampling and protocol, with the scores' intervals."""

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
from diffbench.figures._style import (
    BETWEEN,
    DOTS_PER_INCH,
    WIDTH,
    empty_figure,
    note,
    note_height,
    said,
    styled,
)

COMPARABLE = ("agrees", "higher", "lower")
"""The verdicts of rows that are drawn."""

LABELS = {
    "fid": "FID",
    "sfid": "sFID",
    "inception_score": "Inception Score",
    "nll_bits_per_dim": "bits/dim of test images",
    "nll_train_bits_per_dim": "bits/dim of training images",
}

OURS: dict[str, dict[str, Any]] = {
    "agrees": {"marker": "o", "color": style.COLOURS[0], "markerfacecolor": style.COLOURS[0]},
    "differs": {"marker": "o", "color": style.COLOURS[4], "markerfacecolor": "white"},
}
"""The marker of a score: filled if it agrees with the published number, hollow if not."""

THEIRS: dict[str, Any] = {"marker": "D", "color": style.COLOURS[2], "markerfacecolor": "white"}

ROW, HEAD, AXIS = 80, 105, 130
"""Heights in pixels: of a row, of what is above the panels, and of an axis with its label."""

RIGHT = 0.77
"""Where the panels end, as a share of the width. The differences are beside them."""

MOST_SHARE = 0.45
"""The largest share of the width that the names of rows take; longer names are in a smaller font."""

NAME_SIZE = 9.0

LOGARITHMIC_FROM = 3.0
"""The ratio of the largest and the smallest value from which on an axis is logarithmic."""


@dataclass(frozen=True)
class Published:
    """A panel for each metric, and in it a row for each pair: a score with its interval, and a published number."""

    title: str = "Reproduced against published"

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with the columns of published.csv."""
        with styled():
            rows = table.loc[table["verdict"].isin(COMPARABLE)]
            if rows.empty:
                return said(self.title, "no published number is of the same model, sampling and protocol")
            return _drawn(pandas.DataFrame(rows), self.title, len(table) - len(rows))


def _drawn(rows: pandas.DataFrame, title: str, others: int) -> Figure:
    panels = {str(metric): pandas.DataFrame(part) for metric, part in rows.groupby("metric", sort=False)}
    names = {metric: [_name(row) for _, row in part.iterrows()] for metric, part in panels.items()}
    verdicts = {"agrees" if verdict == "agrees" else "differs" for verdict in rows["verdict"]}
    looks = {f"ours, {name}": look for name, look in OURS.items() if name in verdicts} | {"published": THEIRS}
    handles = {name: Line2D([], [], linestyle="none", **_edged(look)) for name, look in looks.items()}
    legend, words = Legend(handles), _small_print(rows, others)
    bodies = [ROW * (len(part) + 0.4) for part in panels.values()]
    height = HEAD + sum(bodies) + len(panels) * AXIS + legend.height + note_height(words)
    figure = empty_figure(height=round(height))
    size, left = _room([name for held in names.values() for name in held])
    top = height - HEAD
    for (metric, part), body in zip(panels.items(), bodies, strict=True):
        axes = figure.add_axes((left, (top - body) / height, RIGHT - left, body / height))
        _panel(axes, part, names[metric], size)
        axes.set_xlabel(LABELS.get(metric, metric.replace("_", " ")))
        top -= body + AXIS
    figure.text(0.03, 1 - 45 / height, title, fontsize=12, fontweight="bold", ha="left", va="center")
    legend.draw(figure, middle=(left + RIGHT) / 2 * WIDTH, bottom=note_height(words))
    note(figure, words)
    return figure


def _panel(axes: Axes, rows: pandas.DataFrame, names: Sequence[str], size: float) -> None:
    numbers = pandas.DataFrame(rows[["value", "value_low", "value_high", "published"]]).to_numpy(float)
    lines = zip(numbers.tolist(), rows["verdict"], rows.iterrows(), strict=True)
    for place, ((value, low, high, theirs), verdict, (_, row)) in enumerate(lines):
        y = len(rows) - 1 - place
        look = OURS["agrees" if verdict == "agrees" else "differs"]
        axes.hlines(y, min(value, theirs), max(value, theirs), color="#BBBBBB", linewidth=1.2, zorder=1.8)
        axes.hlines(y, low, high, color=look["color"], linewidth=2.2, zorder=2)
        axes.plot([theirs], [y], linestyle="none", zorder=3, **_edged(THEIRS))
        axes.plot([value], [y], linestyle="none", zorder=4, **_edged(look, 6))
        beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "fontsize": NAME_SIZE, "va": "center"}
        axes.text(1.03, y, _difference(row), color=look["color"], **beside)
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    _limit(axes, low, high)
    axes.set_yticks(range(len(rows)), list(reversed(names)), fontsize=size, linespacing=1.25)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def _difference(row: pandas.Series) -> str:
    """Return the difference of a score to a published number and its interval, as it is written beside them."""
    decimals = max(2, len(f"{row['published']:g}".partition(".")[2]))
    value, low, high = (row[f"difference{end}"] for end in ("", "_low", "_high"))
    return f"{value:+.{decimals}f}\n{low:+.{decimals}f} to {high:+.{decimals}f}"


def _limit(axes: Axes, low: float, high: float) -> None:
    if low > 0 and high / low > LOGARITHMIC_FROM:
        axes.set_xscale("log")
        beside = (high / low) ** 0.05
        axes.set_xlim(low / beside, high * beside)
        style.plain_log_ticks(axes.xaxis, low / beside, high * beside)
        return
    beside = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    axes.set_xlim(low - beside, high + beside)


def _edged(look: dict[str, Any], size: float = 8) -> dict[str, Any]:
    return look | {"markeredgecolor": look["color"], "markeredgewidth": 1.5, "markersize": size}


def _name(row: pandas.Series) -> str:
    """Return the name of a row: our set, and below it the paper and the place of the published number."""
    scale, steps = row["guidance_scale"], row["steps"]
    model = str(row["model"]) + ("" if scale != scale else f" (scale {scale:g})")
    sampler = [str(row["sampler"])] if row["sampler"] == row["sampler"] else []
    ours = [model, *sampler, *([] if steps != steps else [f"{steps:g} steps"])]
    place = f"{row['paper']}, {row['table']}" if row["table"] == row["table"] else str(row["paper"])
    against = [f"against {row['reference']} images"] if row["metric"] == "fid" and row["reference"] != "train" else []
    return f"{', '.join([*ours, *against])}\n{_short(place)}"


LONGEST_PLACE = 48


def _short(place: str) -> str:
    return place if len(place) <= LONGEST_PLACE else f"{place[: LONGEST_PLACE - 1]}…"


def _room(names: Sequence[str]) -> tuple[float, float]:
    """Return the size of the rows' names in points, and where the panels begin, as a share of the width."""
    longest = max((line for name in names for line in name.splitlines()), key=len)
    pixels = TextPath((0, 0), longest, size=NAME_SIZE).get_extents().width * DOTS_PER_INCH / 72 * 1.04 + 40
    shrunk = min(1.0, MOST_SHARE * WIDTH / pixels)
    return NAME_SIZE * shrunk, (pixels * shrunk + 20) / WIDTH


def _small_print(rows: pandas.DataFrame, others: int) -> str:
    words = [str(rows["benchmark"].iloc[0]), "bars: 95 % intervals of ours"]
    words.append(f"they cover {', or '.join(dict.fromkeys(rows['covers'].dropna()))}")
    words.append("right: ours - published; it agrees if the interval contains 0")
    words.append("published: as printed")
    words += [f"not drawn, since not comparable: {others} rows of the table"] if others else []
    return BETWEEN.join(words)

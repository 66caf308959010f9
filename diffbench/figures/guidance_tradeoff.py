"""What guidance gains and costs: scores against its scale, as in figure 4 of Dhariwal and Nichol 2021."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.figures import _style as style
from diffbench.figures._legend import Legend
from diffbench.figures._points import draw_points, moves
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import BETWEEN, FLOOR, QUIET, WIDTH, empty_figure, note, note_height, said, styled

PANELS = {
    "fid": "FID (lower is better)",
    "inception_score": "Inception Score",
    "precision": "precision",
    "recall": "recall",
    "classification_accuracy": "classified as asked",
}
"""Columns, and the texts of their axes. A column that the table lacks, or that has no number, gets no panel."""

LINE_KEYS = ["model", "sampler", "steps"]

Line = tuple[str, dict[str, Any], pandas.DataFrame]
"""The label, the look and the rows of a line."""

SMALLEST = 8.0
"""The least size in points of a legend that is beside the panels."""

NEAREST_TICKS = 0.07
"""The least distance of two labels, as a share of the axis."""


@dataclass(frozen=True)
class GuidanceTradeoff:
    """A panel for each score, a line for each guided model, sampler and number of steps. Real images are the floor."""

    title: str = "What guidance trades"

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table4's columns. Seeds are averaged, and bars span all of them.

        It draws the rows of the protocol that most guided rows have. Raises: UserError if no row is guided.
        """
        if "guidance_scale" not in table or not bool(table["guidance_scale"].notna().any()):
            raise UserError("guidance_tradeoff: no row has a guidance scale; guide a model, over several scales")
        guided = table.dropna(subset=["guidance_scale"])
        protocol = main_protocol(guided)
        if protocol is not None:
            guided = guided.loc[guided["protocol"] == protocol]
        real = table.loc[(table["model"] == REAL) & (table["protocol"] == protocol)]
        with styled():
            return _drawn(guided, real, self.title)


def _drawn(guided: pandas.DataFrame, real: pandas.DataFrame, title: str) -> Figure:
    panels = [name for name in PANELS if name in guided and bool(guided[name].notna().any())]
    if not panels:
        return said(title, f"no guided row has one of the scores {', '.join(PANELS.values())}")
    columns = min(2, len(panels))
    down = -(-len(panels) // columns)
    lines = _lines_of(guided)
    handles: dict[str, Any] = {label: Line2D([], [], **look) for label, look, _ in lines}
    handles |= {} if real.empty else {"real images, held out": Line2D([], [], **FLOOR)}
    words = _small_print(guided)
    # In pixels. If the last row has an empty place, and the legend fits into it, it is there; otherwise it is below.
    head, row, between = 100, 330, 150
    beside = Legend(handles, width=WIDTH // 2 - 160)
    inside = columns * down > len(panels) and beside.height <= row + 60 and beside.size >= SMALLEST
    legend = beside if inside else Legend(handles)
    foot = 125 + note_height(words) + (0 if inside else legend.height + 10)
    height = head + down * row + (down - 1) * between + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(down, columns, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.11, right=0.98, top=1 - head / height, bottom=foot / height, wspace=0.3, hspace=between / row
    )
    for axes, name in zip(grid, panels, strict=False):
        _panel(axes, lines, real, name)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.align_ylabels(grid[: len(panels)])
    if inside:
        legend.draw(figure, middle=0.78 * WIDTH, bottom=foot + (row - legend.height) / 2)
    else:
        legend.draw(figure, middle=0.53 * WIDTH, bottom=note_height(words))
    figure.suptitle(title, x=0.11, y=1 - 35 / height, ha="left", va="center", fontsize=12, fontweight="bold")
    note(figure, words)
    return figure


def _lines_of(guided: pandas.DataFrame) -> list[Line]:
    """Return the label, the look and the rows of every line."""
    found = []
    for place, (key, line) in enumerate(guided.groupby(LINE_KEYS, sort=False)):
        model, sampler, steps = cast(tuple[str, str, float], key)
        look = style.look(place) | {"linestyle": style.DASHES[place % len(style.DASHES)]}
        look |= style.fill(place % 2, look["color"])
        found.append((f"{model}, {sampler}, {int(steps)} steps", look, line))
    return found


def _panel(axes: Axes, lines: Sequence[Line], real: pandas.DataFrame, name: str) -> None:
    scales = sorted({float(scale) for _, _, line in lines for scale in line["guidance_scale"]})
    offsets = moves([float(np.log1p(scale)) for scale in scales], len(lines))
    for (label, look, line), offset in zip(lines, offsets, strict=True):
        columns = {name: "mean", f"{name}_low": "min", f"{name}_high": "max"}
        points = cast(pandas.DataFrame, line.groupby("guidance_scale").agg(columns)).astype(float)
        draw_points(axes, np.expm1(np.log1p(points.index) + offset), points, name, look | {"label": label})
    for row in real.head(1).to_dict("records"):
        if name in row and row[name] == row[name]:
            low, high = (row.get(f"{name}_{end}", np.nan) for end in ("low", "high"))
            if low == low and high == high:
                axes.axhspan(low, high, color=QUIET, alpha=0.15, linewidth=0)
            axes.axhline(row[name], zorder=1.5, **FLOOR)
    axes.set_ylabel(PANELS[name])
    axes.set_xlabel("guidance scale")
    axes.margins(y=0.08)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    _scale_axis(axes, scales, max(offsets))


def _scale_axis(axes: Axes, scales: list[float], beyond: float) -> None:
    """Space scales like log(1 + scale), which can show 0, and label those that were sampled.

    beyond: how far lines are moved beyond the last scale.
    """
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    span = np.log1p(scales[-1]) - np.log1p(scales[0])
    ticks: list[float] = []
    for scale in scales:
        if not ticks or np.log1p(scale) - np.log1p(ticks[-1]) > NEAREST_TICKS * span:
            ticks.append(scale)
    beside = 0.05 * (span or 1.0) + beyond
    axes.set_xlim(np.expm1(np.log1p(scales[0]) - beside), np.expm1(np.log1p(scales[-1]) + beside))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _small_print(guided: pandas.DataFrame) -> str:
    counts = " or ".join(f"{int(count):,}" for count in sorted(guided["num_images"].dropna().unique()))
    seeds = len(guided[["train_seed", "sample_seed"]].drop_duplicates())
    words = [str(guided["benchmark"].iloc[0]), f"{counts} images a point", "scale 0: no guidance"]
    return BETWEEN.join([*words, "bars: 95 % intervals" + (f", over {seeds} seeds" if seeds > 1 else "")])

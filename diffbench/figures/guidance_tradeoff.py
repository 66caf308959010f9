"""What guidance gains and costs: scores against its scale, as in figure 4 of Dhariwal and Nichol 2021."""

from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import COLOURS, DASHES, MARKERS, QUIET, empty_figure, note, styled

PANELS = {
    "fid": "FID (lower is better)",
    "inception_score": "Inception Score",
    "precision": "precision",
    "recall": "recall",
    "classification_accuracy": "classified as asked",
}
"""Columns, and the texts of their axes. A column that the table lacks, or that has no number, gets no panel."""

LINE_KEYS = ["model", "sampler", "steps"]

NEAREST_TICKS = 0.07
"""The least distance of two labels, as a share of the axis."""


@dataclass(frozen=True)
class GuidanceTradeoff:
    """A panel for each score, a line for each guided model, sampler and number of steps. Real images are the floor."""

    title: str = "What guidance trades"

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table4's columns. Seeds are averaged, and bands span all of them.

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
        raise UserError(f"guidance_tradeoff: the table has none of the scores {', '.join(PANELS)}")
    columns = min(2, len(panels))
    cells = -(-(len(panels) + 1) // columns)
    # In pixels. The last cell holds the legend.
    head, row, foot = 90, 450, 170
    height = head + cells * row + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(cells, columns, squeeze=False).ravel()
    figure.subplots_adjust(left=0.11, right=0.98, top=1 - head / height, bottom=foot / height, wspace=0.3, hspace=0.42)
    scales = sorted(guided["guidance_scale"].unique())
    for axes, name in zip(grid, panels, strict=False):
        _panel(axes, guided, real, name)
        _scale_axis(axes, scales)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    handles, labels = grid[0].get_legend_handles_labels()
    grid[len(panels)].legend(handles, labels, loc="center left", handlelength=3.4, borderaxespad=0)
    figure.suptitle(title, x=0.11, y=1 - 30 / height, ha="left", va="center", fontsize=12, fontweight="bold")
    note(figure, _small_print(guided))
    return figure


def _panel(axes: Axes, guided: pandas.DataFrame, real: pandas.DataFrame, name: str) -> None:
    for place, (key, line) in enumerate(guided.groupby(LINE_KEYS, sort=False)):
        columns = {name: "mean", f"{name}_low": "min", f"{name}_high": "max"}
        points = line.groupby("guidance_scale").agg(columns).astype(float)
        model, sampler, steps = cast(tuple[str, str, float], key)
        colour, filled = COLOURS[place % len(COLOURS)], place % 2 == 0
        axes.plot(
            points.index,
            points[name],
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            markerfacecolor=colour if filled else "white",
            markeredgewidth=1.6,
            linestyle=DASHES[place % len(DASHES)],
            label=f"{model}, {sampler}, {int(steps)} steps",
        )
        axes.fill_between(
            points.index, points[f"{name}_low"], points[f"{name}_high"], color=colour, alpha=0.16, linewidth=0
        )
    floor = list(real[name].dropna()) if name in real else []
    if floor:
        axes.axhline(floor[0], color=QUIET, linestyle=(0, (6, 3)), linewidth=1.6, label="real images, held out")
    axes.set_ylabel(PANELS[name])
    axes.set_xlabel("guidance scale")
    axes.margins(y=0.08)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _scale_axis(axes: Axes, scales: list[float]) -> None:
    """Space scales like log(1 + scale), which can show 0, and label those that were sampled."""
    axes.set_xscale("function", functions=(np.log1p, np.expm1))
    span = np.log1p(scales[-1]) - np.log1p(scales[0])
    ticks: list[float] = []
    for scale in scales:
        if not ticks or np.log1p(scale) - np.log1p(ticks[-1]) > NEAREST_TICKS * span:
            ticks.append(scale)
    beside = 0.05 * (span or 1.0)
    axes.set_xlim(np.expm1(np.log1p(scales[0]) - beside), np.expm1(np.log1p(scales[-1]) + beside))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _small_print(guided: pandas.DataFrame) -> str:
    counts = " or ".join(f"{int(count):,}" for count in sorted(guided["num_images"].dropna().unique()))
    seeds = len(guided[["train_seed", "sample_seed"]].drop_duplicates())
    words = [str(guided["benchmark"].iloc[0]), f"{counts} images a point", "scale 0: no guidance"]
    return "   ·   ".join([*words, "bands: 95 % intervals" + (f", over {seeds} seeds" if seeds > 1 else "")])

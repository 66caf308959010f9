"""FID against the number of sampling steps, as in figure 8 of Nichol and Dhariwal 2021."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, ClassVar, cast

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.base.names import REAL
from diffbench.figures import _style as style
from diffbench.figures._fid import NO_FID, draw_fids, fid_label, floor_entry, rows_with_fid, small_print
from diffbench.figures._legend import Legend
from diffbench.figures._points import draw_points, log_x_axis, moves
from diffbench.figures._style import WIDTH, empty_figure, note, note_height, said, styled

LINE_KEYS = ("model", "sampler", "guidance_scale")

EVALUATIONS = "network evaluations"


@dataclass(frozen=True)
class FidVsSteps:
    """One line for each model and sampler, with bars for the intervals, over held-out real images as the floor."""

    title: str = "FID against sampling steps"
    protocol: str | None = None
    """The protocol whose rows are drawn; if None, the one that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table2's columns. Seeds are averaged, and bars span all of them.

        Raises: UserError if the protocol that was asked for has no FIDs.
        """
        rows = rows_with_fid(table, self.protocol, "fid_vs_steps")
        with styled():
            if not (rows["model"] != REAL).any():
                return said(self.title, NO_FID)
            drawn = _with_lines(rows)
            return _drawn(drawn, self.title, left_out=len(rows) - len(drawn))


def _with_lines(rows: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows that form lines. Single points (sweeps of something else) are kept only if there is no line."""
    counts = cast(pandas.Series, rows.groupby(list(LINE_KEYS), dropna=False)["steps"].transform("nunique"))
    # Adaptive solvers always have one point.
    kept = (counts > 1) | (rows["model"] == REAL) | (rows["steps"] == 0)
    return rows.loc[kept] if (counts > 1).any() else rows


def _drawn(rows: pandas.DataFrame, title: str, left_out: int) -> Figure:
    samples = rows.loc[rows["model"] != REAL]
    panels = _panels(samples)
    lines = list(_lines_of(samples))
    legend = Legend({label: Line2D([], [], **_shown(look, samples)) for label, look, _ in lines} | floor_entry(rows))
    words = small_print(rows, *([f"only in the table: {left_out} rows with one step count"] if left_out else []))
    # In pixels. Where many lines overlap, the panels are higher.
    head, body, foot = 90, 620 if len(lines) <= 4 else 780, 145 + legend.height + note_height(words)
    height = head + body + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.095, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06)
    for axes, (x, label) in zip(grid, panels.items(), strict=True):
        _draw_lines(axes, [(look | {"label": label}, line.loc[line[x] > 0]) for label, look, line in lines], x)
        axes.set_xlabel(label)
    for axes in grid:
        draw_fids(axes, rows)
    grid[0].set_ylabel(fid_label(grid[0]))
    grid[0].set_title(title)
    legend.draw(figure, middle=0.53 * WIDTH, bottom=note_height(words))
    note(figure, words)
    return figure


def _panels(samples: pandas.DataFrame) -> dict[str, str]:
    """Return the text of the x axis for each column that has a panel."""
    if not (samples["steps"] > 0).any():
        return {"nfe": EVALUATIONS}
    # Solvers that call the network more than once a step must not look cheaper than they are.
    if (samples["nfe"].notna() & (samples["nfe"] != samples["steps"])).any():
        return {"steps": "sampling steps", "nfe": EVALUATIONS}
    equal = "" if bool(samples["nfe"].isna().all()) else " = network evaluations"
    return {"steps": f"sampling steps{equal}"}


def _lines_of(samples: pandas.DataFrame) -> Iterator[tuple[str, dict[str, Any], pandas.DataFrame]]:
    """Yield the label, the look and the rows of every line: a colour a model, dashes and filling for the rest."""
    models, samplers = list(samples["model"].unique()), list(samples["sampler"].unique())
    scales = [None, *samples["guidance_scale"].dropna().unique()]
    kinds = [kind for kind in product(samplers, scales) if _any_of(samples, *kind).any()]
    for (number, model), (place, (sampler, scale)) in product(enumerate(models), enumerate(kinds)):
        line = samples.loc[(samples["model"] == model) & _any_of(samples, sampler, scale)]
        if not line.empty:
            properties = style.look(number)
            properties |= {"linestyle": style.DASHES[place % len(style.DASHES)]}
            properties |= style.fill(place, properties["color"])
            yield f"{model}, {sampler}" + ("" if scale is None else f", guidance {scale:g}"), properties, line


def _any_of(samples: pandas.DataFrame, sampler: str, scale: float | None) -> pandas.Series:
    guided = samples["guidance_scale"].isna() if scale is None else samples["guidance_scale"] == scale
    return (samples["sampler"] == sampler) & guided


def _shown(look: dict[str, Any], samples: pandas.DataFrame) -> dict[str, Any]:
    """Return the look of a line in the legend, which shows no line where the panels have single points."""
    alone = samples["steps"].nunique() == 1
    return look | ({"linestyle": "none"} if alone else {})


def _draw_lines(axes: Axes, lines: Sequence[tuple[dict[str, Any], pandas.DataFrame]], x: str) -> None:
    values = sorted({float(value) for _, line in lines for value in line[x].dropna()})
    offsets = moves([math.log(value) for value in values], len(lines))
    for (look, line), offset in zip(lines, offsets, strict=True):
        means = {"fid": "mean", "fid_low": "min", "fid_high": "max"}
        points = cast(pandas.DataFrame, line.groupby(x, as_index=False).agg(means))
        draw_points(axes, points[x].astype(float) * math.exp(offset), points, "fid", look)
    log_x_axis(axes, values, len(lines))

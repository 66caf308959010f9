"""Precision against recall: how many samples look real, and how much of the real images they cover."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from diffbench.base.names import REAL
from diffbench.figures._gaps import gaps_in
from diffbench.figures._multiples import OTHERS, abreast, line_look, panels_and_lines
from diffbench.figures._panels import Panels
from diffbench.figures._points import draw_line
from diffbench.figures._protocols import main_protocol
from diffbench.figures._style import BETWEEN, QUIET, said, styled

SCORES = ("precision", "recall")

FEW = 0.12
"""The largest share of sets that may be beyond the axes."""

GAP = 0.4
"""They are beyond the axes if the gap above them is larger than this share of the axis that is left."""

SIZES = (4.5, 8.5)
"""The markers of the fewest and of the most steps, in points."""

BEHIND: dict[str, Any] = {"color": OTHERS["color"], "marker": ".", "markersize": 7, "linestyle": "none"}

REAL_LOOK: dict[str, Any] = {"color": QUIET, "marker": "*", "markersize": 12, "linestyle": "none"}


@dataclass(frozen=True)
class PrecisionRecall:
    """A panel for each model or sampler, a marker for each set, bars for both intervals; other sets are grey."""

    title: str = "Precision and recall"
    protocol: str | None = None
    """The protocol whose rows are drawn; if None, the one that most rows have."""

    consumes: ClassVar[str] = "table"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with table2's columns. Seeds are averaged, and bars span all of them."""
        with styled():
            if not set(SCORES) <= set(table.columns):
                return said(self.title, "the table has no columns of precision and recall")
            samples = table.loc[table["model"] != REAL]
            chosen = self.protocol or main_protocol(samples.dropna(subset=list(SCORES)))
            rows = table if chosen is None else table.loc[table["protocol"] == chosen]
            known = rows.dropna(subset=list(SCORES))
            if not (known["model"] != REAL).any():
                return said(self.title, "no row of the table has both precision and recall")
            return _drawn(known, self.title, gaps_in(rows, SCORES, "precision or recall"))


def _drawn(rows: pandas.DataFrame, title: str, gaps: list[str]) -> Figure:
    samples, real = rows.loc[rows["model"] != REAL], rows.loc[rows["model"] == REAL].head(1)
    by, within = panels_and_lines(samples)
    names, lines = list(samples[by].unique()), list(samples[within].unique())
    thin: dict[str, Any] = {"linestyle": "-", "linewidth": 0.9}
    looks = {line: line_look(place) | thin for place, line in enumerate(lines)}
    middle: dict[str, Any] = {"markersize": 7}
    handles: dict[str, Any] = {line: Line2D([], [], **(look | middle)) for line, look in looks.items()}
    handles |= {"all other sets": Line2D([], [], **BEHIND)} if len(names) > 1 else {}
    handles |= {} if real.empty else {"real images, held out": Line2D([], [], **REAL_LOOK)}
    beside = min(abreast(len(names)), len(names))
    body = {1: 760, 2: 560, 3: 360}[beside]
    layout = Panels(title, _small_print(samples, gaps), handles, abreast=beside, body=body, gap=0.06, shared=True)
    figure, panels = layout.draw(len(names))
    steps = sorted(float(count) for count in samples["steps"].dropna().unique())
    limits = {score: _limits(rows[score].tolist()) for score in SCORES}
    for axes, name in zip(panels, names, strict=True):
        others = samples.loc[samples[by] != name]
        axes.plot(others["recall"], others["precision"], zorder=1.5, **BEHIND)
        for line, look in looks.items():
            own = samples.loc[(samples[by] == name) & (samples[within] == line)]
            if not own.empty:
                _draw_sets(axes, _points(own), look, steps)
        if not real.empty:
            _draw_point(axes, real.to_dict("records")[0], REAL_LOOK)
        axes.set_title(str(name), fontsize=11)
        _tell_outliers(axes, samples.loc[samples[by] == name], limits, within if len(lines) > 1 else "")
    panels[0].set(xlim=limits["recall"], ylim=limits["precision"])
    _label_axes(panels, beside)
    return figure


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis. A few sets far below all others do not squeeze them; they are told in words."""
    ordered = sorted(values)
    high, kept = ordered[-1], 0
    for place in range(1, int(FEW * len(ordered)) + 1):
        if ordered[place] - ordered[place - 1] > GAP * (high - ordered[place]):
            kept = place
    beside = 0.12 * (high - ordered[kept]) or 0.05
    # Words take the place below the lowest set.
    below = beside + 0.22 * (high - ordered[kept]) if kept else beside
    return ordered[kept] - below, high + beside


def _tell_outliers(axes: Axes, own: pandas.DataFrame, limits: Mapping[str, tuple[float, float]], within: str) -> None:
    """Write the numbers of sets that are beyond the axes into their panel."""
    beyond = own.loc[(own["recall"] < limits["recall"][0]) | (own["precision"] < limits["precision"][0])]
    told = []
    for _, row in beyond.iterrows():
        name = f"{row[within]}, {row['steps']:g} steps" if within else f"{row['steps']:g} steps"
        told.append(f"{name}:\nrecall {row['recall']:.2f}, precision {row['precision']:.2f}")
    if told:
        text = "\n".join(["beyond the axes", *told])
        axes.text(0.03, 0.04, text, transform=axes.transAxes, fontsize=7, color=QUIET, va="bottom", linespacing=1.3)


def _label_axes(panels: Sequence[Axes], beside: int) -> None:
    for place, axes in enumerate(panels):
        axes.set_ylabel("precision" if place % beside == 0 else "")
        axes.set_xlabel("recall" if place >= len(panels) - beside else "")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(7 - beside, steps=[1, 2, 5, 10]))
            axis.set_major_formatter(lambda value, _: f"{value:g}")


def _points(own: pandas.DataFrame) -> pandas.DataFrame:
    """Return the sets of one line in the order of their guidance scale and steps, with seeds averaged."""
    ends = {f"{name}_{end}": how for name in SCORES for end, how in (("low", "min"), ("high", "max"))}
    columns = dict.fromkeys(SCORES, "mean") | {name: how for name, how in ends.items() if name in own}
    return cast(pandas.DataFrame, own.groupby(["guidance_scale", "steps"], dropna=False, as_index=False).agg(columns))


def _draw_sets(axes: Axes, points: pandas.DataFrame, look: dict[str, Any], steps: list[float]) -> None:
    """Draw the sets of one model and sampler, joined in the order of their guidance scale and steps."""
    joined = {name: look[name] for name in ("color", "linestyle", "linewidth")} | {"alpha": 0.6}
    draw_line(axes, points["recall"], points["precision"], joined)
    scaled = points["guidance_scale"].nunique() > 1
    for row in points.to_dict("records"):
        _draw_point(axes, row, look | {"linestyle": "none", "markersize": _size(float(row["steps"]), steps)})
        if scaled:
            place = {"xytext": (5, -3), "textcoords": "offset points", "fontsize": 7.5, "color": QUIET}
            text = f"scale {row['guidance_scale']:g}"
            axes.annotate(text, (row["recall"], row["precision"]), ha="left", va="top", **place)


def _draw_point(axes: Axes, row: Mapping[Any, Any], look: dict[str, Any]) -> None:
    axes.plot([row["recall"]], [row["precision"]], zorder=3, **look)
    for name, draw in (("recall", axes.hlines), ("precision", axes.vlines)):
        low, high = (row.get(f"{name}_{end}", float("nan")) for end in ("low", "high"))
        if low == low and high == high:
            other = row["precision" if name == "recall" else "recall"]
            draw(other, low, high, color=look["color"], linewidth=1.0, alpha=0.55, zorder=2)


def _size(count: float, steps: list[float]) -> float:
    """Return the size of a marker: the more steps, the larger. Adaptive samplers have the smallest."""
    if len(steps) < 2 or count not in steps:
        return 7.0
    return SIZES[0] + (SIZES[1] - SIZES[0]) * steps.index(count) / (len(steps) - 1)


def _small_print(samples: pandas.DataFrame, gaps: list[str]) -> str:
    counts = " or ".join(f"{int(count):,}" for count in sorted(samples["num_images"].dropna().unique()))
    steps = sorted(int(count) for count in samples["steps"].dropna().unique())
    known = bool({"precision_low", "recall_low"} & set(samples.columns[samples.notna().any()]))
    words = [str(samples["benchmark"].iloc[0]), f"{counts} images a point"]
    words.append("bars: 95 % intervals" if known else "no intervals")
    words += [f"larger markers: more steps ({', '.join(map(str, steps))})"] if len(steps) > 1 else []
    return BETWEEN.join([*words, "for both, higher is better", *gaps])

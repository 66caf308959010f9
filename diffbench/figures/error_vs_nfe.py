"""Error against network evaluations on data whose answers are known, with the order that each sampler shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from diffbench.base.errors import UserError
from diffbench.figures import _style as style
from diffbench.figures._legend import Legend
from diffbench.figures._points import draw_line
from diffbench.figures._style import BETWEEN, WIDTH, empty_figure, note, note_height, plain_log_ticks, styled

TITLES = {
    "log_snr": "Equal steps in log SNR",
    "linear": "Linear schedule, steps of T = 1000",
    "cosine": "Cosine schedule, steps of T = 1000",
}
COLUMNS = ("data", "schedule", "sampler", "reverse_variance", "nfe", "error", "stochastic", "order", "measured_order")


@dataclass(frozen=True)
class ErrorVsNfe:
    """One panel for each schedule, one line for each sampler. Both axes are logarithmic, so that a slope is an order.

    data: which rows of `oracle.csv` are drawn. The order in the legend is fitted on the log-SNR chain.
    """

    data: str = "1/f^2"
    schedules: tuple[str, ...] = ("log_snr", "cosine")

    consumes: ClassVar[str] = "oracle"

    def __call__(self, table: pandas.DataFrame) -> Figure:
        """Return the figure of a table with the columns of `oracle.csv`.

        Raises: UserError if the table does not have a column, the data or a schedule.
        """
        missing = [column for column in COLUMNS if column not in table]
        if missing:
            raise UserError(f"error_vs_nfe: the table has no column {', '.join(missing)}; draw it from oracle.csv")
        rows = table.loc[(table["data"] == self.data) & table["error"].notna()]
        for schedule in self.schedules:
            if not (rows["schedule"] == schedule).any():
                raise UserError(f"error_vs_nfe: no error of data '{self.data}' on schedule '{schedule}' to draw")
        if not (rows["error"] > 0).all():
            raise UserError("error_vs_nfe: an error of 0 has no place on a logarithmic axis")
        with styled():
            return _drawn(rows, self.data, self.schedules)


def _drawn(rows: pandas.DataFrame, data: str, schedules: tuple[str, ...]) -> Figure:
    rows = rows.assign(reverse_variance=rows["reverse_variance"].fillna(""))
    lines: list[tuple[dict[str, Any], pandas.DataFrame]] = [
        (_look(line, place) | {"label": _label(line)}, line)
        for place, (_, line) in enumerate(rows.groupby(["sampler", "reverse_variance"], sort=False))
    ]
    legend = Legend({look["label"]: Line2D([], [], **look) for look, _ in lines})
    words = _small_print(data)
    # In pixels. The legend is in its own place, under the panels.
    head, body, foot = 90, 640, 145 + legend.height + note_height(words)
    height = head + body + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(1, len(schedules), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.105, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06)
    for axes, schedule in zip(grid, schedules, strict=True):
        _panel(axes, [(look, line.loc[line["schedule"] == schedule]) for look, line in lines])
        axes.set_title(TITLES.get(schedule, schedule), fontsize=11)
    grid[0].set_ylabel("error of x_0 (data: std 0.5)")
    legend.draw(figure, middle=WIDTH / 2, bottom=note_height(words))
    note(figure, words)
    return figure


def _panel(axes: Axes, lines: Sequence[tuple[Mapping[str, Any], pandas.DataFrame]]) -> None:
    axes.set(xscale="log", yscale="log")
    for look, line in lines:
        ordered = line.sort_values("nfe")
        draw_line(axes, ordered["nfe"], ordered["error"], look)
    axes.set_xlabel("network evaluations")
    plain_log_ticks(axes.xaxis, *axes.get_xlim())
    axes.yaxis.set_minor_locator(NullLocator())


def _look(line: pandas.DataFrame, place: int) -> dict[str, Any]:
    # The two kinds of error must not be mixed up: hollow and dashed is a distance of distributions.
    kind = 1 if bool(line["stochastic"].any()) else 0
    look = style.look(place) | {"linestyle": style.DASHES[kind]}
    return look | style.fill(kind, look["color"])


def _label(line: pandas.DataFrame) -> str:
    first = line.iloc[0]
    variance = f", {first['reverse_variance'].replace('_', ' ')}" if first["reverse_variance"] else ""
    orders = line["measured_order"].dropna()
    measured = f"{orders.iloc[0]:.2f}" if len(orders) else "not measured"
    return f"{first['sampler']}{variance}: {measured} ({first['order']:g})"


def _small_print(data: str) -> str:
    return (
        f"{data} normal data, exact denoiser, float64{BETWEEN}solid: RMSE from the exact flow map, same x_T\n"
        "dashed: root of the Frechet distance to the data, per pixel\n"
        "numbers: the order measured on the last three points at left, and the declared order in brackets"
    )

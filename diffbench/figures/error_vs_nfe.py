"""Error against network evaluations on data whose answers are known, with the order that each sampler shows."""

from dataclasses import dataclass
from typing import ClassVar

import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._style import COLOURS, DASHES, MARKERS, empty_figure, note, styled

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
    lines = list(rows.groupby(["sampler", "reverse_variance"], sort=False))
    # The legend is in its own place, under the axes. In pixels:
    head, body, foot = 90, 640, 225 + 47 * len(lines)
    height = head + body + foot
    figure = empty_figure(height=height)
    grid = figure.subplots(1, len(schedules), sharey=True, squeeze=False)[0]
    figure.subplots_adjust(left=0.105, right=0.975, top=1 - head / height, bottom=foot / height, wspace=0.06)
    for axes, schedule in zip(grid, schedules, strict=True):
        for place, (_, line) in enumerate(lines):
            _line(axes, line.loc[line["schedule"] == schedule], place, label=_label(line))
        axes.set(xscale="log", yscale="log", xlabel="network evaluations")
        axes.set_title(TITLES.get(schedule, schedule), fontsize=11)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.tick_params(which="minor", length=0)
    grid[0].set_ylabel("error of x_0 (data: std 0.5)")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(0.09, 95 / height), handlelength=3.4, labelspacing=0.45
    )
    note(figure, _small_print(data))
    return figure


def _line(axes: Axes, line: pandas.DataFrame, place: int, *, label: str) -> None:
    line = line.sort_values("nfe")
    colour = COLOURS[place % len(COLOURS)]
    drawn = bool(line["stochastic"].any())
    axes.plot(
        line["nfe"],
        line["error"],
        color=colour,
        # The two kinds of error must not be mixed up: hollow and dashed is a distance of distributions.
        linestyle=DASHES[1] if drawn else DASHES[0],
        marker=MARKERS[(place + place // len(COLOURS)) % len(MARKERS)],
        markerfacecolor="white" if drawn else colour,
        markeredgecolor=colour,
        markeredgewidth=1.6,
        label=label,
    )


def _label(line: pandas.DataFrame) -> str:
    first = line.iloc[0]
    variance = f", {first['reverse_variance'].replace('_', ' ')}" if first["reverse_variance"] else ""
    orders = line["measured_order"].dropna()
    measured = f"order {orders.iloc[0]:.2f} measured, " if len(orders) else "order not measured, "
    return f"{first['sampler']}{variance}: {measured}{first['order']:g} declared"


def _small_print(data: str) -> str:
    return (
        f"{data} normal data, exact denoiser, float64   ·   solid: RMSE from the exact flow map, same x_T\n"
        "dashed: root of the Frechet distance to the data, per pixel   ·   orders: of the last three points at left"
    )

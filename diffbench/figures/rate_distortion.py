"""Rate and distortion while an image is decoded progressively, as in figure 5 of Ho et al. 2020."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from diffbench.base.errors import UserError
from diffbench.figures import _style as style
from diffbench.figures._legend import Legend
from diffbench.figures._points import draw_line
from diffbench.figures._style import BETWEEN, WIDTH, empty_figure, note, note_height, styled

Curve = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""The share of the reverse process that is done, the rate so far in bits/dim, and the RMSE (0-255 scale) then left."""


LABELS = (
    ("reverse process done", "distortion (RMSE)"),
    ("reverse process done", "rate (bits/dim)"),
    ("rate (bits/dim)", "distortion (RMSE)"),
)
"""The texts of the x and y axis of each panel."""

NOTE = BETWEEN.join(
    (
        "test images, full training chain",
        "RMSE of the predicted x_0 on the 0-255 scale",
        "means over the images; see rate_distortion.csv",
    )
)

MARKERS_A_LINE = 12
"""About how many points of a line have a marker."""


@dataclass(frozen=True)
class RateDistortion:
    """Three panels: distortion and rate by reverse process time, and one against the other. One line for each model."""

    title: str = "Progressive coding"

    consumes: ClassVar[str] = "curves"

    def __call__(self, curves: Mapping[str, Curve]) -> Figure:
        """Return the figure of curves by model.

        Raises: UserError if there is none, or if the parts of one differ in length.
        """
        if not curves:
            raise UserError("rate_distortion: no curves to draw")
        for model, (done, rate, distortion) in curves.items():
            if not done.shape == rate.shape == distortion.shape or rate.ndim != 1:
                shapes = f"time {done.shape}, rate {rate.shape} and distortion {distortion.shape}"
                raise UserError(f"rate_distortion: {model} has {shapes}")
        with styled():
            return _drawn(curves, self.title)


def _drawn(curves: Mapping[str, Curve], title: str) -> Figure:
    looks = {_ends(model, curve): _look(place) for place, (model, curve) in enumerate(curves.items())}
    legend = Legend({label: Line2D([], [], **look) for label, look in looks.items()})
    # In pixels. The legend is in its own place, under the panels.
    head, body, foot = 100, 520, 145 + legend.height + note_height(NOTE)
    height = head + body + foot
    figure = empty_figure(height=height)
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.085, right=0.985, top=1 - head / height, bottom=foot / height, wspace=0.42)
    for (label, look), (done, rate, distortion) in zip(looks.items(), curves.values(), strict=True):
        order = np.argsort(rate, kind="stable")
        # A marker at each point would hide the dashes.
        some = slice(None, None, max(1, round(len(rate) / MARKERS_A_LINE)))
        for axes, across, up in zip(panels, (done, done, rate), (distortion, rate, distortion), strict=True):
            draw_line(
                axes,
                across[order],
                up[order],
                look | {"label": label, "markevery": some, "clip_on": False, "zorder": 3},
            )
    for axes, (across, up) in zip(panels, LABELS, strict=True):
        axes.set(xlabel=across, ylabel=up)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    for axes in panels[:2]:
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "half", "all"])
    figure.text(0.03, 1 - 50 / height, title, fontsize=12, fontweight="bold", va="center")
    legend.draw(figure, middle=WIDTH / 2, bottom=note_height(NOTE))
    note(figure, NOTE)
    return figure


def _ends(model: str, curve: Curve) -> str:
    _, rate, distortion = curve
    last = int(np.argsort(rate, kind="stable")[-1])
    return f"{model}: {rate[last]:.2f} bits/dim leave an RMSE of {distortion[last]:.2f}"


def _look(place: int) -> dict[str, Any]:
    return style.dashed_look(place) | {"markersize": 5, "markeredgewidth": 1.2}

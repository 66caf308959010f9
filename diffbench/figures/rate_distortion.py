"""Rate and distortion while an image is decoded progressively, as in figure 5 of Ho et al. 2020."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._style import COLOURS, DASHES, MARKERS, empty_figure, note, styled

Curve = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""The share of the reverse process that is done, the rate so far in bits/dim, and the RMSE (0-255 scale) then left."""


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
    figure = empty_figure(height=840)
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(left=0.085, right=0.985, top=0.74, bottom=0.235, wspace=0.42)
    for place, (model, (done, rate, distortion)) in enumerate(curves.items()):
        order = np.argsort(rate, kind="stable")
        look = {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)], "markersize": 5}
        ends = f"{model}: {rate[order[-1]]:.2f} bits/dim leave an RMSE of {distortion[order[-1]]:.2f}"
        for axes, across, up in zip(panels, (done, done, rate), (distortion, rate, distortion), strict=True):
            axes.plot(across[order], up[order], label=ends, marker=MARKERS[place % len(MARKERS)], clip_on=False, **look)
    labels = (
        ("reverse process done", "distortion (RMSE)"),
        ("reverse process done", "rate (bits/dim)"),
        ("rate (bits/dim)", "distortion (RMSE)"),
    )
    for axes, (across, up) in zip(panels, labels, strict=True):
        axes.set(xlabel=across, ylabel=up)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
    for axes in panels[:2]:
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "half", "all"])
    figure.text(0.03, 0.955, title, fontsize=12, fontweight="bold", va="center")
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=(0.02, 0.93), handlelength=3.4)
    note(
        figure,
        "test images, full training chain; RMSE of the predicted x_0 on the 0-255 scale; see rate_distortion.csv",
    )
    return figure

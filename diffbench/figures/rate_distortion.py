"""Distortion against rate while an image is decoded progressively, as in figure 5 of Ho et al. 2020."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from diffbench.base.errors import UserError
from diffbench.figures._style import COLOURS, DASHES, empty_figure, note, styled

Curve = tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]
"""Cumulative rate in bits/dim, and the RMSE on the 0-255 scale that is left at this rate."""


@dataclass(frozen=True)
class RateDistortion:
    """One line a model, from nothing known (rate 0) to all but the last step's bits."""

    title: str = "Distortion against rate"

    consumes: ClassVar[str] = "curves"

    def __call__(self, curves: Mapping[str, Curve]) -> Figure:
        """Return the figure of curves by model.

        Raises: UserError where there is none, or where one's rate and distortion differ in length.
        """
        if not curves:
            raise UserError("rate_distortion: no curves to draw")
        for model, (rate, distortion) in curves.items():
            if rate.shape != distortion.shape or rate.ndim != 1:
                raise UserError(f"rate_distortion: {model} has rate {rate.shape} and distortion {distortion.shape}")
        with styled():
            return _drawn(curves, self.title)


def _drawn(curves: Mapping[str, Curve], title: str) -> Figure:
    figure = empty_figure()
    axes = figure.subplots()
    figure.subplots_adjust(left=0.095, right=0.975, top=0.91, bottom=0.2)
    for place, (model, (rate, distortion)) in enumerate(curves.items()):
        order = np.argsort(rate, kind="stable")
        colour = COLOURS[place % len(COLOURS)]
        ends = f"{model}: {rate[order[-1]]:.2f} bits/dim leave an RMSE of {distortion[order[-1]]:.2f}"
        dashes = DASHES[place % len(DASHES)]
        axes.plot(rate[order], distortion[order], color=colour, linestyle=dashes, label=ends)
        axes.plot(rate[order[-1]], distortion[order[-1]], "o", color=colour, clip_on=False)
    axes.set(xlabel="rate (bits/dim)", ylabel="distortion (RMSE, 0-255 scale)", title=title)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", handlelength=3.4)
    note(figure, "cumulative over the full training chain, on test images; dots: where the curves end")
    return figure

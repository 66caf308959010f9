"""The terms of the variational bound by timestep, as in figure 2 of Nichol and Dhariwal 2021."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from diffbench.base.errors import UserError
from diffbench.figures._logs import entries, looks
from diffbench.figures._panels import Panels
from diffbench.figures._points import draw_line
from diffbench.figures._style import BETWEEN, every_so_often, plain_log_ticks, said, styled

Terms = Mapping[str, np.ndarray]
"""Of one model: `timesteps` and `vlb` (images x strata), and `width`, the number of timesteps in each stratum."""

BAND = (10, 90)
"""The percentiles of images between which the band lies."""

DECADES = 6
"""How far below the largest mean the axis ends at most; smaller terms add nothing that a reader could see."""


@dataclass(frozen=True)
class VlbTerms:
    """A line for each model, the mean term over test images, with a band that holds most of the images."""

    title: str = "Terms of the variational bound"

    consumes: ClassVar[str] = "terms"

    def __call__(self, terms: Mapping[str, Terms]) -> Figure:
        """Return the figure of the terms of models. Raises: UserError if the arrays of one do not fit together."""
        for model, own in terms.items():
            if own["vlb"].shape != own["timesteps"].shape or own["vlb"].shape[1:] != own["width"].shape:
                shapes = ", ".join(f"{name} {own[name].shape}" for name in ("timesteps", "vlb", "width"))
                raise UserError(f"vlb_terms: {model} has {shapes}, which do not fit together")
        with styled():
            # A term that is not a number makes the bound none.
            drawn = {model: own for model, own in terms.items() if np.isfinite(_total(own)) and bool(_above(own).any())}
            if not drawn:
                return said(self.title, "no model has a finite bound with a term above 0")
            return _drawn(drawn, self.title, [model for model in terms if model not in drawn])


def _drawn(terms: Mapping[str, Terms], title: str, without: list[str]) -> Figure:
    named = {f"{model}: {_total(own):.2f} bits/dim in all": own for model, own in terms.items()}
    found = looks(dict.fromkeys(named))
    counts = sorted({len(own["vlb"]) for own in terms.values()})
    words = [f"means over {' or '.join(f'{count:,}' for count in counts)} test images, full training chain"]
    words.append(f"bands: from the {BAND[0]}th to the {BAND[1]}th percentile of images")
    words.append("step 1 is the decoder; a point of several steps is their mean")
    least = _least_shown(terms)
    words += [text for text in (_below(terms, least), f"no bound: {', '.join(without)}" if without else "") if text]
    figure, (axes,) = Panels(title, BETWEEN.join(words), entries(found), body=640).draw(1)
    for name, own in named.items():
        _line(axes, own, least, found[name] | {"label": name})
    greatest = max(float(own["vlb"].mean(axis=0).max()) for own in terms.values())
    steps = [float(np.asarray(line.get_xdata()).min()) for line in axes.get_lines()]
    ends = min(steps) / 1.15, max(int(own["width"].sum()) for own in terms.values()) * 1.15
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=(least / 1.5, greatest * 1.5))
    plain_log_ticks(axes.xaxis, *ends)
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("diffusion step (log scale; 1 is the cleanest)")
    axes.set_ylabel("term (bits/dim a step, log scale)")
    return figure


def _line(axes: Axes, own: Terms, least: float, look: dict[str, Any]) -> None:
    """Draw the line and the band of a model."""
    across, mean = own["timesteps"].mean(axis=0) + 1, own["vlb"].mean(axis=0)
    shown = mean >= least
    low, high = np.percentile(own["vlb"], BAND, axis=0)
    axes.fill_between(
        across[shown], np.maximum(low[shown], 1e-12), high[shown], color=look["color"], alpha=0.13, linewidth=0
    )
    draw_line(axes, across[shown], mean[shown], look | {"markevery": every_so_often(int(shown.sum()), 16)})


def _above(own: Terms) -> np.ndarray:
    return own["vlb"].mean(axis=0) > 0


def _total(own: Terms) -> float:
    return float(own["vlb"].mean(axis=0) @ own["width"])


def _least_shown(terms: Mapping[str, Terms]) -> float:
    """Return the smallest mean term that has a place on the axis."""
    means = np.concatenate([own["vlb"].mean(axis=0) for own in terms.values()])
    floor = means.max() / 10**DECADES
    return float(means[means > floor].min())


def _below(terms: Mapping[str, Terms], least: float) -> str:
    """Return which steps are below the axis, for the small print."""
    told = []
    for model, own in terms.items():
        hidden = own["timesteps"][:, own["vlb"].mean(axis=0) < least]
        if hidden.size:
            first, last = int(hidden.min()) + 1, int(hidden.max()) + 1
            told.append(f"{model} step {first}" + (f" to {last}" if last > first else ""))
    if len(told) > 1 and len({text.partition(" ")[2] for text in told}) == 1 and len(told) == len(terms):
        told = [f"{told[0].partition(' ')[2]} of every model"]
    return f"below the axis: {', '.join(told)}" if told else ""

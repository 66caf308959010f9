"""The validation loss of models along training, as the mean over timesteps and by timestep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from diffbench.base.records import Estimate
from diffbench.diffusion.validation_loss import ValidationLosses
from diffbench.figures._logs import entries, looks
from diffbench.figures._panels import Panels
from diffbench.figures._points import draw_line
from diffbench.figures._style import BETWEEN, every_so_often, log_if_wide, said, styled

MOST_PANELS = 8
"""The most panels beside that of the mean; of more timesteps, neighbours share a panel."""


@dataclass(frozen=True)
class ValidationLoss:
    """A line for each model against the images that training has seen: one panel for the mean, and one a timestep."""

    title: str = "Validation loss"

    consumes: ClassVar[str] = "validation"

    def __call__(self, losses: Mapping[str, ValidationLosses]) -> Figure:
        """Return the figure of validation losses by model."""
        with styled():
            return _drawn(losses, self.title) if losses else said(self.title, "no model has a validation loss")


def _drawn(losses: Mapping[str, ValidationLosses], title: str) -> Figure:
    found = looks(list(losses))
    most = max(len(own.timesteps) for own in losses.values())
    panels = min(most, MOST_PANELS)
    images = sorted({own.losses.shape[1] for own in losses.values()})
    words = [f"mean squared error of eps on {' or '.join(f'{count:,}' for count in images)} held-out images"]
    words += ["bands: 95 % over images, for these weights", "a wide range has a log scale"]
    if len({_levels(own) for own in losses.values()}) > 1:
        words.append("noise levels of different schedules do not compare")
    figure, drawn = Panels(title, BETWEEN.join(words), entries(found), abreast=3, body=330, gap=0.3).draw(1 + panels)
    _panel(drawn[0], {name: (own, own.estimates) for name, own in losses.items()}, found)
    drawn[0].set_title("mean", fontsize=11)
    for panel, axes in enumerate(drawn[1:]):
        parts = {name: _part(own, panel, panels) for name, own in losses.items()}
        shown = {name: (own, own.at_timesteps(parts[name])) for name, own in losses.items()}
        _panel(axes, shown, found)
        axes.set_title(_steps_of([own.timesteps[parts[name]] for name, own in losses.items()]), fontsize=11)
    for place, axes in enumerate(drawn):
        axes.set_ylabel("error of eps" if place % 3 == 0 else "")
    return figure


def _levels(own: ValidationLosses) -> bytes:
    return own.alphas.tobytes() + own.sigmas.tobytes()


def _part(own: ValidationLosses, panel: int, panels: int) -> slice:
    """Return the places of the timesteps that are in a panel."""
    count = len(own.timesteps)
    return slice(panel * count // panels, max(panel * count // panels + 1, (panel + 1) * count // panels))


def _steps_of(timesteps: Sequence[np.ndarray]) -> str:
    """Return the timesteps of a panel in words; those of models with chains of other lengths are joined by `or`."""
    ends = dict.fromkeys((int(own[0]), int(own[-1])) for own in timesteps)
    return "t = " + " or ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in ends)


def _panel(
    axes: Axes, shown: Mapping[str, tuple[ValidationLosses, list[Estimate]]], found: Mapping[str, dict[str, Any]]
) -> None:
    """Draw the estimates of each model with a band for their intervals."""
    for name, (own, estimates) in shown.items():
        low, value, high = (np.array([getattr(one, end) for one in estimates]) for end in ("low", "value", "high"))
        axes.fill_between(own.images_seen, low, high, color=found[name]["color"], alpha=0.15, linewidth=0)
        draw_line(axes, own.images_seen, value, found[name] | {"markevery": every_so_often(len(value)), "label": name})
    values = [one.value for _, estimates in shown.values() for one in estimates]
    log_if_wide(axes, min(values), max(values))
    axes.set_xlabel("images seen")
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(_count))


def _count(value: float, _: int | None) -> str:
    """Return a number of images, shortened so that neighbours on the axis do not touch."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"

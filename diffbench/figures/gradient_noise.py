"""The gradient noise scale of objectives along training, as in figure 6 of Nichol and Dhariwal 2021."""

from dataclasses import dataclass
from typing import ClassVar

from matplotlib.figure import Figure

from diffbench.figures._logs import Logs, draw_column, entries, gaps_of, looks
from diffbench.figures._panels import Panels
from diffbench.figures._style import BETWEEN, said, styled

COLUMN = "gradient_noise"


@dataclass(frozen=True)
class GradientNoise:
    """A line for each model: the batch size, in images, below which a larger batch still removes noise."""

    title: str = "Gradient noise scale"

    consumes: ClassVar[str] = "logs"

    def __call__(self, logs: Logs) -> Figure:
        """Return the figure of training logs by model. A row whose scale could not be estimated is left out."""
        told = {name: log for name, log in logs.items() if COLUMN in log and bool(log[COLUMN].notna().any())}
        with styled():
            if not told:
                return said(self.title, "no training log has a gradient noise scale; train again to record it")
            return _drawn(told, self.title, [name for name in logs if name not in told])


def _drawn(logs: Logs, title: str, without: list[str]) -> Figure:
    found = looks(dict.fromkeys(logs))
    words = ["trace of the gradient's covariance over its squared mean (McCandlish et al. 2018)"]
    words.append("estimated from neighbouring steps, between which weights move")
    gaps = gaps_of(logs, COLUMN)
    words += [f"not estimated: {', '.join(gaps)}"] if gaps else []
    words += [f"not recorded: {', '.join(without)}"] if without else []
    figure, (axes,) = Panels(title, BETWEEN.join(words), entries(found), body=620).draw(1)
    draw_column(axes, logs, COLUMN, found)
    axes.set_ylabel("noise scale (images, log scale)" if axes.get_yscale() == "log" else "noise scale (images)")
    return figure

"""Small multiples: which of models and samplers have a panel each, and which have a line in every panel."""

from typing import Any

import pandas

from diffbench.figures import _style as style

MOST_LINES = 6
"""The most lines that one panel shows without hiding one another."""

OTHERS: dict[str, Any] = {"color": "#C8C8C8", "linewidth": 1.0}
"""The look of what other panels show, which is in the background of each."""


def panels_and_lines(samples: pandas.DataFrame) -> tuple[str, str]:
    """Return the column whose values have a panel each, and the one whose values are the lines.

    A panel shows a model with a line for each sampler, unless there are many samplers and fewer models.
    """
    models, samplers = samples["model"].nunique(), samples["sampler"].nunique()
    return ("sampler", "model") if samplers > MOST_LINES and models < samplers else ("model", "sampler")


def abreast(panels: int) -> int:
    """Return how many panels are beside each other; three only where two would make the figure long."""
    return 2 if panels <= 4 else 3


def line_look(place: int) -> dict[str, Any]:
    """Return the look of the line at a place: colour, marker and, when colours come again, dashes and filling."""
    look = style.look(place)
    again = place // len(style.COLOURS)
    return look | {"linestyle": style.DASHES[again % len(style.DASHES)]} | style.fill(again, look["color"])

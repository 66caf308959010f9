"""The rules for the timestep of a level between those on which a network was trained. It needs no torch."""

from typing import Literal

OffGrid = Literal["refuse", "nearest", "interpolate"]
"""What to do at such a level: refuse it, take the t of the nearest trained level, or a fractional t."""

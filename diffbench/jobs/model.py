"""What a job is told of a trained network: its architecture, its process, and which of its weights are used."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from diffbench.jobs.job import Options, Part

Weights = Literal["ema", "raw"]
"""The averaged weights, or the last ones."""


@dataclass(frozen=True)
class NetworkPart(Part):
    """A network."""

    folder: ClassVar[str] = "networks"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A trained network. diffusion: the fields of diffusion/denoiser.py's Diffusion."""

    network: NetworkPart
    diffusion: Options
    weights: Weights

"""The description of a trained network in a job: its architecture, its process, and which weights are used."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from diffbench.jobs.job import Options, Part

Weights = Literal["ema", "raw"]
"""Which weights are used: the averaged ones, or those of the last step."""


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

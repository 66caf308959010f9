"""The reader of published numbers, and the facts that all of them have in common."""

import csv
import math
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

from diffbench.base.errors import UserError

FILE = Path(__file__).with_suffix(".csv")

EXTRACTOR = "inception@6726825d"
"""The network behind every published FID here, by the first digits of the hash of torch-fidelity's file."""

NEARLY = "~"
"""The sign before a number of parameters that a paper rounds, or that only the name of a released file says."""


@dataclass(frozen=True)
class Number:
    """A published number. Cells are texts; "" is not stated. docs/published.md says what each column holds."""

    paper: str
    arxiv: str
    table: str
    dataset: str
    size: str
    conditional: str
    model: str
    parameterization: str
    objective: str
    variance: str
    schedule: str
    timesteps: str
    parameters: str
    dropout: str
    training_steps: str
    batch_size: str
    weights: str
    checkpoint: str
    sampler: str
    eta: str
    spacing: str
    steps: str
    nfe: str
    guidance: str
    guidance_scale: str
    clip_x_0: str
    metric: str
    value: str
    spread: str
    spread_of: str
    num_images: str
    reference: str
    reference_file: str
    protocol: str
    verified: str
    note: str

    @property
    def number(self) -> float:
        """The value; NaN if it is not one number, such as a list of settings."""
        return _float(self.value)

    @property
    def standard_deviation(self) -> float:
        """The standard deviation over sampling runs that was published with the value; 0 if there is none.

        The spread of an Inception Score over parts of one sample set says nothing of another set.
        """
        return _float(self.spread) if self.spread and self.spread_of.endswith(RUNS) else 0.0

    @property
    def rounding(self) -> float:
        """Half a unit of the last digit that is printed: 0.005 for 3.17."""
        decimals = len(self.value.partition(".")[2])
        return 0.5 * 10.0**-decimals

    @property
    def place(self) -> str:
        """The paper and the place in it, as people write it."""
        return f"{self.paper}, {self.table}" if self.table else self.paper


RUNS = "sampling runs"
"""The end of what a spread is of, if it is one of whole sample sets."""

COLUMNS = tuple(item.name for item in fields(Number))

METRICS = (
    *("fid", "sfid", "inception_score", "precision", "recall"),
    *("nll_bits_per_dim", "nll_train_bits_per_dim"),
    *("rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse"),
)
"""The published metrics that are measured here too. The others are only looked up."""

PIXELS = ("cifar10",)
"""Data sets that were published as pixels at the size that is measured, so that a copy as JPEG is other data."""

RELEASE = "_release"
"""The end of the name of a data set that others prepared, such as ImageNet's official release at 64 pixels."""


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@cache
def published_numbers() -> tuple[Number, ...]:
    """Return all published numbers, in the order of the file."""
    return read_numbers(FILE)


def read_numbers(path: Path) -> tuple[Number, ...]:
    """Return the numbers of a file. Raises: UserError naming the line that has another number of cells."""
    with open(path, newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    if tuple(head) != COLUMNS:
        odd = sorted({*head} ^ {*COLUMNS}) or ["their order"]
        raise UserError(f"{path}: the columns are not those of published numbers: {', '.join(odd)}")
    for place, line in enumerate(lines, start=2):
        if len(line) != len(COLUMNS):
            raise UserError(f"{path}: line {place} has {len(line)} cells, and {len(COLUMNS)} are needed")
    return tuple(Number(*line) for line in lines)


def data_name(name: str, category: str | None = None) -> str:
    """Return the name that published numbers have for a data set; category: of LSUN, such as church_outdoor."""
    return f"{name}_{category.partition('_')[0]}" if category else name


def numbers_of(dataset: str, size: str) -> list[Number]:
    """Return the numbers of a data set at a size that can be compared: those of metrics that are measured here too.

    Those of a release of the data by others are among them, since a comparison says that the data differ.
    """
    return [
        item
        for item in published_numbers()
        if item.metric in METRICS and item.dataset.removesuffix(RELEASE) == dataset and item.size == size
    ]

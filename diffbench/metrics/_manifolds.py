"""Metrics that ask which images are in balls around others: one pass over the pairs serves all of them.

The product of generated and reference features is most of the work, so metrics of the same features share it.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._distances import Reader, read_pairs
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._neighbours import BallsOf, Inside, nearest_others


class Tally(Protocol):
    """What a metric of balls around reference images gathers from the pairs."""

    def take(self, start: int, inside: Bool[np.ndarray, "block generated"], /) -> None:
        """Take in which generated images are in the balls of a block of reference images, from `start` on."""
        ...

    def estimate(self) -> Estimate:
        """Return the metric's number with its interval."""
        ...


class Levelled(Reader, Protocol):
    """What a metric of balls around generated images gathers from the pairs."""

    def estimate(self) -> Estimate:
        """Return the metric's number with its interval."""
        ...


@dataclass(frozen=True)
class NeighbourMetric:
    """Configuration of the metrics of k nearest neighbours.

    num_reference: how many reference images count, from the first on (ADM's evaluator takes 10,000); null takes all.
    """

    features: str = "pool"
    """the array of features that it takes."""
    k: int = 3
    """a ball reaches to the k-th nearest neighbour."""
    num_reference: int | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k = {self.k}, at least 1 is allowed")
        if self.num_reference is not None and self.num_reference < self.k + 2:
            raise UserError(f"num_reference = {self.num_reference}, at least k + 2 = {self.k + 2} is allowed")

    @property
    def fewest(self) -> int:
        """How many images it needs."""
        return self.k + 2

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the number with its interval."""
        return self.together([self], generated, reference)[0]

    @staticmethod
    def together(metrics: "Sequence[NeighbourMetric]", generated: FeatureSet, reference: FeatureSet) -> list[Estimate]:
        """Return the numbers of several metrics with their intervals, in one pass for all that take the same features.

        Raises: UserError for too few images, unequal widths or values that are not finite.
        """
        alike: dict[tuple[str, int | None], list[int]] = {}
        for i, metric in enumerate(metrics):
            alike.setdefault((metric.features, metric.num_reference), []).append(i)
        found: dict[int, Estimate] = {}
        for (features, num_reference), places in alike.items():
            members = [metrics[i] for i in places]
            fewest = max(metric.fewest for metric in members)
            x, y = feature_pair(generated, reference, features, at_least=fewest)
            found |= zip(places, _in_one_pass(members, x, y[:num_reference]), strict=True)
        return [found[i] for i in range(len(metrics))]


class ReferenceBalls(NeighbourMetric):
    """A metric of the balls around reference images, each of which reaches to the k-th nearest other one."""

    @abstractmethod
    def tally(self, x: Features, y: References) -> Tally:
        """Return what gathers the metric from the pairs."""


class GeneratedBalls(NeighbourMetric):
    """A metric of the balls around generated images."""

    @abstractmethod
    def tally(self, x: Features, y: References) -> Levelled:
        """Return what gathers the metric from the pairs."""


def _in_one_pass(metrics: Sequence[NeighbourMetric], x: Features, y: References) -> list[Estimate]:
    """Return the estimates of metrics of the same features. Points are reference images, centres generated ones."""
    takes: dict[int, list[Inside]] = {}
    readers: list[Reader] = []
    tallies: list[Tally | Levelled] = []
    for metric in metrics:
        if isinstance(metric, ReferenceBalls):
            tally = metric.tally(x, y)
            takes.setdefault(metric.k, []).append(tally.take)
        else:
            assert isinstance(metric, GeneratedBalls)
            tally = metric.tally(x, y)
            readers.append(tally)
        tallies.append(tally)
    if takes:
        squared = nearest_others(y, max(takes))[1]
        readers += [BallsOf(y, x, squared[:, k - 1], take) for k, take in takes.items()]
    read_pairs(y, x, *readers)
    return [tally.estimate() for tally in tallies]

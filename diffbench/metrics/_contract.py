"""What a metric must have, and what it may declare."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np

from diffbench.base.records import Estimate

Together = Callable[[Sequence[Any], Mapping[str, np.ndarray], Mapping[str, np.ndarray]], list[Estimate]]
"""Metrics, generated and reference features in; their numbers in the same order out."""


class Metric(Protocol):
    """A frozen dataclass that turns features into a number and its 95 % interval; its fields are its configuration.

    It need not inherit from this class: the loader adds the defaults given here. What depends on its options
    may be a property.
    """

    label: ClassVar[str]
    """Text for axes and heads of tables."""
    higher_is_better: ClassVar[bool]
    """Whether higher values are better. If there is an `ideal`, this is of no account."""
    consumes: ClassVar[str]
    """What it is computed from: "features", "images" (pairs) or "terms" (of a bound)."""

    ideal: ClassVar[float | None] = None
    """The best value, if neither the highest nor the lowest is; nearer to it is better."""
    features: str | None = None
    """The array of features that it reads, as a field; None if it does not read exactly one."""
    fewest: ClassVar[int] = 2
    """How many images it needs of either side."""
    needs_reference: ClassVar[bool] = True
    """Whether it uses the reference."""
    needs_held_out: ClassVar[bool] = False
    """Whether it takes a third argument: features of real images that the model was not trained on."""
    needs_labels: ClassVar[bool] = False
    """Whether it needs the labels that the samples were asked to have."""
    takes_moments: ClassVar[bool] = False
    """Whether a reference's stored mean and covariance may replace its images."""

    together: ClassVar[Together | None] = None
    """What computes several metrics at once, if they share work: it gets all metrics of the protocol that have the same
    function here, and returns what each of them would return when called."""

    def fewest_of(self, width: int, /) -> int:
        """Return how many generated images it needs if its features have so many dimensions."""
        return self.fewest

    def require(self, num_images: int, /) -> None:
        """Raise UserError for a number of generated images that it refuses."""

    @abstractmethod
    def __call__(self, generated: Mapping[str, np.ndarray], reference: Mapping[str, np.ndarray], /) -> Estimate:
        """Return the number with its interval, from arrays by name with one row an image.

        A metric that `needs_held_out` takes a third map of arrays, those of the held-out images.
        """
        ...


CONTRACT = Metric

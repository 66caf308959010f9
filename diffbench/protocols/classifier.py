"""The protocol for small images: features of a classifier of the data, with the formulas of ADM's evaluator.

Its numbers are comparable only under the same extractor; the hash of the extractor's weights is in the id.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol


@dataclass(frozen=True)
class Classifier(Protocol):
    """Scores from the features of a classifier of the data.

    k: neighbours for precision and recall. manifold: the largest number of reference images for them. Both are as in
    ADM's evaluator. splits: the parts of the Inception Score.
    """

    extractor: str = "digits_features"
    metrics: tuple[str, ...] = ("fid", "kid", "inception_score", "precision", "recall", "classified")
    k: int = 3
    manifold: int = 10_000
    splits: int = 1

    extractor_entry: ClassVar[Mapping[str, Any]] = {"name": "digits_features"}
    resize: ClassVar[str] = "none"
    source: ClassVar[str] = "Dhariwal and Nichol 2021, section 2.2, with the extractor exchanged"
    deviations: ClassVar[str] = "one Inception Score over all images where the evaluator has chunks of 5,000"

    def __post_init__(self):
        super().__post_init__()
        if self.k < 1 or self.splits < 1 or self.manifold < self.k + 2:
            raise ValueError("k and splits must be positive, and manifold at least k + 2")

    def metric_options(self, metric: str) -> dict[str, Any]:
        """Return the settings of one metric under this protocol."""
        neighbours = {"k": self.k, "num_reference": self.manifold}
        # Density and coverage keep their own default k, which the authors of their paper chose.
        manifold = {"num_reference": self.manifold}
        options = {
            "precision": neighbours,
            "recall": neighbours,
            "density": manifold,
            "coverage": manifold,
            "inception_score": {"splits": self.splits},
        }
        return options.get(metric, {})

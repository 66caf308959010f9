"""The protocol of small images: features of a classifier, formulas as in ADM's evaluator.

Dhariwal and Nichol 2021, section 2.2, with the extractor exchanged; its numbers compare within one extractor only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Classifier:
    """Scores of a sample set against a split of the data set.

    extractor: whose features; its weights' sha256 joins the id. k, manifold: of precision and recall, neighbours and
    largest number of reference images, as in ADM's evaluator. splits: of the Inception Score. version: raised whenever
    a formula changes a number.
    """

    extractor: str = "digits_features"
    reference: Literal["train", "test"] = "train"
    metrics: tuple[str, ...] = ("fid", "kid", "inception_score", "precision", "recall", "classified")
    k: int = 3
    manifold: int = 10_000
    splits: int = 1
    version: int = 1

    def __post_init__(self):
        if self.k < 1 or self.splits < 1 or self.manifold < self.k + 2:
            raise ValueError("k and splits must be positive, and manifold at least k + 2")

    def metric_options(self, metric: str) -> dict[str, Any]:
        """Return the settings of one metric under this protocol."""
        neighbours = {"k": self.k, "num_reference": self.manifold}
        # Density and coverage have a k of their own, which their paper's authors chose.
        manifold = {"num_reference": self.manifold}
        options = {
            "precision": neighbours,
            "recall": neighbours,
            "density": manifold,
            "coverage": manifold,
            "inception_score": {"splits": self.splits},
        }
        return options.get(metric, {})

    def identity(self, extractor_sha256: str, rounding: str, num_images: int, num_reference: int) -> Mapping[str, Any]:
        """Return the fields that decide whether two scores compare; never a seed."""
        return {
            "extractor": f"{self.extractor}@{extractor_sha256[:8]}",
            "resize": "none",
            "rounding": rounding,
            "n": num_images,
            "reference": f"{self.reference}:{num_reference}",
            "splits": self.splits,
            "k": self.k,
            "manifold": min(self.manifold, num_reference),
            "version": self.version,
        }


def protocol_id(identity: Mapping[str, Any]) -> str:
    """Return a protocol's identity as one word for tables: its fields in order, `;` between them."""
    return ";".join(f"{key}={value}" for key, value in identity.items())

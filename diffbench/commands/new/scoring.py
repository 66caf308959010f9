"""The choice of an extractor for a new benchmark, and what its numbers are worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.commands.new.facts import Facts
from diffbench.extractors.inception import Inception

CLASSIFIER_IMAGES, CLASSIFIER_CLASS = 1000, 50
"""The fewest training images, in all and of the smallest class, from which a classifier's features are taken."""

PER_DIMENSION = 8
"""Training images for each dimension of features: a covariance from fewer fits the training images alone."""

MOST_DIMENSIONS, FEWEST_DIMENSIONS = 64, 4

MEASURED = ("fid", "kid", "precision", "recall", "nearest_neighbour")


@dataclass(frozen=True)
class Scoring:
    """How samples are scored. extractor, protocol: the entries of the file. why: the comment above them."""

    extractor: dict[str, Any]
    protocol: dict[str, Any]
    why: str


def scoring_of(facts: Facts, weights: Path | None) -> Scoring:
    """Return Inception's features if its weights are at hand, otherwise a classifier's or an untrained network's.

    weights: the user's file of Inception weights. Raises: UserError if there is no such file.
    """
    if weights is not None and not weights.is_file():
        raise UserError(f"--weights {weights}: no such file of Inception weights")
    if weights is not None or Inception().absent() is None:
        return _inception(weights)
    if facts.num_train >= CLASSIFIER_IMAGES and facts.smallest_class >= CLASSIFIER_CLASS:
        return _classifier(facts)
    return _untrained(facts)


def _inception(weights: Path | None) -> Scoring:
    return Scoring(
        extractor={"name": "inception", **({} if weights is None else {"path": str(weights.absolute())})},
        protocol={"name": "adm", "metrics": list(MEASURED)},
        why="Inception's features and the formulas of ADM's evaluator (Dhariwal and Nichol 2021, section 2.2). FID of "
        "so few images is far above that of 50,000, so it compares the rows of this table and nothing else. KID has no "
        "such bias.",
    )


def _classifier(facts: Facts) -> Scoring:
    return Scoring(
        extractor={"name": "classifier", "width": 16, "dimensions": _dimensions(facts), "steps": 600, "batch": 32},
        protocol={
            "name": "classifier",
            "metrics": ["fid", "kid", "inception_score", "precision", "recall", "classified", "nearest_neighbour"],
        },
        why=f"The features of a small classifier of these {facts.num_classes} classes, which the workflow trains once. "
        "FID compares the rows of this table and nothing else: another training of it gives other numbers.",
    )


def _untrained(facts: Facts) -> Scoring:
    labels = (
        "The data have no labels"
        if facts.num_classes is None
        else f"With {facts.smallest_class} training images in the smallest class, a classifier learns them by heart"
    )
    return Scoring(
        extractor={"name": "random_features", "dimensions": _dimensions(facts)},
        protocol={"name": "classifier", "metrics": list(MEASURED)},
        why=f"{labels}, and Inception's weights are not at hand (--weights FILE). The features are therefore "
        "statistics of untrained filters, as Naeem et al. 2020 measure with an untrained network. They see colours, "
        "contrast, edges, noise, blur and missing variety, but not what a picture shows. FID compares the rows of this "
        "table and nothing else; it is no number for a paper.",
    )


def _dimensions(facts: Facts) -> int:
    """Return a number of features that the training images can bear: a power of two."""
    wanted = max(FEWEST_DIMENSIONS, min(MOST_DIMENSIONS, facts.num_train // PER_DIMENSION))
    return 2 ** (wanted.bit_length() - 1)

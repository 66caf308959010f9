"""Features as metrics need them: float64, two-dimensional, finite. Anything else is refused in one clear line."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.metrics._moments import chunks

Features = Float[np.ndarray, "images features"]
"""One row per image."""

References = Float[np.ndarray, "references features"]
"""Features of the reference, which may have another number of images."""

FeatureSet = Mapping[str, np.ndarray]
"""What a file of features holds: arrays by name ("pool", "logits")."""

STORED_MOMENTS = {"pool": ("mu", "sigma"), "spatial": ("mu_s", "sigma_s")}
"""The names under which ADM's reference batches store the mean and covariance of a feature, over the full data set."""


def feature(features: FeatureSet, name: str, *, side: str, at_least: int = 2) -> Features:
    """Return one array of a set in float64.

    side: "generated" or "reference", for messages.
    Raises: UserError if it is missing, not two-dimensional, shorter than `at_least`, or not finite.
    """
    return stored_feature(features, name, side=side, at_least=at_least).astype(np.float64)


def stored_feature(
    features: FeatureSet, name: str, *, side: str, at_least: int = 2
) -> Float[np.ndarray, "images features"]:
    """Return one array of a set as it is stored, so that an array that is mapped from a file is not copied.

    Raises: UserError, as `feature`.
    """
    if name not in features:
        held = ", ".join(sorted(features)) or "nothing"
        raise UserError(f"{side} features: no array '{name}', only {held}; choose an extractor that has it")
    array = np.asarray(features[name])
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind not in "fiu":
        found = f"{array.dtype}{array.shape}"
        raise UserError(f"{side} features '{name}': {found}, wanted numbers of shape (images, features)")
    if len(array) < at_least:
        raise UserError(f"{side} features '{name}': {len(array)} images, but {at_least} are needed; make more")
    bad = np.concatenate([~np.isfinite(chunk).all(axis=1) for chunk in chunks(array)])
    if bad.any():
        raise UserError(
            f"{side} features '{name}': NaN or infinity in {bad.sum()} of {len(bad)} images, first in image "
            f"{int(bad.argmax())}; look at that image and at the extractor's weights"
        )
    return array


def feature_pair(
    generated: FeatureSet, reference: FeatureSet, name: str, *, at_least: int = 2
) -> tuple[Features, References]:
    """Return one array of both sets in float64. Both have the same width.

    Raises: UserError as `feature`, and if the widths differ.
    """
    pair = (
        feature(generated, name, side="generated", at_least=at_least),
        feature(reference, name, side="reference", at_least=at_least),
    )
    same_width(name, pair[0].shape[1], pair[1].shape[1])
    return pair


def same_width(name: str, generated: int, reference: int) -> None:
    """Raise UserError if generated and reference features have different numbers of dimensions."""
    if generated != reference:
        raise UserError(
            f"features '{name}': generated has {generated} dimensions, reference {reference}; "
            "extract both with the same extractor"
        )

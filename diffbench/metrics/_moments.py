"""Mean and covariance in one pass, in float64 and constant memory, whatever the size of the batches."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError

CHUNK_ENTRIES = 2**22
"""How many feature values are held in float64 at a time (32 MiB)."""


class Moments:
    """Accumulates the mean and the sum of products of deviations over batches of features.

    Each batch is centred by its own mean and merged exactly, so that no digits are lost to a large common offset or to
    the size of the batches.
    Source: Chan, Golub and LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    def __init__(self, width: int):
        self.count = 0
        self.mean: Float[np.ndarray, " features"] = np.zeros(width)
        self._products: Float[np.ndarray, "features features"] = np.zeros((width, width))

    def add(self, batch: Float[np.ndarray, "images features"]) -> None:
        """Take in the features of more images.

        Raises: UserError if their number of dimensions is not that of the first ones, or if a value is not finite.
        """
        batch = np.asarray(batch, np.float64)
        if batch.ndim != 2 or batch.shape[1] != len(self.mean):
            raise UserError(f"batch of shape {batch.shape}, wanted (images, {len(self.mean)})")
        if len(batch) == 0:
            return
        mean = batch.mean(axis=0)
        if not np.isfinite(mean).all():
            raise UserError(f"NaN or infinity in a batch of {len(batch)} images after the first {self.count}")
        centred, total = batch - mean, self.count + len(batch)
        self._products += centred.T @ centred
        difference = mean - self.mean
        self._products += np.outer(difference, difference) * (self.count * len(batch) / total)
        self.mean = self.mean + difference * (len(batch) / total)
        self.count = total

    @property
    def covariance(self) -> Float[np.ndarray, "features features"]:
        """The unbiased covariance. Raises: UserError for fewer than two images."""
        if self.count < 2:
            raise UserError(f"{self.count} images, but 2 are needed for a covariance; make more")
        return self._products / (self.count - 1)


def chunks(x: Float[np.ndarray, "images features"]) -> Iterator[Float[np.ndarray, "chunk features"]]:
    """Yield the rows of an array in float64 and bounded memory. The array may be mapped from a file."""
    size = max(1, CHUNK_ENTRIES // x.shape[1])
    for start in range(0, len(x), size):
        yield np.asarray(x[start : start + size], np.float64)


def moments(
    x: Float[np.ndarray, "images features"],
) -> tuple[Float[np.ndarray, " features"], Float[np.ndarray, "features features"]]:
    """Return the mean and the unbiased covariance in float64 and bounded memory; x may be mapped from a file."""
    sums = Moments(x.shape[1])
    for chunk in chunks(x):
        sums.add(chunk)
    return sums.mean, sums.covariance

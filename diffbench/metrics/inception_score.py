"""Inception Score: exp of the mutual information between image and predicted class.

exp mean_i KL(p(y | image_i) || mean_j p(y | image_j)), at least 1 and at most the number of classes. With
several splits it is the mean over consecutive chunks [i n // splits, (i + 1) n // splits), in the file's
order, or after torch-fidelity's shuffle; with a chunk it is that over consecutive chunks of so many images, the
last one what is left, as ADM's evaluator does. Class-sorted files need the shuffle or one split.
Source: Salimans et al. 2016, "Improved techniques for training GANs", section 4.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, feature
from diffbench.metrics._intervals import corrected_variance, mean_variance

Probabilities = Float[np.ndarray, "images classes"]


@dataclass(frozen=True)
class InceptionScore:
    """Inception Score from logits; shuffle_seed reorders the images before they are split. chunk excludes splits."""

    features: str = "logits"
    splits: int = 1
    shuffle_seed: int | None = None
    chunk: int | None = None

    label: ClassVar[str] = "Inception Score"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"
    needs_reference: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.splits < 1:
            raise UserError(f"splits = {self.splits}, at least 1 is allowed")
        if self.splits == 1 and self.shuffle_seed is not None:
            raise UserError(f"shuffle_seed = {self.shuffle_seed} has no effect with splits = 1; leave it out")
        if self.chunk is not None and (self.chunk < 2 or self.splits != 1):
            raise UserError(f"chunk = {self.chunk}, splits = {self.splits}: a chunk is at least 2, and without splits")

    @property
    def fewest(self) -> int:
        """Images that it needs."""
        return 2 * self.splits

    def require(self, num_images: int) -> None:
        """Raise UserError where the last chunk of so many images holds one, which has no score."""
        self._bounds(num_images)

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the score with its interval; the reference plays no part."""
        logits = feature(generated, self.features, side="generated", at_least=2 * self.splits)
        n = len(logits)
        if self.shuffle_seed is not None:
            logits = logits[np.random.RandomState(self.shuffle_seed).permutation(n)]
        chunks = [_score(logits[a:b]) for a, b in pairwise(self._bounds(n))]
        value = math.fsum(score for score, _ in chunks) / len(chunks)
        variance = math.fsum(variance for _, variance in chunks) / len(chunks) ** 2
        return Estimate.normal(value, math.sqrt(variance))

    def _bounds(self, n: int) -> list[int]:
        if self.chunk is None:
            return [i * n // self.splits for i in range(self.splits + 1)]
        if n % self.chunk == 1:
            raise UserError(f"{n} images leave one for the last chunk of {self.chunk}, and a score needs two; drop it")
        return [*range(0, n, self.chunk), n]


def inception_score(logits: Features, splits: int = 1) -> float:
    """Return the Inception Score of images with these class logits, in the given order.

    Raises: UserError for fewer than two images a split or values that are not finite.
    """
    return InceptionScore(splits=splits)({"logits": logits}, {}).value


def log_softmax(logits: Features) -> Probabilities:
    """Return the logarithms of the class probabilities."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _score(logits: Features) -> tuple[float, float]:
    """Return one chunk's score and its variance (delta method).

    An image's divergence from the mean is its influence on the mutual information. The mean's own noise
    enters in second order, - 1/2 sum_y (delta q_y)^2 / q_y, which is all that is left where each image
    has one class and classes are equally frequent; its variance is 1/2 tr (diag(1/q) Cov p)^2 / n^2.
    """
    n = len(logits)
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    q = p.mean(axis=0)
    # A class of probability 0 in every image adds nothing: p (log p - log q) tends to 0.
    log_q = np.log(np.maximum(q, np.finfo(np.float64).tiny))
    divergence = (p * (log_p - log_q)).sum(axis=1)
    scaled = (p - q) / np.sqrt(np.maximum(q, np.finfo(np.float64).tiny))
    covariance = scaled.T @ scaled / (n - 1)
    variance = corrected_variance(mean_variance(divergence), float((covariance**2).sum()) / (2 * n**2))
    score = math.exp(divergence.mean())
    return score, score**2 * variance

"""Inception Score: exp of the mutual information between image and predicted class.

exp mean_i KL(p(y | image_i) || mean_j p(y | image_j)), at least 1 and at most the number of classes. With several
splits it is the mean over consecutive chunks [i n // splits, (i + 1) n // splits), in the file's order or after
torch-fidelity's shuffle. With `chunk` it is the mean over consecutive chunks of that many images, and the last one has
the rest, as in ADM's evaluator. Files that are sorted by class need the shuffle, or one split.
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
from diffbench.metrics._moments import CHUNK_ENTRIES

Probabilities = Float[np.ndarray, "images classes"]


@dataclass(frozen=True)
class InceptionScore:
    """Inception Score from logits. shuffle_seed reorders the images before they are split. chunk excludes splits."""

    features: str = "logits"
    """the array of features that it takes."""
    splits: int = 1
    """the number of parts whose scores are averaged."""
    shuffle_seed: int | None = None
    """the seed of the order of images before they are split; null keeps the file's."""
    chunk: int | None = None
    """the images of a part, instead of a number of parts."""

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
        """How many images it needs."""
        return 2 * self.splits

    def require(self, num_images: int) -> None:
        """Raise UserError if the last chunk of this many images holds one image, which has no score."""
        self._bounds(num_images)

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the score with its interval; the reference is not used."""
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
    """Return one chunk's score and its variance by the leave-one-out jackknife.

    The score is exp(H(q) - mean_i h_i), with h_i the entropy of image i's p, and q the mean of all p. Without image i
    it is the same with q_i = (n q - p_i) / (n - 1). So all n scores cost one more pass, and an image is not part of the
    mean that it is compared with. This matters if there are few images per class: at 200 images and 1,000 classes an
    image is most of what q knows of its class, and the derivative at q saw only half of the spread.
    Source: Tukey 1958, "Bias and confidence in not-quite large samples"; Efron and Stein 1981 (never too short in
    expectation).
    """
    n = len(logits)
    log_p = log_softmax(logits)
    p = np.exp(log_p)
    q = p.mean(axis=0)
    entropies = -(p * log_p).sum(axis=1)
    score = math.exp(_entropy(q) - float(entropies.mean()))
    conditional = (entropies.sum() - entropies) / (n - 1)
    rows = max(1, CHUNK_ENTRIES // p.shape[1])
    marginal = [_entropy((n * q - p[start : start + rows]) / (n - 1)) for start in range(0, n, rows)]
    without = np.exp(np.concatenate(marginal) - conditional)
    return score, (n - 1) / n * float(((without - without.mean()) ** 2).sum())


def _entropy(q: Float[np.ndarray, "*images classes"]) -> Float[np.ndarray, "*images"]:
    """Return the entropy over the last axis in nats. A class of probability 0, or less by rounding, adds nothing."""
    return -(q * np.log(np.maximum(q, np.finfo(np.float64).tiny))).sum(axis=-1)

"""FID: the Frechet distance between normal distributions fitted to features of generated and of reference
images.

d^2 = |mu_1 - mu_2|^2 + tr Sigma_1 + tr Sigma_2 - 2 tr (Sigma_1 Sigma_2)^(1/2)

Covariances are unbiased (n - 1) and float64. The trace of the root is the sum of the roots of the eigenvalues
of a symmetric matrix with the eigenvalues of Sigma_1 Sigma_2: L' Sigma_1 L with Sigma_2 = L L', or, where the
generated images are fewer than the dimensions, the Gram form X Sigma_2 X' / (n - 1) with X the centred
features.
Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6; Dowson and Landau 1982.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import STORED_MOMENTS, Features, FeatureSet, References, same_width, stored_feature
from diffbench.metrics._intervals import corrected_variance, mean_variance, student
from diffbench.metrics._moments import Moments, chunks

Vector = Float[np.ndarray, " features"]
Matrix = Float[np.ndarray, "features features"]


@dataclass(frozen=True)
class Fid:
    """Frechet distance on one array; a reference may store the moments, as ADM's batches do."""

    features: str = "pool"

    label: ClassVar[str] = "FID"
    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "features"
    takes_moments: ClassVar[bool] = True

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return FID with the interval of its influence function over the generated images."""
        x = stored_feature(generated, self.features, side="generated")
        mu, sigma = _reference_moments(reference, self.features)
        same_width(self.features, x.shape[1], len(mu))
        return student(*distance_and_variance(x, mu, sigma))


def fid(generated: Features, reference: References) -> float:
    """Return the Frechet distance between the features of two image sets.

    Raises: UserError for fewer than two images, unequal widths or values that are not finite.
    """
    return Fid()({"pool": generated}, {"pool": reference}).value


def moments(x: Features) -> tuple[Vector, Matrix]:
    """Return the mean and the unbiased covariance in float64, in bounded memory also of an array mapped from a file."""
    sums = Moments(x.shape[1])
    for chunk in chunks(x):
        sums.add(chunk)
    return sums.mean, sums.covariance


def frechet_distance(mu1: Vector, sigma1: Matrix, mu2: Vector, sigma2: Matrix) -> float:
    """Return the squared Frechet (2-Wasserstein) distance between two normal distributions."""
    root = _factor(sigma2)
    eigenvalues = np.linalg.eigvalsh(root.T @ sigma1 @ root)
    return _distance(mu1, float(np.trace(sigma1)), mu2, sigma2, eigenvalues)


def _reference_moments(reference: FeatureSet, name: str) -> tuple[Vector, Matrix]:
    """Return the mean and covariance of a reference: those it stores, which are of more images than it holds."""
    stored = STORED_MOMENTS.get(name, ())
    if not stored or not set(stored) <= set(reference):
        return moments(stored_feature(reference, name, side="reference"))
    mu, sigma = (np.asarray(reference[key], np.float64) for key in stored)
    finite = np.isfinite(mu).all() and np.isfinite(sigma).all()
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)) or not finite:
        raise UserError(f"reference: {stored[0]}{mu.shape} and {stored[1]}{sigma.shape} are not a mean and covariance")
    return mu, sigma


def _factor(sigma: Matrix) -> Matrix:
    """Return L with L L' = sigma; where sigma is singular (one constant feature), from its eigenvalues."""
    try:
        return np.linalg.cholesky(sigma)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(sigma)
        return vectors * np.sqrt(_without_noise(values))


def _without_noise(eigenvalues: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return eigenvalues of a positive semidefinite matrix with those below rounding error set to 0.

    What rounding leaves of an eigenvalue 0 has either sign; its root would be 1e-8 of the largest, not 1e-16.
    """
    rounding = max(eigenvalues[-1], 0.0) * len(eigenvalues) * np.finfo(np.float64).eps
    return np.where(eigenvalues > rounding, eigenvalues, 0.0)


def _distance(mu1: Vector, trace1: float, mu2: Vector, sigma2: Matrix, eigenvalues: Float[np.ndarray, " n"]) -> float:
    difference = mu1 - mu2
    roots = np.sqrt(_without_noise(eigenvalues))
    return float(difference @ difference + trace1 + np.trace(sigma2) - 2 * roots.sum())


def distance_and_variance(x: Features, mu: Vector, sigma: Matrix) -> tuple[float, float, Float[np.ndarray, " images"]]:
    """Return the distance of x's moments to (mu, sigma), its variance over images, and each image's influence.

    The influence of a centred image c is 2 (mean - mu)'c + c'c - c' T c, with T the optimal transport
    map's matrix L W^(-1/2) L', W = L' Sigma_1 L: the derivative of the distance along a growing weight of
    that image. It takes a second pass over x.
    """
    n, d = x.shape
    if n - 1 < d:
        return _of_few_images(np.asarray(x, np.float64), mu, sigma)
    mean, covariance = moments(x)
    root = _factor(sigma)
    values, vectors = np.linalg.eigh(root.T @ covariance @ root)
    values = _without_noise(values)
    inverse_root = np.divide(1, np.sqrt(values), out=np.zeros(d), where=values > 0)
    axes = root @ vectors
    influence = np.concatenate(
        [
            2 * c @ (mean - mu) + np.einsum("ij,ij->i", c, c) - (c @ axes) ** 2 @ inverse_root
            for c in (chunk - mean for chunk in chunks(x))
        ]
    )
    value = _distance(mean, float(np.trace(covariance)), mu, sigma, values)
    second = second_order_variance(covariance, values, n)
    return value, corrected_variance(mean_variance(influence), second), influence


def _of_few_images(x: Features, mu: Vector, sigma: Matrix) -> tuple[float, float, Float[np.ndarray, " images"]]:
    """Return the same from the Gram form C sigma C' = (n - 1) V W V': c_i' T c_i is (n - 1) sum_k V_ik^2 w_k^(1/2).

    The second order's expansion needs more images than dimensions; with fewer, the jackknife stands as it is.
    """
    n = len(x)
    mean = x.mean(axis=0)
    c = x - mean
    squares = np.einsum("ij,ij->i", c, c)
    values, vectors = np.linalg.eigh(c @ sigma @ c.T / (n - 1))
    # Centring makes exactly one eigenvalue 0.
    values = np.concatenate([[0.0], _without_noise(values[1:])])
    influence = 2 * c @ (mean - mu) + squares - (n - 1) * (vectors**2 @ np.sqrt(values))
    value = _distance(mean, float(squares.sum()) / (n - 1), mu, sigma, values)
    return value, mean_variance(influence), influence


def second_order_variance(covariance: Matrix, w: Float[np.ndarray, " n"], n: int) -> float:
    """Return the variance of the distance's quadratic part for n images with normal features.

    In the eigenbasis of W it is |e|^2 + sum_ij E_ij^2 / (2 sqrt(w_i w_j) (sqrt w_i + sqrt w_j)) with
    independent e ~ N(0, Sigma_1 / n) and E_ij of variance (1 + [i = j]) w_i w_j / n.
    """
    roots = np.sqrt(w[w > 0])
    ratios = np.outer(roots, roots) / np.add.outer(roots, roots)
    pairs = (ratios**2).sum() - (ratios.diagonal() ** 2).sum()
    return float(2 * (covariance**2).sum() + pairs + (roots**2).sum() / 2) / n**2

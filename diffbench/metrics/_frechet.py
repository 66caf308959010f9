"""The Frechet distance of two normal distributions, from factors of their covariances, and what its interval needs.

The trace of (Sigma_1 Sigma_2)^(1/2) is the sum of the singular values of L_2' L_1, where Sigma = L L'. If there are few
images, L is the centred features X' / sqrt(n - 1) themselves; if there are many, L is a factor of the covariance.
Eigenvalues of Sigma_1 Sigma_2 are the squares of these singular values and cost a third of the time. But rounding hides
a direction that has less than 1e-8 of the largest. So they are used only if the smallest one bounds what is lost.
Source: Dowson and Landau 1982, "The Frechet distance between multivariate normal distributions".
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.metrics._features import Features
from diffbench.metrics._intervals import corrected_variance, mean_variance
from diffbench.metrics._moments import chunks, moments

Vector = Float[np.ndarray, " features"]
Matrix = Float[np.ndarray, "features features"]
Factor = Float[np.ndarray, "features rank"]
EPS = float(np.finfo(np.float64).eps)
LOSS = 1e-10
"""The relative error of the trace term that squares may cost, by a bound that is 1,000 times what was seen."""
NOT_A_COVARIANCE = 1e-4
"""Asymmetry and negative eigenvalues, relative to the largest, that are too large for rounding to float32."""


@dataclass(frozen=True)
class Normal:
    """A normal distribution by its mean and a factor L of its covariance L L'."""

    mean: Vector
    factor: Factor

    @classmethod
    def of_images(cls, x: Features) -> "Normal":
        """Return the normal that is fitted to features. If there are few images, no covariance is formed.

        Raises: UserError for fewer than two images.
        """
        if len(x) < 2 or len(x) > x.shape[1]:
            return cls.of_moments(*moments(x))
        x = np.asarray(x, np.float64)
        mean = x.mean(axis=0)
        return cls(mean, (x - mean).T / np.sqrt(len(x) - 1))

    @classmethod
    def of_moments(cls, mean: Vector, covariance: Matrix) -> "Normal":
        """Return the normal with this mean and covariance. Raises: UserError if the matrix is not a covariance."""
        return cls(mean, factor_of(covariance))

    @property
    def spread(self) -> float:
        """The trace of the covariance."""
        return float((self.factor**2).sum())


def distance(one: Normal, other: Normal) -> float:
    """Return the squared Frechet distance between two normals."""
    product = other.factor.T @ one.factor
    squares = np.linalg.eigvalsh(product @ product.T) if product.size else np.zeros(0)
    roots = np.sqrt(squares) if _resolved(squares) else np.linalg.svd(product, compute_uv=False)
    return _distance(one, other, roots)


def _left_vectors(product: Float[np.ndarray, "k r"]) -> tuple[Float[np.ndarray, "k n"], Float[np.ndarray, " n"]]:
    """Return U and s of product = U s V'."""
    if product.size:
        squares, vectors = np.linalg.eigh(product @ product.T)
        if _resolved(squares):
            return vectors, np.sqrt(squares)
    vectors, roots, _ = np.linalg.svd(product, full_matrices=False)
    return vectors, roots


def _resolved(squares: Float[np.ndarray, " n"]) -> bool:
    """Return whether the roots of these ascending eigenvalues have the same sum as the singular values, up to LOSS.

    Rounding moves each eigenvalue by about eps of the largest, so it moves the root by that over twice the root.
    """
    if len(squares) == 0 or squares[0] <= 0:
        return False
    roots = np.sqrt(squares)
    return bool((EPS * squares[-1] / (2 * roots)).sum() <= LOSS * roots.sum())


def factor_of(covariance: Matrix) -> Factor:
    """Return L with L L' = covariance: Cholesky's, or one from eigenvalues if rounding leaves the matrix singular.

    Raises: UserError if the matrix is not symmetric or has a negative eigenvalue.
    """
    variances = covariance.diagonal()
    allowed = NOT_A_COVARIANCE * variances.max(initial=0.0)
    if variances.min(initial=0.0) < -allowed or np.abs(covariance - covariance.T).max(initial=0.0) > allowed:
        raise UserError("not a covariance: a variance is negative, or the matrix is not symmetric; make it again")
    try:
        root = np.linalg.cholesky(covariance)
        # A pivot is what is left of a variance given the features before it. Rounding alone leaves d eps of it.
        if (root.diagonal() ** 2 > len(variances) * EPS * variances).all():
            return root
    except np.linalg.LinAlgError:
        pass
    return _factor_by_eigenvalues(covariance)


def _factor_by_eigenvalues(covariance: Matrix) -> Factor:
    """Return a factor of a singular covariance. The rows of constant features are zeros.

    Features are first scaled to variance 1, so that rounding is relative to each feature's own scale. Rounding turns an
    eigenvalue 0 into a small number of either sign. The most negative one tells how large such noise is. Positive ones
    of that size are noise too, and their roots would be 1e-8 of the largest, not 1e-16.
    """
    variances = covariance.diagonal()
    varying = np.flatnonzero(variances > 0)
    scale = np.sqrt(variances[varying])
    values, vectors = np.linalg.eigh(covariance[np.ix_(varying, varying)] / np.outer(scale, scale))
    lowest, highest = values.min(initial=0.0), values.max(initial=0.0)
    shared = np.abs(covariance[variances <= 0]).max(initial=0.0)
    if lowest < -NOT_A_COVARIANCE * highest or shared > NOT_A_COVARIANCE * variances.max(initial=0.0):
        raise UserError("not a covariance: it has a negative eigenvalue; make it again")
    kept = values > 2 * max(-lowest, EPS * highest)
    factor = np.zeros((len(covariance), int(kept.sum())))
    factor[varying] = scale[:, None] * vectors[:, kept] * np.sqrt(values[kept])
    return factor


def _distance(one: Normal, other: Normal, roots: Float[np.ndarray, " n"]) -> float:
    difference = one.mean - other.mean
    return float(difference @ difference + one.spread + other.spread - 2 * roots.sum())


@dataclass(frozen=True)
class Measured:
    """The distance of a set of images from a reference, and what its interval needs.

    second_order: the variance of the distance's quadratic part. influence: the influence of each image.
    """

    value: float
    second_order: float
    influence: Float[np.ndarray, " images"]

    @property
    def variance(self) -> float:
        """The variance of the distance over images."""
        return corrected_variance(mean_variance(self.influence), self.second_order)


def measured(x: Features, reference: Normal) -> Measured:
    """Return the distance of x's moments to a reference, with each image's influence.

    The influence of a centred image c is 2 (mean - mu)'c + c'c - c' T c. T = L_2 U s^-1 U' L_2' is the matrix of the
    optimal transport map, where L_2' L_1 = U s V'. The influence is the derivative of the distance along a growing
    weight of that image. It takes a second pass over x.
    """
    if len(x) <= x.shape[1]:
        return _of_few_images(np.asarray(x, np.float64), reference)
    mean, covariance = moments(x)
    own = Normal.of_moments(mean, covariance)
    u, roots = _left_vectors(reference.factor.T @ own.factor)
    # An image's share of a direction is at most of the order of s, so the directions that are dropped add nothing.
    seen = roots > len(mean) * EPS * roots.max(initial=0.0)
    axes = (reference.factor @ u[:, seen]) / np.sqrt(roots[seen])
    influence = np.concatenate(
        [
            2 * c @ (mean - reference.mean) + np.einsum("ij,ij->i", c, c) - ((c @ axes) ** 2).sum(axis=1)
            for c in (chunk - mean for chunk in chunks(x))
        ]
    )
    second = second_order_variance(covariance, roots, len(x))
    return Measured(_distance(own, reference, roots), second, influence)


def _of_few_images(x: Features, reference: Normal) -> Measured:
    """Return the same from C L_2 / sqrt(n - 1) = P s Q', with C the centred features: c_i' T c_i = (n - 1) P_i^2 . s.

    The expansion to second order needs more images than dimensions. With fewer, the jackknife is not corrected.
    """
    n, own = len(x), Normal.of_images(x)
    c = x - own.mean
    p, roots, _ = np.linalg.svd(own.factor.T @ reference.factor, full_matrices=False)
    squares = np.einsum("ij,ij->i", c, c)
    influence = 2 * c @ (own.mean - reference.mean) + squares - (n - 1) * (p**2 @ roots)
    return Measured(_distance(own, reference, roots), 0.0, influence)


def second_order_variance(covariance: Matrix, roots: Float[np.ndarray, " n"], n: int) -> float:
    """Return the variance of the distance's quadratic part for n images with normal features.

    In the left singular vectors of L_2' L_1, whose singular values s are the roots, it is
    |e|^2 + sum_ij E_ij^2 / (2 s_i s_j (s_i + s_j)) with independent e ~ N(0, Sigma_1 / n) and E_ij of variance
    (1 + [i = j]) s_i^2 s_j^2 / n.
    """
    roots = roots[roots > 0]
    ratios = np.outer(roots, roots) / np.add.outer(roots, roots)
    pairs = (ratios**2).sum() - (ratios.diagonal() ** 2).sum()
    return float(2 * (covariance**2).sum() + pairs + (roots**2).sum() / 2) / n**2

"""C_T: whether generated images are nearer to training images than held-out real images are, as a z-score.

k-means divides the training images into cells. In each cell, the distances of generated images to the cell's nearest
training image are compared with those of held-out images by the rank-sum test of Mann and Whitney:

z = (U - (n m / 2 - 1/2)) / sqrt(n m (n + m + 1) / 12), with U = #{generated > held-out} + #{equal} / 2

with n held-out and m generated images in the cell. C_T is the mean of z over cells, weighted by their held-out images.
Cells with at most `min_generated` generated images are left out; a cell without held-out images is an error.
Range: all numbers. 0 is best. Far below 0 (-3 or less) generated images are nearer to training images than new real
images are: copying. Far above 0 they are farther away: underfitting. As a z-score it grows with the square root of the
number of images, so it compares at equal numbers only. As a test of all images together, it does not notice a few
copies among many images; `diffbench copies` lists them.
The settings are those of dgm-eval: 3 cells, cells of more than 20 generated images, and the 64 largest principal
components of the training set if the features have more dimensions. dgm-eval draws the first centres of k-means anew in
every run; here they are fixed. Ties are decided in float64. The variance has no correction for ties, as in the
authors' code.
Source: Meehan et al. 2020, "A non-parametric test to detect data-copying in generative models", sections 3 and 4; Stein
et al. 2023 for the settings.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._cells import cell_of, centres_of, principal
from diffbench.metrics._features import Features, FeatureSet, feature, feature_pair
from diffbench.metrics._intervals import mean_variance, share, student
from diffbench.metrics._neighbours import nearest


@dataclass(frozen=True)
class Ct:
    """The data-copying test on one array of features.

    cells: how many cells k-means makes of the training images. min_generated: a cell counts if it has more generated
    images. components: how many principal components count if the features have more dimensions; 0 takes features as
    they are.
    """

    features: str = "pool"
    """the array of features that it takes."""
    cells: int = 3
    min_generated: int = 20
    components: int = 64

    label: ClassVar[str] = "C_T (best: 0)"
    higher_is_better: ClassVar[bool] = False
    ideal: ClassVar[float | None] = 0.0
    consumes: ClassVar[str] = "features"
    needs_held_out: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, least in (("cells", 1), ("min_generated", 1), ("components", 0)):
            if getattr(self, name) < least:
                raise UserError(f"{name} = {getattr(self, name)}, at least {least} is allowed")

    @property
    def fewest(self) -> int:
        """How many images it needs so that a cell counts, however they are spread over the cells."""
        return self.cells * self.min_generated + 1

    def __call__(self, generated: FeatureSet, reference: FeatureSet, held_out: FeatureSet) -> Estimate:
        """Return C_T with the interval of its jackknife over generated images; the cells that count are held fixed.

        reference: the training images. held_out: real images that the model was not trained on.
        Raises: UserError if no cell has enough generated images, or a cell has no held-out ones.
        """
        x, training = feature_pair(generated, reference, self.features)
        test = feature(held_out, self.features, side="held-out")
        if test.shape[1] != training.shape[1]:
            raise UserError(
                f"features '{self.features}': held-out has {test.shape[1]} dimensions, reference {training.shape[1]}; "
                "extract both with the same extractor"
            )
        if 0 < self.components < training.shape[1]:
            training, x, test = principal(training, self.components, x, test)
        centres = centres_of(training, self.cells)
        where, of_test, of_training = (cell_of(points, centres) for points in (x, test, training))
        counted = self._counted(where, of_test)
        total, influence, to_ends, varied = 0.0, np.zeros(len(x)), np.zeros(2), False
        for cell in counted:
            own, weight = where == cell, (of_test == cell).sum() / np.isin(of_test, counted).sum()
            found = _Cell.of(x[own], test[of_test == cell], training[of_training == cell])
            total += weight * found.z
            # The jackknife's pseudo-values; an image's absence changes its own cell alone.
            influence[own] = (len(x) - 1) * weight * (found.z - found.without_each())
            to_ends += weight * np.array(found.to_ends())
            varied |= bool(np.ptp(found.ranks) > 0)
        if not varied:
            # All images of a cell have one rank, as copies have. Wilson's share of images may have another one unseen.
            low, high = float(total) + share(np.zeros(len(x), bool)).high * to_ends
            return Estimate(float(total), low, high)
        return student(float(total), mean_variance(influence), influence)

    def _counted(self, generated: Int[np.ndarray, " images"], test: Int[np.ndarray, " tests"]) -> list[int]:
        """Return the cells that count. Raises: UserError if there is none, or a cell has no held-out image."""
        of_generated, of_test = (np.bincount(cells, minlength=self.cells) for cells in (generated, test))
        if not of_test.all():
            raise UserError(
                f"ct: {(of_test == 0).sum()} of the {self.cells} cells have no held-out image; give more of them, or "
                "set ct.cells lower"
            )
        counted = np.flatnonzero(of_generated > self.min_generated)
        if not len(counted):
            raise UserError(
                f"ct: the cells have {', '.join(map(str, of_generated))} generated images, and one with more than "
                f"{self.min_generated} is needed; give more images, or set ct.cells or ct.min_generated lower"
            )
        return counted.tolist()


def ct(generated: Features, training: Features, held_out: Features) -> float:
    """Return C_T of generated images, with the settings of dgm-eval.

    Raises: UserError as `Ct`, and for unequal widths or values that are not finite.
    """
    return Ct()({"pool": generated}, {"pool": training}, {"pool": held_out}).value


@dataclass(frozen=True)
class _Cell:
    """A cell: for each generated image, how many held-out ones are nearer to training images (ties count half)."""

    ranks: Float[np.ndarray, " images"]
    tests: int

    @classmethod
    def of(cls, generated: Features, test: Features, training: Features) -> "_Cell":
        own, others = (nearest(points, training, 1)[1][:, 0] for points in (generated, test))
        others.sort()
        below, up_to = (np.searchsorted(others, own, side=side) for side in ("left", "right"))
        return cls((below + up_to) / 2, len(test))

    @property
    def z(self) -> float:
        """The z-score of the cell."""
        return float(_z(self.ranks.sum(), len(self.ranks), self.tests))

    def to_ends(self) -> list[float]:
        """Return how far the lowest and the highest possible z-score are from this one."""
        m, n = len(self.ranks), self.tests
        return [float(_z(u, m, n)) - self.z for u in (0, m * n)]

    def without_each(self) -> Float[np.ndarray, " images"]:
        """Return the z-score without each generated image."""
        return _z(self.ranks.sum() - self.ranks, len(self.ranks) - 1, self.tests)


def _z(u: Any, m: int, n: int) -> Any:
    return (u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)

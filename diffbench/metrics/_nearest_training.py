"""The training image that is nearest to each generated image, and how far that one is from its own nearest other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from diffbench.metrics._features import Features, References
from diffbench.metrics._neighbours import nearest, nearest_others


@dataclass(frozen=True)
class NearestTraining:
    """For each generated image: its nearest training image, and two squared distances.

    squared: between the two. own_squared: from that training image to the nearest other training image.
    """

    places: Int[np.ndarray, " images"]
    squared: Float[np.ndarray, " images"]
    own_squared: Float[np.ndarray, " images"]

    @property
    def authentic(self) -> Bool[np.ndarray, " images"]:
        """Which generated images are farther from their training image than the nearest other training image is."""
        return self.own_squared < self.squared


def nearest_training(generated: Features, training: References) -> NearestTraining:
    """Return the nearest training image of each generated image. Of equally near ones, it is the first."""
    places, squared = (found[:, 0] for found in nearest(generated, training, 1))
    return NearestTraining(places, squared, nearest_others(training, 1)[1][places, 0])


def copies(generated: Features, training: References) -> NearestTraining:
    """Return the same, but equal training images count as one.

    Otherwise a training image that is there twice would have another one at distance 0, and every image near it would
    look new.
    """
    different, first = np.unique(training, axis=0, return_index=True)
    if len(different) < 2:
        found = nearest(generated, different, 1)
        return NearestTraining(first[found[0][:, 0]], found[1][:, 0], np.full(len(generated), np.inf))
    order = np.sort(first)
    found = nearest_training(generated, training[order])
    return NearestTraining(order[found.places], found.squared, found.own_squared)

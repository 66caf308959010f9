"""Sample sets: what tells one from another."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleSet:
    """One row of the table: the coordinates of a sample set.

    model: an entry's name, with "@" and the scale where a sweep replaces its own.
    """

    model: str
    sampler: str
    steps: int
    train_seed: int
    sample_seed: int
    num_images: int
    protocols: tuple[str, ...]

    @property
    def coordinates(self) -> tuple[str, str, int, int, int]:
        """What tells it apart from other sets of the same number of images."""
        return (self.model, self.sampler, self.steps, self.train_seed, self.sample_seed)

    @property
    def key(self) -> tuple[str, str, int, int, int, int]:
        """What tells it apart from every other set."""
        return (*self.coordinates, self.num_images)

    @property
    def entry(self) -> str:
        """The name of the model's entry, without the scale of a sweep."""
        return self.model.partition("@")[0]

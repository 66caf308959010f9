"""The coordinates of a sample set, which are also those of its row in a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SampleSet:
    """One row of the table: the coordinates of a sample set.

    model: an entry's name, followed by "@" and the guidance scale if a run's scales replace the entry's own.
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
        """The values by which it differs from all other sets with the same number of images."""
        return (self.model, self.sampler, self.steps, self.train_seed, self.sample_seed)

    @property
    def key(self) -> tuple[str, str, int, int, int, int]:
        """The values by which it differs from every other set."""
        return (*self.coordinates, self.num_images)

    @property
    def entry(self) -> str:
        """The name of the model's entry, without "@" and a scale."""
        return self.model.partition("@")[0]

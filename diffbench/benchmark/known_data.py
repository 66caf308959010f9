"""What is known of a benchmark's data before a run: from the data themselves, or from the records of prepared ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.base.provenance_file import read_provenance
from diffbench.base.sizes import spoken_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.graph import Graph
from diffbench.datasets._split import MissingDataError, Split
from diffbench.jobs.data_facts import DataFacts

SPLITS: tuple[SplitName, ...] = ("train", "test")


@dataclass(frozen=True)
class KnownData:
    """The images of a data set. shape: height, width and channels. num_images: of each split, by its name.

    num_classes: None without labels. num_images is empty if the data are not here and only their shape is declared.
    """

    shape: tuple[int, int, int]
    num_classes: int | None
    num_images: Mapping[str, int]

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The channels, height and width of the images, in the order of networks."""
        height, width, channels = self.shape
        return channels, height, width


def opened(benchmark: Benchmark) -> dict[SplitName, Split]:
    """Return both splits of the data set. Raises: MissingDataError if they are not here yet, or UserError."""
    return {split: benchmark.dataset.open(split) for split in SPLITS}


def data_of(benchmark: Benchmark, splits: Mapping[SplitName, Split]) -> KnownData:
    """Return what opened splits tell. Raises: UserError if one is empty, or their images have different shapes."""
    for name, split in splits.items():
        if not split.num_images:
            raise UserError(f"split '{name}' is empty; it needs at least one image")
    train, test = splits["train"].shape, splits["test"].shape
    if train != test:
        raise UserError(
            f"training images are {spoken_shape(train)}, test images {spoken_shape(test)}; make them equal, "
            "or set the data set's 'size'"
        )
    counts = {name: split.num_images for name, split in splits.items()}
    return KnownData(train, benchmark.dataset.num_classes, counts)


def data_at_start(graph: Graph) -> KnownData | None:
    """Return what a run knows of its data: from the records of prepared data that are up to date, or the data.

    None if there are neither, as in a tree whose scores were pulled. Raises: UserError if the data cannot be read.
    """
    try:
        return _recorded(graph) or data_of(graph.benchmark, opened(graph.benchmark))
    except MissingDataError:
        return None
    except UserError as error:
        raise UserError(f"dataset: {error}") from None


def _recorded(graph: Graph) -> KnownData | None:
    """Return what the records of both prepared splits tell; None if they are missing, damaged or of other data."""
    facts: dict[str, DataFacts] = {}
    for split in SPLITS:
        made = graph.data(split)
        try:
            record = read_provenance(graph.home / made.path)
            if record["spec"] != made.spec:
                return None
            facts[split] = DataFacts.recorded(record)
        except UserError:
            return None
    counts = {split: known.num_images for split, known in facts.items()}
    return KnownData(facts["train"].shape, facts["train"].num_classes, counts)

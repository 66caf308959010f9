"""Features, scores and verdicts of images that are arrays, by the extractors and protocols of the commands."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas

from diffbench.api.images import Given, as_images
from diffbench.api.messages import naming_arguments
from diffbench.api.repeatable import repeatable
from diffbench.base.arrays import save_npz
from diffbench.base.devices import chosen_device
from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.base.plugins import configure, load
from diffbench.base.records import Estimate
from diffbench.commands.compare.run import Comparison
from diffbench.commands.measure.asked import Answered, Asked, answered
from diffbench.commands.measure.ruler import Settings
from diffbench.commands.sampler_option import parsed
from diffbench.comparison.judged import judged
from diffbench.comparison.metrics import metric_named
from diffbench.comparison.pairs import influence_of
from diffbench.metrics._pairs import paired_difference
from diffbench.metrics.fid import Fid
from diffbench.stages._mixed_sizes import write_mixed

NUMBERS = ["value", "low", "high", "covers", "num_images", "protocol"]

PATHS = (str, Path)

OPTIONS = ("reference", "protocol", "extractor", "weights", "metrics", "rounding", "device", "cache", "threads")


def features(
    images: Given,
    extractor: str,
    *,
    weights: Path | str | None = None,
    device: str = "auto",
    threads: int = 1,
) -> dict[str, np.ndarray]:
    """Return all features that an extractor makes of images, by name: float32 (image, feature).

    The extractors of digits name them `pool` (before the last layer) and `logits`; `diffbench protocols` lists all.
    images: uint8 (image, height, width, channel); a list of images of several sizes, if the extractor takes them.
    extractor: its name, with options after it. weights: their file, if the extractor brings none. threads: features
    agree to the byte with those of a benchmark that has this number of threads, which is 1 by default.
    Raises: UserError.
    """
    given = as_images(images)
    with ExitStack() as open_ones:
        open_ones.enter_context(naming_arguments("extractor", "weights", "device", "threads"))
        chosen = chosen_device(device)
        open_ones.enter_context(repeatable(DEFAULT_NUMERICS, threads, chosen))
        name, options = parsed(extractor, "extractor")
        part = configure(load("extractors", name, "extractor"), options, f"extractor {name}")
        file = None if weights is None else Path(weights)
        if part.needs_weights and file is None:
            raise UserError(f"weights: {name} has none of its own; give the file of its weights")
        shapes = {image.shape for image in given}
        for shape in shapes if part.any_size or len(shapes) == 1 else ():
            part.require_shape(shape)
        network = part.network(file, chosen)
        piece = part.micro_batch or len(given)
        found = [network(given[start : start + piece]) for start in range(0, len(given), piece)]
    return {key: np.concatenate([part[key] for part in found]) for key in found[0]}


def score(
    images: Given,
    reference: Given = None,
    *,
    protocol: str | None = None,
    extractor: Path | str | None = None,
    weights: Path | str | None = None,
    labels: Any = None,
    reference_labels: Any = None,
    metrics: Sequence[str] = (),
    settings: Settings | None = None,
    rounding: str | None = None,
    device: str = "auto",
    cache: Path | str = ".cache",
    threads: int = 1,
) -> pandas.DataFrame:
    """Return scores of images against reference images, with 95 % intervals: the numbers of `diffbench measure`.

    The result has a row a metric (`scores.loc["fid", "value"]`) with value, low, high, what the interval covers, the
    number of images, and the protocol's id.

    images, reference: arrays as in `features`, or paths of files or folders; the reference may also name a data set
    (`digits`). labels, reference_labels: classes of the images in arrays, which some metrics need. The other arguments
    are the options of the command; without any, the protocol is ADM's, whose weights must be there. Features are kept
    in `cache`, by the hash of the images.
    Raises: UserError.
    """
    ways = _Ways(protocol, extractor, weights, _listed(metrics), settings or {}, rounding, device, cache, threads)
    with _files() as file:
        own = file(images, labels, "images")
        found = ways.scored(own, None if reference is None else file(reference, reference_labels, "reference"))
    return pandas.DataFrame(list(found.measured.records)).set_index("metric").loc[:, NUMBERS]


def compare(
    a: Given,
    b: Given,
    reference: Given = None,
    *,
    metric: str = "fid",
    pairs: bool = False,
    names: tuple[str, str] = ("a", "b"),
    protocol: str | None = None,
    extractor: Path | str | None = None,
    weights: Path | str | None = None,
    settings: Settings | None = None,
    device: str = "auto",
    cache: Path | str = ".cache",
    threads: int = 1,
) -> Comparison:
    """Return the verdict on whether images a are better than images b; printed, it is a few lines.

    pairs: whether image k of both was made from the same noise, as two samplers with one seed do. The interval of a
    difference of Frechet distances is then the narrower one of pairs, as `diffbench compare-samplers` has it. names:
    of both in the text. a, b, reference and the other arguments: as in `score`.
    Raises: UserError.
    """
    metric = metric_named(metric)
    ways = _Ways(protocol, extractor, weights, (metric,), settings or {}, None, device, cache, threads)
    with _files() as file:
        against = None if reference is None else file(reference, None, "reference")
        sides = [ways.scored(file(given, None, name), against) for given, name in ((a, "a"), (b, "b"))]
    records = [[item for item in side.measured.records if item["metric"] == metric] for side in sides]
    difference = _paired(metric, sides, records) if pairs else None
    seeds = (records[0][0]["train_seed"], records[0][0]["sample_seed"])
    known = None if difference is None else {seeds: difference}
    verdict = judged(records[0], records[1], metric, (), known)
    return Comparison(**vars(verdict), metric=metric, names=names)


def _paired(metric: str, sides: Sequence[Answered], records: Sequence[Sequence[Mapping[str, Any]]]) -> Estimate:
    """Return the difference of two Frechet distances of images in pairs. Raises: UserError for another metric."""
    part = load("metrics", metric)
    if not issubclass(part, Fid):
        raise UserError(f"pairs: an interval of pairs is known for Frechet distances, not for {metric}; leave it out")
    influences = [influence_of(metric, part, side.ruler.protocol, *side.measured.features) for side in sides]
    return paired_difference(records[0][0]["value"] - records[1][0]["value"], *influences)


@dataclass(frozen=True)
class _Ways:
    """How images are scored, as `measure` takes it."""

    protocol: str | None
    extractor: Path | str | None
    weights: Path | str | None
    metrics: tuple[str, ...]
    settings: Settings = field(default_factory=dict)
    rounding: str | None = None
    device: str = "auto"
    cache: Path | str = ".cache"
    threads: int = 1

    def scored(self, images: Path, reference: Path | str | None) -> Answered:
        """Return the scores of a file of images. Raises: UserError that names the arguments of a function."""
        with ExitStack() as open_ones:
            open_ones.enter_context(naming_arguments(*OPTIONS))
            open_ones.enter_context(repeatable(DEFAULT_NUMERICS, self.threads, chosen_device(self.device)))
            folder = open_ones.enter_context(TemporaryDirectory())
            return answered(
                Asked(
                    samples=images,
                    reference=None if reference is None else str(reference),
                    protocol=self.protocol,
                    extractor=None if self.extractor is None else Path(self.extractor),
                    weights=None if self.weights is None else Path(self.weights),
                    out=Path(folder, "scores.json"),
                    rounding=self.rounding,
                    metrics=self.metrics,
                    settings=self.settings,
                    device=self.device,
                    cache=Path(self.cache),
                    threads=self.threads,
                )
            )


def _listed(metrics: Sequence[str]) -> tuple[str, ...]:
    return (metrics,) if isinstance(metrics, str) else tuple(metrics)


@contextmanager
def _files() -> Iterator[Any]:
    """Yield a function (images, labels, name) that returns images as a file: the named one, or a temporary one."""
    with TemporaryDirectory() as folder:

        def file(given: Given, labels: Any, name: str) -> Path | str:
            if isinstance(given, PATHS):
                if labels is not None:
                    raise UserError(f"{name}: is a file, which has labels of its own (arr_1); leave them out")
                return given if name == "reference" else Path(given)
            return _written(as_images(given, name), labels, Path(folder, f"{name}.npz"))

        yield file


def _written(images: np.ndarray | list[np.ndarray], labels: Any, file: Path) -> Path:
    if isinstance(images, list):
        write_mixed(file, [image.shape for image in images], iter(images))
        return file
    arrays = {"arr_0": images}
    if labels is not None:
        arrays["arr_1"] = np.asarray(labels)
        if arrays["arr_1"].shape != (len(images),) or arrays["arr_1"].dtype.kind not in "iu":
            raise UserError(f"labels: {arrays['arr_1'].shape} of {arrays['arr_1'].dtype} for {len(images)} images")
    save_npz(file, arrays)
    return file

"""Features and scores of images that are arrays, by the extractors and protocols of the commands."""

from collections.abc import Sequence
from contextlib import ExitStack
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
from diffbench.base.plugins import configure, load
from diffbench.commands.measure.asked import measure
from diffbench.commands.measure.ruler import Settings
from diffbench.commands.sampler_option import parsed
from diffbench.stages._mixed_sizes import write_mixed

NUMBERS = ["value", "low", "high", "covers", "num_images", "protocol"]

PATHS = (str, Path)


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
    with naming_arguments("extractor", "weights", "device", "threads"), repeatable(threads):
        name, options = parsed(extractor, "extractor")
        part = configure(load("extractors", name, "extractor"), options, f"extractor {name}")
        file = None if weights is None else Path(weights)
        if part.needs_weights and file is None:
            raise UserError(f"weights: {name} has none of its own; give the file of its weights")
        shapes = {image.shape for image in given}
        for shape in shapes if part.any_size or len(shapes) == 1 else ():
            part.require_shape(shape)
        network = part.network(file, chosen_device(device))
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
    options = ("protocol", "extractor", "weights", "metrics", "rounding", "device", "cache", "threads", "reference")
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        own = _file(images, labels, "images", folder)
        against = None if reference is None else _file(reference, reference_labels, "reference", folder)
        opened.enter_context(naming_arguments(*options))
        opened.enter_context(repeatable(threads))
        records = measure(
            own,
            against,
            protocol=protocol,
            extractor=extractor,
            weights=weights,
            metrics=[metrics] if isinstance(metrics, str) else metrics,
            settings=settings,
            rounding=rounding,
            device=device,
            cache=cache,
            threads=threads,
        )
    return pandas.DataFrame(records).set_index("metric").loc[:, NUMBERS]


def _file(given: Given, labels: Any, name: str, folder: Path) -> Path | str:
    """Return images as a file: the one that is named, or a new one in a folder for those in an array."""
    if isinstance(given, PATHS):
        if labels is not None:
            raise UserError(f"{name}: is a file, which has labels of its own (arr_1); leave them out")
        return given
    images, file = as_images(given, name), folder / f"{name}.npz"
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

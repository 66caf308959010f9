"""The samples that are most like training images, found in an extractor's features, as a table and as text."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.base.plugins import configure, load
from diffbench.commands.measure import before
from diffbench.commands.measure.image_sets import (
    Images,
    Wanted,
    held_out_file,
    image_file,
    other_split,
    reference_images,
)
from diffbench.commands.measure.ruler import Ruler, ruler_of
from diffbench.commands.measure.run import features_of, wanted_of
from diffbench.datasets._pictures import PictureTree
from diffbench.metrics._features import Features, feature, feature_pair
from diffbench.metrics._nearest_training import copies as nearest_copies
from diffbench.stages._image_file import image_set

METRIC = "authpct"
"""The metric whose features are compared, as the protocol sets them."""

COLUMNS = ("generated", "training", "distance", "ratio")
"""The columns that are always there; after them are the names of pictures, if the images are in files of their own."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The command's options by their names; None if one is not given. most: how many samples are printed."""

    samples: Path
    reference: str | None = None
    held_out: str | None = None
    data: Path | None = None
    split: str | None = None
    protocol: str | None = None
    extractor: Path | None = None
    weights: Path | None = None
    most: int = 20
    csv: Path | None = None
    device: str = "auto"
    cache: Path = Path(".cache")
    threads: int = 1


@dataclass(frozen=True)
class Found:
    """All samples by suspicion, what was compared, and the ratios of held-out real images if there are any."""

    frame: pandas.DataFrame
    own: Images
    against: Images
    held_out: np.ndarray | None = None


def copies(
    samples: Path | str,
    reference: Path | str | None = None,
    *,
    protocol: str | None = None,
    extractor: Path | str | None = None,
    weights: Path | str | None = None,
    split: str | None = None,
    device: str = "auto",
    cache: Path | str = ".cache",
    threads: int = 1,
) -> pandas.DataFrame:
    """Return the samples with their nearest training images, as `diffbench copies` finds them: the likest copies first.

    The columns are the numbers of the two images (from 0), the distance of their features, and its ratio to the
    distance between that training image and the nearest different one. Pictures in files also have their names.
    Nothing but the cache of features is written. Raises: UserError.
    """
    asked = Asked(
        samples=Path(samples),
        reference=None if reference is None else str(reference),
        split=split,
        protocol=protocol,
        extractor=None if extractor is None else Path(extractor),
        weights=None if weights is None else Path(weights),
        device=device,
        cache=Path(cache),
        threads=threads,
    )
    return found_copies(asked).frame


def answer(asked: Asked) -> str:
    """Write the table if a file is asked for, and return its first rows as text. Raises: UserError."""
    if asked.most < 1:
        raise UserError(f"--most {asked.most}: at least 1 is allowed")
    if asked.csv is not None:
        if asked.csv.exists():
            raise UserError(f"--csv {asked.csv}: exists; name another file")
        before.require_writable(asked.csv, "--csv", is_folder=False)
    found = found_copies(asked)
    said = [f"samples: {found.own.read}", f"reference: {found.against.read}", "", *_counts(found), ""]
    said += [_shown(found.frame.head(asked.most)), ""]
    said += [
        "distance: of features; ratio: distance / that from the training image to the nearest different training image"
    ]
    if asked.csv is not None:
        found.frame.to_csv(asked.csv, index=False, float_format="%.9g")
        said.append(f"all {len(found.frame)} samples written to {asked.csv}")
    return before.printable("\n".join(said))


def found_copies(asked: Asked) -> Found:
    """Return the samples by suspicion. Raises: UserError; if possible, before any work."""
    if not asked.samples.exists():
        raise UserError(f"{asked.samples}: no such file")
    ruler = ruler_of(asked.protocol, asked.extractor, asked.weights, (METRIC,))
    wanted, name = wanted_of(ruler), _feature(ruler)
    before.require_writable(asked.cache, "--cache", is_folder=True)
    with before.naming_cache(asked.cache), before.telling_what_needs_no_download():
        own = image_file(asked.samples, asked.cache, wanted)
        against, place = reference_images(asked.reference, ruler, asked.data, asked.split, asked.cache, wanted)
        unseen = _held_out(asked, ruler, place, wanted)
        every = [own, against, *([] if unseen is None else [unseen])]
        for images in every:
            before.require_fitting(images.file, image_set(images.file), wanted)
        files = [images.file for images in every]
        features = features_of(files, ruler, asked.cache, device=asked.device, threads=asked.threads)
    x, training, *others = ({name: read_member(path, name)} for path in features)
    generated, real = feature_pair(x, training, name)
    frame = _table(generated, real)
    for column, text in (("generated", str(asked.samples)), ("training", asked.reference)):
        names = _names(text)
        if names is not None:
            frame[f"{column}_name"] = [names[place] for place in frame[column]]
    held_out = [_table(feature(other, name, side="held-out"), real)["ratio"].to_numpy() for other in others]
    return Found(frame, own, against, held_out[0] if held_out else None)


def _feature(ruler: Ruler) -> str:
    settings = ruler.protocol.metric_settings(METRIC)
    return configure(load("metrics", METRIC), settings, METRIC).features


def _held_out(asked: Asked, ruler: Ruler, reference: str, wanted: Wanted) -> Images | None:
    """Return real images that the model was not trained on: the given ones, or the data set's other split."""
    if asked.held_out is not None:
        return held_out_file(asked.held_out, asked.cache, wanted)
    if reference not in ("train", "test"):
        return None
    return reference_images(asked.reference, ruler, asked.data, other_split(reference), asked.cache, wanted)[0]


def _table(generated: Features, training: Features) -> pandas.DataFrame:
    """Return each image with its nearest training image, the smallest ratio first, then the smallest distance."""
    found = nearest_copies(generated, training)
    distance, own = np.sqrt(found.squared), np.sqrt(found.own_squared)
    columns = (np.arange(len(generated)), found.places, distance, distance / own)
    frame = pandas.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    return frame.sort_values(["ratio", "distance", "generated"], kind="stable", ignore_index=True)


def _names(place: str | None) -> list[str] | None:
    """Return the names of pictures in a folder or archive; None if images are rows of one file."""
    path = None if place is None else Path(place)
    if path is None or not (path.is_dir() or path.suffix.lower() == ".zip"):
        return None
    return PictureTree(path).pictures


def _counts(found: Found) -> list[str]:
    ratios, total = found.frame["ratio"], len(found.frame)
    lines = [
        f"{int((ratios == 0).sum())} of {total} samples have the features of a training image",
        f"{int((ratios <= 1).sum())} of {total} are nearer to a training image than other training images are",
    ]
    if found.held_out is not None:
        least = found.held_out.min()
        lines.append(
            f"{int((ratios < least).sum())} of {total} have a smaller ratio than any of {len(found.held_out)} held-out "
            f"real images ({least:.3g})"
        )
    return lines


def _shown(frame: pandas.DataFrame) -> str:
    return frame.to_string(index=False, formatters={name: "{:.4g}".format for name in ("distance", "ratio")})

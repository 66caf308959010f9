"""Checks of `measure` before any work: of options, of places that must be writable, and of the number of images."""

import dataclasses
import errno
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from diffbench.base.digests import sha256
from diffbench.base.errors import DownloadError, UserError
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.base.writing import UNWRITABLE
from diffbench.benchmark.protocols import metric_of
from diffbench.commands.measure.image_sets import Wanted, channels_of
from diffbench.commands.measure.ruler import Ruler
from diffbench.commands.sampler_option import parsed
from diffbench.comparison.metrics import written_name
from diffbench.jobs.score import Rounding
from diffbench.stages._image_file import CHANNELS, ImageSet

PROBE = 2**16
"""The bytes of a test file, which are more than the records of a measurement."""


def settings_of(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of metrics from texts such as `kid.subset_size=50`. Raises: UserError."""
    found: dict[str, dict[str, Any]] = {}
    for text in texts:
        place, equals, value = text.partition("=")
        metric, dot, key = place.strip().partition(".")
        if not (equals and dot and metric and key and value.strip()):
            raise UserError(f"--set {text}: write METRIC.KEY=VALUE, such as kid.subset_size=50")
        if key in found.get(written_name(metric), {}):
            raise UserError(f"--set {text}: {place} is given twice")
        metric = written_name(metric)
        found.setdefault(metric, {}).update(parsed(f"{metric} {key}={value.strip()}", "--set")[1])
    return found


def name_of(samples: Path, asked: str | None) -> str:
    """Return the name that replaces a model's name: the given one, or otherwise the samples' own name.

    Raises: UserError for a name that `diffbench compare` could not take.
    """
    if asked is None:
        return printable(samples.resolve().name)
    odd = sorted(set(asked) & set("/=@"))
    if odd or not asked.strip() or asked != printable(asked):
        raise UserError(f"--name '{printable(asked)}': must be a word without /, = and @, which are used to name rows")
    return asked


def printable(text: str) -> str:
    """Return a text in which bytes of file names that are not UTF-8 are written as \\xdf."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def require_writable(place: Path, option: str, *, is_folder: bool) -> None:
    """Raise UserError if a file cannot be written at a place. It names the option that chooses another place."""
    folder = place if is_folder else place.parent
    try:
        if not is_folder and place.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE))
            probe.flush()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"{place}: cannot be written ({reason}); choose another place by {option}") from error


def rounding_of(samples: Path, asked: str | None) -> Rounding:
    """Return how floats became bytes: as asked, otherwise as in the record beside our own samples, otherwise unknown.

    Raises: UserError if the two contradict each other.
    """
    if asked not in (None, "truncate", "round", "unknown"):
        raise UserError(f"--rounding {asked}: is not allowed; allowed: truncate, round, unknown")
    recorded = None
    if provenance_path(samples).is_file():
        found = read_provenance(samples)
        if found.get("sha256") == sha256(samples):
            recorded = _inner(_inner(found, "spec"), "sampling").get("rounding")
    if recorded and asked not in (None, recorded):
        raise UserError(f"--rounding {asked}: {provenance_path(samples)} says '{recorded}'; leave the option out")
    return cast(Rounding, recorded or asked or "unknown")


def _inner(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = record.get(key)
    return found if isinstance(found, Mapping) else {}


def require_apart(out: Path, *kept: Path) -> None:
    """Raise UserError if the records or their provenance would replace an input or its provenance."""
    held = {place.resolve() for path in kept for place in (path, provenance_path(path))}
    for place in (out, provenance_path(out)):
        if place.resolve() in held:
            raise UserError(f"--out {out}: {place} is an input, or the provenance of one; choose another name")


@contextmanager
def naming_cache(cache: Path) -> Iterator[None]:
    """Add --cache to the message of an error if the cache's disk is full or cannot be written."""
    try:
        yield
    except UserError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in UNWRITABLE and str(cache) in str(error):
            raise UserError(f"{error}, or choose another place by --cache") from cause
        raise


@contextmanager
def telling_what_needs_no_download() -> Iterator[None]:
    """Add to the message of a failed download which measurements need none."""
    try:
        yield
    except DownloadError as error:
        raise UserError(
            f"{error}; without any download: --extractor FILE, a classifier that a benchmark trained on such images "
            "(results/extractors), or for 8x8 digits --protocol classifier"
        ) from error


def require_enough(ruler: Ruler, samples: ImageSet, reference: ImageSet, stored: Collection[str] = ()) -> None:
    """Raise UserError if metrics need more images; the message has the options that leave them out.

    stored: features whose mean and covariance the reference stores.
    """
    protocol, name = ruler.protocol, ruler.called
    num_reference = protocol.reference_images(reference.num_images)
    refused, lower = [], []
    for metric in protocol.metrics:
        part = metric_of(protocol, metric, f"--protocol {name}")
        reason = _refusal(part, samples, num_reference, stored)
        if reason:
            refused.append((metric, reason))
            lower += [f"--set {metric}.{key}=N" for key in _lowering(part)]
    if not refused:
        return
    kept = [metric for metric in protocol.metrics if metric not in dict(refused)]
    ways = [f"leave out by --metrics {','.join(kept)}"] if kept else []
    ways += [f"lower by {' '.join(lower)}"] if lower else []
    reasons = "; ".join(f"{metric} {reason}" for metric, reason in refused)
    counts = f"{samples.num_images} samples, {num_reference} reference images"
    raise UserError(f"{counts}: {reasons}: {', or '.join(ways) or 'give more images'}")


def _refusal(part: Any, samples: ImageSet, num_reference: int, stored: Collection[str]) -> str | None:
    """Return why a metric cannot be computed from these images; None if it can."""
    by_images = part.needs_reference and not (part.takes_moments and part.features in stored)
    if samples.num_images < part.fewest or by_images and num_reference < part.fewest:
        return f"needs at least {part.fewest}{' of each' if by_images else ' samples'}"
    if part.needs_labels and not samples.has_labels:
        return "needs the samples' labels (arr_1)"
    try:
        part.require(samples.num_images)
    except UserError as error:
        return f"refuses: {error}"
    return None


def _lowering(part: Any) -> list[str]:
    """Return the settings of a metric that make it need fewer images when they are lower."""
    found = []
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if type(value) is int and value > 1:
            try:
                lower = dataclasses.replace(part, **{field.name: value - 1})
            except ValueError:
                continue
            if lower.fewest < part.fewest:
                found.append(field.name)
    return found


def require_fitting(path: Path, images: ImageSet, wanted: Wanted) -> None:
    """Raise UserError if an extractor does not take images with these channels or sizes."""
    allowed = (wanted.channels,) if wanted.channels else CHANNELS
    channels = channels_of(path)
    if channels not in allowed:
        words = " or ".join(map(str, allowed))
        raise UserError(
            f"{path}: {_of_channels(channels)}, and the protocol's extractor takes {words}{_way(channels, allowed)}"
        )
    if images.size is None and not wanted.any_size:
        raise UserError(f"{path}: images of several sizes, which this protocol does not resize one by one")


def _of_channels(channels: int) -> str:
    return f"images of {channels} channel{'' if channels == 1 else 's'}"


def _way(channels: int, allowed: Sequence[int]) -> str:
    """Return how images can be given the channels that an extractor takes; "" if that is not clear."""
    if channels == 1 and allowed == (3,):
        return "; save images.repeat(3, axis=3)"
    if channels == 3 and allowed == (1,):
        return "; give a folder of pictures, whose colours are reduced, or a classifier of such images by --extractor"
    return "; save images[..., :3]" if channels == 4 and 3 in allowed else ""

"""Scores of any sample file against any reference file under a published protocol, without a benchmark."""

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.devices import chosen_device
from diffbench.base.digests import digest, sha256
from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.base.provenance import versions_of
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.base.records import Row, read_records
from diffbench.benchmark.codehash import code_hash
from diffbench.benchmark.protocols import metric_of
from diffbench.commands.measure.before import require_enough, require_fitting, rounding_of
from diffbench.commands.measure.cached import whole
from diffbench.commands.measure.image_sets import Wanted
from diffbench.commands.measure.ruler import Ruler
from diffbench.comparison.judged import MEASURED
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.score import ProtocolPart, ScoreJob
from diffbench.metrics._features import STORED_MOMENTS
from diffbench.protocols._contract import Protocol
from diffbench.stages._image_file import ImageSet, image_set, stored_features
from diffbench.stages._wide import csv_text
from diffbench.stages.extract import extract, full_size
from diffbench.stages.score import score_features
from diffbench.tables.table2 import Table2

MANY = 10_000
"""The number of images from which the metrics take so long that a line says what goes on."""

OTHERS = "give a classifier of such images by --extractor, or a protocol that resizes, such as --protocol clean_fid"
"""What measures images of another shape than the extractor's."""


@dataclass(frozen=True)
class Measured:
    """Scores, the two sets of images, and notes for the user on how the scores were computed.

    features: the cache's files with the features of the samples and of the reference.
    """

    records: Sequence[Mapping[str, Any]]
    samples: ImageSet
    reference: ImageSet
    notes: Sequence[str]
    features: Sequence[Path]


def scored(
    samples: Path,
    reference: Path,
    ruler: Ruler,
    *,
    name: str,
    out: Path,
    cache: Path,
    held_out: Path | None = None,
    rounding: str | None = None,
    device: str = "auto",
    threads: int = 1,
) -> Measured:
    """Write and return the records of a sample file (`arr_0`, uint8 NHWC) against a reference file of the same form.

    name: it replaces a model's name. held_out: real images that the model was not trained on, for metrics that need
    them. rounding: of the samples; None takes it from their record, if they have one.
    Features are kept in `cache` by the hash of images, extractor, weights, device and code, so that one reference
    serves many samples.
    Raises: UserError; mistakes that the headers of both files show are found before the long work.
    """
    protocol, extractor = ruler.protocol, ruler.extractor
    wanted = wanted_of(ruler)
    rule = rounding_of(samples, rounding)
    protocol.require(resize=extractor.resize, rounding=rule)
    own, other = image_set(samples), image_set(reference)
    require_fitting(samples, own, wanted)
    require_fitting(reference, other, wanted)
    stored = stored_features(reference) if extractor.stored_statistics else ()
    require_enough(ruler, own, other, stored)
    if held_out is not None:
        require_fitting(held_out, image_set(held_out), wanted)
    files = [samples, reference, *([] if held_out is None else [held_out])]
    features = features_of(files, ruler, cache, device=device, threads=threads)
    asked = ScoreJob(protocol=ProtocolPart.of(protocol, ruler.name), rounding=rule, row=Row(MEASURED, name))
    if max(own.num_images, other.num_images) >= MANY:
        sys.stderr.write(f"diffbench: computing {', '.join(protocol.metrics)} of the features\n")
    score_features(asked, features[0], features[1], out, held_out=features[2] if held_out is not None else None)
    notes = [
        *_notes_of_sizes(own, other, full_size(samples)),
        *_notes_of_moments(protocol, reference, other, stored),
        *_notes_of_twins(*features[:2]),
    ]
    return Measured(read_records([out]), own, other, notes, features[:2])


def features_of(files: Sequence[Path], ruler: Ruler, cache: Path, *, device: str, threads: int) -> list[Path]:
    """Return the cache's files of the features of files of images; those that are not there yet are extracted."""
    numerics = DEFAULT_NUMERICS if ruler.benchmark is None else ruler.benchmark.numerics.extract
    job = ExtractJob(extractor=ruler.chosen, threads=threads, numerics=numerics)
    # The key has everything on which features depend. Code and packages are part of it, since they change over time.
    key = {
        "spec": job.as_json(),
        "weights": sha256(ruler.weights) if ruler.weights else None,
        "code": code_hash(job.modules()),
        "device": chosen_device(device).type,
        "versions": versions_of(job.as_json()),
    }
    return [_features_of(images, cache, key, job, ruler.weights, device) for images in files]


def wanted_of(ruler: Ruler) -> Wanted:
    """Return which images an extractor takes. Raises: UserError if its weights are not its own."""
    return Wanted(ruler.extractor.channels(ruler.weights), ruler.extractor.any_size)


def _features_of(
    images: Path, cache: Path, key: Mapping[str, Any], job: ExtractJob, weights: Path | None, device: str
) -> Path:
    """Return the cache's file of the features of a file's images, which are extracted if they are not there yet.

    key: everything else on which features depend.
    Raises: UserError if a file changed while it was read, so that the features may be of either version.
    """
    inputs = {"images": sha256(images)} | ({"weights": key["weights"]} if weights else {})
    path = cache / "features" / f"{digest({**key, 'images': inputs['images'], 'size': full_size(images)})[:24]}.npz"
    if _stands(path, inputs, job.extractor.configured(), weights):
        return path
    try:
        extract(job, images, path, weights=weights, device=device)
    except UserError as error:
        # A network knows the images that it is given, and not their file.
        of_images = str(error).startswith("images")
        raise UserError(f"{images}: {error}; {OTHERS}") if of_images else error from error.__cause__
    # The extraction hashed the files itself and then opened them once more.
    read = {"images": images} | ({"weights": weights} if weights else {})
    for name, file in read.items():
        if {read_provenance(path)["inputs"][name], sha256(file)} != {inputs[name]}:
            provenance_path(path).unlink()
            path.unlink()
            raise UserError(f"{file}: changed while it was read; measure again once nothing writes it")
    return path


def _stands(features: Path, inputs: Mapping[str, str], extractor: Any, weights: Path | None) -> bool:
    """Return whether features in the cache are undamaged, of these inputs, and by the extractor's present weights."""
    found = whole(features)
    if found is None or found["inputs"] != inputs:
        return False
    try:
        return found["facts"]["weights_sha256"] == extractor.weights_sha256(weights)
    except UserError:  # The weights are not here now, and the record says which ones were used.
        return True


def _notes_of_sizes(samples: ImageSet, reference: ImageSet, enlarged: Sequence[int] | None) -> list[str]:
    notes = []
    if enlarged:
        notes.append(f"samples are enlarged to {enlarged[1]}x{enlarged[0]}, the size of the data that they are of")
    elif samples.size and reference.size and samples.size != reference.size:
        (h, w), (height, width) = samples.size, reference.size
        notes.append(f"samples are {w}x{h} and the reference {width}x{height}; the extractor resizes both")
    return notes


def _notes_of_moments(protocol: Protocol, reference: Path, images: ImageSet, stored: Collection[str]) -> list[str]:
    """Return, if a reference stores means and covariances, which metrics used them and which did not."""
    held = stored_features(reference)
    if not held:
        return []
    notes, own = [], f"the {images.num_images} images of the reference"
    for metric in protocol.metrics:
        part = metric_of(protocol, metric, "--protocol")
        if not part.takes_moments:
            continue
        pair = " and ".join(STORED_MOMENTS.get(part.features, ("mean", "covariance")))
        if part.features in stored:
            notes.append(f"{metric} is against {pair} as the reference stores them, not its {images.num_images} images")
        elif part.features in held:
            notes.append(f"{metric} is against {own}, for {pair} that it stores are of ADM's resize, not of this one")
        else:
            notes.append(f"{metric} is against {own}, which stores no {pair} of these features")
    return notes


def _notes_of_twins(samples: Path, reference: Path) -> list[str]:
    own, other = (read_provenance(path)["facts"]["pixels_sha256"] for path in (samples, reference))
    return ["samples and reference are the same images, so that these scores say nothing"] if own == other else []


def report(measured: Measured, protocol: Protocol) -> str:
    """Return scores as text: a line for each metric with its 95 % interval, the protocol's id, and notes."""
    records = measured.records
    lines = [f"{'metric':<20}{'value':>12}   95 % interval"]
    for item in records:
        lines.append(f"{item['metric']:<20}{item['value']:>12.5g}   {item['low']:.5g} to {item['high']:.5g}")
    lines += ["", f"protocol {records[0]['protocol']}", *(f"note: {note}" for note in measured.notes)]
    n = records[0]["num_images"]
    if protocol.num_images not in (None, n):
        lines.append(f"{n} images; published scores of this protocol have {protocol.num_images}, and FID falls with n")
    if protocol.deviations != "none known":
        lines.append(f"known deviations: {protocol.deviations}")
    return "\n".join(lines)


def table_row(records: Sequence[Mapping[str, Any]]) -> str:
    """Return the line of the records in table2.csv, below the names of its columns."""
    return csv_text(Table2()(records)).rstrip()

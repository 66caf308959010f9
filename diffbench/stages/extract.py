"""The stage extract: an extractor's features of sets of images, one file for each set."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from diffbench.base.arrays import writing_npz
from diffbench.base.devices import chosen_device, device_facts, prepare
from diffbench.base.errors import UserError
from diffbench.base.forward import placed, precision
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.memory import enough_memory
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.base.progress import progress
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.base.sizes import enlarged
from diffbench.base.world import ALONE, World, joined
from diffbench.base.writing import UNWRITABLE
from diffbench.extractors._contract import Extract, Images
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.features_facts import FeaturesFacts, ImagesFacts
from diffbench.metrics._features import STORED_MOMENTS
from diffbench.stages._command import add_device, stage_parser
from diffbench.stages._image_file import (
    PixelHash,
    chunks,
    image_set,
    labels_of,
    moments_digests,
    stored_statistics,
)
from diffbench.stages._ranks import run_of, run_ranks
from diffbench.stages._waiting import Read, Waiting, folder_for_all

FAR = 25.0
"""The largest squared distance of a stored mean from the features' mean, in multiples of the distance by chance.

Beyond it, the mean must be that of other features."""


def extract(
    job: ExtractJob,
    images: Path,
    out: Path,
    *,
    weights: Path | None = None,
    device: str = "auto",
    world: World = ALONE,
    record: dict[str, Any] | None = None,
) -> None:
    """Write the features of a file of images (`arr_0`, uint8 NHWC), named as the extractor names them.

    Samples of a smaller copy of a data set, as their provenance says, are first enlarged bilinearly to its size.
    world: the processes that share the images, of which each calls this function, and the first writes.
    Raises: UserError if a file is missing or does not hold uint8 images, or if the weights do not fit.
    """
    # Samples of others and published weights have no record.
    given = {"images": images, "weights": weights}
    inputs = checked(given, foreign=given, upstream=upstream_of(job.upstream))
    chosen = chosen_device(device, world.device_number)
    prepare(job.numerics, job.threads, chosen)
    extractor = job.extractor.configured()
    network = computing(extractor.network(weights, chosen), job, chosen)
    weights_sha256, size = extractor.weights_sha256(weights), full_size(images)
    with progress(image_set(images).num_images, f"extract {job.extractor.name}, {images.name}", unit="image") as bar:
        stored = stored_statistics(images) if extractor.stored_statistics else {}
        piece = extractor.micro_batch
        with enough_memory("the images of a micro-batch", f"lower micro_batch of extractor {job.extractor.name}"):
            found = write_features(network, images, out, stored, size, piece=piece, done=bar.update, world=world)
        if not world.leads:
            return
        facts = FeaturesFacts(
            weights_sha256=weights_sha256,
            resize=extractor.resize,
            num_images=found.num_images,
            pixels_sha256=found.pixels_sha256,
            moments=found.moments,
            enlarged_to=size,
        )
        write_provenance(
            out, spec=job.as_json(), inputs=inputs, facts=facts.as_json() | device_facts(chosen, job.numerics)
        )
    if record is not None:
        record |= {"num_images": found.num_images, "device": chosen.type}


def computing(network: Extract, job: ExtractJob, device: torch.device) -> Extract:
    """Return an extractor's network in the layout and the precision of a job.

    Raises: UserError if its layout cannot be changed, or if it is to be compiled.
    """
    if job.numerics == DEFAULT_NUMERICS:
        return network
    if job.numerics.compiled:
        raise UserError("numerics.extract.compiled: extractors are not compiled; leave compiled out")
    if job.numerics.channels_last:
        module = getattr(network, "module", None)
        if module is None:
            raise UserError(
                f"numerics.extract.channels_last: extractor {job.extractor.name} does not say which network it calls, "
                "so its layout cannot be changed; leave channels_last out"
            )
        placed(module, job.numerics, device)

    def features(images: Images) -> dict[str, np.ndarray]:
        with precision(job.numerics, device):
            return network(images)

    return features


def full_size(images: Path) -> tuple[int, int] | None:
    """Return the height and width to which images of a smaller copy of a data set are enlarged.

    None if their provenance names no such size, or there is none. Raises: UserError if the provenance is damaged.
    """
    if not provenance_path(images).is_file():
        return None
    return ImagesFacts.recorded(read_provenance(images)).full_size


def write_features(
    network: Extract,
    source: Path,
    out: Path,
    stored: dict[str, np.ndarray],
    size: tuple[int, int] | None = None,
    *,
    piece: int | None = None,
    done: Callable[[int], object] = lambda count: None,
    world: World = ALONE,
) -> Read:
    """Write the features of a file's images, its labels and stored statistics, and return what is known of the images.

    size: height and width to which the images are first enlarged. Memory does not grow with the number of images:
    features first go to temporary files, because an `.npz` is written array by array.
    piece: the number of images that the network takes at once, if it says so. done: called with the number of images
    after each piece. world: the processes that share the pieces; the first writes the file.
    Raises: UserError if the folder of `out` cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with folder_for_all(out, world) as folder:
            waiting = _waiting_features(network, source, folder, size, piece, done, world)
            shares = world.gathered(waiting.rows)
            if world.leads:
                _write_all(waiting, shares, source, out, stored)
            # The folder is there until the first process has read all of it.
            world.barrier()
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise UserError(f"{out}: cannot be written ({error.strerror}); free space or fix permissions") from error
    return replace(waiting.read, moments=moments_digests(stored) if stored else None)


def _write_all(
    waiting: Waiting, shares: list[list[int]], source: Path, out: Path, stored: dict[str, np.ndarray]
) -> None:
    """Write the features that wait in files, stored statistics and labels.

    shares: the numbers of images of each process's pieces.
    """
    with writing_npz(out) as writer:
        for name, width in waiting.widths.items():
            with writer.member(name, (waiting.read.num_images, width), np.float32) as member:
                for values in waiting.in_turn(name, shares):
                    member.write(values)
            if name in STORED_MOMENTS and STORED_MOMENTS[name][0] in stored:
                require_own(source, waiting.whole(name, shares), *(stored[key] for key in STORED_MOMENTS[name]))
        for name, array in stored.items():
            writer.add(name, array)
        labels = labels_of(source)
        if labels is not None:
            writer.add("labels", labels)


def _waiting_features(
    network: Extract,
    source: Path,
    folder: Path,
    size: tuple[int, int] | None,
    piece: int | None,
    done: Callable[[int], object],
    world: World,
) -> Waiting:
    """Write each feature of this process's pieces to a file of its own."""
    widths: dict[str, int] = {}
    files: dict[str, BinaryIO] = {}
    rows: list[int] = []
    count, pixels, turn = 0, PixelHash(), 0
    with ExitStack() as opened:
        for batch in chunks(source):
            count += len(batch)
            if world.leads:
                pixels.add(batch)
            if size and isinstance(batch, np.ndarray):
                batch = enlarged(batch, *size)
            # Pieces of one micro-batch each are what the network would make of the batch itself.
            for start in range(0, len(batch), piece or len(batch)):
                part = batch[start : start + (piece or len(batch))]
                if turn % world.size == world.rank:
                    for name, values in network(part).items():
                        if name not in files:
                            files[name] = opened.enter_context(open(folder / f"{name}.{world.rank}", "wb"))
                            widths[name] = values.shape[1]
                        files[name].write(np.ascontiguousarray(values, np.float32).data)
                    rows.append(len(part))
                turn += 1
                done(len(part))
    return Waiting(folder, Read(count, pixels.hexdigest()), widths, rows)


def require_own(path: Path, values: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> None:
    """Raise UserError if a stored mean cannot be that of the set from which these features are a sample.

    n |mean - mu|^2 / tr Sigma is 1 on average for a random sample of n.
    """
    if mu.shape != values.shape[1:] or sigma.shape != 2 * values.shape[1:]:
        raise UserError(f"{path}: stored mean {mu.shape} for {values.shape[1]} features; not comparable: extractor")
    distance = float(((values.mean(axis=0, dtype=np.float64) - mu) ** 2).sum() * len(values) / np.trace(sigma))
    if not distance < FAR:
        raise UserError(
            f"{path}: the stored mean is {distance:.0f} times as far from these features' as chance allows: "
            "a reference of another protocol (network, resize or layout)"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, ExtractJob.read)
    parser.add_argument("--images", type=Path, required=True, help="a set of images (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="features to write (.npz)")
    parser.add_argument("--weights", type=Path, help="the extractor's weights, where it brings none of its own")
    add_device(parser)
    given = parser.parse_args(arguments)
    world = joined()
    with run_of(world, given, "extract") as record:
        extract(
            given.spec,
            given.images,
            given.out,
            weights=given.weights,
            device=given.device,
            world=world,
            record=record,
        )


if __name__ == "__main__":
    run_ranks(main)

"""extract: sets of images in, an extractor's features out, one file for each set."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np

from diffbench.base.arrays import member_names, read_member, stream_member, writing_npz
from diffbench.base.artifacts import (
    checked,
    provenance_path,
    read_provenance,
    run_record,
    spec_of_one,
    upstream_of,
    write_provenance,
)
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.errors import UserError
from diffbench.base.progress import progress
from diffbench.base.sizes import enlarged
from diffbench.extractors._microbatches import Extract
from diffbench.metrics._features import STORED_MOMENTS
from diffbench.stages._model import part_of

CHUNK = 1024
"""Images read at a time; a multiple of the extractors' micro-batch, so that it does not move their borders."""

FAR = 25.0
"""Squared distance of a stored mean, in units of what chance explains, beyond which it is of other features."""


def extract(
    spec: dict[str, Any],
    images: Sequence[Path],
    outs: Sequence[Path],
    *,
    weights: Path | None = None,
    device: str = "auto",
    record: dict[str, Any] | None = None,
) -> None:
    """Write the features of each image file (`arr_0`, uint8 NHWC), named as the extractor names them.

    Samples whose provenance says that they are of a smaller copy of a data set are enlarged bilinearly to its size.
    Raises: UserError where a file is missing, is not of uint8 images, or the weights do not fit.
    """
    if len(images) != len(outs):
        raise UserError(f"--out: {len(outs)} files for {len(images)} image files")
    # All before the work; samples of others and published weights have no record.
    own = checked({"weights": weights}, foreign=("weights",), upstream=upstream_of(spec))
    wanted = upstream_of(spec, images=images)
    sets = [
        checked({"images": source}, foreign=("images",), upstream={"images": wanted[str(source)]} if wanted else {})
        for source in images
    ]
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    extractor = part_of("extractors", spec["extractor"])
    network = extractor.network(weights, chosen)
    sha = extractor.weights_sha256(weights)
    about = {"weights_sha256": sha, "resize": getattr(extractor, "resize", "none")} | device_facts(chosen)
    total = 0
    with progress(len(images), f"extract {spec['extractor']['name']}", unit="set") as bar:
        for position, (source, inputs, out) in enumerate(zip(images, sets, outs, strict=True)):
            stored = stored_statistics(source) if getattr(extractor, "stored_statistics", False) else {}
            size = full_size(source)
            count = write_features(network, source, out, stored, size)
            facts = about | {"num_images": count} | ({"enlarged_to": size} if size else {})
            write_provenance(out, spec=spec_of_one(spec, "images", position), inputs=inputs | own, facts=facts)
            total += count
            bar.update()
    if record is not None:
        record |= {"num_images": total, "device": chosen.type}


def full_size(images: Path) -> list[int] | None:
    """Return the height and width of the data set of which images are a smaller copy, if their provenance says so."""
    return read_provenance(images)["facts"].get("full_size") if provenance_path(images).is_file() else None


def write_features(
    network: Extract, source: Path, out: Path, stored: Mapping[str, np.ndarray], size: list[int] | None = None
) -> int:
    """Write the features of a file's images, its labels and stored statistics; return the number of images.

    size: height and width to which they are enlarged before.
    Memory does not grow with that number: an `.npz` is written array by array, so features wait in files of their own.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder, ExitStack() as files:
        waiting: dict[str, tuple[BinaryIO, int]] = {}
        count = 0
        for batch in chunks(source):
            count += len(batch)
            batch = enlarged(batch, *size) if size else batch
            for name, values in network(batch).items():
                if name not in waiting:
                    waiting[name] = files.enter_context(open(Path(folder, name), "wb")), values.shape[1]
                waiting[name][0].write(np.ascontiguousarray(values, np.float32).data)
        files.close()
        with writing_npz(out) as writer:
            for name, (_, width) in waiting.items():
                values = np.memmap(Path(folder, name), np.float32, "r", shape=(count, width))
                with writer.member(name, values.shape, values.dtype) as member:
                    for start in range(0, count, CHUNK):
                        member.write(values[start : start + CHUNK])
                if name in STORED_MOMENTS and stored:
                    require_own(source, values, *(stored[key] for key in STORED_MOMENTS[name]))
            for name, array in stored.items():
                writer.add(name, array)
            if "arr_1" in member_names(source):
                writer.add("labels", np.array(read_member(source, "arr_1")))
    return count


def stored_statistics(path: Path) -> dict[str, np.ndarray]:
    """Return the means and covariances that ADM's reference batches store beside their images; of other files, none.

    Raises: UserError where they are without images: then nobody can tell of which features they are.
    """
    names, held = [name for pair in STORED_MOMENTS.values() for name in pair], member_names(path)
    if "mu" in held and "arr_0" not in held:
        raise UserError(f"{path}: holds statistics without images, so their protocol is unknown; give the images too")
    if not set(names) <= set(held):
        return {}
    return {name: np.array(read_member(path, name)) for name in names}


def require_own(path: Path, values: np.ndarray, mu: np.ndarray, sigma: np.ndarray) -> None:
    """Raise UserError where a stored mean cannot be that of the set from which these features are a sample.

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


def chunks(path: Path) -> Iterator[np.ndarray]:
    """Yield a file's images in pieces. Raises: UserError where they are not uint8 (n, height, width, channels)."""
    first = read_member(path, "arr_0")
    if first.dtype != np.uint8 or first.ndim != 4:
        raise UserError(
            f"{path}: arr_0 is {first.dtype}{first.shape}, wanted uint8 images (n, height, width, channels); "
            "convert floats to bytes first"
        )
    if not len(first):
        raise UserError(f"{path}: holds no images")
    yield from stream_member(path, "arr_0", CHUNK)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="sets of images (.npz)")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="features to write (.npz), one a set")
    parser.add_argument("--weights", type=Path, help="the extractor's weights, where it brings none of its own")
    add_device(parser)
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="extract", out=[str(path) for path in given.out]) as record:
        extract(given.spec, given.images, given.out, weights=given.weights, device=given.device, record=record)


if __name__ == "__main__":
    run_stage(main)

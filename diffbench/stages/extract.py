"""extract: sets of images in, an extractor's features out, one file for each set."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import member_names, read_member, save_npz, stream_member
from diffbench.base.artifacts import require_files, run_record, write_provenance
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.errors import UserError
from diffbench.base.progress import progress
from diffbench.stages._model import part_of

CHUNK = 1024
"""Images read at a time; a multiple of the extractors' micro-batch, so that it does not move their borders."""


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

    Raises: UserError where a file is missing, is not of uint8 images, or the weights do not fit.
    """
    if len(images) != len(outs):
        raise UserError(f"--out: {len(outs)} files for {len(images)} image files")
    require_files([*images, *([weights] if weights else [])])
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    extractor = part_of("extractors", spec["extractor"])
    network = extractor.network(weights, chosen)
    sha = extractor.weights_sha256(weights)
    total = 0
    with progress(len(images), f"extract {spec['extractor']['name']}", unit="set") as bar:
        for source, out in zip(images, outs, strict=True):
            pieces: dict[str, list[np.ndarray]] = {}
            count = 0
            for batch in chunks(source):
                count += len(batch)
                for name, values in network(batch).items():
                    pieces.setdefault(name, []).append(values)
            arrays = {name: np.concatenate(parts) for name, parts in pieces.items()}
            if "arr_1" in member_names(source):
                arrays["labels"] = read_member(source, "arr_1")
            save_npz(out, arrays)
            facts = {"weights_sha256": sha, "num_images": count} | device_facts(chosen)
            write_provenance(out, spec=spec, inputs={"images": source}, facts=facts)
            total += count
            bar.update()
    if record is not None:
        record |= {"num_images": total, "device": chosen.type}


def chunks(path: Path) -> Iterator[np.ndarray]:
    """Yield a file's images in pieces. Raises: UserError where they are not uint8 (n, height, width, channels)."""
    first = read_member(path, "arr_0")
    if first.dtype != np.uint8 or first.ndim != 4:
        raise UserError(
            f"{path}: arr_0 is {first.dtype}{first.shape}, wanted uint8 images (n, height, width, channels)"
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

"""shrink: a prepared split in, the same images at a lower resolution out, for models of that size."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import member_names, read_member, stream_member, writing_npz
from diffbench.base.command import run_stage, stage_parser
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.run_record import run_record
from diffbench.base.sizes import factor, shrunk, size_of

CHUNK = 1024
"""Images read at a time."""


def shrink(spec: dict[str, Any], data: Path, out: Path) -> None:
    """Write a split's images at the height `spec["size"]`, its labels, and the facts that a prepared split has.

    `full_size` among them is the height and width that samples of this size are enlarged to before they are scored.
    Grey levels become 256: means of a few levels lie between them. Raises: UserError where the size does not divide.
    """
    inputs = checked({"data": data}, upstream=upstream_of(spec))
    size = size_of({"size": spec["size"]}, "size", "--spec")
    if size is None:
        raise UserError("--spec.size: give a number of pixels")
    facts = {key: value for key, value in inputs.records["data"]["facts"].items() if not key.endswith("_bits_per_dim")}
    number, (height, width, channels) = facts["num_images"], facts["shape"]
    try:
        times = factor(height, width, size)
    except UserError as error:
        raise UserError(f"{data}: {error}") from None
    shape = [size, width // times, channels]
    with writing_npz(out) as writer:
        with writer.member("arr_0", (number, *shape), np.uint8) as images:
            for chunk in stream_member(data, "arr_0", CHUNK):
                images.write(shrunk(chunk, size))
        if "arr_1" in member_names(data):
            writer.add("arr_1", np.array(read_member(data, "arr_1")))
    # The hash of the images that these were made of tells data sets apart as well as one of their own.
    about = facts | {"shape": shape, "levels": 256, "full_size": [height, width]}
    write_provenance(out, spec=spec, inputs=inputs, facts=about)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="prepared images of a split (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="the same, smaller (.npz)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="shrink", out=str(given.out)):
        shrink(given.spec, given.data, given.out)


if __name__ == "__main__":
    run_stage(main)

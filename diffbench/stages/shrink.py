"""The stage shrink: the images of a prepared split at a lower resolution, for models of that size."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from diffbench.base.arrays import member_names, read_member, stream_member, writing_npz
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.base.sizes import factor, shrunk
from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.shrink import ShrinkJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._run_record import run_record

CHUNK = 1024
"""Images per read."""


def shrink(job: ShrinkJob, data: Path, out: Path) -> None:
    """Write a split's images at the job's height, with their labels and the facts of a prepared split.

    The fact `full_size` is the height and width to which samples of this size are enlarged before they are scored.
    The images have 256 grey levels, since a mean of pixels lies between the levels of the data set.
    Raises: UserError if the size does not divide the images' height and width.
    """
    inputs = checked({"data": data}, upstream=upstream_of(job.upstream))
    facts = DataFacts.recorded(inputs.records["data"])
    height, width, channels = facts.shape
    try:
        times = factor(height, width, job.size)
    except UserError as error:
        raise UserError(f"{data}: {error}") from None
    shape = (job.size, width // times, channels)
    with writing_npz(out) as writer:
        with writer.member("arr_0", (facts.num_images, *shape), np.uint8) as images:
            for chunk in stream_member(data, "arr_0", CHUNK):
                images.write(shrunk(chunk, job.size))
        if "arr_1" in member_names(data):
            writer.add("arr_1", np.array(read_member(data, "arr_1")))
    # images_sha256 stays that of the large images: it tells data sets apart just as well.
    about = replace(facts, shape=shape, levels=256, full_size=(height, width), codes=None)
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=about.as_json())


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, ShrinkJob.read)
    parser.add_argument("--data", type=Path, required=True, help="prepared images of a split (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="the smaller images to write (.npz)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="shrink", out=str(given.out)):
        shrink(given.spec, given.data, given.out)


if __name__ == "__main__":
    run_stage(main)

"""The stage fit: a data set's own extractor, trained once on its training split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffbench.base.arrays import read_member
from diffbench.base.devices import device_facts, prepare
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.base.provenance import write_provenance
from diffbench.jobs.fit import FitJob
from diffbench.stages._command import run_stage, stage_parser
from diffbench.stages._image_file import stored_labels
from diffbench.stages._run_record import run_record


def fit(job: FitJob, data: Path, held_out: Path, out: Path) -> dict[str, Any]:
    """Write the extractor's weights and return the facts recorded with them (accuracy on the held-out split).

    Raises: UserError if the data set has no labels, or the extractor is not one that is trained.
    """
    import torch

    inputs = checked({"data": data, "held_out": held_out}, upstream=upstream_of(job.upstream))
    device = torch.device("cpu")
    prepare(DEFAULT_NUMERICS, job.threads, device)
    extractor = job.extractor.configured()
    if not type(extractor).needs_weights:
        raise UserError(f"extractor {job.extractor.name} brings its own weights; only others are fitted")
    images, labels = _images_and_labels(data)
    accuracy = extractor.fit(images, labels, out, seed=0, held_out=_images_and_labels(held_out))
    facts = {"held_out_accuracy": accuracy, "trained_on": inputs.sha256["data"]}
    facts |= device_facts(device)
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts)
    return facts


def _images_and_labels(path: Path) -> tuple[Any, Any]:
    return read_member(path, "arr_0"), stored_labels(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, FitJob.read)
    parser.add_argument("--data", type=Path, required=True, help="prepared training images (.npz)")
    parser.add_argument("--held-out", type=Path, required=True, help="prepared test images (.npz), for the accuracy")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.safetensors)")
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="fit", out=str(given.out)) as record:
        record |= fit(given.spec, given.data, given.held_out, given.out)


if __name__ == "__main__":
    run_stage(main)

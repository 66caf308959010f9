"""bound: a model's weights and real images in, the terms of the variational bound and the rate-distortion curve out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffbench.base.arrays import member_names, read_member, save_npz
from diffbench.base.artifacts import read_provenance, require_files, run_record, write_provenance
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.progress import progress
from diffbench.diffusion.bound import bits_per_dim, bound_terms, rate_distortion, strata
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition
from diffbench.diffusion.parameterization import X
from diffbench.stages._model import diffusion_of, load_model


def bound(
    spec: dict[str, Any],
    weights: Path,
    data: Path,
    out: Path,
    *,
    device: str = "auto",
    record: dict[str, Any] | None = None,
) -> None:
    """Write the bound's terms of the first images of a split, over the full training chain, x_0 clipped.

    Members: timesteps, vlb, x_0_mse (images x strata), width (strata), prior, bits_per_dim (images), rate,
    distortion_rmse (strata, ascending t). Raises: UserError.
    """
    require_files([weights, data])
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    model, facts = load_model(spec, weights, chosen, full_chain=True)
    images, settings = read_member(data, "arr_0"), spec["bound"]
    num_images = min(settings["num_images"] or len(images), len(images))
    boundaries = strata(diffusion_of(spec).timesteps, settings["timesteps"])
    levels = facts["levels"]

    def on_grid(start: int, end: int) -> X:
        """The bytes' grey levels as equidistant floats: 17 levels stored as round(k 255 / 16) are k / 8 - 1."""
        x = to_float(images[start:end], chosen)
        return ((x + 1) / 2 * (levels - 1)).round() * (2 / (levels - 1)) - 1

    conditional = bool(spec["network"].get("class_conditional"))
    if conditional and "arr_1" not in member_names(data):
        raise UserError(f"{data}: a class-conditional network needs labels, and this split has none")
    labels = torch.from_numpy(np.array(read_member(data, "arr_1"))) if conditional else None

    def condition(start: int, end: int) -> Condition | None:
        """The labels of a micro-batch, the last one repeated as the images are."""
        if labels is None:
            return None
        index = torch.arange(start, start + settings["micro_batch"]).clamp(max=end - 1)
        return Condition(y=labels[index].to(chosen))

    batches = -(-num_images // settings["micro_batch"]) * (len(boundaries) - 1)
    with progress(batches, "bound", unit="batch") as bar:
        terms = bound_terms(
            ClippedDenoiser(model),
            model.chain,
            on_grid,
            num_images,
            boundaries=boundaries,
            levels=levels,
            seed=settings["seed"],
            micro_batch=settings["micro_batch"],
            condition=condition,
            on_batch=bar.update,
        )
    rate, rmse = rate_distortion(terms)
    save_npz(
        out,
        {
            "timesteps": terms.timesteps,
            "vlb": terms.vlb,
            "x_0_mse": terms.x_0_mse,
            "width": terms.width,
            "prior": terms.prior,
            "bits_per_dim": bits_per_dim(terms),
            "rate": rate,
            "distortion_rmse": rmse,
        },
    )
    codes = {name: value for name, value in read_provenance(data)["facts"].items() if name.endswith("_bits_per_dim")}
    about = {"num_images": num_images, "levels": levels} | codes | device_facts(chosen)
    write_provenance(out, spec=spec, inputs={"weights": weights, "data": data}, facts=about)
    if record is not None:
        record |= {"num_images": num_images, "evaluations": model.rows, "device": chosen.type}


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="a trained model (.safetensors)")
    parser.add_argument("--data", type=Path, required=True, help="prepared images of the split to code (.npz)")
    parser.add_argument("--out", type=Path, required=True, help="terms to write (.npz)")
    add_device(parser)
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="bound", out=str(given.out)) as record:
        bound(given.spec, given.weights, given.data, given.out, device=given.device, record=record)


if __name__ == "__main__":
    run_stage(main)

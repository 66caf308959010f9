"""bound: weights and real images in; terms of the variational bound, the rate-distortion curve, reconstructions out."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffbench.base.arrays import member_names, read_member, save_npz
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.errors import UserError
from diffbench.base.images import rounded, to_float
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.progress import progress
from diffbench.base.provenance import write_provenance
from diffbench.base.run_record import run_record
from diffbench.diffusion.bound import BoundTerms, bits_per_dim, bound_terms, rate_at, rate_distortion, strata
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition
from diffbench.diffusion.micro_batches import Index
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.progressive import Reconstructions, points, reconstructions
from diffbench.diffusion.similarity import ssim_window
from diffbench.stages._model import load_model


def bound(
    spec: dict[str, Any],
    weights: Path,
    data: Path,
    out: Path,
    *,
    device: str = "auto",
    record: dict[str, Any] | None = None,
) -> None:
    """Write the bound's terms of images of a split, over the full training chain, x_0 clipped, images as stored.

    Members: timesteps, vlb, x_0_mse (images x strata), width (strata), prior, bits_per_dim, index (images), rate,
    distortion_rmse (strata, ascending t). With reconstructions: curve_timesteps (points), curve_rate, curve_x_0_mse,
    curve_psnr, curve_ssim (images x points), originals and reconstructions (uint8, channels last). Raises: UserError.
    """
    inputs = checked({"weights": weights, "data": data}, upstream=upstream_of(spec))
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    model, facts = load_model(spec, weights, chosen, full_chain=True)
    stored, settings = read_member(data, "arr_0"), spec["bound"]
    index = spread(len(stored), settings["num_images"])
    boundaries = strata(len(model.chain), settings["timesteps"])
    levels = facts["levels"]

    def on_grid(index: Index) -> X:
        """The bytes' grey levels as equidistant floats: 17 levels stored as round(k 255 / 16) are k / 8 - 1."""
        x = to_float(stored[index.numpy()], chosen)
        return ((x + 1) / 2 * (levels - 1)).round() * (2 / (levels - 1)) - 1

    curve = points(len(model.chain)) if settings["reconstructions"] else np.arange(0)
    batches = -(-len(index) // settings["micro_batch"]) * (len(boundaries) - 1 + len(curve))
    num_shown = min(settings["reconstructions"], len(index))
    with progress(batches, "bound", unit="batch") as bar:
        evaluated = (ClippedDenoiser(model), model.chain, on_grid, index)
        shared = {
            "seed": settings["seed"],
            "micro_batch": settings["micro_batch"],
            "condition": conditions_of(spec, data, chosen),
            "on_batch": bar.update,
        }
        terms = bound_terms(*evaluated, boundaries=boundaries, levels=levels, **shared)
        arrays = arrays_of(terms) | {"index": index.numpy()}
        if len(curve):
            found = reconstructions(*evaluated, timesteps=curve, num_shown=num_shown, **shared)
            arrays |= curve_arrays(terms, found)
            arrays["originals"] = np.asarray(stored[index[:num_shown].numpy()])
    save_npz(out, arrays)
    about = {"num_images": len(index), "of": len(stored), "levels": levels, "split": spec["split"]}
    if len(curve):
        about["ssim_window"] = ssim_window(*stored.shape[1:3])
    # The codes beside it are of the test split.
    coded = inputs.records["data"]["facts"] if spec["split"] == "test" else {}
    about |= {name: value for name, value in coded.items() if name.endswith("_bits_per_dim")}
    write_provenance(out, spec=spec, inputs=inputs, facts=about | device_facts(chosen))
    if record is not None:
        record |= {"num_images": len(index), "evaluations": model.rows, "device": chosen.type}


def arrays_of(terms: BoundTerms) -> dict[str, np.ndarray]:
    """Return the members that hold the bound."""
    rate, rmse = rate_distortion(terms)
    own = {"timesteps": terms.timesteps, "vlb": terms.vlb, "x_0_mse": terms.x_0_mse, "width": terms.width}
    return own | {
        "prior": terms.prior,
        "bits_per_dim": bits_per_dim(terms),
        "rate": rate,
        "distortion_rmse": rmse,
    }


def curve_arrays(terms: BoundTerms, found: Reconstructions) -> dict[str, np.ndarray]:
    """Return the members that hold the rate-distortion curve and the reconstructions, as bytes."""
    num_shown, num_points, channels, height, width = found.shown.shape
    return {
        "curve_timesteps": found.timesteps,
        "curve_rate": rate_at(terms, found.timesteps),
        "curve_x_0_mse": found.x_0_mse,
        "curve_psnr": found.psnr,
        "curve_ssim": found.ssim,
        "reconstructions": rounded(found.shown.flatten(0, 1)).reshape(num_shown, num_points, height, width, channels),
    }


def spread(total: int, wanted: int | None) -> Index:
    """Return the positions of `wanted` of `total` images, evenly spread: a split may be sorted by class."""
    count = min(wanted or total, total)
    return torch.arange(count) * total // count


def conditions_of(spec: dict[str, Any], data: Path, device: torch.device) -> Callable[[Index], Condition | None]:
    """Return the images' own labels, or nothing where the model takes no label. Raises: UserError where they lack."""
    if not spec["network"].get("class_conditional"):
        return lambda index: None
    if "arr_1" not in member_names(data):
        raise UserError(f"{data}: a class-conditional network needs labels, and this split has none")
    labels = torch.from_numpy(np.array(read_member(data, "arr_1")))
    return lambda index: Condition(y=labels[index].to(device))


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

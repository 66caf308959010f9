"""The stage bound: terms of the variational bound on real images, and optionally a rate-distortion curve."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diffbench.base.arrays import Bytes, read_member, save_npz
from diffbench.base.devices import chosen_device, device_facts, prepare
from diffbench.base.images import rounded, to_float
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.memory import enough_memory
from diffbench.base.progress import progress
from diffbench.base.provenance import write_provenance
from diffbench.base.world import ALONE, World, joined
from diffbench.diffusion.bound import BoundTerms, bits_per_dim, bound_terms, rate_at, rate_distortion, strata
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, ModelDenoiser
from diffbench.diffusion.micro_batches import Index, spread
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.progressive import Reconstructions, points, reconstructions
from diffbench.diffusion.similarity import ssim_window
from diffbench.jobs.bound import BoundJob, Evaluated
from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.terms_facts import TermsFacts
from diffbench.stages._command import add_device, stage_parser
from diffbench.stages._conditions import own_labels
from diffbench.stages._model import Architecture, Held, load_model
from diffbench.stages._ranks import run_of, run_ranks
from diffbench.stages._shared_index import SharedIndex


def bound(
    job: BoundJob,
    weights: Path,
    data: Path,
    out: Path,
    *,
    device: str = "auto",
    world: World = ALONE,
    record: dict[str, Any] | None = None,
) -> None:
    """Write the terms of the bound on images of a split.

    The chain is the full training chain, x_0 is clipped, and images are not flipped.
    Members: timesteps, vlb, x_0_mse (images x strata), width (strata), prior, bits_per_dim, index (images), rate,
    distortion_rmse (strata, ascending t). With reconstructions: curve_timesteps (points), curve_rate, curve_x_0_mse,
    curve_psnr, curve_ssim (images x points), originals and reconstructions (uint8, channels last).
    world: the processes that share the micro-batches, of which each calls this function, and the first writes.
    Raises: UserError if the inputs do not fit each other or the job.
    """
    inputs = checked({"weights": weights, "data": data}, upstream=upstream_of(job.upstream))
    chosen = chosen_device(device, world.device_number)
    prepare(job.numerics, job.threads, chosen)
    architecture, held = Architecture.of(job), Held.of(job, inputs)
    model = load_model(architecture, held, chosen, full_chain=True, numerics=job.numerics)
    levels = held.facts.levels
    stored = read_member(data, "arr_0")
    index = spread(len(stored), job.bound.num_images)
    condition = _conditions(data if architecture.takes_labels else None, chosen)
    # The codes in the data's record are of the test split.
    codes = DataFacts.recorded(inputs.records["data"]).codes if job.split == "test" else None
    with enough_memory(f"{job.bound.micro_batch} images at once", "lower bound.micro_batch"):
        arrays = _evaluated(job.bound, model, levels, _on_grid(stored, levels, chosen), index, condition, world)
    evaluations = sum(world.gathered(model.rows))
    if not world.leads:
        return
    if job.bound.reconstructions:
        arrays["originals"] = np.asarray(stored[index[: job.bound.reconstructions].numpy()])
    save_npz(out, arrays)
    facts = TermsFacts(
        num_images=len(index),
        of=len(stored),
        levels=levels,
        split=job.split,
        ssim_window=ssim_window(*stored.shape[1:3]) if job.bound.reconstructions else None,
        codes=codes,
    )
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=facts.as_json() | device_facts(chosen, job.numerics))
    if record is not None:
        record |= {"num_images": len(index), "evaluations": evaluations, "device": chosen.type}


def _on_grid(stored: Bytes, levels: int, device: torch.device) -> Callable[[Index], X]:
    """Return a function that gives images on equidistant grey levels.

    With 17 levels, level k is stored as round(k 255 / 16) and becomes k / 8 - 1.
    """

    def images(index: Index) -> X:
        x = to_float(stored[index.numpy()], device)
        return ((x + 1) / 2 * (levels - 1)).round() * (2 / (levels - 1)) - 1

    return images


def _conditions(labelled: Path | None, device: torch.device) -> Callable[[Index], Condition | None]:
    """Return the labels of a file's images; None, where the model takes no label, gives none. Raises: UserError."""
    if labelled is None:
        return lambda index: None
    labels = own_labels(labelled)
    return lambda index: Condition(labels(index)).to(device)


def _evaluated(
    asked: Evaluated,
    model: ModelDenoiser,
    levels: int,
    images: Callable[[Index], X],
    index: Index,
    condition: Callable[[Index], Condition | None],
    world: World,
) -> dict[str, np.ndarray]:
    """Return the arrays of the bound and, if the job asks for reconstructions, of their curve."""
    boundaries = strata(len(model.chain), asked.timesteps)
    curve = points(len(model.chain)) if asked.reconstructions else np.arange(0)
    own = SharedIndex.of(index, asked.micro_batch, world)
    with progress(own.batches * (len(boundaries) - 1 + len(curve)), "bound", unit="batch") as bar:
        evaluated = (ClippedDenoiser(model), model.chain, images, own.index)
        shared = {"seed": asked.seed, "micro_batch": asked.micro_batch, "condition": condition, "on_batch": bar.update}
        terms = own.whole(lambda: bound_terms(*evaluated, boundaries=boundaries, levels=levels, **shared), same="width")
        arrays = arrays_of(terms) | {"index": index.numpy()}
        if not asked.reconstructions:
            return arrays
        num_shown = own.among_first(asked.reconstructions)
        found = own.whole(
            lambda: reconstructions(*evaluated, timesteps=curve, num_shown=num_shown, **shared), same="timesteps"
        )
        return arrays | curve_arrays(terms, found)


def arrays_of(terms: BoundTerms) -> dict[str, np.ndarray]:
    """Return the arrays of the bound by name."""
    rate, rmse = rate_distortion(terms)
    own = {"timesteps": terms.timesteps, "vlb": terms.vlb, "x_0_mse": terms.x_0_mse, "width": terms.width}
    return own | {
        "prior": terms.prior,
        "bits_per_dim": bits_per_dim(terms),
        "rate": rate,
        "distortion_rmse": rmse,
    }


def curve_arrays(terms: BoundTerms, found: Reconstructions) -> dict[str, np.ndarray]:
    """Return the arrays of the rate-distortion curve, and the reconstructions as bytes."""
    num_shown, num_points, channels, height, width = found.shown.shape
    return {
        "curve_timesteps": found.timesteps,
        "curve_rate": rate_at(terms, found.timesteps),
        "curve_x_0_mse": found.x_0_mse,
        "curve_psnr": found.psnr,
        "curve_ssim": found.ssim,
        "reconstructions": rounded(found.shown.flatten(0, 1)).reshape(num_shown, num_points, height, width, channels),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, BoundJob.read)
    parser.add_argument("--weights", type=Path, required=True, help="a trained model (.safetensors)")
    parser.add_argument(
        "--data", type=Path, required=True, help="prepared images of the split that the spec names (.npz)"
    )
    parser.add_argument("--out", type=Path, required=True, help="terms to write (.npz)")
    add_device(parser)
    given = parser.parse_args(arguments)
    world = joined()
    with run_of(world, given, "bound") as record:
        bound(given.spec, given.weights, given.data, given.out, device=given.device, world=world, record=record)


if __name__ == "__main__":
    run_ranks(main)

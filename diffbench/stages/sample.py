"""sample: a model's weights in, sample sets out, one for each number of steps."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.artifacts import digest, exclusive, require_files, run_record, sha256, write_provenance
from diffbench.base.command import add_device, run_stage, stage_parser
from diffbench.base.devices import chosen_device, device_facts, make_deterministic
from diffbench.base.errors import UserError
from diffbench.base.images import ROUNDINGS
from diffbench.base.progress import progress
from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, ModelDenoiser
from diffbench.samplers._batches import Conditions, micro_batches, sample
from diffbench.stages._model import diffusion_of, load_model, part_of


def sample_sets(
    spec: dict[str, Any],
    weights: Path,
    outs: Sequence[Path],
    *,
    device: str = "auto",
    cache: Path = Path(".cache"),
    record: dict[str, Any] | None = None,
) -> None:
    """Write a sample set (`arr_0`, uint8 NHWC) and its provenance for each of the spec's spacings.

    Finished micro-batches wait in `cache`, where a job that is cut off and started again finds them. Raises: UserError.
    """
    if len(outs) != len(spec["spacings"]):
        raise UserError(f"--out: {len(outs)} files for {len(spec['spacings'])} spacings")
    require_files([weights])
    make_deterministic(spec["threads"])
    chosen = chosen_device(device)
    identity = {"spec": {**spec, "spacings": None}, "weights": sha256(weights), "device": chosen.type}
    images = steps = 0
    with ExitStack() as locks:
        folders = [
            locks.enter_context(exclusive(cache / "sample" / digest(identity | {"spacing": spacing})[:24]))
            for spacing in spec["spacings"]
        ]
        for spacing, out, folder in zip(spec["spacings"], outs, folders, strict=True):
            count = sample_set(spec, spacing, weights, out, chosen, folder)
            images, steps = images + spec["num_images"], steps + count * spec["num_images"]
        # Not before all sets are written: a job that is started again makes all of its files again.
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    if record is not None:
        record |= {"num_images": images, "image_steps": steps, "device": chosen.type}


def sample_set(spec: dict[str, Any], spacing: str, weights: Path, out: Path, device: torch.device, folder: Path) -> int:
    """Write one sample set and return its number of steps."""
    diffusion = diffusion_of(spec)
    chain = diffusion.chain(spacing)
    model, facts = load_model(spec, weights, device, full_chain=len(chain) == diffusion.timesteps)
    settings, num_images = spec["sampling"], spec["num_images"]
    denoiser = ClippedDenoiser(model) if settings["clip_x_0"] else model
    sampler = part_of("samplers", spec["sampler"])
    height, width, channels = facts["shape"]
    to_bytes = ROUNDINGS[settings["rounding"]]
    conditions = conditions_of(spec, facts)
    shards = []
    ranges = micro_batches(num_images, settings["micro_batch"])
    with progress(len(ranges) * len(chain), f"sample {spec['sampler']['name']} {spacing}") as bar:
        for start, end in ranges:
            shard = folder / f"{start}.npz"
            shards.append(shard)
            if shard.is_file():
                bar.update(len(chain))
                continue
            before = model.rows
            x = sample(
                sampler,
                denoiser,
                chain,
                index=range(start, end),
                shape=(channels, height, width),
                seed=spec["seed"],
                micro_batch=settings["micro_batch"],
                conditions=conditions,
                device=device,
                on_step=bar.update,
            )
            save_npz(shard, {"arr_0": to_bytes(x), "rows": np.array([model.rows - before])})
    arrays = {"arr_0": np.concatenate([read_member(shard, "arr_0") for shard in shards])}
    if conditions is not None:
        arrays["arr_1"] = conditions(torch.arange(num_images)).y.numpy()
    save_npz(out, arrays)
    rows = sum(int(read_member(shard, "rows")[0]) for shard in shards)
    nfe = rows / (len(shards) * settings["micro_batch"])
    cost = {"nfe": nfe, "flops_per_evaluation": flops(model, facts, device, conditions is not None)}
    write_provenance(
        out, spec=spec | {"spacings": [spacing]}, inputs={"weights": weights}, facts=cost | device_facts(device)
    )
    return len(chain)


def conditions_of(spec: dict[str, Any], facts: dict[str, Any]) -> Conditions | None:
    """Return what image k is to be: a label drawn uniformly by (seed, k), or None where the model takes no label.

    Source: guided-diffusion's classifier_sample.py draws labels independently and uniformly.
    """
    if not spec["network"].get("class_conditional"):
        return None
    stream = Stream(spec["seed"], "label")
    return lambda index: Condition(y=stream.integers(index, 0, facts["num_classes"]))


def flops(model: ModelDenoiser, facts: dict[str, Any], device: torch.device, conditional: bool) -> int:
    """Return the floating-point operations of one network evaluation of one image (a multiply-add is two)."""
    height, width, channels = facts["shape"]
    x = torch.zeros(1, channels, height, width, device=device)
    y = torch.zeros(1, dtype=torch.int64, device=device) if conditional else None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(x, torch.zeros(1, device=device), y, None)
    return counter.get_total_flops()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="a trained model (.safetensors)")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help="sample sets to write (.npz), one a spacing")
    parser.add_argument("--cache", type=Path, default=Path(".cache"), help="where finished micro-batches wait")
    add_device(parser)
    given = parser.parse_args(arguments)
    outs = [str(path) for path in given.out]
    with run_record(given.run_record, stage="sample", out=outs) as record:
        sample_sets(given.spec, given.weights, given.out, device=given.device, cache=given.cache, record=record)


if __name__ == "__main__":
    run_stage(main)

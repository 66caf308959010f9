"""sample: a model's weights in, sample sets out, one for each number of steps."""

from collections.abc import Sequence
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
from diffbench.diffusion.denoiser import ClippedDenoiser, ModelDenoiser
from diffbench.samplers._batches import micro_batches, sample
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
    key = digest(identity)[:24]
    images = steps = 0
    with exclusive(cache / "sample" / key) as folder:
        for spacing, out in zip(spec["spacings"], outs, strict=True):
            count = sample_set(spec, spacing, weights, out, chosen, folder)
            images, steps = images + spec["num_images"], steps + count * spec["num_images"]
        for leftover in folder.glob("*.npz"):
            leftover.unlink()
    if record is not None:
        record |= {"images": images, "image_steps": steps, "device": chosen.type}


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
    shards = []
    ranges = micro_batches(num_images, settings["micro_batch"])
    with progress(len(ranges) * len(chain), f"sample {spec['sampler']['name']} {spacing}") as bar:
        for start, end in ranges:
            shard = folder / f"{spacing.replace(',', '-')}.{start}.npz"
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
                device=device,
                on_step=bar.update,
            )
            save_npz(shard, {"arr_0": to_bytes(x), "rows": np.array([model.rows - before])})
    save_npz(out, {"arr_0": np.concatenate([read_member(shard, "arr_0") for shard in shards])})
    rows = sum(int(read_member(shard, "rows")[0]) for shard in shards)
    nfe = rows / (len(shards) * settings["micro_batch"])
    cost = {"nfe": nfe, "flops_per_evaluation": flops(model, facts, device)}
    write_provenance(
        out, spec=spec | {"spacings": [spacing]}, inputs={"weights": weights}, facts=cost | device_facts(device)
    )
    return len(chain)


def flops(model: ModelDenoiser, facts: dict[str, Any], device: torch.device) -> int:
    """Return the floating-point operations of one network evaluation of one image (a multiply-add is two)."""
    height, width, channels = facts["shape"]
    x = torch.zeros(1, channels, height, width, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(x, torch.zeros(1, device=device), None, None)
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

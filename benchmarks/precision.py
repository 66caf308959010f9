"""What bf16 changes and costs on this machine: a model of a finished tree is sampled, bounded and trained in both.

    python benchmarks/precision.py RESULTS MODEL

It prints a line for each quantity: its value in float32 and in bf16, their difference, what the difference is to be
compared with, and the ratio of the times. Nothing in the tree is changed.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from diffbench.base.arrays import read_member
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.provenance_file import read_provenance
from diffbench.jobs.bound import BoundJob
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.train import TrainJob
from diffbench.metrics.bits_per_dim import BitsPerDim
from diffbench.metrics.fid import Fid
from diffbench.stages._wide import read_wide
from diffbench.stages.bound import bound
from diffbench.stages.extract import extract
from diffbench.stages.sample import sample_set
from diffbench.stages.train import train

STEPS = 200
BF16 = Numerics("bf16")


class Timed(NamedTuple):
    """What a stage made, and the seconds of CPU that it took: other processes do not change these much."""

    path: Path
    seconds: float


def both(folder: Path, name: str, made: Callable[[Numerics, Path], object]) -> list[Timed]:
    """Return what a stage makes in float32 and in bf16."""
    found = []
    for numerics in (DEFAULT_NUMERICS, BF16):
        path = folder / f"{numerics}" / name
        path.parent.mkdir(exist_ok=True)
        began = time.process_time()
        made(numerics, path)
        found.append(Timed(path, time.process_time() - began))
    return found


def job(kind: Any, record: Path, numerics: Numerics, **changes: Any) -> Any:
    """Return the job that made an artifact, in a precision, free of the code and the inputs that it had."""
    held = kind.read(read_provenance(record)["spec"])
    return replace(held, code=None, upstream={}, numerics=numerics, **changes)


def line(what: str, values: list[float], against: str, seconds: list[float]) -> None:
    """Print a line of the comparison."""
    change, ratio = abs(values[1] - values[0]), f"{seconds[1] / seconds[0]:.2f}" if seconds else ""
    print(f"{what:<32}{values[0]:>10.4f}{values[1]:>10.4f}{change:>10.4f}   {against:<34}{ratio:>6}".rstrip())


def main(results: Path, model: str) -> None:
    """Print the comparison."""
    home = results / "models" / model / "train0"
    weights, data = home / "weights.safetensors", results / "data"
    print(f"{'':<32}{'float32':>10}{'bf16':>10}{'change':>10}   {'compared with':<34}{'time':>6}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        reference = folder / "reference.npz"
        extractor: Any = {"extractor": "digits_features", "threads": 1}
        extract(ExtractJob.read(extractor), data / "train.npz", reference, device="cpu")
        for sampler in ("ddim", "ancestral"):
            record = next((results / "samples" / model / "train0" / sampler).glob("*/25.npz"))

            def sampled(numerics: Numerics, path: Path, record: Path = record) -> None:
                sample_set(job(SampleJob, record, numerics), weights, path, device="cpu", cache=path.parent)

            sets = both(folder, f"{sampler}.npz", sampled)
            scores = [fid(item.path, reference, extractor) for item in sets]
            images = [read_member(item.path, "arr_0").astype(float) for item in sets]
            width = (scores[0].high - scores[0].low) / 2
            values, seconds = [score.value for score in scores], [item.seconds for item in sets]
            line(f"FID, {sampler}, 25 steps", values, f"its interval: +- {width:.2f}", seconds)
            off = np.abs(images[0] - images[1])
            print(f"{'':<32}pixels that differ: {np.mean(off > 0):.1%}, by {off.mean():.2f} of 255 on average")
        in_bf16 = replace(ExtractJob.read(extractor), numerics=BF16)
        features = [fid(sets[0].path, reference, extractor)]
        extract(in_bf16, data / "train.npz", folder / "reference_bf16.npz", device="cpu")
        features.append(
            fid(sets[0].path, folder / "reference_bf16.npz", {**extractor, "numerics": {"precision": "bf16"}})
        )
        line("FID, extraction in bf16", [score.value for score in features], f"its interval: +- {width:.2f}", [])

        def bounded(numerics: Numerics, path: Path) -> None:
            asked = job(BoundJob, results / "terms" / model / "train0" / "test.npz", numerics)
            bound(
                replace(asked, bound=replace(asked.bound, reconstructions=0)),
                weights,
                data / "test.npz",
                path,
                device="cpu",
            )

        terms = both(folder, "terms.npz", bounded)
        bits = [BitsPerDim()({key: read_member(item.path, key) for key in ("bits_per_dim",)}) for item in terms]
        error = (bits[0].high - bits[0].low) / 3.92
        line(
            "bits/dim",
            [one.value for one in bits],
            f"its standard error: {error:.4f}",
            [item.seconds for item in terms],
        )

        def trained(numerics: Numerics, path: Path) -> None:
            asked = job(TrainJob, weights, numerics, validation=None)
            short = replace(asked, training=replace(asked.training, steps=STEPS, log_every=20))
            train(short, data / "train.npz", path, path.with_suffix(".csv"), device="cpu", cache=path.parent)

        runs = both(folder, "weights.safetensors", trained)
        curves = [read_wide(item.path.with_suffix(".csv"))["loss"].to_numpy(float) for item in runs]
        worst = np.abs(curves[1] / curves[0] - 1).max()
        last = [float(curve[-1]) for curve in curves]
        line(f"loss after {STEPS} steps", last, f"largest of 10 rows: {worst:.2%}", [item.seconds for item in runs])


def fid(images: Path, reference: Path, extractor: Any) -> Any:
    """Return the FID of images against the features of a reference."""
    out = images.with_suffix(".features.npz")
    extract(ExtractJob.read(extractor), images, out, device="cpu")
    sides = [{"pool": read_member(path, "pool")} for path in (out, reference)]
    return Fid(features="pool")(*sides)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

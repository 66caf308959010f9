"""All speeds of a CUDA machine in a few minutes: `python benchmarks/cuda.py --minutes 8 --data FOLDER`.

It measures what matrix products reach, training steps of improved DDPM's CIFAR-10 network in several precisions and
batch sizes, guided-diffusion's step beside ours, sampling, the share of a step that data take, extraction and metrics.
Then it trains that network on CIFAR-10 for the time that is left, and samples a grid of pictures. Each result is
written when it is there (results.jsonl, summary.md), so that a machine that is taken away loses nothing.

--dry-run does the same on the CPU with a tiny network, to see that every part works.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

# This folder is first on the path, where torch would take this file for NVIDIA's package `cuda`.
sys.path.remove(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parent / "cuda_parts"))

import torch
from bounded import Book, Run
from cuda_plan import FAST, FASTEST, Plan, without_part
from cuda_training import trained

from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.commands.bench import guided_diffusion
from diffbench.commands.bench.against import Ratio, sampling_ratio, training_ratio
from diffbench.commands.bench.asked import Choices
from diffbench.commands.bench.networks import data_share, measured_sampling, measured_training
from diffbench.commands.bench.place import versions
from diffbench.commands.bench.scoring import measured_extraction, measured_metrics

TRAININGS = (
    Choices(),
    Choices("bf16"),
    Choices("bf16", channels_last=True),
    FAST,
    FASTEST,
    Choices("tf32"),
    Choices("tf32", channels_last=True, compiled=True, deterministic=False),
)
SAMPLINGS = (Choices(), FAST, FASTEST)
"""How networks compute in the measurements, those first that are needed most."""

TRAINING_SHARE = 0.4
"""The share of all the time that the training at the end has, at least."""

Measure = Callable[[], Ratio]


def ceilings(plan: Plan) -> None:
    """Measure matrix products in each precision that the device has."""
    for precision in ("float32",) if plan.dry else ("float32", "tf32", "bf16"):
        flops = plan.place.ceiling(Numerics(precision))
        plan.run.book.add(
            "ceiling", f"{precision}: {flops / 1e12:.4g} TFLOP/s", precision=precision, tflops=flops / 1e12
        )


def against(plan: Plan) -> Iterator[tuple[str, Measure]]:
    """Yield the comparisons with guided-diffusion, by their names."""
    assert plan.checkout is not None
    checkout, batch = guided_diffusion.loaded(plan.checkout), plan.batches[0]
    for choices in (Choices(),) if plan.dry else (Choices(), FAST, FASTEST):
        for fp16 in (False,) if plan.dry else (False, True):
            work = plan.bench(choices, batch)
            name = f"guided-diffusion in {'float16' if fp16 else 'float32'}"
            yield name, partial(training_ratio, work, checkout, plan.candidate, fp16=fp16)
        yield "guided-diffusion in float32", partial(sampling_ratio, work, checkout, plan.candidate)


def add_ratio(plan: Plan, name: str, measure: Measure) -> None:
    """Write a ratio down."""
    one = measure()
    plan.run.book.add("against", f"{name}: {one.words()}", theirs=name, **without_part(one.as_json()))


def add_data_share(plan: Plan, choices: Choices) -> None:
    """Write down the share of a training step that images, noise and timesteps take."""
    share = data_share(plan.bench(choices, plan.batches[0]), plan.candidate)
    numerics = choices.over(DEFAULT_NUMERICS)
    words = f"{numerics}, batch {plan.batches[0]}: images, noise and timesteps take {share:.1%} of a step"
    plan.run.book.add("data", words, share=share)


def all_parts(plan: Plan, seconds: float) -> None:
    """Do every part, the training last."""
    run, share, batches = plan.run, (1 - TRAINING_SHARE) * seconds, plan.batches
    end = run.left() - share

    def part(name: str, of_share: float, work: Callable[[], object]) -> None:
        run.part(name, min(of_share * share, run.left() - end), work)

    def training(choices: Choices, batch: int) -> None:
        work = plan.bench(choices, batch)
        part("train", 0.2, lambda: plan.add(measured_training(work, plan.candidate)))

    part("ceiling", 0.1, lambda: ceilings(plan))
    trainings = (Choices(),) if plan.dry else TRAININGS
    training(trainings[0], batches[0])
    if plan.checkout is None:
        run.book.add("against", "skipped: no --guided-diffusion", skipped=True)
    else:
        turns: list[tuple[str, Measure]] = []
        part("against", 0.1, lambda: turns.extend(against(plan)))
        for name, measure in turns:
            part("against", 0.15, partial(add_ratio, plan, name, measure))
    for batch in batches:
        for choices in trainings[batch == batches[0] :]:
            training(choices, batch)
    for choices in (Choices(),) if plan.dry else SAMPLINGS:
        work = plan.bench(choices, 2 if plan.dry else 256)
        part("sample", 0.2, lambda work=work: plan.add(measured_sampling(work, plan.candidate)))
    part("data", 0.1, lambda: add_data_share(plan, Choices() if plan.dry else FAST))
    part("extract", 0.1, lambda: [plan.add(one) for one in measured_extraction(plan.bench(Choices()))])
    part("score", 0.2, lambda: [plan.add(one) for one in measured_metrics(plan.bench(Choices()))])
    data = plan.data
    if data is None:
        run.book.add("train on data", "skipped: no --data", skipped=True)
    else:
        run.part("train on data", run.left(), lambda: trained(plan, data))
    run.book.add("end", f"{run.book.failed} failures, {seconds - run.left():.0f} s of {seconds:.0f} s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all parts. Returns 1 if one failed, 2 if there is no CUDA device."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="the end of the run, whatever is left")
    parser.add_argument("--data", type=Path, help="a folder of CIFAR-10: parquet, or torchvision's archive")
    parser.add_argument("--guided-diffusion", type=Path, metavar="FOLDER", help="a checkout, whose step takes turns")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="Inception's weights")
    parser.add_argument("--out", type=Path, default=Path("cuda_bench"), metavar="FOLDER", help="where results go")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes on the CPU")
    given = parser.parse_args(arguments)
    if not (given.dry_run or torch.cuda.is_available()):
        sys.stderr.write("benchmarks/cuda.py: this machine has no usable CUDA device; --dry-run tries it on the CPU\n")
        return 2
    seconds = 60 * given.minutes
    device = torch.device("cpu" if given.dry_run else "cuda")
    run = Run(Book(given.out, "Speeds of a CUDA machine" if device.type == "cuda" else "A dry run on the CPU"), seconds)
    plan = Plan(run, device, given.data, given.guided_diffusion, given.weights, given.dry_run)
    run.book.add("machine", plan.place.words(), machine=plan.place.machine(), versions=versions())
    all_parts(plan, seconds)
    return int(run.book.failed > 0)


if __name__ == "__main__":
    sys.exit(main())

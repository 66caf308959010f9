"""What a second process gains on this machine: training and sampling by one process and by two, in turns.

    python benchmarks/many.py [TURNS]

Each process has one thread. It prints images per second of each turn, and the ratios of the medians of the times: two
processes to one, and an exact sum to a plain one. The start of the processes is left out: they are forks of one that
has imported everything. The load of the machine is printed too, because other work gets a share of the cores.
"""

import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from diffbench.benchmark.jobs import sample_job, train_job
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.prepare import PrepareJob
from diffbench.stages import sample, train
from diffbench.stages._ranks import run_ranks
from diffbench.stages.prepare import prepare

SMOKE = Path(__file__).parents[1] / "workflow/config/smoke.yaml"
CHANNELS, BATCH, STEPS, IMAGES = 32, 64, 12, 128


def in_processes(size: int, main: Callable[..., None], arguments: list[object]) -> None:
    """Run a stage in some processes and wait for all of them."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = str(found.getsockname()[1])
    children = []
    for rank in range(size):
        child = os.fork()
        if not child:
            if size > 1:
                os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
                os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            run_ranks(main, [str(argument) for argument in arguments])
            os._exit(0)
        children.append(child)
    assert not any(os.waitpid(child, 0)[1] for child in children), "a process failed"


def trained(folder: Path, job: Any, size: int) -> float:
    """Return the seconds that an image takes in a training by some processes."""
    record = folder / "run.json"
    paths = ("--data", folder / "train.npz", "--out", folder / "w.safetensors", "--log-csv", folder / "log.csv")
    call = ["--spec", json.dumps(job.as_json()), *paths, "--cache", folder / "cache", "--run-record", record]
    in_processes(size, train.main, [*call, "--device", "cpu"])
    return 1 / json.loads(record.read_text())["images_per_second"]


def sampled(folder: Path, job: Any, size: int) -> float:
    """Return the seconds that an image takes in a sampling by some processes."""
    paths = ("--weights", folder / "w.safetensors", "--out", folder / "s.npz", "--cache", folder / "cache")
    began = time.perf_counter()
    in_processes(size, sample.main, ["--spec", json.dumps(job.as_json()), *paths, "--device", "cpu"])
    return (time.perf_counter() - began) / IMAGES


def main() -> None:
    """Measure in turns and print."""
    turns = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    smoke = replace(load_benchmark(SMOKE), validation=None)
    job = train_job(smoke, "iddpm", 0)
    network = replace(job.network, options=job.network.options | {"channels": CHANNELS, "dropout": 0.0})
    job = replace(job, network=network, training=replace(job.training, steps=STEPS, batch_size=BATCH))
    exact = replace(job, training=replace(job.training, exact_sum=True))
    drawn = sample_job(smoke, SampleSet("iddpm", "ancestral", 10, 0, 0, IMAGES, ()))
    drawn = replace(drawn, network=network, sampling=replace(drawn.sampling, micro_batch=16))
    took: dict[str, list[float]] = {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        prepare(PrepareJob(dataset=DatasetPart("digits")), out_train=folder / "train.npz", out_test=folder / "test.npz")
        measured = {
            "training": lambda size: trained(folder, job, size),
            "sampling": lambda size: sampled(folder, drawn, size),
            "exact sum": lambda size: trained(folder, exact, size),
        }
        for name, size in [(name, size) for _ in range(turns) for name in measured for size in (1, 2)]:
            seconds = measured[name](size)
            took.setdefault(f"{name}, {size}", []).append(seconds)
            print(f"{name}, {size}: {1 / seconds:.1f} images/s, load {os.getloadavg()[0]:.1f}", flush=True)
    print(f"{turns} turns on {os.cpu_count()} cores")
    middle = {name: statistics.median(found) for name, found in took.items()}
    for name in ("training", "sampling", "exact sum"):
        print(f"{name}: two processes take {middle[f'{name}, 2'] / middle[f'{name}, 1']:.2f} of the time of one")
    for size in (1, 2):
        print(f"exact sum / plain, {size}: {middle[f'exact sum, {size}'] / middle[f'training, {size}']:.2f}")


if __name__ == "__main__":
    main()

"""How time and memory grow with the number of images: `pytest benchmarks/test_growth.py -s`, not part of the tests.

A tiny network samples 1,000, 10,000 and 100,000 digits-sized images. Each stage runs in a process of its own, as the
workflow starts it, and its run record says what it took. Metrics that compare all pairs are the exception, so they are
measured apart, up to 10,000 images.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SIZES = (1_000, 10_000, 100_000)
STAGES = ("sample", "extract", "score")
MOST_TIME, MOST_MEMORY = 10.5, 1.1
"""What ten times the images may cost: so many times the time, and so many times the memory."""

OPEN_FILES = 1024
"""The usual limit of a process. A set of 100,000 images has 1,000 micro-batches, each in a file."""

BENCHMARK = """
benchmark: growth
dataset: {name: digits}
models:
  ddpm:
    network: {channels: 4, channel_multipliers: [1], residual_blocks: 1, attention_resolutions: [], norm_groups: 4}
    timesteps: 100
    schedule: linear
    parameterization: eps
    variance: fixed_large
    objective: simple
    training: {steps: 5, batch_size: 32, learning_rate: 1.0e-3, warmup_steps: 0, ema_decay: 0.9}
    weights: ema
samplers:
  ddim: {eta: 0.0}
sampling: {micro_batch: 100, clip_x_0: true, rounding: truncate}
protocols:
  digits: {extractor: digits_features}
runs:
  - {models: [ddpm], samplers: [ddim], steps: [2], num_images: 100, protocols: [digits]}
execution: {threads: 1}
"""

SCORED = {
    "protocol": {
        "name": "classifier",
        "extractor": "digits_features",
        "metrics": ["fid", "inception_score", "precision", "density", "coverage"],
    },
    "rounding": "truncate",
    "row": {"benchmark": "growth", "model": "ddpm", "sampler": "ddim", "steps": 2, "guidance_scale": None}
    | {"train_seed": 0, "sample_seed": 0},
}

PAIRS = """
import json, resource, time
import numpy as np
draws = np.random.default_rng(0)
x, y = (draws.standard_normal((n, 64)) for n in (NUM, 1_297))
from diffbench.metrics.METRIC import CLASS
started = time.process_time()
CLASS()({"pool": x}, {"pool": y})
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": time.process_time() - started, "peak": peak / 1024}))
"""


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))


def called(*command: str) -> str:
    """The output of a command with one thread and the usual limit of open files."""
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=one_thread, preexec_fn=limited)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def stage(name: str, spec: dict, folder: Path, **files: Path | str) -> dict:
    """The run record of a stage in a process of its own."""
    record = folder / f"{name}.run.json"
    given = [f"--{key.replace('_', '-')}={value}" for key, value in files.items()]
    called(
        sys.executable, "-m", f"diffbench.stages.{name}", f"--spec={json.dumps(spec)}", f"--run-record={record}", *given
    )
    return json.loads(record.read_text())


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[tuple[str, int], dict]:
    """The run record of each stage at each size."""
    from diffbench.benchmark.jobs import sample_job, train_job
    from diffbench.benchmark.load import load_benchmark
    from diffbench.benchmark.sample_set import SampleSet
    from diffbench.jobs.dataset import DatasetPart
    from diffbench.jobs.prepare import PrepareJob

    folder = tmp_path_factory.mktemp("growth")
    (folder / "growth.yaml").write_text(BENCHMARK)
    benchmark = load_benchmark(folder / "growth.yaml")
    train, test = folder / "train.npz", folder / "test.npz"
    stage("prepare", PrepareJob(dataset=DatasetPart("digits")).as_json(), folder, out_train=train, out_test=test)
    weights, cache, cpu = folder / "weights.safetensors", folder / "cache", "cpu"
    spec = train_job(benchmark, "ddpm", 0).as_json()
    stage("train", spec, folder, data=train, out=weights, log_csv=folder / "log.csv", cache=cache, device=cpu)
    extracted = {"extractor": {"name": "digits_features"}, "threads": 1}
    reference = folder / "reference.npz"
    stage("extract", extracted, folder, images=train, out=reference, device=cpu)
    found = {}
    for size in SIZES:
        spec = sample_job(benchmark, SampleSet("ddpm", "ddim", 2, 0, 0, size, ())).as_json()
        images, features, scores = (folder / f"{size}.{end}" for end in ("images.npz", "features.npz", "scores.json"))
        found["sample", size] = stage("sample", spec, folder, weights=weights, out=images, cache=cache, device=cpu)
        found["extract", size] = stage("extract", extracted, folder, images=images, out=features, device=cpu)
        found["score", size] = stage("score", SCORED, folder, features=features, reference=reference, out=scores)
    return found


def test_growth_of_sampling_extraction_and_scoring(records):
    print("\n| stage | images | seconds of a core | times | peak MiB | times |\n|---|---|---|---|---|---|")
    missed = []
    for name in STAGES:
        before = None
        for size in SIZES:
            record = records[name, size]
            # Start-up does not grow.
            now = record["cpu_seconds"] - record["startup_cpu_seconds"], record["peak_memory_mib"]
            times = ("", "") if before is None else tuple(f"{b / a:.2f}" for a, b in zip(before, now, strict=True))
            print(f"| {name} | {size:,} | {now[0]:.2f} | {times[0]} | {now[1]:.0f} | {times[1]} |")
            if before is not None and (now[0] > MOST_TIME * before[0] or now[1] > MOST_MEMORY * before[1]):
                missed.append((name, size))
            before = now
    assert not missed


def test_growth_of_metrics_of_all_pairs():
    print("\n| metric | images | seconds of a core | times | peak MiB |\n|---|---|---|---|---|")
    for metric, name in (("recall", "Recall"), ("kid", "Kid")):
        before = None
        for size in SIZES[:2]:
            program = PAIRS.replace("NUM", str(size)).replace("METRIC", metric).replace("CLASS", name)
            found = json.loads(called(sys.executable, "-c", program))
            times = "" if before is None else f"{found['seconds'] / before:.1f}"
            print(f"| {metric} | {size:,} | {found['seconds']:.2f} | {times} | {found['peak']:.0f} |")
            before = found["seconds"]

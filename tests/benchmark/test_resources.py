"""What jobs ask a scheduler for: enough, in proportion, and without torch."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from diffbench.benchmark import jobs
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.resources import Place, Resources, resources_of

CONFIG = Path(__file__).parents[2] / "workflow" / "config"
DIGITS = Place((1, 8, 8), 10, {"train": 1297, "test": 500})
CIFAR = Place((3, 32, 32), 10, {"train": 50_000, "test": 10_000})
IMAGENET = Place((3, 256, 256), 1000, {"train": 1_281_167, "test": 50_000}, on_gpu=True)


def test_resources_are_estimated_without_torch():
    """The start of a workflow asks for every job's resources, and an import of torch takes seconds."""
    code = "import sys, diffbench.benchmark.resources; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_every_job_of_the_shipped_benchmarks_asks_for_something_sensible():
    for name in ("smoke", "digits_adm", "mnist_upsampling", "imagenet64"):
        benchmark = load_benchmark(CONFIG / f"{name}.yaml")
        found = [resources_of(jobs.train_job(benchmark, *pair), DIGITS) for pair in benchmark.trained_models()]
        found += [resources_of(jobs.sample_job(benchmark, row), DIGITS) for row in benchmark.sampled_sets()]
        for model, _ in benchmark.bounded_models():
            found.append(resources_of(jobs.bound_job(benchmark, model, "test"), DIGITS))
        for asked in found:
            assert 1_000 <= asked.mem_mb and asked.mem_mb % 500 == 0, asked
            assert 10 <= asked.runtime_minutes and asked.runtime_minutes % 5 == 0, asked
            assert (asked.gpus, asked.tasks) == (0, 1)


def test_a_training_of_digits_fits_a_laptop_and_one_of_imagenet_asks_for_days():
    digits = load_benchmark(CONFIG / "smoke.yaml")
    small = resources_of(jobs.train_job(digits, *digits.trained_models()[0]), DIGITS)
    assert small.mem_mb <= 4_000 and small.runtime_minutes <= 60
    imagenet = load_benchmark(CONFIG / "imagenet256.yaml")
    large = resources_of(jobs.train_job(imagenet, "adm", 0), IMAGENET)
    assert large.gpus == 1 and large.runtime_minutes > 100 * 24 * 60
    # The host holds the training images, and six copies of 554 million parameters.
    assert large.mem_mb > 1_281_167 * 3 * 256 * 256 / 1e6 + 6 * 4 * 554


def test_more_processes_take_less_time_and_more_gpus():
    benchmark = load_benchmark(CONFIG / "imagenet256.yaml")
    row = benchmark.sampled_sets()[0]
    one, eight = (
        resources_of(jobs.sample_job(benchmark, row), dataclasses.replace(IMAGENET, processes=count))
        for count in (1, 8)
    )
    assert (eight.gpus, eight.tasks) == (8, 8)
    assert one.runtime_minutes / 9 < eight.runtime_minutes < one.runtime_minutes / 7


def test_time_grows_with_the_work():
    benchmark = load_benchmark(CONFIG / "cifar10.yaml")
    rows = {row.steps: row for row in benchmark.sampled_sets() if row.sampler == "ancestral" and row.model == "ddpm"}
    few, many = (resources_of(jobs.sample_job(benchmark, rows[steps]), CIFAR).runtime_minutes for steps in (100, 1000))
    assert 9 < many / few < 11
    assert resources_of(jobs.extract_job(benchmark, "inception"), CIFAR, num_images=50_000).runtime_minutes > 240


def test_a_job_without_a_network_asks_for_no_gpu():
    benchmark = load_benchmark(CONFIG / "cifar10.yaml")
    place = dataclasses.replace(CIFAR, on_gpu=True, processes=8)
    for job in (jobs.prepare_job(benchmark), jobs.shrink_job(16)):
        asked = resources_of(job, place)
        assert (asked.gpus, asked.tasks) == (0, 1)


def test_a_network_of_your_own_and_unknown_data_get_an_estimate_too():
    benchmark = load_benchmark(CONFIG / "cifar10.yaml")
    job = jobs.train_job(benchmark, "ddpm", 0)
    own = dataclasses.replace(job, network=dataclasses.replace(job.network, name="my.network"))
    assert isinstance(resources_of(own, Place(None, None, {})), Resources)


@pytest.mark.parametrize(("spacing", "steps"), [("25", 25), ("ddim50", 50), ("10,15,20", 45), ("log_snr25 rho=3", 25)])
def test_steps_of_a_spacing(spacing, steps):
    from diffbench.benchmark.resources import _steps_of

    assert _steps_of(spacing) == steps

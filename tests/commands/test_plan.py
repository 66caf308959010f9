"""The plan counts what the jobs will do."""

import dataclasses
import re

import pytest

from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan import job_counts, plan, plan_models

CONFIG = "tests/commands/frozen_digits.yaml"


@pytest.fixture(scope="module")
def benchmark_of_digits(request):
    return load_benchmark(request.config.rootpath / CONFIG)


def test_evaluations_are_those_of_the_rows(benchmark_of_digits):
    first = plan_models(benchmark_of_digits, (1, 8, 8), 10)[0]
    training = benchmark_of_digits.models["ddpm"].training
    assert first.name == "ddpm seed 0"
    assert first.train_evaluations == training.steps * training.batch_size
    # Two samplers at 10, 25, 50 and 100 steps, 500 images in full micro-batches of 100.
    assert first.sample_evaluations == 2 * 185 * 500
    bound = benchmark_of_digits.bound
    assert first.bound_evaluations == (2 * bound.timesteps + 13) * bound.num_images
    one = dataclasses.replace(bound, splits=("test",))
    first = plan_models(dataclasses.replace(benchmark_of_digits, bound=one), (1, 8, 8), 10)[0]
    assert first.bound_evaluations == (bound.timesteps + 13) * bound.num_images


def test_padding_of_the_last_micro_batch_is_counted(benchmark_of_digits):
    runs = tuple(dataclasses.replace(run, num_images=401) for run in benchmark_of_digits.runs)
    first = plan_models(dataclasses.replace(benchmark_of_digits, runs=runs), (1, 8, 8), 10)[0]
    assert first.sample_evaluations == 2 * 185 * 500


def test_upsamplers_and_what_they_start_from_are_counted(request):
    benchmark = load_benchmark(request.config.rootpath / "workflow/config/smoke.yaml")
    plans = {item.name: item for item in plan_models(benchmark, (1, 8, 8), 10)}
    base, upsampler, adm = (plans[f"{name} seed 0"] for name in ("adm_low", "upsampler", "adm"))
    # 100 images: 4 steps as a row of its own, and 2 for the cascade.
    assert base.sample_evaluations == 100 * (4 + 2) and base.sample_bytes == 2 * 100 * 16
    # The cascade, and real images.
    assert upsampler.sample_evaluations == 2 * 100 * 4 and upsampler.sample_bytes == 2 * 100 * 64
    assert base.bound_evaluations == upsampler.bound_evaluations == 0
    assert base.parameters == adm.parameters and 3.5 * base.flops < adm.flops < upsampler.flops
    # The stem sees the enlarged image beside x: 16 filters of 3x3 at 64 places.
    assert upsampler.flops - adm.flops == 2 * 16 * 9 * 64 and upsampler.parameters - adm.parameters == 16 * 9
    jobs = job_counts(benchmark)
    assert jobs["score"] == len(benchmark.sample_sets()) + len(benchmark.bounded_models()) + 1


def test_the_text_names_jobs_disk_and_time(benchmark_of_digits):
    text = plan(benchmark_of_digits, (1, 8, 8), 10, workers=2)
    assert re.search(r"^ddpm seed 0 +\d", text, re.M) and re.search(r"^iddpm seed 0 +\d", text, re.M)
    assert "2 train, 16 sample, 4 bound" in text and "GFLOP/s" in text and "with 2 jobs side by side" in text


def test_every_number_of_steps_is_a_job_of_its_own(benchmark_of_digits):
    assert job_counts(benchmark_of_digits)["sample"] == len(benchmark_of_digits.sampled_sets()) == 16


def test_guided_rows_count_with_the_weights_they_use_and_with_their_classifier(request):
    benchmark = load_benchmark(request.config.rootpath / "workflow/config/smoke.yaml")
    alone = tuple(run for run in benchmark.runs if "adm_u" not in run.models)
    benchmark = dataclasses.replace(benchmark, runs=alone)
    plans = {item.name: item for item in plan_models(benchmark, (1, 8, 8), 10)}
    assert list(plans) == ["ddpm seed 0", "iddpm seed 0", "adm seed 0", "noisy seed 0"]
    adm, noisy = plans["adm seed 0"], plans["noisy seed 0"]
    # Scales 0 and 1 at four steps of 100 images; at 0 the classifier is not evaluated, and guided models have no bound.
    assert (adm.sample_evaluations, noisy.sample_evaluations, adm.bound_evaluations) == (800, 400, 0)
    # Forward and backward cost about twice as much as forward.
    assert 1.7 < noisy.sample_flops / noisy.flops < 2.3
    assert noisy.total_flops == 3 * noisy.train_evaluations * noisy.flops + 400 * noisy.sample_flops
    assert job_counts(benchmark)["train"] == 4 and job_counts(benchmark)["sample"] == 10

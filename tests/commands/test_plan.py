"""The plan counts what the jobs will do, and derives its times from them."""

import dataclasses
import re
import subprocess
import sys

import pytest
import torch
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.load import load_benchmark, parse_benchmark
from diffbench.benchmark.report import Report
from diffbench.benchmark.yaml_file import read_yaml
from diffbench.commands.plan import run, schedule
from diffbench.commands.plan.advice import advice
from diffbench.commands.plan.counts import evaluations_of_sampler
from diffbench.commands.plan.data import Known, known_data
from diffbench.commands.plan.devices import DEVICES, device_speed
from diffbench.commands.plan.estimate import expected_seconds, seconds_in_all
from diffbench.commands.plan.models import plan_models
from diffbench.commands.plan.run import job_counts, plan
from diffbench.commands.plan.schedule import makespan
from diffbench.commands.plan.speed import Rates, Speed
from diffbench.commands.plan.words import spoken
from diffbench.commands.plan.work import Work, works_of

CONFIG = "tests/commands/frozen_digits.yaml"
DIGITS = Known((1, 8, 8), 10, {"train": 1297, "test": 500})
SLOW = Speed("a machine of the test", Rates(1e9, 2e9))


@pytest.fixture(scope="module")
def benchmark_of_digits(request):
    return load_benchmark(request.config.rootpath / CONFIG)


@pytest.fixture(scope="module")
def smoke(request):
    return load_benchmark(request.config.rootpath / "workflow/config/smoke.yaml")


def test_evaluations_are_those_of_the_rows(benchmark_of_digits):
    first = plan_models(benchmark_of_digits, DIGITS)[0]
    training = benchmark_of_digits.models["ddpm"].training
    assert first.name == "ddpm seed 0"
    assert first.train_evaluations == training.steps * training.batch_size
    # Two samplers at 10, 25, 50 and 100 steps, 500 images in full micro-batches of 100.
    assert first.sample_evaluations == 2 * 185 * 500
    bound = benchmark_of_digits.bound
    assert first.bound_evaluations == (2 * bound.timesteps + 13) * bound.num_images
    one = dataclasses.replace(bound, splits=("test",))
    first = plan_models(dataclasses.replace(benchmark_of_digits, bound=one), DIGITS)[0]
    assert first.bound_evaluations == (bound.timesteps + 13) * bound.num_images


def test_a_bound_on_everything_counts_all_timesteps_of_the_images_that_there_are(benchmark_of_digits):
    bound = dataclasses.replace(benchmark_of_digits.bound, timesteps=None, num_images=None)
    benchmark = dataclasses.replace(benchmark_of_digits, bound=bound)
    known = dataclasses.replace(DIGITS, num_images={"train": 180, "test": 20})
    # Micro-batches of 100: two of the training images, and one of the test images, which are also reconstructed.
    assert plan_models(benchmark, known)[0].bound_evaluations == (2 * 1000 + 1000 + 13) * 100
    asked = dataclasses.replace(bound, num_images=500)
    benchmark = dataclasses.replace(benchmark_of_digits, bound=asked)
    assert plan_models(benchmark, known)[0].bound_evaluations == (2 * 1000 + 1000 + 13) * 100


def test_padding_of_the_last_micro_batch_is_counted(benchmark_of_digits):
    runs = tuple(dataclasses.replace(run, num_images=401) for run in benchmark_of_digits.runs)
    first = plan_models(dataclasses.replace(benchmark_of_digits, runs=runs), DIGITS)[0]
    assert first.sample_evaluations == 2 * 185 * 500


def test_samplers_that_evaluate_more_than_once_a_step_are_counted(benchmark_of_digits):
    row = next(row for row in benchmark_of_digits.sample_sets() if row.steps == 10)
    found = {}
    for name in ("ddim", "heun", "pndm"):
        samplers = {"one": {"name": name} | ({} if name == "ddim" else {"off_grid": "interpolate"})}
        content = {**read_yaml(CONFIG), "samplers": samplers}
        content["runs"] = [{**content["runs"][0], "samplers": ["one"]}]
        benchmark = parse_benchmark(content, "a test")
        found[name] = evaluations_of_sampler(benchmark, dataclasses.replace(row, sampler="one"))
    assert found["ddim"] == 10 and found["heun"] == 19 and found["pndm"] > 10


def test_upsamplers_and_what_they_start_from_are_counted(smoke):
    plans = {item.name: item for item in plan_models(smoke, DIGITS)}
    base, upsampler, adm = (plans[f"{name} seed 0"] for name in ("adm_low", "upsampler", "adm"))
    # 100 images: 4 steps as a row of its own, and 2 for the cascade.
    assert base.sample_evaluations == 100 * (4 + 2) and base.sample_bytes == 2 * 100 * 16
    # The cascade, and real images.
    assert upsampler.sample_evaluations == 2 * 100 * 4 and upsampler.sample_bytes == 2 * 100 * 64
    assert base.bound_evaluations == upsampler.bound_evaluations == 0
    assert base.parameters == adm.parameters and 3.5 * base.flops < adm.flops < upsampler.flops
    # The stem sees the enlarged image beside x: 16 filters of 3x3 at 64 places.
    assert upsampler.flops - adm.flops == 2 * 16 * 9 * 64 and upsampler.parameters - adm.parameters == 16 * 9


def test_the_jobs_are_those_of_the_workflow(smoke, tmp_path):
    """Every artifact that the workflow makes for table 2 is that of a job, and no job makes another."""
    graph = Graph(smoke, tmp_path)
    report = Report(graph)
    # Of figures that one job draws, the job has the name of the first. Tables draw their own figures,
    # and one job writes a table in all formats.
    drawn = {group.drawings[0].path for group in report.drawn.groups}
    tables = {made.path for made in report.tables() if made.path.endswith(".csv")}
    made = drawn | tables | {made.path for made in graph.everything()}
    # Table 3 has its own target, and one job makes both splits.
    beside = {"results/table3.csv"}
    held_out = {"results/features/digits_features/real/test.npz"}
    jobs = {work.path for work in works_of(smoke, DIGITS)}
    assert jobs == (made | held_out) - beside - {"results/data/test.npz"}
    assert all(set(work.after) <= jobs for work in works_of(smoke, DIGITS))
    assert job_counts(smoke, DIGITS)["score"] == 18


def test_the_text_names_jobs_disk_and_time(benchmark_of_digits):
    text = plan(benchmark_of_digits, DIGITS, SLOW, workers=2)
    assert re.search(r"^ddpm seed 0 +\d", text, re.M) and re.search(r"^iddpm seed 0 +\d", text, re.M)
    assert re.search(r"2 train, 16 sample, \d+ extract, 4 bound", text)
    assert "for the 1 others" not in text and "GFLOP/s" in text and "with 2 jobs side by side" in text
    assert "1,297 training and 500 test images of 8x8x1" in text


def test_every_number_of_steps_is_a_job_of_its_own(benchmark_of_digits):
    counts = job_counts(benchmark_of_digits, DIGITS)
    assert counts["sample"] == len(benchmark_of_digits.sampled_sets()) == 16


def test_guided_rows_count_with_the_weights_they_use_and_with_their_classifier(smoke):
    alone = tuple(run for run in smoke.runs if "adm_u" not in run.models)
    benchmark = dataclasses.replace(smoke, runs=alone)
    plans = {item.name: item for item in plan_models(benchmark, DIGITS)}
    assert list(plans) == ["ddpm seed 0", "iddpm seed 0", "adm seed 0", "noisy seed 0"]
    adm, noisy = plans["adm seed 0"], plans["noisy seed 0"]
    # Scales 0 and 1 at four steps of 100 images; at 0 the classifier is not evaluated, and guided models have no bound.
    assert (adm.sample_evaluations, noisy.sample_evaluations, adm.bound_evaluations) == (800, 400, 0)
    # Forward and backward cost about twice as much as forward.
    assert 1.7 < noisy.sample_flops / noisy.flops < 2.3
    assert noisy.total_flops == 3 * noisy.train_evaluations * noisy.flops + 400 * noisy.sample_flops
    assert job_counts(benchmark, DIGITS)["train"] == 4 and job_counts(benchmark, DIGITS)["sample"] == 10


def test_seconds_of_a_job_are_its_operations_over_the_rate_and_its_start(benchmark_of_digits):
    seconds = expected_seconds(benchmark_of_digits, DIGITS, SLOW)
    first = plan_models(benchmark_of_digits, DIGITS)[0]
    trained = 3 * first.flops * first.train_evaluations / 2e9
    assert 0 < seconds["results/models/ddpm/train0/weights.safetensors"] - trained < 3 * SLOW.start_up
    sampled = first.flops * 500 * 100 / 1e9
    path = "results/samples/ddpm/train0/ddim/sample0/100.npz"
    assert 0 < seconds[path] - sampled < 3 * SLOW.start_up
    # A network that was timed itself has its own rate.
    key = next(work for work in works_of(benchmark_of_digits, DIGITS) if work.path == path).evaluations[0].network
    own = dataclasses.replace(SLOW, own={key: Rates(2e9, 2e9)})
    assert seconds[path] - expected_seconds(benchmark_of_digits, DIGITS, own)[path] == pytest.approx(sampled / 2)


@pytest.mark.parametrize(("workers", "wanted"), [(1, 12), (2, 8), (9, 8)])
def test_jobs_wait_for_places_and_for_the_jobs_before_them(workers, wanted):
    works = [
        Work("a", ("sample",)),
        Work("b", ("train",)),
        Work("c", ("score",), ("a", "b")),
        Work("d", ("plot",), ("c", "not made here")),
    ]
    assert makespan(works, {"a": 4, "b": 5, "c": 1, "d": 2}, workers) == wanted


def test_trainings_start_first():
    works = [Work(str(number), ("sample",)) for number in range(3)] + [Work("long", ("train",))]
    assert makespan(works, {"0": 1, "1": 1, "2": 1, "long": 3}, 2) == 3


def test_the_key_that_dominates_is_named_with_what_a_smaller_value_gives(benchmark_of_digits):
    whole = dataclasses.replace(benchmark_of_digits.bound, timesteps=None, num_images=None)
    benchmark = dataclasses.replace(benchmark_of_digits, bound=whole)
    line, then = advice(benchmark, DIGITS, SLOW, 2)
    assert then.startswith("then ") and "takes" in then, "2 h are left"
    assert re.match(r"bound takes \d\d% of the work; `bound: \{timesteps: 40\}` makes it .* in all", line)
    smaller = dataclasses.replace(benchmark, bound=dataclasses.replace(whole, timesteps=40))
    expected = seconds_in_all(smaller, DIGITS, SLOW, 2)
    assert f"makes it {spoken(expected)} in all" in line


def test_a_training_that_dominates_is_named(benchmark_of_digits):
    entry = benchmark_of_digits.models["ddpm"]
    long = dataclasses.replace(entry, training=dataclasses.replace(entry.training, steps=800_000))
    benchmark = dataclasses.replace(benchmark_of_digits, models=benchmark_of_digits.models | {"ddpm": long})
    line, *_ = advice(benchmark, DIGITS, SLOW, 2)
    assert re.match(r"training takes \d\d% of the work; `models\.ddpm\.training\.steps: \d+` makes it", line)


def test_nothing_is_said_where_no_key_dominates(benchmark_of_digits):
    fast = Speed("a machine on which only starts take time", Rates(1e15, 1e15))
    assert advice(benchmark_of_digits, DIGITS, fast, 2) == []


def test_named_devices_are_marked_as_not_measured(benchmark_of_digits):
    for name in DEVICES:
        assert "not measured" in plan(benchmark_of_digits, DIGITS, device_speed(name), 1)
    with pytest.raises(UserError, match="h1000: not known; did you mean 'h100'"):
        device_speed("h1000")


def test_a_small_network_waits_for_the_host_on_a_fast_device(benchmark_of_digits):
    seconds = {name: seconds_in_all(benchmark_of_digits, DIGITS, device_speed(name), 1) for name in ("v100", "h100")}
    assert seconds["h100"] == pytest.approx(seconds["v100"], rel=0.2)


def test_other_work_that_slowed_the_measurement_is_named(benchmark_of_digits):
    busy = dataclasses.replace(SLOW, share=0.25)
    text = plan(benchmark_of_digits, DIGITS, busy, 2)
    alone = dataclasses.replace(SLOW, general=Rates(4e9, 8e9))
    expected = spoken(seconds_in_all(benchmark_of_digits, DIGITS, alone, 2))
    assert f"other work on this machine took 75% of the time of the measurement; without it {expected}" in text
    assert "other work" not in plan(benchmark_of_digits, DIGITS, SLOW, 2)


MISSING = {"mnist": (60_000, 10_000), "cifar10": (50_000, 10_000), "imagenet": (1_281_167, 50_000)}


def test_what_ships_with_a_package_is_counted_without_opening_it(benchmark_of_digits):
    known = known_data(benchmark_of_digits)
    splits = {split: benchmark_of_digits.dataset.open(split) for split in ("train", "test")}
    assert known == Known((1, 8, 8), 10, {name: images.num_images for name, images in splits.items()})
    assert {images.shape for images in splits.values()} == {(8, 8, 1)}


@pytest.mark.parametrize("name", MISSING)
def test_data_that_are_not_here_have_their_published_size(name, tmp_path):
    content = {**read_yaml(CONFIG), "dataset": {"name": name, "path": str(tmp_path / "none")}}
    known = known_data(parse_benchmark(content, "a test"))
    assert (known.num_images["train"], known.num_images["test"]) == MISSING[name] and known.assumed


def test_nothing_is_downloaded(tmp_path):
    content = {**read_yaml(CONFIG), "dataset": {"name": "mnist", "path": str(tmp_path / "none"), "download": True}}
    assert known_data(parse_benchmark(content, "a test")).assumed
    assert not list(tmp_path.iterdir())


def of_pictures(folder, count=200):
    """A benchmark of a folder of pictures that leaves `bound` out, as a newcomer writes it."""
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(count):
        Image.new("L", (8, 8), number % 256).save(pictures / f"{number}.png")
    content = read_yaml(CONFIG)
    content |= {"benchmark": "own", "protocols": {"own": {"name": "adm"}}}
    content["dataset"] = {"name": "folder", "path": str(pictures), "channels": 1, "test_fraction": 0.1}
    content["runs"] = [{**content["runs"][0], "protocols": ["own"], "num_images": 20}]
    del content["bound"]
    return content


def test_a_users_own_pictures_are_counted(tmp_path):
    benchmark = parse_benchmark(of_pictures(tmp_path), "a test")
    known = known_data(benchmark)
    assert dict(known.num_images) == {"train": 180, "test": 20} and not known.assumed
    plans = plan_models(benchmark, known)
    assert plans[0].bound_evaluations == (2 * 1000 + 1000 + 13) * 100


def test_a_folder_that_is_not_here_cannot_be_counted(tmp_path):
    content = {**read_yaml(CONFIG), "dataset": {"name": "folder", "path": str(tmp_path / "none"), "size": 8}}
    with pytest.raises(UserError, match=r"none: no such folder.*a plan must count the images"):
        known_data(parse_benchmark(content, "a test"))


def test_the_command_measures_this_machine(request):
    done = subprocess.run(
        [sys.executable, "-m", "diffbench.cli", "plan", CONFIG, "--workers", "2"],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "measured on" in done.stdout and "2 processes side by side" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("in all about ")


def test_an_unknown_device_is_one_line(request, diffbench):
    done = diffbench("plan", CONFIG, "--device", "tpu", cwd=request.config.rootpath)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert all(name in done.stderr for name in ("tpu", *DEVICES))


@pytest.mark.parametrize(("device", "said"), [("cuda", "with one job at a time"), ("cpu", "with 16 jobs side by side")])
def test_a_gpu_has_one_job_at_a_time_however_many_cores_there_are(request, monkeypatch, device, said):
    """profiles/default gives one GPU, which every job on it takes whole."""
    monkeypatch.setattr(schedule, "chosen_device", lambda name: torch.device(device))
    monkeypatch.setattr(run, "measured_speed", lambda *given, **options: SLOW)
    monkeypatch.setattr(schedule.os, "cpu_count", lambda: 16)
    assert run.plan_of_file(request.config.rootpath / CONFIG).endswith(said)

"""The table of hours and memory on several devices: its arithmetic, and what is said of a wrong question."""

import dataclasses
import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan.counts import SHORT, _calls_in, _on_a_line
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.devices import DEVICES, SHARE, device_speed
from diffbench.commands.plan.extractors import _convolutional
from diffbench.commands.plan.history import measured_before
from diffbench.commands.plan.memory import Training, Way, largest_training
from diffbench.commands.plan.models import plan_models
from diffbench.commands.plan.networks import Counted
from diffbench.commands.plan.scaling import LINK, OVERLAP, exchange_seconds, seconds_on, step_seconds
from diffbench.commands.plan.speed import Rates, Speed
from diffbench.commands.plan.work import Evaluations, Work
from diffbench.extractors._convolutional import ConvolutionalClassifier

CIFAR10, SMOKE = "workflow/config/cifar10.yaml", "workflow/config/smoke.yaml"
H200 = DEVICES["h200"]
PLAIN = Speed("a machine of the test", Rates(1e12, 1e12))


def test_one_command_prints_a_table_of_benchmarks_and_devices(request, diffbench):
    files = (CIFAR10, "workflow/config/imagenet512.yaml")
    done = diffbench("plan", *files, "--device", "h100,h200", "--devices", "1,64", cwd=request.config.rootpath)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("cifar10 ", "imagenet512 "))]
    rows = [row for row in rows if row[1].isdecimal()]
    assert [(row[0], row[1]) for row in rows] == 2 * [
        ("cifar10", "1"), ("cifar10", "64"), ("imagenet512", "1"), ("imagenet512", "64")
    ]  # fmt: skip
    # Twice as much memory does not make a device faster.
    assert [row[2:8] for row in rows[:4]] == [row[2:8] for row in rows[4:]]
    assert done.stdout.count("not measured") == 2 and "are assumed" in done.stdout
    assert "imagenet512 on 1: training adm needs" in done.stdout and "gradient accumulation in" in done.stdout


WRONG = {
    "--device h1000 --devices 1": "h1000: not known; did you mean 'h100'",
    "--device here --devices 1,8": "--device here: a table needs a device by its name",
    "--device h200 --devices 7": "--devices 7: does not divide the batch_size 128 of cifar10's models.ddpm; 2, 4, 8 do",
    "--device h200 --devices 0": "'0' is not a number of devices",
    "--device h200 --devices 1,,8": "'' is not a number of devices",
    "--device h200 --devices eight": "'eight' is not a number of devices",
    "--device h200 --precision bf61": "--precision bf61: not known; did you mean 'bf16'",
    "--precision bf16": "--precision: is for a device by its name",
    "--device v100 --precision bf16": "V100 SXM2 does not compute in bf16; allowed: float32",
    "--device h200 --history none.jsonl": "none.jsonl: cannot be read",
    "--device h200 --history README.md": "--history README.md, line 1: not a line of `diffbench bench --json`",
    "--device h200 --devices 8 --workers 2": "--workers: a table is of one job at a time",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_question_is_one_line(request, diffbench, words):
    done = diffbench("plan", CIFAR10, *words.split(), cwd=request.config.rootpath)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and WRONG[words] in done.stderr, done.stderr


def test_a_step_is_computed_and_exchanged_as_the_arithmetic_says():
    step = Evaluations("net", 100, 128, int(1e12), 0, training=True, parameters=10**9)
    exchanged = 2 * 7 / 8 * 4e9 / (LINK * 450e9)
    assert exchange_seconds(10**9, H200, 1) == 0 and exchange_seconds(10**9, H200, 8) == pytest.approx(exchanged)
    assert exchange_seconds(10**9, H200, 64) == pytest.approx(2 * 63 / 64 * 4e9 / (LINK * 400e9))
    assert step_seconds(step, PLAIN, H200, 1) == pytest.approx(1.0)
    # 0.125 s of computing hide four fifths of the exchange.
    assert step_seconds(step, PLAIN, H200, 8) == pytest.approx(0.125 + (1 - OVERLAP) * exchanged)
    # Two thirds of 0.001 s hide that much and no more.
    small = dataclasses.replace(step, flops=int(8e9))
    assert step_seconds(small, PLAIN, H200, 8) == pytest.approx(0.001 + exchanged - 0.002 / 3)


def test_the_host_starts_operations_no_faster_on_more_devices():
    step = Evaluations("net", 1, 128, int(1e9), 3000, training=True, parameters=0)
    speed = device_speed("h200")
    assert step_seconds(step, speed, H200, 64) == step_seconds(step, speed, H200, 8) == pytest.approx(0.03)


@pytest.mark.parametrize(("devices", "rounds"), [(1, 10), (2, 5), (8, 2), (10, 1), (64, 1)])
def test_samples_lose_only_the_last_incomplete_round(devices, rounds):
    sampled = Work("samples", ("sample",), (), (Evaluations("net", 1000, 16, int(1e12), 0, batches=10),))
    beside = PLAIN.beside(sampled)
    assert seconds_on(sampled, PLAIN, H200, devices) - beside == pytest.approx(100 * rounds)


ADM = Counted(
    "adm", 554_000_000, 10**12, 10**12, 1000, saved=1_450_000_000, checkpointed=430_000_000, largest=33_000_000
)


@pytest.mark.parametrize(("memory", "devices"), [(141e9, 1), (80e9, 1), (80e9, 8), (24e9, 8), (32e9, 64)])
def test_what_is_said_to_fit_fits(memory, devices):
    training = Training("adm", ADM, 256 // devices, devices, "float32", False)
    way = training.fitting(memory)
    assert way is not None and training.needs(way) < memory
    assert way.sharded <= (devices > 1) and training.batch % way.accumulated == 0
    if way != Way():
        assert training.needs(Way()) > 0.9 * memory and way.words(training.batch) in training.said(memory)


def test_a_training_that_never_fits_asks_for_more_devices():
    training = Training("adm", ADM, 256, 1, "float32", False)
    assert training.fitting(10e9) is None and "it needs more devices and fully_shard" in training.said(10e9)
    assert Training("adm", ADM, 32, 8, "float32", False).fitting(12e9) == Way(16, True, True)


def test_memory_grows_with_images_and_bf16_needs_less_of_them():
    one, two = (Training("adm", ADM, batch, 1, "float32", False).needs(Way()) for batch in (1, 2))
    assert two - one == pytest.approx(4 * ADM.saved + 16 * ADM.largest)
    half = Training("adm", ADM, 64, 1, "bf16", False)
    assert half.of_images(Way()) < Training("adm", ADM, 64, 1, "float32", False).of_images(Way())


def test_the_largest_training_is_named(request):
    benchmark = load_benchmark(request.config.rootpath / CIFAR10)
    found = largest_training(benchmark, Known((3, 32, 32), 10, {"train": 50_000, "test": 10_000}), 8)
    assert found is not None and found.name.startswith("iddpm") and found.batch == 16


def line(**changed):
    one = {"part": "train", "of": "ddpm", "numerics": {"precision": "float32"}, "tflops": 30.0}
    return {"benchmark": "cifar10", "machine": {"gpu": "NVIDIA H200"}, "measured": [one | changed]}


def test_measurements_of_the_device_replace_what_is_assumed(request, tmp_path):
    benchmark, path = load_benchmark(request.config.rootpath / CIFAR10), tmp_path / "history.jsonl"
    other = line(tflops=1.0) | {"machine": {"gpu": "NVIDIA GeForce RTX 4090"}}
    lines = [line(), line(tflops=32.0), line(tflops=99.0, numerics={"precision": "bf16"}), other]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    assumed = device_speed("h200", benchmark.numerics)
    found = measured_before(path, "h200", benchmark, assumed)
    assert found.general.training == 31e12 and found.general.sampling == assumed.general.sampling
    assert found.source.startswith("measured on H200 SXM in training")
    assert "; the other is not measured" in found.source
    assert measured_before(path, "rtx4090", benchmark, assumed).general.training == 1e12
    assert measured_before(path, "a100", benchmark, assumed) == assumed


def test_precisions_have_their_own_peaks_and_shares(request):
    benchmark = load_benchmark(request.config.rootpath / CIFAR10)
    assert device_speed("h200", benchmark.numerics).general.training == SHARE["float32"] * 67e12


def test_validation_losses_are_counted(request):
    smoke = load_benchmark(request.config.rootpath / SMOKE)
    known = Known((1, 8, 8), 10, {"train": 1297, "test": 500})
    asked, training = smoke.validation, smoke.models[smoke.trained_models()[0][0]].training
    assert asked is not None
    images = min(asked.num_images or 500, 500)
    batches = -(-images // training.batch_size)
    measurements = -(-training.steps // asked.every)
    found = plan_models(smoke, known)[0]
    # The rows of a call are rounded up.
    wanted = measurements * asked.timesteps * images
    assert wanted <= found.validation_evaluations <= wanted + measurements * asked.timesteps * batches
    without = plan_models(dataclasses.replace(smoke, validation=None), known)[0]
    assert found.total_flops - without.total_flops == found.validation_evaluations * found.flops


def test_a_long_walk_is_known_by_short_ones(request):
    benchmark = load_benchmark(request.config.rootpath / "workflow/config/digits_samplers.yaml")
    diffusion = next(iter(benchmark.models.values())).diffusion
    held = 0
    for entry in benchmark.samplers.values():
        if not (entry.adaptive or entry.needs_error):
            steps = 2 * max(SHORT)
            expected = _on_a_line(entry, diffusion, steps)
            held += expected is not None
            assert expected in (None, _calls_in(entry, diffusion, steps)), entry.name
    assert held > 3


@pytest.mark.parametrize(("size", "channels", "width"), [(8, 1, 32), (28, 1, 16), (32, 3, 32), (13, 2, 8)])
def test_the_extractors_operations_are_those_that_are_counted(size, channels, width):
    network = ConvolutionalClassifier(size=size, channels=channels, classes=10, width=width, dimensions=64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, channels, size, size))
    assert _convolutional(size, channels, 10, width, 64) == counter.get_total_flops()

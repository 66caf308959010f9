"""Stages in several processes: the bytes and gradients of one, whatever the number; and what ends if one of them ends."""

import csv
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from diffbench.base.digests import sha256
from diffbench.base.locks import exclusive
from diffbench.base.world import ALONE, World, joined, left
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.extractor import ExtractorPart
from diffbench.stages import bound, extract, sample, train
from diffbench.stages._ranks import GONE
from diffbench.stages._shared_index import SharedIndex
from diffbench.training.gradient import Division, parts_of
from diffbench.training.settings import Training
from diffbench.training.sharding import whole

torch.set_num_threads(1)
RANKS = runpy.run_path(str(Path(__file__).with_name("ranks.py")))
ranks, stage = RANKS["ranks"], RANKS["stage"]
SMALL = {"steps": 4, "batch_size": 8, "log_every": 2}


def training(job, data, folder, *more):
    return [
        *("--spec", json.dumps(job.as_json()), "--data", data / "train.npz", "--out", folder / "w.safetensors"),
        *("--log-csv", folder / "log.csv", "--cache", folder / "cache", "--device", "cpu"),
        *("--run-record", folder / "run.json", *more),
    ]


def run(size, main, arguments, folder, **more):
    """Run a stage in `size` processes, and return their exit codes and the lines of the project that they wrote."""
    codes = ranks(size, folder / "said", stage(main, arguments), **more)
    text = "".join((folder / "said" / f"{rank}.txt").read_text() for rank in range(size))
    assert "Traceback" not in text, text
    return codes, [line for line in text.replace("\r", "\n").splitlines() if line.startswith("diffbench: ")]


def logged(folder, column):
    with open(folder / "log.csv", newline="") as file:
        return np.array([float(row[column]) for row in csv.DictReader(file)])


def made(folder, *names):
    return [sha256(folder / name) for name in names]


@pytest.fixture(scope="module")
def plain(jobs):
    """A training without dropout, whose masks belong to the parts of a batch."""
    return jobs("train", training=SMALL, network={"dropout": 0.0})


@pytest.fixture(scope="module")
def alone(plain, data, tmp_path_factory):
    """What one process makes of that training."""
    folder = tmp_path_factory.mktemp("alone")
    assert run(1, train.main, training(plain, data, folder), folder) == ([0], [])
    return folder


def test_parts_cover_the_batch_once_in_its_order():
    for settings in (
        Training(batch_size=12),
        Training(batch_size=12, exact_sum=True, exact_sum_images=5),
        Training(batch_size=12, exact_sum=True),
    ):
        for size in (1, 2, 3):
            for limit in (None, 5, 100):
                parts = [
                    part for rank in range(size) for part in parts_of(settings, Division(World(rank, size), limit))
                ]
                assert [row for part in parts for row in range(part.start, part.stop)] == list(range(12))
                assert all(part.stop - part.start <= (limit or 12) for part in parts)
        if settings.exact_sum:
            assert parts == list(parts_of(settings, Division()))


@pytest.mark.parametrize("size, more", [(2, ()), (1, ("--micro-batch", 3)), (2, ("--sharded", "yes"))])
def test_a_batch_that_is_divided_has_the_gradient_of_the_whole(plain, data, alone, tmp_path, size, more):
    assert run(size, train.main, training(plain, data, tmp_path, *more), tmp_path) == ([0] * size, [])
    for column in ("loss", "gradient_norm"):
        assert logged(tmp_path, column) == pytest.approx(logged(alone, column), rel=1e-6)
    # Its products with the gradient before are differences, so it is less exact.
    assert logged(tmp_path, "gradient_noise") == pytest.approx(logged(alone, "gradient_noise"), rel=1e-4)
    found, wanted = (load_file(folder / "w.safetensors") for folder in (tmp_path, alone))
    assert found.keys() == wanted.keys() and all(found[name].shape == wanted[name].shape for name in wanted)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record.get("processes", 1) == size and record.get("sharded", False) == ("--sharded" in more)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in alone.iterdir())
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def gradients(size, folder, job, data, *, sharded=False):
    """Return the gradient of a training's first step, after a check that it is the same in each process."""

    def work(rank):
        found = {}

        class Noting(train.Trainer):
            def advance(self):
                super().advance()
                if self.step == 1:
                    found.update(whole({name: held.grad for name, held in self.network.named_parameters()}))

        train.Trainer = Noting
        paths = (data / "train.npz", folder / "w.safetensors", folder / "log.csv")
        train.train(job, *paths, device="cpu", cache=folder / "cache", division=Division(joined(), 2, sharded))
        torch.save(found, folder / f"{rank}.pt")
        left()

    assert ranks(size, folder / "said", work) == [0] * size, (folder / "said/0.txt").read_text()
    held = [torch.load(folder / f"{rank}.pt") for rank in range(size)]
    assert all(torch.equal(held[0][name], other[name]) for other in held for name in held[0])
    return held[0]


def test_the_gradient_of_one_global_batch(jobs, data, tmp_path):
    """For 1, 2 and 4 processes, with labels that are dropped and timesteps that are drawn by their losses."""
    hybrid = {"training": {"steps": 2, "batch_size": 8, "label_dropout": 0.5, "gradient_clip": None}}
    job = jobs("train", **hybrid, network={"dropout": 0.0, "class_conditional": True, "null_label": True})
    found = {size: gradients(size, tmp_path / f"{size}", job, data) for size in (1, 2, 4)}
    found["sharded"] = gradients(2, tmp_path / "sharded", job, data, sharded=True)
    whole = torch.cat([value.flatten() for value in found[1].values()])
    assert whole.norm() > 0.1
    for size, gradient in found.items():
        difference = torch.cat([value.flatten() for value in gradient.values()]) - whole
        assert difference.norm() <= 1e-6 * whole.norm(), size


def test_an_exact_sum_gives_the_same_bytes_for_every_number_of_processes(jobs, data, tmp_path):
    """With dropout, too, and if the run is cut off and taken up by another number of processes."""
    exact = {"exact_sum": True, "exact_sum_images": 2}
    job = jobs("train", training=SMALL | exact, network={"dropout": 0.2})
    for size in (1, 2, 3):
        folder = tmp_path / f"{size}"
        assert run(size, train.main, training(job, data, folder), folder) == ([0] * size, [])
    names = ("w.safetensors", "w.safetensors.json", "log.csv", "log.csv.json")
    wanted = made(tmp_path / "1", *names)
    assert made(tmp_path / "2", *names) == made(tmp_path / "3", *names) == wanted
    folder = tmp_path / "resumed"
    call = training(job, data, folder, "--checkpoint-every", 1)

    def dies(rank):
        saved = train.Checkpoints.save

        def save(checkpoints, state):
            saved(checkpoints, state)
            if state["step"] == 3:
                os.kill(os.getpid(), signal.SIGKILL)

        train.Checkpoints.save = save
        stage(train.main, call)(rank)

    first, second = ranks(2, folder / "said", dies)
    assert (first, second) == (-signal.SIGKILL, 2)
    assert len(list((folder / "cache").rglob("000000003-*.pt"))) == 1
    assert run(3, train.main, call, folder) == ([0] * 3, [])
    assert made(folder, *names) == wanted


@pytest.fixture(scope="module")
def shared(jobs, alone, data, tmp_path_factory):
    """A function (size, folder) that returns the files that sampling, extraction and a bound make in `size` processes."""
    given = {"network": {"dropout": 0.0}}
    extractor = ExtractJob(extractor=ExtractorPart("digits_features"), threads=1)

    def files(size, folder):
        weights = ("--weights", alone / "w.safetensors", "--device", "cpu")
        drawn = ("--spec", json.dumps(jobs("sample", **given).as_json()), *weights, "--cache", folder / "cache")
        bounded = ("--spec", json.dumps(jobs("bound", **given).as_json()), *weights, "--data", data / "test.npz")
        seen = ("--spec", json.dumps(extractor.as_json()), "--images", data / "train.npz", "--device", "cpu")
        calls = {"s.npz": (sample.main, drawn), "b.npz": (bound.main, bounded), "e.npz": (extract.main, seen)}
        for name, (main, call) in calls.items():
            record = folder / f"{name}.run.json"
            call = (*call, "--out", folder / name, "--run-record", record)
            assert run(size, main, call, folder) == ([0] * size, []), name
            assert json.loads(record.read_text()).get("processes", 1) == size
        assert json.loads((folder / "b.npz.run.json").read_text())["evaluations"] == 170
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]
        return made(folder, *(f"{name}{end}" for name in calls for end in ("", ".json")))

    return files


def test_samples_features_and_bounds_have_the_same_bytes_for_one_two_or_three_processes(shared, tmp_path):
    """Three micro-batches of samples, two pieces of images and two micro-batches of a bound: some have nothing to do."""
    wanted = shared(1, tmp_path / "1")
    assert shared(2, tmp_path / "2") == wanted
    assert shared(3, tmp_path / "3") == wanted


def test_a_share_of_an_index_is_whole_micro_batches():
    index = torch.arange(13) * 3
    shares = [SharedIndex.of(index, 4, World(rank, 3)) for rank in range(3)]
    assert [share.places.tolist() for share in shares] == [[0, 1, 2, 3, 12], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [share.among_first(6) for share in shares] == [4, 2, 0] and shares[0].index.tolist()[-1] == 36
    assert SharedIndex.of(index, 4, World(4, 5)).batches == 0 and SharedIndex.of(index, 4, ALONE).batches == 4


def test_a_killed_sampler_is_taken_up_by_another_number_of_processes(jobs, alone, shared, tmp_path):
    wanted = shared(1, tmp_path / "wanted")[:2]
    call = [
        *("--spec", json.dumps(jobs("sample", network={"dropout": 0.0}).as_json()), "--device", "cpu"),
        *("--weights", alone / "w.safetensors", "--out", tmp_path / "s.npz", "--cache", tmp_path / "cache"),
    ]
    codes, said = run(2, sample.main, call, tmp_path, killed=1)
    assert codes == [2, -signal.SIGKILL] and not (tmp_path / "s.npz").exists()
    assert said == [f"diffbench: {GONE}"]
    shards = list((tmp_path / "cache").rglob("*.npz"))
    assert shards
    for path in shards[:1]:
        path.write_bytes(path.read_bytes()[:100])  # A shard that was cut off is drawn again.
    assert run(3, sample.main, call, tmp_path) == ([0] * 3, [])
    assert made(tmp_path, "s.npz", "s.npz.json") == wanted


@pytest.mark.parametrize(
    "size, changed, more, said",
    {
        "a batch that is not divisible": (3, {}, (), "training.batch_size: 3 processes cannot share 8 images equally"),
        "too few parts": (3, {"exact_sum": True, "exact_sum_images": 4}, (), "2 parts of 4 images for 3 processes"),
        "parts too large": (
            1,
            {"exact_sum": True, "exact_sum_images": 4},
            ("--micro-batch", 2),
            "lower exact_sum_images",
        ),
        "exact and sharded": (2, {"exact_sum": True}, ("--sharded", "yes"), "leave out one of both"),
        "nobody to share with": (1, {}, ("--sharded", "yes"), "--sharded: there is one process"),
        "no images at once": (1, {}, ("--micro-batch", 0), "--micro_batch must be positive, not 0"),
        "a loss that is not finite": (2, {"learning_rate": 1e30, "warmup_steps": 0}, (), "training: the loss is"),
    }.values(),
)
def test_what_cannot_be_shared_is_refused_in_one_line(jobs, data, tmp_path, size, changed, more, said):
    job = jobs("train", training=SMALL | changed)
    codes, lines = run(size, train.main, training(job, data, tmp_path, *more), tmp_path)
    assert codes == [2] * size and len(lines) == 1 and said in lines[0]
    assert not (tmp_path / "w.safetensors").exists()


def test_one_process_that_fails_ends_all_with_its_line(plain, data, tmp_path):
    def work(rank):
        mine = training(plain, data if rank == 0 else tmp_path / "nowhere", tmp_path)
        stage(train.main, mine)(rank)

    codes = ranks(2, tmp_path / "said", work)
    text = "".join((tmp_path / "said" / f"{rank}.txt").read_text() for rank in range(2))
    assert codes == [2, 2] and text.count("diffbench: ") == 1 and "nowhere/train.npz: no such file" in text


def test_a_second_job_is_refused_by_the_lock_of_the_first_process(data, tmp_path, plain):
    def work(rank):
        train._key_of = lambda *found: "key"
        stage(train.main, training(plain, data, tmp_path))(rank)

    with exclusive(tmp_path / "cache/train/key"):
        codes = ranks(2, tmp_path / "said", work)
    text = "".join((tmp_path / "said" / f"{rank}.txt").read_text() for rank in range(2))
    assert codes == [2, 2] and "another process is at work there" in text and text.count("diffbench: ") == 1


def alive(folder):
    """Return the processes that have a folder on their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def launched(launcher, size, call, **more):
    words = [sys.executable, "-m", launcher, "--standalone", "--nproc-per-node", size, "-m", "diffbench.stages.train"]
    environment = {name: value for name, value in os.environ.items() if name != "DIFFBENCH_PARENT"}
    return subprocess.Popen(
        [*map(str, words), *map(str, call)], stderr=subprocess.PIPE, text=True, env=environment | more
    )


@pytest.mark.slow
def test_the_installed_stage_under_torchrun(jobs, data, tmp_path):
    """Its losses over 50 steps, its end with one line, and its end when the run or torchrun is killed."""
    job = jobs("train", training={"steps": 50, "batch_size": 8, "log_every": 1}, network={"dropout": 0.0})
    one, two, bad, long = (tmp_path / name for name in ("one", "two", "bad", "long"))
    assert run(1, train.main, training(job, data, one), one) == ([0], [])
    with launched("torch.distributed.run", 2, training(job, data, two)) as process:
        said = process.communicate()[1]
    assert process.returncode == 0, said
    assert logged(two, "loss") == pytest.approx(logged(one, "loss"), rel=1e-3)
    with launched("diffbench.stages._ranks", 3, training(job, data, bad)) as process:
        lines = process.communicate()[1].splitlines()
    assert process.returncode == 2 and len(lines) == 1, lines
    assert lines[0].startswith("diffbench: training.batch_size: 3 processes cannot share 8 images equally")
    job = jobs("train", training={"steps": 100_000, "batch_size": 8})
    for killed in ("run", "torchrun"):
        folder = long / killed
        with subprocess.Popen(["sleep", "1000"]) as snakemake:
            call = training(job, data, folder, "--checkpoint-every", 1)
            with launched("diffbench.stages._ranks", 2, call, DIFFBENCH_PARENT=str(snakemake.pid)) as process:
                while not list((folder / "cache").rglob("*.pt")):
                    assert process.poll() is None, process.communicate()[1]
                    time.sleep(0.1)
                assert len(alive(folder)) >= 3
                (snakemake if killed == "run" else process).kill()
                if killed == "run":
                    snakemake.wait()
                process.wait(timeout=60)
                until = time.monotonic() + 60
                while alive(folder) and time.monotonic() < until:
                    time.sleep(0.1)
                assert not alive(folder)
            snakemake.kill()


def test_a_stage_of_one_process_is_refused_under_torchrun(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "diffbench.stages.shrink", "--help"],
        env=os.environ | {"WORLD_SIZE": "2", "RANK": "0"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2 and "this stage runs in one process; start it without torchrun" in done.stderr

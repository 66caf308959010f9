"""A tiny trained model of the smoke benchmark, made once, for the stages that need one."""

import dataclasses
from pathlib import Path

import pytest

from diffbench.jobs.job import Part

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"


# A real process that ends itself by SIGKILL: at the third checkpoint, before, in the middle of or after its writing.
KILLED = """
import os, signal, sys
from pathlib import Path
from diffbench.stages._command import run_stage
from diffbench.stages.train import main
moment, written, count = sys.argv.pop(1), Path.write_bytes, 0
def write_bytes(path, content):
    global count
    count += ".pt." in path.name
    if count == 3 and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if count == 3 and moment == "during":
        written(path, content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    written(path, content)
    if count == 4:
        os.kill(os.getpid(), signal.SIGKILL)
Path.write_bytes = write_bytes
run_stage(main, sys.argv[1:])
"""


@pytest.fixture(scope="session")
def killing():
    """The program of a training that kills itself: its first argument is the moment, the others are the stage's."""
    return KILLED


@pytest.fixture(scope="session")
def smoke():
    from diffbench.benchmark.load import load_benchmark

    # Tests of the validation loss ask for it themselves; for the others a training needs no held-out images.
    return dataclasses.replace(load_benchmark(SMOKE), validation=None)


@pytest.fixture(scope="session")
def jobs(smoke):
    """Reduced jobs of the smoke benchmark by stage: jobs(stage, **changes).

    A change of a dataclass field or of a part is a map of what changes in it; any other replaces the field.
    """
    from diffbench.benchmark.jobs import bound_job, sample_job, train_job
    from diffbench.benchmark.sample_set import SampleSet

    few = {"timesteps": 4, "num_images": 7, "micro_batch": 5}

    def job(stage, model="iddpm", **changes):
        made, small = {
            "train": lambda: (
                train_job(smoke, model, 0),
                {"training": {"steps": 6, "batch_size": 8, "log_every": 4}},
            ),
            "sample": lambda: (
                sample_job(smoke, SampleSet(model, "ancestral", 3, 0, 0, 7, ())),
                {"sampling": {"micro_batch": 3}},
            ),
            "bound": lambda: (bound_job(smoke, model, "test"), {"bound": {"reconstructions": 3} | few}),
            "bound_train": lambda: (bound_job(smoke, model, "train"), {"bound": few}),
        }[stage]()
        return changed(changed(made, network={"channels": 8}, **small), **changes)

    return job


def changed(held, **changes):
    """Return a job or a part of one with other values; a map changes what is inside a field."""
    if isinstance(held, Part):
        return dataclasses.replace(held, options=held.options | changes)
    if isinstance(held, dict):
        return held | changes
    inside = {name: value for name, value in changes.items() if isinstance(value, dict) and getattr(held, name)}
    inside = {name: changed(getattr(held, name), **value) for name, value in inside.items()}
    return dataclasses.replace(held, **(changes | inside))


@pytest.fixture(scope="session")
def specs(jobs):
    """Reduced specs of the smoke benchmark's jobs by stage, as fresh copies: specs(stage, **changes)."""

    def spec(stage, model="iddpm", **changes):
        found = jobs(stage, model).as_json()
        for key, value in changes.items():
            found[key] = found[key] | value if isinstance(value, dict) else value
        return found

    return spec


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Folder with train.npz and test.npz of the digits."""
    from diffbench.jobs.dataset import DatasetPart
    from diffbench.jobs.prepare import PrepareJob
    from diffbench.stages.prepare import prepare

    folder = tmp_path_factory.mktemp("data")
    prepare(PrepareJob(dataset=DatasetPart("digits")), out_train=folder / "train.npz", out_test=folder / "test.npz")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory, jobs, data):
    """Weights of six steps of training, with their provenance."""
    from diffbench.stages.train import train

    folder = tmp_path_factory.mktemp("weights")
    train(
        jobs("train"),
        data / "train.npz",
        folder / "weights.safetensors",
        folder / "log.csv",
        device="cpu",
        cache=folder / "cache",
    )
    return folder / "weights.safetensors"


@pytest.fixture
def failing(capsys):
    """failing(main, arguments) -> the one line that a stage ends with, after exit code 2."""
    from diffbench.stages._command import run_stage

    def call(main, arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            run_stage(main, [str(argument) for argument in arguments])
        lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
        # A progress bar may have been drawn before.
        said = [line for line in lines if line.startswith("diffbench: ")]
        assert caught.value.code == 2 and len(said) == 1 and lines[-1] == said[0]
        return said[0]

    return call

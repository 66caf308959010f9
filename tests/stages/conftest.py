"""A tiny trained model of the smoke benchmark, made once, for the stages that need one."""

from pathlib import Path

import pytest

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"


@pytest.fixture(scope="session")
def smoke():
    from diffbench.benchmark.load import load_benchmark

    return load_benchmark(SMOKE)


@pytest.fixture(scope="session")
def specs(smoke):
    """Reduced specs of the smoke benchmark's jobs by stage, as fresh copies: specs(stage, **changes)."""

    from diffbench.benchmark.jobs import bound_job, sample_job, train_job
    from diffbench.benchmark.rows import SampleSet

    def spec(stage, model="iddpm", **changes):
        job = {
            "train": lambda: train_job(smoke, model, 0),
            "sample": lambda: sample_job(smoke, SampleSet(model, "ancestral", 3, 0, 0, 7, ()), [3, 2]),
            "bound": lambda: bound_job(smoke, model, "test"),
            "bound_train": lambda: bound_job(smoke, model, "train"),
        }[stage]()
        found = job.as_json()
        found["network"]["channels"] = 8
        if stage == "train":
            found["training"] |= {"steps": 6, "batch_size": 8, "log_every": 4}
        if stage == "sample":
            found["sampling"]["micro_batch"] = 3
        if stage == "bound":
            found["bound"] |= {"reconstructions": 3}
        if stage in ("bound", "bound_train"):
            found["bound"] |= {"timesteps": 4, "num_images": 7, "micro_batch": 5}
        for key, value in changes.items():
            found[key] = found[key] | value if isinstance(value, dict) else value
        return found

    return spec


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Folder with train.npz and test.npz of the digits."""
    from diffbench.stages.prepare import prepare

    folder = tmp_path_factory.mktemp("data")
    prepare({"dataset": {"name": "digits"}}, out_train=folder / "train.npz", out_test=folder / "test.npz")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory, specs, data):
    """Weights of six steps of training, with their provenance."""
    from diffbench.stages.train import train

    folder = tmp_path_factory.mktemp("weights")
    train(
        specs("train"),
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
    from diffbench.base.command import run_stage

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

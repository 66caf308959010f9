"""One small benchmark that was made whole, and in two parts as on two machines, by the stages themselves."""

import contextlib
import importlib.util
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]


class Machines(NamedTuple):
    """The benchmark's file, and the folders that hold the `results` of the whole and of its two training seeds."""

    file: Path
    whole: Path
    a: Path
    b: Path


@pytest.fixture(scope="session")
def machines_once(tmp_path_factory: pytest.TempPathFactory) -> Machines:
    """The trees, for reading only."""
    from diffbench.benchmark.foreign import snakemake_record
    from diffbench.benchmark.load import load_benchmark

    spec = importlib.util.spec_from_file_location("of_api", ROOT / "tests/api/conftest.py")
    assert spec and spec.loader
    of_api = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(of_api)
    content = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    of_api.reduced(content)
    content["models"] = {"ddpm": content["models"]["ddpm"]}
    content["samplers"] = {"ddim": {}}
    del content["classifiers"]
    content.pop("validation", None)
    content["benchmark"], content["protocols"] = (
        "shared",
        {"digits": {"extractor": "digits_features", "metrics": ["fid"]}},
    )
    folder = tmp_path_factory.mktemp("machines")
    for name, seeds in (("whole", [0, 1]), ("a", [0]), ("b", [1])):
        content["runs"] = [
            {
                "models": ["ddpm"],
                "samplers": ["ddim"],
                "steps": [3],
                "num_images": 30,
                "train_seeds": seeds,
                "protocols": ["digits"],
            }
        ]
        file, home = folder / f"{name}.yaml", folder / name
        file.write_text(yaml.safe_dump(content))
        home.mkdir()
        with contextlib.chdir(home):
            making = of_api.Making(load_benchmark(file), home)
            for make in (making.data_and_weights, making.bounds, making.samples, making.scores, making.table):
                make()
        shutil.rmtree(making.cache, ignore_errors=True)
        for path in (path for path in (home / "results").rglob("*.safetensors")):
            note = snakemake_record(home, path.relative_to(home).as_posix())
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(f"made in {name}")
        (home / "results/logs/train").mkdir(parents=True)
        (home / "results/logs/train/ddpm.run.json").write_text(f'{{"seconds": {len(name)}, "machine": "{name}"}}\n')
    return Machines(folder / "whole.yaml", folder / "whole", folder / "a", folder / "b")


@pytest.fixture
def machines(machines_once: Machines, tmp_path: Path) -> Machines:
    """A copy of the trees, to be changed."""
    for tree in (machines_once.whole, machines_once.a, machines_once.b):
        shutil.copytree(tree, tmp_path / tree.name)
    shutil.copy(machines_once.file, tmp_path / "whole.yaml")
    return Machines(tmp_path / "whole.yaml", tmp_path / "whole", tmp_path / "a", tmp_path / "b")

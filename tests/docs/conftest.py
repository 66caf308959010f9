"""A small finished tree with the rows that the documentation names, for the blocks that read results."""

import contextlib
import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `results` have the models, samplers and steps that pages show; its numbers mean nothing."""
    from diffbench.benchmark.load import parse_benchmark

    # It makes trees for the tests of the API.
    spec = importlib.util.spec_from_file_location("making_of_trees", ROOT / "tests/api/conftest.py")
    trees = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(trees)
    content = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    trees.reduced(content)
    del content["validation"]  # The trees are made without held-out images of trainings.
    of_all = {"samplers": ["ancestral"], "num_images": 40, "protocols": ["digits"]}
    content["runs"] = [
        of_all | {"models": ["ddpm", "iddpm"], "samplers": ["ancestral", "ddim"], "steps": [10, 25]},
        of_all | {"models": ["adm_g"], "steps": [25], "guidance_scales": [4]},
        of_all | {"models": ["adm_u"], "steps": [25]},
    ]
    folder = tmp_path_factory.mktemp("finished")
    with contextlib.chdir(folder):
        making = trees.Making(parse_benchmark(content, "pages"), folder)
        for make in (making.data_and_weights, making.bounds, making.samples, making.scores, making.table):
            make()
    return folder

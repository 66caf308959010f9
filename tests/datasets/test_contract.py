"""What every data set must keep, for each file in the folder: the checks of `diffbench contract`."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench.base import plugins
from diffbench.commands.contract import dataset as contract
from diffbench.commands.contract.check import NotJudgedError
from diffbench.datasets.digits import Digits

from .test_lsun import write_database

MINIMAL = {"digits": {}, "mnist": {"path": "mnist"}, "cifar10": {"path": "cifar10-jpeg"}}
"""Options without which a data set cannot be built; paths are relative to the shared data."""


@pytest.fixture(params=plugins.names("datasets"))
def dataset(request, tmp_path):
    """Return each data set of the folder, with something to read."""
    if request.param == "folder":
        for index in range(4):
            Image.fromarray(np.full((6, 5, 3), index * 9, np.uint8)).save(tmp_path / f"{index}.png")
        options = {"path": str(tmp_path), "test_fraction": 0.5}
    elif request.param == "imagenet":
        for split, grey in product(("train", "val"), (1, 2)):
            (tmp_path / split / str(grey)).mkdir(parents=True)
            Image.new("RGB", (9, 7), (grey + 5 * (split == "val"),) * 3).save(tmp_path / split / str(grey) / "a.png")
        options = {"path": str(tmp_path), "size": 4, "num_classes": 2}
    elif request.param == "lsun":
        for split, grey in (("train", 50), ("val", 60)):
            write_database(tmp_path / f"bedroom_{split}_lmdb", [np.full((9, 7, 3), grey, np.uint8)])
        options = {"path": str(tmp_path), "size": 4}
    else:
        options = dict(MINIMAL[request.param])
        if "path" in options:
            options["path"] = str(request.getfixturevalue("shared_data") / options["path"])
    return plugins.configure(plugins.load("datasets", request.param), options, request.param)


@pytest.mark.parametrize("check", contract.checks(Digits()), ids=lambda check: check.__name__)
def test_keeps_the_contract(check, dataset):
    try:
        check(dataset)
    except NotJudgedError as reason:
        pytest.skip(str(reason))


def test_name_in_configuration_is_the_files_name(dataset):
    assert Path(__import__(type(dataset).__module__, fromlist=["x"]).__file__).stem in plugins.names("datasets")

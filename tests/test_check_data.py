"""`diffbench check` says what is read of the data, and refuses data that are there and cannot be meant."""

import itertools

import pytest
import yaml
from PIL import Image

CONFIG = """
benchmark: mine
models:
  cond:
    network: {channels: 16, channel_multipliers: [1, 2], attention_resolutions: [4], norm_groups: 8, class_conditional: true}
    training: {steps: 2}
samplers: {ddim: {}}
protocols:
  digits: {name: classifier, extractor: digits_features, metrics: [fid]}
runs:
  - {models: [cond], samplers: [ddim], steps: [4], num_images: 70, protocols: [digits]}
"""


@pytest.fixture
def check(diffbench, tmp_path):
    """check(data set, labels=None) -> what the command ended with."""

    def called(dataset, labels=None, extractor="digits_features"):
        content = yaml.safe_load(CONFIG) | {"dataset": dataset}
        content["protocols"]["digits"]["extractor"] = extractor
        if labels:
            content["models"]["cond"]["labels"] = labels
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content))
        return diffbench("check", "mine.yaml", cwd=tmp_path)

    return called


def put(root, counts):
    """Write pictures into folders, none of which equals another."""
    grey = itertools.count()
    for name, count in counts.items():
        (root / name).mkdir(parents=True)
        for k in range(count):
            Image.new("L", (8, 8), next(grey)).save(root / name / f"{k}.png")


def test_what_is_read_and_unequal_classes_are_said(check, tmp_path):
    put(tmp_path / "in", {"train/a": 9, "train/b": 1, "test/a": 2, "test/b": 2, "train/empty": 0})
    (tmp_path / "in" / "test" / "x.heic").write_bytes(b"x")
    dataset = {"name": "folder", "path": str(tmp_path / "in"), "channels": 1}
    done = check(dataset)
    assert done.returncode == 0 and "benchmark mine" in done.stdout
    train, test, note = done.stderr.splitlines()
    assert train == "mine.yaml: train: 10 pictures of 2 classes; left out as classes, without pictures: train/empty"
    assert test == "mine.yaml: test: 4 pictures of 2 classes; left out: 1 of .heic"
    assert note.startswith("mine.yaml: note: classes have 1 to 9 training images") and note.endswith("models: cond")
    done = check(dataset, labels="as_in_data")
    assert done.returncode == 0 and done.stderr.splitlines() == [train, test]


def test_data_that_are_there_and_cannot_be_meant_are_refused(check, tmp_path):
    put(tmp_path / "in", {"train/n1": 2, "train/n2": 2, "val/0": 2, "val/1": 2})
    done = check({"name": "imagenet", "path": str(tmp_path / "in"), "size": 8, "num_classes": 2})
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "mine.yaml: dataset: " in done.stderr and "val: has class '0', unlike" in done.stderr


def test_data_that_are_not_there_yet_are_a_note(check, tmp_path):
    # The digits' extractor takes no colours, and that is known without the data.
    dataset = {"name": "imagenet", "path": str(tmp_path / "nowhere"), "size": 8, "num_classes": 2}
    done = check(dataset, extractor="classifier")
    assert done.returncode == 0 and done.stderr.count("\n") == 1
    assert "note: the data are not here yet" in done.stderr

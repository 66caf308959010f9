"""CIFAR-10 from parquet and from torchvision's pickled batches."""

import hashlib
import pickle

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.datasets.cifar10 import Cifar10


def test_real_parquet(shared_data):
    test = Cifar10(str(shared_data / "cifar10-jpeg")).open("test")
    assert (test.num_images, test.shape) == (10_000, (32, 32, 3))
    assert np.bincount(test.labels).tolist() == [1000] * 10
    assert next(test.chunks).shape == (1024, 32, 32, 3)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Return a folder in torchvision's layout, three images a batch, with checksums that torchvision is
    told."""
    from torchvision.datasets import CIFAR10

    rng = np.random.default_rng(0)
    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()

    def write(name, content):
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch():
        return {"data": rng.integers(0, 256, (3, 3072), np.uint8), "labels": [0, 9, 4]}

    monkeypatch.setattr(CIFAR10, "train_list", [write(f"data_batch_{i}", batch()) for i in (1, 2)])
    monkeypatch.setattr(CIFAR10, "test_list", [write("test_batch", batch())])
    meta = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "meta", {"filename": meta[0], "key": "label_names", "md5": meta[1]})
    return folder


def test_torchvision_archive(archive):
    split = Cifar10(str(archive.parent)).open("train")
    assert split.labels.tolist() == [0, 9, 4, 0, 9, 4]
    planes = pickle.loads((archive / "data_batch_2").read_bytes())["data"][1].reshape(3, 32, 32)
    np.testing.assert_array_equal(np.concatenate(list(split.chunks))[4], planes.transpose(1, 2, 0))


def test_altered_archive_is_not_unpickled(archive):
    (archive / "data_batch_2").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(UserError, match="torchvision's archive"):
        Cifar10(str(archive.parent)).open("train")

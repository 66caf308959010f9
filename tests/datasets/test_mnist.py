"""MNIST from parquet and from torchvision's own files, and what is said when neither can be read."""

import struct

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.datasets.mnist import Mnist


def pixels_of(split):
    return np.concatenate(list(split.chunks))


def write_idx(path, array):
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_real_parquet(shared_data):
    test = Mnist(str(shared_data / "mnist")).open("test")
    assert (test.num_images, test.shape) == (10_000, (28, 28, 1))
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]  # the original test set's first labels
    chunks = list(test.chunks)
    assert max(map(len, chunks)) <= 1024 and sum(map(len, chunks)) == 10_000
    # LeCun's pixels have a mean of 0.1325 on the test images.
    assert np.mean([chunk.mean() for chunk in chunks]) / 255 == pytest.approx(0.1325, abs=2e-3)


@pytest.mark.parametrize("bare", [False, True])
def test_parquet_in_parts(tmp_path, write_parquet, mnist_like, png, bare):
    pictures = [png(image) for image in mnist_like]
    write_parquet(tmp_path / "train-00000-of-00002.parquet", pictures[:3], [1, 2, 3], bare=bare)
    write_parquet(tmp_path / "train-00001-of-00002.parquet", pictures[3:], [4, 5], bare=bare)
    split = Mnist(str(tmp_path)).open("train")
    assert split.labels.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(pixels_of(split), mnist_like)


def test_missing_part_is_named(tmp_path, write_parquet, mnist_like, png):
    write_parquet(tmp_path / "train-00001-of-00002.parquet", [png(mnist_like[0])], [1])
    with pytest.raises(
        UserError, match=r"train-00001-of-00002.parquet: 1 parts of 'train' are there, not all of 0 to 1"
    ):
        Mnist(str(tmp_path)).open("train")


def test_torchvision_archive(tmp_path, mnist_like):
    raw = tmp_path / "MNIST" / "raw"
    for prefix in ("train", "t10k"):
        write_idx(raw / f"{prefix}-images-idx3-ubyte", mnist_like[..., 0])
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", np.arange(5))
    split = Mnist(str(tmp_path)).open("test")
    assert split.labels.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(pixels_of(split), mnist_like)


def test_cut_off_archive_is_one_line(tmp_path, mnist_like):
    raw = tmp_path / "MNIST" / "raw"
    for prefix in ("train", "t10k"):
        write_idx(raw / f"{prefix}-images-idx3-ubyte", mnist_like[..., 0])
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", np.arange(5))
    (raw / "train-images-idx3-ubyte").write_bytes((raw / "train-images-idx3-ubyte").read_bytes()[:-100])
    with pytest.raises(UserError) as caught:
        Mnist(str(tmp_path)).open("train")
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_failed_download_is_one_line(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    def no_network(self):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz")

    monkeypatch.setattr(MNIST, "download", no_network)
    with pytest.raises(UserError, match="Error downloading.*check the network"):
        Mnist(str(tmp_path), download=True).open("train")


@pytest.mark.parametrize(
    ("pictures", "labels", "column", "message"),
    [
        ("ok", [1, 2, 3, 4, 11], "image", "train.parquet: image 4 has label 11; 10 classes allow 0 to 9"),
        ("ok", [1, 2, 3, 4, 5], "picture", "no column 'image' or 'img'; it holds picture, label"),
        ("damaged", [1, 2, 3, 4, 5], "image", r"train.parquet: row 2 \(2.png\): cannot be read as an image"),
        (
            "small",
            [1, 2, 3, 4, 5],
            "image",
            r"row 3 \(3.png\): is 7x9 with 1 channel, but the data set is 28x28",
        ),
        ("absent", [1, 2, 3, 4, 5], "image", r"row 1 \(1.png\): no picture is embedded"),
        ("none", [], "image", "train.parquet: holds no images"),
    ],
)
def test_wrong_parquet_names_file_and_row(tmp_path, write_parquet, mnist_like, png, pictures, labels, column, message):
    data = [png(image) for image in mnist_like]
    if pictures == "damaged":
        data[2] = data[2][:60]
    if pictures == "small":
        data[3] = png(mnist_like[0][:9, :7])
    if pictures == "absent":
        data[1] = None
    write_parquet(tmp_path / "train.parquet", data[: len(labels)], labels, column=column)
    with pytest.raises(UserError, match=message) as caught:
        pixels_of(Mnist(str(tmp_path)).open("train"))
    assert "\n" not in str(caught.value)


def test_file_that_is_no_parquet(tmp_path):
    (tmp_path / "test.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(UserError, match=r"test.parquet: cannot be read as parquet"):
        Mnist(str(tmp_path)).open("test")


def test_missing_folder_and_missing_file(tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder; set the data set's 'path'"):
        Mnist(str(tmp_path / "nowhere")).open("train")
    with pytest.raises(UserError, match="neither train.parquet nor parts of it, nor torchvision's archive"):
        Mnist(str(tmp_path)).open("train")


@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_a_damaged_archive_is_one_line(tmp_path, mnist_like, file):
    raw = tmp_path / "MNIST" / "raw"
    for prefix in ("train", "t10k"):
        write_idx(raw / f"{prefix}-images-idx3-ubyte", mnist_like[..., 0])
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", np.arange(5))
    whole = (raw / file).read_bytes()
    damaged = [whole[:length] for length in {*range(16), len(whole) // 2, len(whole) - 1} if length < len(whole)] + [
        whole + b"x"
    ]
    damaged += [whole[:8] + struct.pack(">II", 14, 56) + whole[16:]] if "images" in file else []
    damaged += [whole[:k] + bytes([whole[k] ^ 0xFF]) + whole[k + 1 :] for k in range(8 if "labels" in file else 16)]
    for content in damaged:
        (raw / file).write_bytes(content)
        with pytest.raises(UserError) as caught:
            Mnist(str(tmp_path)).open("train")
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)

"""Inception: channels, batches, and a clear message if weights are missing. (Its features are in second_opinions.)"""

import numpy as np
import pytest
import torch

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.extractors.inception import Inception


@pytest.mark.parametrize("resize", ["tf1", "clean", "pytorch"])
def test_grey_images_are_shown_in_three_channels_and_batches_are_padded(inception_weights, resize):
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8)
    extractor = Inception(path=str(inception_weights), micro_batch=2, resize=resize)
    network = extractor.network()
    grey, colour = network(image), network(np.repeat(np.repeat(image, 3, axis=3), 2, axis=0))
    assert {name: values.shape for name, values in grey.items()} == {
        "pool": (1, 2048),
        "spatial": (1, 2023),
        "logits": (1, 1008),
    }
    assert all(np.array_equal(values[0], colour[name][0]) for name, values in grey.items())
    with pytest.raises(UserError, match="2 channels"):
        network(np.zeros((1, 8, 8, 2), np.uint8))


def test_the_hash_is_the_files(inception_weights):
    expected = sha256(inception_weights)
    assert Inception(path=str(inception_weights)).weights_sha256() == expected
    assert Inception().weights_sha256(inception_weights) == expected


def test_missing_or_foreign_weights_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file of Inception weights; give their file by --weights"):
        Inception(path=str(tmp_path / "none.pth")).network()
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("hello")
    for name in ("other.pth", "text.pth"):
        with pytest.raises(UserError, match=rf"{name}: not torch-fidelity's Inception weights [^\n]*$"):
            Inception().network(tmp_path / name)


def test_a_failed_download_names_the_way_out(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    with pytest.raises(
        UserError, match=r"cannot be downloaded \(Name or service not known\); .* by --weights [^\n]*'path'[^\n]*$"
    ):
        Inception().network()


def test_other_bytes_under_the_published_name_are_refused_and_taken_by_path(torch_home, inception_weights, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    with pytest.raises(UserError, match=r"6726825d.pth: not the published Inception weights \(sha256 [^\n]*'path'"):
        Inception().weights_sha256()
    assert Inception(path=str(inception_weights)).weights_sha256() == sha256(inception_weights)


def test_a_download_of_other_bytes_is_refused_and_leaves_nothing(tmp_path, monkeypatch):
    from torch_fidelity import feature_extractor_inceptionv3

    theirs = tmp_path / "weights-inception-2015-12-05-6726825d.pth"
    theirs.write_bytes(b"other bytes")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(feature_extractor_inceptionv3, "URL_INCEPTION_V3", theirs.as_uri())
    with pytest.raises(UserError, match=r"cannot be downloaded \(invalid hash value [^\n]*"):
        Inception().network()
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]

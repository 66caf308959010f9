"""Inception through fixed random weights: torch-fidelity's own features, and clear words where weights are missing."""

import zlib

import numpy as np
import pytest
import torch

from diffbench.base.artifacts import sha256
from diffbench.base.errors import UserError
from diffbench.extractors.inception import Inception


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights with published shapes, each drawn from its own generator so that the order does not matter."""
    import torchvision

    with torch.device("meta"):
        network = torchvision.models.inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    state = {}
    for key, value in network.state_dict().items():
        draws = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros((), dtype=torch.int64)
        elif key.endswith("running_var") or key.endswith("bn.weight"):
            state[key] = torch.empty(value.shape).uniform_(0.8, 1.25, generator=draws)
        elif value.ndim == 1:
            state[key] = 0.2 * torch.randn(value.shape, generator=draws)
        else:
            state[key] = torch.randn(value.shape, generator=draws) * (3 / value[0].numel()) ** 0.5
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(state, path)
    return path


def test_is_torch_fidelitys_network_on_padded_batches_and_grey_images(weights):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    images = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), dtype=np.uint8)
    extractor = Inception(path=str(weights), micro_batch=2)
    assert extractor.weights_sha256() == sha256(weights) == Inception().weights_sha256(weights)
    found = extractor.network()(images)
    peer = FeatureExtractorInceptionV3("peer", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights))
    rgb = torch.from_numpy(np.repeat(images, 3, axis=3).transpose(0, 3, 1, 2).copy())
    pool, logits = (values.numpy()[:1] for values in peer(rgb.repeat(2, 1, 1, 1)))
    assert found["pool"].shape == (1, 2048) and found["logits"].shape == (1, 1008)
    assert np.array_equal(found["pool"], pool) and np.array_equal(found["logits"], logits)
    with pytest.raises(UserError, match="2 channels"):
        extractor.network()(np.zeros((1, 8, 8, 2), np.uint8))


def test_missing_or_foreign_weights_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no such file of Inception weights; set 'path'"):
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
    with pytest.raises(UserError, match=r"cannot be downloaded \(Name or service not known\); .* set 'path'[^\n]*$"):
        Inception().network()

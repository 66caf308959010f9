"""DINOv2 through torch-fidelity's extractor with a small network in place of the hub's."""

import numpy as np
import pytest
import torch

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.extractors.dinov2 import Dinov2


class Tokens(torch.nn.Module):
    """Sixteen means over stripes of the normalised 224 x 224 image: something that sees what the network would."""

    def forward(self, x):
        assert x.shape[1:] == (3, 224, 224)
        return x.mean(dim=(1, 3)).unflatten(1, (16, 14)).mean(dim=2)


def test_sees_resized_and_normalised_images_in_padded_batches(monkeypatch):
    asked = []
    monkeypatch.setattr(torch.hub, "load", lambda repository, name: asked.append((repository, name)) or Tokens())
    network = Dinov2(micro_batch=4).network()
    images = np.repeat(np.array([0, 255, 124], np.uint8), 8 * 8).reshape(3, 8, 8, 1)
    found = network(images)
    assert asked == [("facebookresearch/dinov2", "dinov2_vitl14")]
    assert found["dinov2"].shape == (3, 16) and found["dinov2"].dtype == np.float32
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for value, row in zip((0, 1, 124 / 255), found["dinov2"], strict=True):
        np.testing.assert_allclose(row, ((value - mean) / deviation).mean(), rtol=1e-5)


def test_a_failed_download_and_missing_weights_name_the_way_out(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "load", fail)
    with pytest.raises(UserError, match=r"cannot be loaded \(Name or service not known\); .* copy its folder [^\n]*$"):
        Dinov2().network()
    with pytest.raises(UserError, match="dinov2_vits14_pretrain.pth: no such file"):
        Dinov2(size="small").weights_sha256()
    with pytest.raises(UserError, match="leave out --weights w.pth"):
        Dinov2().network(tmp_path.joinpath("w.pth").relative_to(tmp_path))
    weights = tmp_path / "hub" / "checkpoints" / "dinov2_vitl14_pretrain.pth"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    assert Dinov2().weights_sha256() == sha256(weights)

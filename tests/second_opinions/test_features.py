"""The same images through the same Inception weights: torch-fidelity, pytorch-fid and clean-fid."""

import numpy as np
import pytest
import torch
from PIL import Image

FEATURES = 1e-4


def test_torch_fidelity(agreement, ours, photos, inception_weights):
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    peer = FeatureExtractorInceptionV3(
        "peer", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(inception_weights)
    )
    branch = []
    # The ReLU after the hooked convolution works in place, so that the hook must copy.
    peer.Mixed_6d.branch1x1.register_forward_hook(lambda module, inputs, output: branch.append(output.clone()))
    with torch.no_grad():
        pool, logits = peer(torch.from_numpy(photos.transpose(0, 3, 1, 2).copy()))
    spatial = branch[0][:, :7].permute(0, 2, 3, 1).reshape(len(photos), -1)
    assert spatial.shape == (6, 2023)
    size = f"{photos.shape[1]} px"
    for name, theirs in (("pool", pool), ("logits", logits), ("spatial", spatial)):
        agreement.near(f"features `{name}`, {size}", "torch-fidelity", ours["tf1"][name], theirs, FEATURES)
    # What makes the comparison worth something: images differ, and so do their classes.
    assert np.corrcoef(ours["tf1"]["pool"]).min() < 0.97 and ours["tf1"]["logits"].std() > 1


def test_pytorch_fid(agreement, ours, files, photos, torch_home, monkeypatch):
    from pytorch_fid.fid_score import get_activations
    from pytorch_fid.inception import InceptionV3

    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    network = InceptionV3([InceptionV3.BLOCK_INDEX_BY_DIM[2048]])
    theirs = get_activations(sorted(files.glob("*.png")), network.eval(), batch_size=6, dims=2048, num_workers=0)
    agreement.near(f"features, {photos.shape[1]} px", "pytorch-fid", ours["pytorch"]["pool"], theirs, FEATURES)


def clean_fid_features(folder, mode):
    from cleanfid import features
    from cleanfid.fid import get_folder_features

    model = features.build_feature_extractor(mode, torch.device("cpu"), use_dataparallel=False)
    return get_folder_features(
        str(folder), model, num_workers=0, batch_size=6, device=torch.device("cpu"), mode=mode, verbose=False
    )


def test_clean_fid_legacy_pytorch(agreement, ours, files, photos, torch_home, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(torch_home))
    theirs = clean_fid_features(files, "legacy_pytorch")
    cause = "divides by 255 after the resize, not before"
    size = f"{photos.shape[1]} px"
    agreement.near(
        f"features, {size}", "clean-fid, legacy_pytorch", ours["pytorch"]["pool"], theirs, FEATURES, cause=cause
    )


class Layers(torch.nn.Module):
    """torch-fidelity's layers from normalised pixels to the pool, for the TorchScript file that clean-fid reads."""

    NAMES = (
        *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
        *("MaxPool_2", "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d"),
        *("Mixed_6e", "Mixed_7a", "Mixed_7b", "Mixed_7c", "AvgPool"),
    )

    def __init__(self, network):
        super().__init__()
        self.stack = torch.nn.Sequential(*(getattr(network, name) for name in self.NAMES))

    def forward(self, x):
        return self.stack(x).flatten(1)


class Base(torch.nn.Module):
    """What clean-fid expects in that file."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers

    def forward(self, x):
        return self.layers((x - 128) / 128)


@pytest.fixture
def clean_fid(inception_weights, tmp_path, monkeypatch):
    """clean-fid with our weights: features of a folder in its mode `clean`."""
    from cleanfid import features
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    network = FeatureExtractorInceptionV3("peer", ["2048"], feature_extractor_weights_path=str(inception_weights))
    example = torch.zeros(1, 3, 299, 299)
    with torch.no_grad():
        base = torch.jit.trace_module(Base(torch.jit.trace(Layers(network), example)), {"forward": example})
    folder = tmp_path / "torchscript"
    folder.mkdir()
    base.save(str(folder / "inception-2015-12-05.pt"))
    # Its path is fixed in its code.
    original = features.InceptionV3W
    monkeypatch.setattr(
        features, "InceptionV3W", lambda path, download, resize_inside: original(str(folder), False, resize_inside)
    )
    return lambda folder: clean_fid_features(folder, "clean")


def test_clean_fid_clean(agreement, ours, files, photos, clean_fid):
    size = f"{photos.shape[1]} px"
    agreement.near(f"features, {size}", "clean-fid, clean", ours["clean"]["pool"], clean_fid(files), FEATURES)


def test_clean_fid_clean_on_pictures_of_several_sizes(agreement, clean_fid, inception_weights, tmp_path):
    """A folder of photographs, each resized by itself, through our file of images of several sizes."""
    from diffbench.commands.measure.image_sets import Wanted, image_file
    from diffbench.extractors.inception import Inception
    from diffbench.stages.extract import write_features

    draws = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for k in range(5):
        height, width = draws.integers(20, 60, 2)
        pixels = draws.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels[..., 0] if k == 2 else pixels).save(tmp_path / f"photos/{k}.png")
    packed = image_file(tmp_path / "photos", tmp_path / "cache", Wanted(any_size=True)).file
    network = Inception(path=str(inception_weights), resize="clean", micro_batch=5).network()
    write_features(network, packed, tmp_path / "f.npz", {})
    with np.load(tmp_path / "f.npz") as ours:
        agreement.near(
            "features, several sizes", "clean-fid, clean", ours["pool"], clean_fid(tmp_path / "photos"), FEATURES
        )


def test_its_resize_is_not_another_ones(ours):
    """The negative control: three resizes are three rulers, by far more than any tolerance here."""
    pools = [features["pool"] for features in ours.values()]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(pools[i] - pools[j]).max() > 0.05 * pools[0].max()


@pytest.mark.parametrize("size", [24, 299, 400])
def test_clean_resize_is_clean_fids(size, agreement):
    from cleanfid.resize import build_resizer

    from diffbench.extractors.inception import RESIZERS

    from .conftest import crops

    images = crops(2, min(size, 100), seed=size)
    theirs = np.stack([build_resizer("clean")(image) for image in images]).transpose(0, 3, 1, 2)
    found = RESIZERS["clean"]("cpu", images).numpy() * 128 + 128
    agreement.near(f"resize, {images.shape[1]} px", "clean-fid, clean", found, theirs, 1e-6)

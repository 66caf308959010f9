"""Class-conditional models: labels in training, in sampling and in the bound."""

import json

import numpy as np
import pytest
import torch

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.seeds import Stream
from diffbench.jobs.bound import BoundJob
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.train import TrainJob
from diffbench.stages.bound import bound
from diffbench.stages.sample import sample_set
from diffbench.stages.train import train


def conditional(spec):
    spec = json.loads(json.dumps(spec))
    spec["network"]["class_conditional"] = True
    return spec


@pytest.fixture(scope="module")
def conditional_weights(tmp_path_factory, specs, data):
    folder = tmp_path_factory.mktemp("conditional")
    path = folder / "weights.safetensors"
    spec = conditional(specs("train"))
    # Fast steps: the network starts as if there were no labels, and must move away from that.
    spec["training"] |= {"steps": 40, "warmup_steps": 0, "learning_rate": 5e-3}
    train(TrainJob.read(spec), data / "train.npz", path, folder / "log.csv", device="cpu", cache=folder / "cache")
    return path


def test_samples_carry_the_labels_of_their_stream(conditional_weights, specs, tmp_path):
    spec = conditional(specs("sample"))
    expected = Stream(spec["seed"], "label").integers(torch.arange(spec["num_images"]), 0, 10)
    for spacing in ("3", "2"):
        out, job = tmp_path / f"{spacing}.npz", SampleJob.read(spec | {"spacings": [spacing]})
        sample_set(job, conditional_weights, out, device="cpu", cache=tmp_path / "cache")
        assert np.array_equal(read_member(out, "arr_1"), expected.numpy())
        assert read_provenance(out)["facts"]["flops_per_evaluation"] > 0


def test_the_label_changes_the_image(conditional_weights, specs, tmp_path, monkeypatch):
    spec = conditional(specs("sample"))
    sample_set(SampleJob.read(spec), conditional_weights, tmp_path / "a.npz", device="cpu", cache=tmp_path / "cache")
    original = Stream.integers

    def shifted(self, index, draw, high):
        return (original(self, index, draw, high) + 1) % high

    monkeypatch.setattr(Stream, "integers", shifted)
    sample_set(SampleJob.read(spec), conditional_weights, tmp_path / "b.npz", device="cpu", cache=tmp_path / "cache")
    assert not np.array_equal(read_member(tmp_path / "a.npz", "arr_0"), read_member(tmp_path / "b.npz", "arr_0"))


def test_the_bound_takes_the_images_own_labels(conditional_weights, specs, data, tmp_path):
    spec = conditional(specs("bound"))
    bound(BoundJob.read(spec), conditional_weights, data / "test.npz", tmp_path / "terms.npz", device="cpu")
    assert np.isfinite(read_member(tmp_path / "terms.npz", "bits_per_dim")).all()
    save_npz(tmp_path / "bare.npz", {"arr_0": np.asarray(read_member(data / "test.npz", "arr_0"))})
    write_provenance(tmp_path / "bare.npz", spec={}, facts={})
    with pytest.raises(UserError, match="needs labels"):
        bound(BoundJob.read(spec), conditional_weights, tmp_path / "bare.npz", tmp_path / "terms2.npz", device="cpu")


@pytest.fixture(scope="module")
def unequal(tmp_path_factory, specs):
    """Weights of a class-conditional model of digits of three classes, 81 : 9 : 0, and the folder that they lie in."""
    from PIL import Image
    from sklearn.datasets import load_digits

    from diffbench.jobs.dataset import DatasetPart
    from diffbench.jobs.prepare import PrepareJob
    from diffbench.stages.prepare import prepare

    folder = tmp_path_factory.mktemp("unequal")
    images, labels = load_digits(return_X_y=True)
    for label, count in ((0, 81), (1, 9)):
        for split, chosen in (("train", slice(0, count)), ("test", slice(count, count + 5))):
            (folder / "in" / split / str(label)).mkdir(parents=True)
            for k, pixels in enumerate(images[labels == label][chosen]):
                grey = np.rint(pixels.reshape(8, 8) * 255 / 16).astype(np.uint8)
                Image.fromarray(grey).save(folder / "in" / split / str(label) / f"{k}.png")
    dataset = DatasetPart("folder", {"path": str(folder / "in"), "channels": 1})
    prepare(PrepareJob(dataset=dataset), out_train=folder / "train.npz", out_test=folder / "test.npz")
    path = folder / "weights.safetensors"
    train(
        TrainJob.read(conditional(specs("train"))),
        folder / "train.npz",
        path,
        folder / "log.csv",
        device="cpu",
        cache=folder / "c",
    )
    return path


def labels_drawn(spec, weights, tmp_path, **changes):
    spec = conditional(spec) | {"spacings": ["2"], "num_images": 200} | changes
    spec["sampling"]["micro_batch"] = 100
    sample_set(SampleJob.read(spec), weights, tmp_path / "a.npz", device="cpu", cache=tmp_path / "cache")
    return np.array(read_member(tmp_path / "a.npz", "arr_1"))


def test_counts_of_classes_go_from_the_data_into_the_weights(unequal):
    recorded = [read_provenance(unequal.parent / name)["facts"]["class_counts"] for name in ("train.npz", "test.npz")]
    assert recorded == [[81, 9], [5, 5]]
    assert read_provenance(unequal)["facts"]["class_counts"] == [81, 9]


def test_labels_as_in_the_data_have_its_shares(unequal, specs, tmp_path, capsys):
    drawn = labels_drawn(specs("sample"), unequal, tmp_path, labels="as_in_data")
    place = Stream(0, "label").integers(torch.arange(200), 0, 90).numpy()
    assert np.array_equal(drawn, place >= 81)
    assert 165 <= (drawn == 0).sum() <= 193  # of 180, three standard deviations
    assert "classes have" not in capsys.readouterr().err
    fewer = labels_drawn(specs("sample"), unequal, tmp_path, labels="as_in_data", num_images=7)
    assert np.array_equal(fewer, drawn[:7])
    for labels in ("iid", "balanced"):
        assert (labels_drawn(specs("sample"), unequal, tmp_path, labels=labels) == 0).sum() < 120
        said = capsys.readouterr().err
        assert "classes have 9 to 81 training images" in said and "40% of the labels differ from the data's" in said


def test_weights_that_record_no_counts_are_one_line(unequal, specs, tmp_path):
    provenance = read_provenance(unequal)
    weights = tmp_path / unequal.name
    weights.write_bytes(unequal.read_bytes())
    facts = {key: value for key, value in provenance["facts"].items() if key != "class_counts"}
    write_provenance(weights, spec=provenance["spec"], facts=facts)
    with pytest.raises(UserError, match="labels: as_in_data needs the class_counts of the training images"):
        labels_drawn(specs("sample"), weights, tmp_path, labels="as_in_data")
    with pytest.raises(UserError, match="labels: 'sorted' is not allowed; allowed: as_in_data, balanced, iid"):
        labels_drawn(specs("sample"), unequal, tmp_path, labels="sorted")

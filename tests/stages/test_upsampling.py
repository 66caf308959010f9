"""Upsamplers through the stages: shrunk data, training on pairs, cascades through files, scores of both kinds."""

import json

import numpy as np
import pytest
import torch

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Row, read_records
from diffbench.base.sizes import enlarged, shrunk
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.sample_facts import Cost
from diffbench.jobs.score import PairsJob
from diffbench.jobs.shrink import ShrinkJob
from diffbench.jobs.train import TrainJob
from diffbench.metrics.psnr import Psnr
from diffbench.stages import _conditions, _shards
from diffbench.stages import sample as stage
from diffbench.stages.extract import extract
from diffbench.stages.sample import main as sample_main
from diffbench.stages.sample import sample_set
from diffbench.stages.score import costs_of_image, score_pairs
from diffbench.stages.shrink import shrink
from diffbench.stages.train import train

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def small(tmp_path_factory, data):
    """Folder with train_4.npz and test_4.npz."""
    folder = tmp_path_factory.mktemp("small")
    for split in ("train", "test"):
        shrink(ShrinkJob(size=4), data / f"{split}.npz", folder / f"{split}_4.npz")
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory, specs, small):
    """A class-conditional model of 4x4 digits, and its samples."""
    folder = tmp_path_factory.mktemp("base")
    weights = folder / "weights.safetensors"
    train(
        TrainJob.read(specs("train", "adm_low")),
        small / "train_4.npz",
        weights,
        folder / "log.csv",
        device="cpu",
        cache=folder,
    )
    spec = specs("sample", "adm_low", spacings=["2"], seed=5)
    sample_set(SampleJob.read(spec), weights, folder / "samples.npz", device="cpu", cache=folder)
    return folder / "samples.npz"


@pytest.fixture(scope="module")
def upsampler(tmp_path_factory, specs, data):
    """Weights of an upsampler after some fast steps: a network starts as if it were given nothing."""
    folder = tmp_path_factory.mktemp("upsampler")
    spec = specs("train", "upsampler")
    spec["training"] |= {"steps": 30, "warmup_steps": 0, "learning_rate": 5e-3}
    path = folder / "weights.safetensors"
    train(TrainJob.read(spec), data / "train.npz", path, folder / "log.csv", device="cpu", cache=folder)
    return path


def call(spec, weights, out, low_res):
    sample_set(SampleJob.read(spec), weights, out, device="cpu", low_res=low_res, cache=out.parent / "cache")
    return read_member(out, "arr_0")


@pytest.fixture(scope="module")
def cascade(tmp_path_factory, specs, upsampler, base):
    out = tmp_path_factory.mktemp("cascade") / "2.npz"
    call(specs("sample", "adm_u", spacings=["2"]), upsampler, out, base)
    return out


# -- shrunk data


def test_shrunk_data_and_their_facts(small, data):
    for split in ("train", "test"):
        path = small / f"{split}_4.npz"
        assert np.array_equal(read_member(path, "arr_0"), shrunk(read_member(data / f"{split}.npz", "arr_0"), 4))
        assert np.array_equal(read_member(path, "arr_1"), read_member(data / f"{split}.npz", "arr_1"))
        facts, whole = (read_provenance(file)["facts"] for file in (path, data / f"{split}.npz"))
        assert facts["shape"] == [4, 4, 1] and facts["full_size"] == [8, 8] and facts["levels"] == 256
        assert facts["num_classes"] == 10 and facts["images_sha256"] == whole["images_sha256"]
        assert "histogram_bits_per_dim" not in facts


def test_a_size_that_does_not_divide_is_one_line(data, tmp_path):
    with pytest.raises(UserError, match=r"train\.npz: images of 8x8 cannot be shrunk to a height of 3"):
        shrink(ShrinkJob(size=3), data / "train.npz", tmp_path / "a.npz")
    for size, words in ((0, "0 is not a number"), ("4", "'4' is not a whole number"), (None, "None is not a whole")):
        with pytest.raises(UserError, match=words):
            ShrinkJob.read({"size": size})
    assert not (tmp_path / "a.npz").exists()


# -- cascades


def test_a_cascade_keeps_the_labels_and_counts_both_stages(cascade, base, upsampler):
    assert np.array_equal(read_member(cascade, "arr_1"), read_member(base, "arr_1"))
    assert read_member(cascade, "arr_0").shape == (7, 8, 8, 1)
    provenance = read_provenance(cascade)
    assert provenance["inputs"] == {"low_res": sha256(base), "weights": sha256(upsampler)}
    assert provenance["spec"]["low_res"] == {"model": "adm_low", "sampler": "ddim", "steps": 2}
    facts, below = provenance["facts"], read_provenance(base)["facts"]
    assert facts["low_res"] == {key: below[key] for key in ("nfe", "flops_per_evaluation")}
    assert "full_size" not in facts and below["full_size"] == [8, 8]
    total = 2 * facts["flops_per_evaluation"] + 2 * below["flops_per_evaluation"]
    assert costs_of_image(Cost.read(facts, "")) == {"nfe": 4, "nfe_low_res": 2, "flops_per_image": total}
    # The stem sees twice the channels at 8x8: 9 weights a pixel and channel, and a multiply-add is two.
    assert facts["flops_per_evaluation"] > 3 * below["flops_per_evaluation"]


@pytest.mark.parametrize("micro_batch", [3, 7])
def test_an_image_is_a_function_of_seed_number_and_its_low_resolution_image(
    specs, upsampler, base, cascade, tmp_path, micro_batch
):
    """Fewer images, and a file whose other images are different, leave the first ones as they are."""
    spec = specs("sample", "adm_u", spacings=["2"], num_images=4)
    images, labels = np.array(read_member(base, "arr_0")), np.array(read_member(base, "arr_1"))
    images[4:] = 255 - images[4:]
    save_npz(tmp_path / "low.npz", {"arr_0": images, "arr_1": labels})
    write_provenance(tmp_path / "low.npz", spec={}, facts={})
    found = call(spec, upsampler, tmp_path / "a.npz", tmp_path / "low.npz")
    assert np.array_equal(found, read_member(cascade, "arr_0")[:4])


def test_one_or_more_processes_make_the_same_bytes(specs, upsampler, base, cascade, tmp_path, monkeypatch):
    """A job that was cut off after its first micro-batch goes on to the same file."""

    class CutOffError(Exception):
        pass

    original, done = _shards.save_npz, []

    def save(path, arrays):
        if len(done) == 1:
            raise CutOffError
        done.append(path)
        original(path, arrays)

    spec = specs("sample", "adm_u", spacings=["2"])
    monkeypatch.setattr(_shards, "save_npz", save)
    with pytest.raises(CutOffError):
        call(spec, upsampler, tmp_path / "a.npz", base)
    monkeypatch.setattr(_shards, "save_npz", original)
    call(spec, upsampler, tmp_path / "a.npz", base)
    assert sha256(tmp_path / "a.npz") == sha256(cascade)


@pytest.mark.parametrize("member", ["arr_0", "arr_1"])
def test_other_low_resolution_images_or_labels_are_another_set(specs, upsampler, base, cascade, tmp_path, member):
    arrays = {name: np.array(read_member(base, name)) for name in ("arr_0", "arr_1")}
    arrays[member] = 255 - arrays[member] if member == "arr_0" else (arrays[member] + 1) % 10
    save_npz(tmp_path / "low.npz", arrays)
    write_provenance(tmp_path / "low.npz", spec={}, facts={})
    found = call(specs("sample", "adm_u", spacings=["2"]), upsampler, tmp_path / "a.npz", tmp_path / "low.npz")
    assert not np.array_equal(found, read_member(cascade, "arr_0"))


def test_the_upsamplers_noise_is_not_that_of_its_base(specs, upsampler, base, tmp_path, monkeypatch):
    seeds, original = [], stage.sample_batch
    monkeypatch.setattr(stage, "sample_batch", lambda *a, **k: seeds.append(k["seed"]) or original(*a, **k))
    call(specs("sample", "adm_u", spacings=["2"], seed=5), upsampler, tmp_path / "a.npz", base)
    assert set(seeds) == {"5, upsampled from 4"}


def test_no_more_low_resolution_images_than_a_micro_batch_become_floats(specs, upsampler, base, tmp_path, monkeypatch):
    sizes, original = [], _conditions.to_float
    monkeypatch.setattr(_conditions, "to_float", lambda images: sizes.append(len(images)) or original(images))
    call(specs("sample", "adm_u", spacings=["2"]), upsampler, tmp_path / "a.npz", base)
    assert sizes == [3, 3, 3]


def test_real_images_need_no_model_below(specs, upsampler, small, tmp_path):
    call(specs("sample", "upsampled_real", spacings=["2"]), upsampler, tmp_path / "a.npz", small / "test_4.npz")
    assert np.array_equal(read_member(tmp_path / "a.npz", "arr_1"), read_member(small / "test_4.npz", "arr_1")[:7])
    facts = read_provenance(tmp_path / "a.npz")["facts"]
    assert costs_of_image(Cost.read(facts, "")) == {"nfe": 2, "flops_per_image": 2 * facts["flops_per_evaluation"]}


def test_costs_of_a_guided_base_and_of_three_stages():
    guided = Cost(nfe=5, flops_per_evaluation=10, classifier_evaluations=5, flops_per_classifier_evaluation=3)
    middle = Cost(nfe=2, flops_per_evaluation=100, low_res=guided)
    assert costs_of_image(middle) == {"nfe": 7, "nfe_low_res": 5, "classifier_evaluations": 5, "flops_per_image": 265}
    top = Cost(nfe=1, flops_per_evaluation=1000, low_res=middle)
    assert costs_of_image(top) == {"nfe": 8, "nfe_low_res": 7, "classifier_evaluations": 5, "flops_per_image": 1265}


# -- what cannot be


def low_res_file(path, images, labels=None):
    save_npz(path, {"arr_0": images} | ({} if labels is None else {"arr_1": labels}))
    write_provenance(path, spec={}, facts={})
    return path


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((7, 8, 8, 1), np.uint8), "uint8 images of 8x8x1, the upsampler was trained on uint8 of 4x4x1"),
        (np.zeros((7, 4, 4, 3), np.uint8), "uint8 images of 4x4x3"),
        (np.zeros((7, 4, 4, 1), np.float32), "float32 images of 4x4x1"),
        (np.zeros((6, 4, 4, 1), np.uint8), "6 images, and 7 are to be upsampled"),
        (np.zeros((7, 4, 4, 1), np.uint8), "no labels (arr_1)"),
    ],
)
def test_a_low_resolution_file_that_does_not_fit_is_one_line(specs, upsampler, tmp_path, failing, images, words):
    low = low_res_file(tmp_path / "low.npz", images)
    spec = json.dumps(specs("sample", "adm_u", spacings=["2"]))
    given = ["--spec", spec, "--weights", upsampler, "--low-res", low, "--out", tmp_path / "a.npz"]
    said = failing(sample_main, [*given, "--cache", tmp_path / "cache", "--device", "cpu"])
    assert f"{low}: " in said and words in said and not (tmp_path / "a.npz").exists()


def test_low_res_goes_with_an_upsampler_only(specs, upsampler, weights, base, tmp_path):
    with pytest.raises(UserError, match="--low-res: goes with an upsampler, and only with it"):
        job = SampleJob.read(specs("sample", "adm_u", spacings=["2"]))
        sample_set(job, upsampler, tmp_path / "a.npz", device="cpu", cache=tmp_path)
    with pytest.raises(UserError, match="--low-res: goes with an upsampler, and only with it"):
        call(specs("sample", spacings=["2"]), weights, tmp_path / "a.npz", base)


# -- scores


def test_small_samples_are_enlarged_before_features_are_taken(base, tmp_path):
    job = ExtractJob(extractor=ExtractorPart("digits_features"), threads=1)
    extract(job, base, tmp_path / "f.npz", device="cpu")
    low_res_file(tmp_path / "large.npz", enlarged(read_member(base, "arr_0"), 8, 8))
    extract(job, tmp_path / "large.npz", tmp_path / "g.npz", device="cpu")
    assert np.array_equal(read_member(tmp_path / "f.npz", "pool"), read_member(tmp_path / "g.npz", "pool"))
    assert read_provenance(tmp_path / "f.npz")["facts"]["enlarged_to"] == [8, 8]
    assert "enlarged_to" not in read_provenance(tmp_path / "g.npz")["facts"]


def test_pairs_are_scored_image_by_image(small, data, tmp_path):
    truth, given = (np.array(read_member(path, "arr_0"))[:9] for path in (data / "test.npz", small / "test_4.npz"))
    own = np.clip(truth.astype(int) + 2, 0, 255).astype(np.uint8)
    low_res_file(tmp_path / "own.npz", own)
    write_provenance(tmp_path / "own.npz", spec={}, inputs=checked({"low_res": small / "test_4.npz"}))
    job = PairsJob(rounding="truncate", row=Row("smoke", "upsampled_real"))
    score_pairs(job, tmp_path / "own.npz", data / "test.npz", small / "test_4.npz", tmp_path / "s.json")
    found = {item["metric"]: item for item in read_records([tmp_path / "s.json"])}
    assert found["psnr"]["value"] == pytest.approx(Psnr()({"images": own}, {"images": truth}).value)
    assert found["psnr_enlarged"]["value"] == pytest.approx(
        Psnr()({"images": enlarged(given, 8, 8)}, {"images": truth}).value
    )
    assert found["psnr"]["num_images"] == 9
    images = (f"reference=test@{sha256(data / 'test.npz')[:8]}", f"low_res=test_4@{sha256(small / 'test_4.npz')[:8]}")
    assert found["psnr"]["protocol"].startswith(f"pairs;{images[0]};{images[1]};rounding=truncate")
    low_res_file(tmp_path / "floats.npz", given / 255)
    low_res_file(tmp_path / "other.npz", given)
    with pytest.raises(UserError, match=r"own\.npz: not upsampled from .*other\.npz, but from another version of it"):
        score_pairs(job, tmp_path / "own.npz", data / "test.npz", tmp_path / "other.npz", tmp_path / "s.json")
    with pytest.raises(UserError, match=r"floats\.npz: arr_0 is float64"):
        score_pairs(job, tmp_path / "own.npz", data / "test.npz", tmp_path / "floats.npz", tmp_path / "s.json")

"""extract: features of image files, named and stated with the extractor's weights."""

import json
import tracemalloc

import numpy as np
import pytest

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance
from diffbench.extractors.digits_features import DigitsFeatures
from diffbench.jobs.extract import ExtractJob
from diffbench.stages import _image_file
from diffbench.stages._image_file import PixelHash, image_set, moments_digests, stored_features, stored_statistics
from diffbench.stages._mixed_sizes import write_mixed
from diffbench.stages.extract import extract, full_size, main, write_features

SPEC = {"extractor": {"name": "digits_features"}, "threads": 1}
JOB = ExtractJob.read(SPEC)


def arrays(path):
    with np.load(path) as content:
        return {name: content[name] for name in content}


def test_features_with_provenance(data, tmp_path):
    few = tmp_path / "few.npz"
    with np.load(data / "test.npz") as content:
        save_npz(few, {"arr_0": content["arr_0"][:70]})
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    for source, out in zip((data / "test.npz", few), outs, strict=True):
        extract(JOB, source, out, device="cpu")
    whole, part = map(arrays, outs)
    with np.load(data / "test.npz") as content:
        assert np.array_equal(whole.pop("labels"), content["arr_1"]) and "labels" not in part
    assert set(whole) == set(DigitsFeatures.features)
    for name, values in whole.items():
        assert values.dtype == np.float32 and len(values) == 500
        assert np.array_equal(values[:70], part[name])
    provenance = read_provenance(outs[1])
    assert provenance["inputs"] == {"images": sha256(few)} and provenance["spec"] == SPEC
    assert provenance["facts"]["num_images"] == 70
    assert provenance["facts"]["weights_sha256"] == DigitsFeatures().weights_sha256(None)


def test_reading_in_chunks_changes_nothing(data, tmp_path, monkeypatch):
    extract(JOB, data / "test.npz", tmp_path / "a.npz", device="cpu")
    monkeypatch.setattr(_image_file, "CHUNK", 128)
    extract(JOB, data / "test.npz", tmp_path / "b.npz", device="cpu")
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


def test_compressed_images_are_read(data, tmp_path):
    with np.load(data / "test.npz") as content:
        np.savez_compressed(tmp_path / "c.npz", **content)
    extract(JOB, data / "test.npz", tmp_path / "a.npz", device="cpu")
    extract(JOB, tmp_path / "c.npz", tmp_path / "b.npz", device="cpu")
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (np.zeros((3, 8, 8, 1)), "wanted uint8 images"),
        (np.zeros((3, 8, 8), np.uint8), "wanted uint8 images"),
        (np.zeros((3, 9, 9, 1), np.uint8), "(9, 9, 1)"),
        (np.zeros((0, 8, 8, 1), np.uint8), "holds no images"),
    ],
    ids=["missing", "floats", "no channels", "size", "none"],
)
def test_what_are_no_images_is_one_line(tmp_path, failing, content, message):
    path = tmp_path / "images.npz"
    if content is not None:
        save_npz(path, {"arr_0": content})
    call = ["--spec", json.dumps(SPEC), "--images", path, "--out", tmp_path / "f.npz", "--device", "cpu"]
    assert message in failing(main, call)
    assert not (tmp_path / "f.npz").exists()


class Halves:
    """A network whose features are the means of an image's upper and lower half."""

    def __call__(self, images):
        return {"pool": images.reshape(len(images), 2, -1).mean(axis=2).astype(np.float32)}


def images_file(path, n, **more):
    images = np.random.default_rng(0).integers(0, 256, (n, 16, 16, 1), dtype=np.uint8)
    save_npz(path, {"arr_0": images, **more})
    return images


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    peaks = []
    for n in (2_000, 40_000):
        images_file(tmp_path / "images.npz", n)
        tracemalloc.start()
        found = write_features(Halves(), tmp_path / "images.npz", tmp_path / "f.npz", {})
        assert found.num_images == n and found.moments is None
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 100_000, peaks
    assert read_member(tmp_path / "f.npz", "pool").shape == (40_000, 2)


def moments_of(values):
    return {"mu": values.mean(axis=0), "sigma": np.cov(values, rowvar=False)}


def test_stored_statistics_travel_with_the_images_where_they_are_of_these_features(tmp_path):
    path, out = tmp_path / "batch.npz", tmp_path / "f.npz"
    own = moments_of(Halves()(images_file(path, 500))["pool"].astype(np.float64))
    spatial = {"mu_s": np.zeros(3), "sigma_s": np.eye(3)}
    images_file(path, 500, **own, **spatial)
    stored = stored_statistics(path)
    write_features(Halves(), path, out, stored)
    assert set(arrays(out)) == {"pool", "mu", "sigma", "mu_s", "sigma_s"}
    assert np.array_equal(arrays(out)["sigma"], own["sigma"])
    images_file(path, 500)
    assert stored_statistics(path) == {}


def test_each_pair_of_stored_statistics_counts_by_itself(tmp_path):
    path, out = tmp_path / "batch.npz", tmp_path / "f.npz"
    own = moments_of(Halves()(images_file(path, 500))["pool"].astype(np.float64))
    images_file(path, 500, **own)
    stored = stored_statistics(path)
    assert set(stored) == {"mu", "sigma"} and stored_features(path) == ["pool"]
    found = write_features(Halves(), path, out, stored)
    assert set(arrays(out)) == {"pool", "mu", "sigma"} and set(found.moments or ()) == {"pool"}
    # The same moments in another byte order or type are the same; others are not.
    swapped = {name: values.astype(">f8") for name, values in own.items()}
    assert moments_digests(swapped) == found.moments != moments_digests({**own, "mu": own["mu"] + 1})
    for half, absent in (("mu", "sigma"), ("sigma", "mu")):
        images_file(path, 500, **{half: own[half]})
        with pytest.raises(UserError, match=f"stores {half} without {absent}"):
            stored_statistics(path)


@pytest.mark.parametrize(
    "stored",
    [
        {"mu": np.zeros((2, 2)), "sigma": np.eye(2)},
        {"mu": np.zeros(2), "sigma": np.eye(3)},
        {"mu": np.zeros(2, "U1"), "sigma": np.eye(2)},
        {"mu": np.zeros(0), "sigma": np.zeros((0, 0))},
        {"mu": np.float64(1), "sigma": np.eye(1)},
    ],
)
def test_arrays_that_are_no_mean_and_covariance_are_one_line(tmp_path, stored):
    images_file(tmp_path / "a.npz", 5, **stored)
    with pytest.raises(UserError, match="no mean and covariance of 'pool'"):
        stored_statistics(tmp_path / "a.npz")


def test_the_pixels_hash_is_of_the_images_alone():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 6, 3), dtype=np.uint8)
    images[10:20] = images[10:20, ..., :1]  # grey ones among them

    def hashed(*pieces):
        found = PixelHash()
        for piece in pieces:
            found.add(piece)
        return found.hexdigest()

    whole = hashed(images)
    assert whole == hashed(images[:7], images[7:13], images[13:]) == hashed(list(images)) == hashed(images.copy("F"))
    assert hashed(images[10:20]) == hashed(images[10:20, ..., :1])
    assert whole != hashed(images[::-1]) and whole != hashed(images.reshape(30, 6, 4, 3))
    assert whole != hashed(images[:29]) and whole != hashed(images ^ 1)


@pytest.mark.parametrize("facts", [7, [8], {"full_size": "8x8"}, {"full_size": [8]}, {"full_size": [8, -8]}])
def test_a_record_of_wrong_types_is_one_line(tmp_path, facts):
    images_file(tmp_path / "a.npz", 5)
    (tmp_path / "a.npz.json").write_text(json.dumps({"facts": facts}))
    with pytest.raises(UserError, match=r"a\.npz\.json: "):
        full_size(tmp_path / "a.npz")


class Widths:
    """A network that takes images of several sizes: an image's width, and its mean."""

    def __call__(self, images):
        return {"pool": np.array([[image.shape[1], image.mean()] for image in images], np.float32)}


def test_images_of_several_sizes_keep_their_order(tmp_path):
    sizes = [(4, 2 + k % 7, 1) for k in range(150)]
    images = [np.full(size, k, np.uint8) for k, size in enumerate(sizes)]
    write_mixed(tmp_path / "mixed.npz", sizes, images)
    found = write_features(Widths(), tmp_path / "mixed.npz", tmp_path / "f.npz", {})
    assert found.num_images == 150
    assert np.array_equal(arrays(tmp_path / "f.npz")["pool"], [[size[1], k] for k, size in enumerate(sizes)])


@pytest.mark.parametrize("wrong", ["mean", "dimensions"])
def test_a_reference_of_another_protocol_is_refused(tmp_path, wrong):
    path, out = tmp_path / "batch.npz", tmp_path / "f.npz"
    own = moments_of(Halves()(images_file(path, 500))["pool"].astype(np.float64))
    other = {"mu": own["mu"] + 5} if wrong == "mean" else {"mu": np.zeros(3), "sigma": np.eye(3)}
    message = "a reference of another protocol" if wrong == "mean" else "not comparable: extractor"
    with pytest.raises(UserError, match=message):
        write_features(Halves(), path, out, own | other)
    assert not out.exists() and [item.name for item in tmp_path.iterdir()] == ["batch.npz"]


def test_statistics_without_images_have_no_known_protocol(tmp_path):
    save_npz(tmp_path / "stats.npz", {"mu": np.zeros(2), "sigma": np.eye(2)})
    with pytest.raises(UserError, match="holds statistics without images, so their protocol is unknown"):
        image_set(tmp_path / "stats.npz")


def test_a_second_file_is_one_line_of_argparse(data, tmp_path, capsys):
    call = ["--spec", json.dumps(SPEC), "--images", data / "test.npz", "--out", tmp_path / "f.npz", tmp_path / "g.npz"]
    with pytest.raises(SystemExit):
        main([str(argument) for argument in call])
    assert f"error: unrecognized arguments: {tmp_path / 'g.npz'}" in capsys.readouterr().err


def test_missing_weights(data, tmp_path, failing):
    spec = json.dumps({"extractor": {"name": "classifier"}, "threads": 1})
    call = ["--spec", spec, "--images", data / "test.npz", "--out", tmp_path / "f.npz", "--device", "cpu"]
    assert "needs --weights, a file that the stage fit writes" in failing(main, call)
    assert "no.safetensors: no such file" in failing(main, [*call, "--weights", tmp_path / "no.safetensors"])
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    assert "w.safetensors" in failing(main, [*call, "--weights", tmp_path / "w.safetensors"])

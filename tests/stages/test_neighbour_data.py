"""Nearest training images: exact, with copies at distance 0, and of a part of a large set."""

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.figures._pictures import Pictures
from diffbench.stages import _neighbour_data as data
from diffbench.stages._neighbour_data import neighbours

TRAINING = np.random.default_rng(0).integers(0, 256, (200, 4, 4, 3), np.uint8)
SAMPLES = np.random.default_rng(1).integers(0, 256, (12, 4, 4, 3), np.uint8)


@pytest.fixture
def files(tmp_path):
    """Paths of samples, of training images, and of the features of both."""
    samples = SAMPLES.copy()
    samples[2] = TRAINING[150]
    held = {"samples": samples, "training": TRAINING}
    for name, images in held.items():
        save_npz(tmp_path / f"{name}.npz", {"arr_0": images})
        # Features in which the order of distances is another than that of pixels.
        save_npz(tmp_path / f"{name}_features.npz", {"pool": images.reshape(len(images), -1)[:, :5].astype(np.float32)})
    return [tmp_path / f"{name}.npz" for name in (*held, *(f"{name}_features" for name in held))]


def direct(points, rows):
    """Return the places and distances of the three nearest rows, from all differences."""
    distances = np.linalg.norm(points[:, None].astype(float) - rows[None].astype(float), axis=2)
    order = np.argsort(distances, axis=1, kind="stable")[:, :3]
    return order, np.take_along_axis(distances, order, axis=1)


@pytest.mark.parametrize("piece", [1, 300, 2**22])
def test_the_nearest_are_those_of_all_differences(files, monkeypatch, piece):
    monkeypatch.setattr(data, "PIECE", piece)
    samples, training, *features = files
    shown = Pictures(np.load(samples)["arr_0"])
    found = neighbours(samples, shown, training, features)
    assert (found.searched, found.of, found.labels, list(found.missing)) == (200, 200, None, [])
    by_features, by_pixels = found.measures
    flat = shown.images[:10].reshape(10, -1)
    for measure, width, root in ((by_features, 5, 1), (by_pixels, 48, 48**0.5)):
        places, distances = direct(flat[:, :width], TRAINING.reshape(200, -1)[:, :width])
        assert np.array_equal(measure.images, TRAINING[places])
        assert np.allclose(measure.distances, distances / root)
        assert measure.distances[2, 0] == 0  # A copy is at no distance at all, whatever the products round to.
    others = np.linalg.norm(TRAINING.reshape(200, 1, -1).astype(float) - TRAINING.reshape(1, 200, -1), axis=2)
    np.fill_diagonal(others, np.inf)
    assert by_pixels.usual == pytest.approx(np.median(others.min(axis=1)[np.arange(64) * 200 // 64]) / 48**0.5)


def test_samples_are_the_first_of_each_class(files):
    labels = np.array([3, 3, 1, 0, 0, 0, 9, 9, 9, 9, 9, 9])
    found = neighbours(files[0], Pictures(SAMPLES, labels), files[1], [])
    assert found.labels is not None
    assert found.labels.tolist() == [0, 0, 0, 1, 3, 3, 9, 9, 9, 9]
    assert np.array_equal(found.samples, SAMPLES[[3, 4, 5, 2, 0, 1, 6, 7, 8, 9]])
    assert [measure.measure for measure in found.measures] == ["pixels"] and "not by features" in found.missing[0]


def test_of_a_large_set_a_part_is_searched(files, monkeypatch):
    monkeypatch.setattr(data, "LARGEST", 50 * 48)
    found = neighbours(files[0], Pictures(SAMPLES), files[1], files[2:])
    assert (found.searched, found.of) == (50, 200)
    part = TRAINING[np.arange(50) * 4]
    assert np.array_equal(found.measures[1].images, part[direct(SAMPLES[:10].reshape(10, -1), part.reshape(50, -1))[0]])


def test_of_features_wider_than_images_a_part_is_searched_that_is_evenly_spread(files, monkeypatch, tmp_path):
    for name, images in (("samples", SAMPLES), ("training", TRAINING)):
        wide = images.reshape(len(images), -1).repeat(2, axis=1).astype(np.float32)
        save_npz(tmp_path / f"{name}_features.npz", {"pool": wide})
    monkeypatch.setattr(data, "LARGEST", 50 * 48)
    found = neighbours(files[0], Pictures(SAMPLES), files[1], files[2:])
    part = TRAINING[np.arange(25) * 8]
    assert found.searched == 25
    assert np.array_equal(found.measures[1].images, part[direct(SAMPLES[:10].reshape(10, -1), part.reshape(25, -1))[0]])


def test_few_images_are_all_shown(files, tmp_path):
    save_npz(tmp_path / "two.npz", {"arr_0": TRAINING[:2]})
    found = neighbours(files[0], Pictures(SAMPLES[:1]), tmp_path / "two.npz", [])
    assert found.samples.shape[0] == 1 and found.measures[0].images.shape[1] == 2
    save_npz(tmp_path / "one.npz", {"arr_0": TRAINING[:1]})
    found = neighbours(files[0], Pictures(SAMPLES[:1]), tmp_path / "one.npz", [])
    assert found.measures[0].images.shape[1] == 1 and found.measures[0].usual is None


def test_an_extractor_without_usual_features_has_others_or_a_gap(files, tmp_path):
    for name, count in (("own", 12), ("training", 200)):
        rows = np.random.default_rng(2).normal(size=(count, 4)).astype(np.float32)
        save_npz(tmp_path / f"other_{name}.npz", {"labels": np.zeros(count, int), "dinov2": rows})
        save_npz(tmp_path / f"no_{name}.npz", {"labels": np.zeros(count, int)})
    found = neighbours(
        files[0], Pictures(SAMPLES), files[1], [tmp_path / "other_own.npz", tmp_path / "other_training.npz"]
    )
    assert found.measures[0].explained == "the distance in features 'dinov2'"
    found = neighbours(files[0], Pictures(SAMPLES), files[1], [tmp_path / "no_own.npz", tmp_path / "no_training.npz"])
    assert [measure.measure for measure in found.measures] == ["pixels"] and "not by features" in found.missing[0]


def test_files_that_do_not_belong_together_are_named(files, tmp_path):
    save_npz(tmp_path / "large.npz", {"arr_0": np.zeros((3, 8, 8, 3), np.uint8)})
    with pytest.raises(UserError, match=r"large\.npz: images of \(8, 8, 3\)"):
        neighbours(files[0], Pictures(SAMPLES), tmp_path / "large.npz", [])
    with pytest.raises(UserError, match="not the features of"):
        neighbours(files[0], Pictures(SAMPLES), files[1], [files[3], files[3]])
    with pytest.raises(UserError, match="not the features of"):
        neighbours(files[0], Pictures(SAMPLES), files[1], [files[2], files[2]])

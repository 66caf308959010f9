"""Each step's images on the device: the same ones, wherever the data set lies."""

from concurrent.futures import Future

import numpy as np
import pytest
import torch

from diffbench.training import delivery
from diffbench.training.data import Batches, TrainingData
from diffbench.training.delivery import Ahead, OnRequest, Resident, delivery_of, is_small

CPU, OWN = torch.device("cpu"), slice(2, 8)
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 6, 3), dtype=np.uint8)
LABELS = torch.arange(11) % 3


def same(one, other):
    pairs = [(getattr(one, name), getattr(other, name)) for name in ("images", "low_res", "y")]
    return all((a is None) == (b is None) and (a is None or torch.equal(a, b)) for a, b in pairs)


@pytest.mark.parametrize("low_size", [None, 2])
@pytest.mark.parametrize("labels", [None, LABELS])
def test_all_ways_give_the_same_images(low_size, labels, monkeypatch):
    monkeypatch.setattr(delivery, "CHUNK", 4)
    data = TrainingData(IMAGES, labels, False, low_size)
    plain, ahead = (kind(data, 8, 5, CPU, OWN) for kind in (OnRequest, Ahead))
    resident = Resident(data, 8, 5, CPU)
    for step in (0, 1, 2, 7, 3):
        for rows in (slice(2, 5), slice(5, 8)):
            wanted = plain.at(step, rows)
            assert same(wanted, ahead.at(step, rows)) and same(wanted, resident.at(step, rows)), step
            chosen = Batches(11, 8, 5).at(step)[rows]
            assert np.array_equal(wanted.images.permute(0, 2, 3, 1).numpy(), IMAGES[chosen.numpy()])


def test_crops_are_made_ahead_too():
    def cuts(chosen, draws):
        found = []
        for k, draw in zip(chosen.tolist(), draws.tolist(), strict=True):
            found.append(Future())
            found[-1].set_result(np.full((2, 2, 1), (k + int(100 * draw[0])) % 256, np.uint8))
        return found

    data = TrainingData(IMAGES, LABELS, False, cuts=cuts)
    plain, ahead = (kind(data, 8, 5, CPU, OWN) for kind in (OnRequest, Ahead))
    assert all(same(plain.at(step, OWN), ahead.at(step, OWN)) for step in (0, 1, 2, 5))


def test_an_error_in_the_background_is_raised():
    with pytest.raises(Exception, match="cannot be shrunk"):
        Ahead(TrainingData(IMAGES, None, False, low_size=3), 8, 5, CPU, OWN).at(0, OWN)


def test_a_set_may_take_a_quarter_of_the_free_memory():
    data = TrainingData(IMAGES, None, False)
    needed = 11 * (4 * 6 * 3 + 8)
    assert is_small(data, 4 * needed) and not is_small(data, 4 * needed - 4)
    larger = TrainingData(IMAGES, None, False, low_size=2)
    assert is_small(larger, 4 * (needed + 11 * 2 * 3 * 3)) and not is_small(larger, 4 * needed)


def test_which_way_a_device_takes(monkeypatch):
    data = TrainingData(IMAGES, None, False)
    assert type(delivery_of(data, 8, 5, CPU, OWN)) is OnRequest
    for free, kind in ((100, "Ahead"), (1 << 20, "Resident")):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        for name in ("Ahead", "Resident"):
            monkeypatch.setattr(delivery, name, lambda *given, name=name: name)
        assert delivery_of(data, 8, 5, torch.device("cuda"), OWN) == kind

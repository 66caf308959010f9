"""MIND against torch-fidelity's numbers and optimal transport by hand, its influence, and torch's draws without torch."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics._torch_draws import TorchDraws
from diffbench.metrics.fid import fid
from diffbench.metrics.mind import Mind, _sliced, mind

PROJECTIONS = 200


def inputs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return generated and reference features of every kind that went wrong somewhere."""
    r = np.random.default_rng(5)
    skewed = lambda n, shift: np.maximum(0, r.standard_normal((n, 32)) * np.exp(-np.arange(32) / 6) + shift)  # noqa: E731
    scales = 10.0 ** -np.arange(10)
    return {
        "network-like": (skewed(150, 0.3), skewed(150, 0.0)),
        "more reference images": (skewed(150, 0.3), skewed(211, 0.0)),
        "more generated images": (skewed(333, 0.3), skewed(111, 0.0)),
        "ties": (r.integers(0, 3, (90, 5)).astype(float), r.integers(0, 4, (90, 5)).astype(float)),
        "duplicates": (np.repeat(r.standard_normal((20, 6)), 4, axis=0), r.standard_normal((80, 6))),
        "fewer images than dimensions": (r.standard_normal((9, 48)), r.standard_normal((12, 48)) + 0.1),
        "offset 100": (r.standard_normal((80, 8)) + 100, r.standard_normal((80, 8)) + 100.3),
        "ill-conditioned": (r.standard_normal((70, 10)) * scales, r.standard_normal((70, 10)) * 1.1 * scales),
        "two images": (r.standard_normal((2, 3)), r.standard_normal((2, 3))),
    }


THEIRS = {
    "network-like": 5.886510014533997,
    "more reference images": 6.617404460906982,
    "more generated images": 6.469880104064941,
    "ties": 6.554014831781387,
    "duplicates": 3.1457430124282837,
    "fewer images than dimensions": 81.18693923950195,
    "offset 100": 5.793172001838684,
    "ill-conditioned": 0.22091599646955729,
    "two images": 6.610781013965607,
}
"""What `mind_features_to_metric` of torch-fidelity (commit 5e211a9, after 0.4.0, which has no MIND yet) returned for
these inputs with 200 projections and seed 2020 (torch 2.15.0, one CPU)."""


@pytest.mark.parametrize("kind", THEIRS)
def test_is_torch_fidelitys_number_apart_from_float32(kind):
    x, y = inputs()[kind]
    found = Mind(projections=PROJECTIONS, draw_equal=True)({"pool": x}, {"pool": y}).value
    assert found == pytest.approx(THEIRS[kind], rel=2e-6)
    every = Mind(projections=PROJECTIONS)({"pool": x}, {"pool": y}).value
    assert (every == found) == (len(x) == len(y))


def test_torchs_draws_are_followed_without_torch():
    import torch

    for seed, count in ((2020, 6000), (7, 37), (0, 16)):
        generator, own = torch.Generator("cpu").manual_seed(seed), TorchDraws(seed)
        assert (own.permutation(count) == torch.randperm(count, generator=generator).numpy()).all()
        theirs = torch.randn(count, generator=generator).numpy()
        assert own.normals(count) == pytest.approx(theirs, abs=3e-6)


def test_unequal_numbers_of_images_are_exact_optimal_transport():
    """In one dimension, with masses 1/2 and 1/3: 0 -> 0 (1/3) and 3 (1/6), 4 -> 3 (1/6) and 5 (1/3)."""
    x, y = np.array([[4.0], [0.0]]), np.array([[0.0], [5.0], [3.0]])
    assert mind(x, y) == pytest.approx(3 * (9 / 6 + 1 / 6 + 1 / 3), rel=1e-12)
    # Every image twice is the same distribution.
    x, y = inputs()["network-like"]
    assert mind(np.repeat(x, 2, axis=0), y) == pytest.approx(mind(x, y), rel=1e-12)


def test_influence_is_the_change_when_an_image_is_left_out(network_like):
    x, y = network_like(1, 240, 12, 0.3), network_like(2, 111, 12)
    directions = TorchDraws(1).normals(20 * 12).reshape(20, 12)
    influence = _sliced(x, y, directions)[1]
    left_out = np.array([_sliced(np.delete(x, i, axis=0), y, directions)[0] for i in range(240)])
    assert np.corrcoef(influence, left_out)[0, 1] < -0.999
    assert influence.std() == pytest.approx(239 * left_out.std(), rel=0.05)


def test_blocks_do_not_matter_and_a_common_offset_neither(network_like, monkeypatch):
    x, y = network_like(1, 70, 16, 0.1), network_like(2, 90, 16)
    metric = Mind(projections=50)
    whole = metric({"pool": x}, {"pool": y})
    assert metric({"pool": x + 1000}, {"pool": y + 1000}).value == pytest.approx(whole.value, rel=1e-9)
    monkeypatch.setattr("diffbench.metrics.mind.BLOCK_ENTRIES", 700)
    split = metric({"pool": x}, {"pool": y})
    assert (split.value, split.low) == pytest.approx((whole.value, whole.low), rel=1e-12)


def test_is_zero_for_the_same_images_and_three_fids_for_a_shift():
    x = np.random.default_rng(0).standard_normal((400, 8))
    assert mind(x, x[::-1]) == 0
    assert mind(x + 2, x) == pytest.approx(3 * fid(x + 2, x), rel=0.05)


def test_settings_without_sense_are_refused():
    with pytest.raises(UserError, match="projections = 3, at least 16"):
        Mind(projections=3)
    with pytest.raises(UserError, match="seed = -1"):
        Mind(seed=-1)

"""The error of a choice of timesteps is exact, and the best strata are the best."""

from itertools import combinations

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.commands.strata import best_boundaries, choice_error, main
from diffbench.diffusion.bound import strata


def terms(num_images=6, timesteps=9):
    draws = np.random.default_rng(0)
    return draws.random((num_images, timesteps)) / np.arange(1, timesteps + 1)


def test_the_error_is_the_spread_of_many_choices():
    vlb, boundaries = terms(), np.array([0, 1, 3, 9])
    width, draws = np.diff(boundaries), np.random.default_rng(1)
    t = boundaries[:-1] + draws.integers(0, width, (20_000, 6, 3))
    totals = (vlb[np.arange(6)[:, None], t] * width).sum(axis=-1).mean(axis=-1)
    assert np.isclose(totals.std(), choice_error(vlb, boundaries), rtol=0.02)
    assert np.isclose(totals.mean(), vlb.sum(axis=1).mean(), atol=4 * totals.std() / np.sqrt(20_000))
    assert choice_error(vlb, np.arange(10)) < 1e-7


@pytest.mark.parametrize("count", [2, 4, 8])
def test_the_best_strata_are_found(count):
    vlb = terms()
    found = best_boundaries(vlb, count)
    assert len(found) == count + 1 and found[0] == 0 and found[-1] == 9 and (np.diff(found) > 0).all()
    every = [choice_error(vlb, np.array([0, *inner, 9])) for inner in combinations(range(1, 9), count - 1)]
    assert np.isclose(choice_error(vlb, found), min(every))


def test_the_report_and_its_refusals(tmp_path, capsys):
    vlb = terms(timesteps=60)
    save_npz(tmp_path / "t.npz", {"vlb": vlb, "width": np.ones(60), "bits_per_dim": vlb.sum(axis=1)})
    main([str(tmp_path / "t.npz")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{vlb.sum(axis=1).mean():.4f} bits/dim, all 60 timesteps, 6 images")
    assert [line.split()[0] for line in lines[2:5]] == ["10", "20", "40"]
    assert float(lines[3].split()[1]) == round(choice_error(vlb, strata(60, 20)), 5)
    save_npz(tmp_path / "few.npz", {"vlb": vlb[:, :2], "width": np.array([1, 59]), "bits_per_dim": vlb[:, 0]})
    with pytest.raises(UserError, match="few.npz: holds 2 of 60 terms"):
        main([str(tmp_path / "few.npz")])
    with pytest.raises(UserError, match="give one file"):
        main([])

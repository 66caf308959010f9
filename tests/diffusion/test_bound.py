"""The bound from a few of its terms: strata, unbiasedness, independence of how the work is cut."""

import numpy as np
import pytest
import torch

from diffbench.diffusion.bound import BoundTerms, bits_per_dim, bound_terms, rate_distortion, strata
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.likelihood import prior_term
from diffbench.diffusion.process import training_chain

torch.set_num_threads(1)
CHAIN = training_chain("linear", 40)
DATA = (torch.randint(0, 17, (12, 1, 4, 4), generator=torch.Generator().manual_seed(0)) / 8 - 1).float()
DENOISER = ClippedDenoiser(GaussianDenoiser(0.0, 0.4, variance_fraction=0.7))


def terms(count, seed=0, num_images=12, micro_batch=5, **more):
    return bound_terms(
        DENOISER,
        CHAIN,
        lambda start, end: DATA[start:end],
        num_images,
        boundaries=strata(len(CHAIN), count),
        levels=17,
        seed=seed,
        micro_batch=micro_batch,
        **more,
    )


@pytest.mark.parametrize("timesteps", [2, 3, 10, 40, 1000])
def test_strata_cover_every_timestep_once(timesteps):
    counts = {2, 3, 4, 8, 39, timesteps // 2, timesteps - 2, timesteps - 1, timesteps, timesteps + 1, None}
    for count in counts - {-1, 0, 1}:
        boundaries = strata(timesteps, count)
        assert boundaries[0] == 0 and boundaries[-1] == timesteps and (np.diff(boundaries) > 0).all()
        assert len(boundaries) - 1 == min(count or timesteps, timesteps)
        assert boundaries[1] == 1  # the decoder's term is always taken


def test_strata_grow_from_the_clean_end():
    width = np.diff(strata(1000, 12))
    assert (np.diff(width)[1:] >= 0).all() and width[-1] > 100
    assert np.array_equal(strata(1000, 2), [0, 1, 1000])
    with pytest.raises(ValueError, match="at least 2 strata"):
        strata(1000, 1)
    assert np.array_equal(strata(1000, None), np.arange(1001)) and np.array_equal(strata(5, 9), np.arange(6))


def test_each_image_gets_a_timestep_of_each_stratum():
    found, boundaries = terms(6), strata(40, 6)
    assert found.timesteps.shape == found.vlb.shape == found.x_0_mse.shape == (12, 6)
    assert (found.timesteps >= boundaries[:-1]).all() and (found.timesteps < boundaries[1:]).all()
    assert (found.timesteps[:, 0] == 0).all() and len(np.unique(found.timesteps[:, -1])) > 1
    assert np.array_equal(found.width, np.diff(boundaries))
    assert np.array_equal(found.prior, prior_term(CHAIN, DATA).double().numpy())


def test_the_stratified_total_is_unbiased():
    # The noise at a timestep is the same in both, given the seed, so the comparison is of the choice of timesteps.
    differences = []
    for seed in range(60):
        exact = bits_per_dim(terms(None, seed, num_images=4, micro_batch=4))
        differences.append(bits_per_dim(terms(5, seed, num_images=4, micro_batch=4)) - exact)
    difference = np.array(differences).mean(axis=1)
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    assert abs(difference.mean()) < 4 * error
    # A test that a wrong weight would fail: the error is small against the whole.
    assert error < 0.02 * bits_per_dim(terms(None)).mean()


def test_all_timesteps_have_no_choice():
    found = terms(None)
    assert np.array_equal(found.timesteps, np.tile(np.arange(40), (12, 1)))
    assert np.allclose(bits_per_dim(found), found.prior + found.vlb.sum(axis=1))


def test_an_images_terms_do_not_depend_on_how_the_work_is_cut():
    whole, part = terms(6), terms(6, num_images=7)
    for name in ("timesteps", "vlb", "x_0_mse", "prior"):
        assert np.array_equal(getattr(whole, name)[:7], getattr(part, name))
    other = terms(6, micro_batch=12)
    assert np.array_equal(whole.timesteps, other.timesteps) and np.allclose(whole.vlb, other.vlb, rtol=1e-5)


def test_noise_belongs_to_image_and_timestep():
    # Where both choices of strata fall on the same timestep, both meet the same noise, hence the same term.
    few, all_of_them = terms(6), terms(None)
    for image in range(12):
        assert np.array_equal(few.vlb[image], all_of_them.vlb[image, few.timesteps[image]])
    assert not np.array_equal(terms(None, seed=1).vlb, all_of_them.vlb)


def test_rate_and_distortion_of_every_timestep():
    found = terms(None)
    rate, rmse = rate_distortion(found)
    mean = found.vlb.mean(axis=0)
    assert np.allclose(rate, [found.prior.mean() + mean[t + 1 :].sum() for t in range(40)])
    assert np.allclose(rmse, 127.5 * np.sqrt(found.x_0_mse.mean(axis=0)))
    assert (np.diff(rate) < 0).all() and rmse[0] < rmse[-1]
    assert np.isclose(rate[0] + mean[0], bits_per_dim(found).mean())


def test_rate_of_strata_is_the_mean_over_their_timesteps():
    width, vlb, mse = np.array([1, 3, 6]), np.array([[2.0, 0.5, 0.25]]), np.array([[0.01, 0.04, 0.25]])
    prior = np.array([0.125])
    few = BoundTerms(np.array([[0, 2, 5]]), vlb, mse, width, prior)
    ones = np.ones(10, np.int64)
    every = BoundTerms(np.arange(10)[None], vlb.repeat(width, 1), mse.repeat(width, 1), ones, prior)
    rate, rmse = rate_distortion(every)
    starts = np.cumsum(width) - width
    assert np.allclose(rate_distortion(few)[0], np.add.reduceat(rate, starts) / width)
    assert np.allclose(rate_distortion(few)[1], rmse[starts]) and np.allclose(rmse[starts], 127.5 * np.sqrt(mse[0]))
    assert rate[-1] == 0.125 and bits_per_dim(few)[0] == bits_per_dim(every)[0] == 2 + 1.5 + 1.5 + 0.125


def test_progress_and_conditions():
    calls, seen = [], []

    def condition(start, end):
        seen.append((start, end))
        return Condition()

    terms(6, on_batch=lambda: calls.append(1), condition=condition)
    assert len(calls) == 3 * 6 and set(seen) == {(0, 5), (5, 10), (10, 12)}

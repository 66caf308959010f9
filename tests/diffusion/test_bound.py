"""The bound from a few of its terms: strata, unbiasedness, independence of how the work is cut."""

import numpy as np
import pytest
import torch

from diffbench.diffusion.bound import BoundTerms, bits_per_dim, bound_terms, rate_at, rate_distortion, strata
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.likelihood import prior_term
from diffbench.diffusion.process import training_chain
from diffbench.metrics.bits_per_dim import subset_error

torch.set_num_threads(1)
CHAIN = training_chain("linear", 40)
DATA = (torch.randint(0, 17, (12, 1, 4, 4), generator=torch.Generator().manual_seed(0)) / 8 - 1).float()
DENOISER = ClippedDenoiser(GaussianDenoiser(0.0, 0.4, variance_fraction=0.7))


def terms(count, seed=0, num_images=12, micro_batch=5, **more):
    return bound_terms(
        DENOISER,
        CHAIN,
        lambda index: DATA[index],
        torch.arange(num_images),
        boundaries=strata(len(CHAIN), count),
        levels=17,
        seed=seed,
        micro_batch=micro_batch,
        **more,
    )


def chosen_from(every, count, seed):
    """The terms that another choice of timesteps would have found, at the same noise as the full bound's."""
    num_images, length = every.vlb.shape
    boundaries = strata(length, count)
    width = np.diff(boundaries)
    t = boundaries[:-1] + np.random.default_rng(seed).integers(0, width, (num_images, len(width)))
    take = np.arange(num_images)[:, None]
    return BoundTerms(t, every.vlb[take, t], every.x_0_mse[take, t], width, every.prior)


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

    def condition(index):
        seen.append(tuple(index.tolist()))
        return Condition()

    terms(6, on_batch=lambda: calls.append(1), condition=condition)
    # The last image fills the last micro-batch.
    assert len(calls) == 3 * 6 and set(seen) == {(0, 1, 2, 3, 4), (5, 6, 7, 8, 9), (10, 11, 11, 11, 11)}


def test_an_image_keeps_its_terms_whatever_others_are_taken():
    few = bound_terms(
        DENOISER,
        CHAIN,
        lambda index: DATA[index],
        torch.tensor([3, 7, 11]),
        boundaries=strata(len(CHAIN), 6),
        levels=17,
        seed=0,
        micro_batch=5,
    )
    every = terms(6)
    assert np.array_equal(few.timesteps, every.timesteps[[3, 7, 11]])
    assert np.array_equal(few.vlb, every.vlb[[3, 7, 11]])


def test_rate_at_a_timestep_is_the_sum_of_the_terms_above():
    every = terms(None)
    found = rate_at(every, np.array([0, 7, 39]))
    assert np.allclose(found[:, 0], every.prior + every.vlb[:, 1:].sum(axis=1))
    assert np.allclose(found[:, 1], every.prior + every.vlb[:, 8:].sum(axis=1))
    assert np.array_equal(found[:, 2], every.prior)


def test_rate_from_strata_is_unbiased():
    every = terms(None)
    few = np.array([rate_at(chosen_from(every, 5, seed), np.array([7])).mean() for seed in range(300)])
    difference = few - rate_at(every, np.array([7])).mean()
    assert abs(difference.mean()) < 4 * difference.std(ddof=1) / np.sqrt(300)


# -- a tenth of the cost: 4,000 timesteps from 400 of them

LONG = training_chain("linear", 4000)
IMAGES = 40


def long_terms(count, seed=0):
    """Terms of images that differ much in contrast, under a denoiser that is exact for none of them."""
    generator = torch.Generator().manual_seed(3)
    contrast = torch.rand(IMAGES, 1, 1, 1, generator=generator)
    x_0 = (8 * contrast * (2 * torch.rand(IMAGES, 1, 4, 4, generator=generator) - 1)).round() / 8
    return bound_terms(
        DENOISER,
        LONG,
        lambda index: x_0[index],
        torch.arange(IMAGES),
        boundaries=strata(len(LONG), count),
        levels=17,
        seed=seed,
        micro_batch=IMAGES,
    )


@pytest.fixture(scope="module")
def full():
    return long_terms(None)


def error_of(found):
    return subset_error({"vlb": found.vlb, "width": found.width})


def test_a_tenth_of_the_timesteps_agrees_within_its_own_interval(full):
    tenth = long_terms(400)
    assert tenth.vlb.shape == (IMAGES, 400)
    assert np.allclose(tenth.vlb, full.vlb[np.arange(IMAGES)[:, None], tenth.timesteps], rtol=1e-6)
    difference = bits_per_dim(tenth).mean() - bits_per_dim(full).mean()
    assert abs(difference) < 1.96 * error_of(tenth)
    # And the interval is worth having: a small part of the spread over images, which no choice of timesteps mends.
    assert error_of(tenth) < 0.2 * bits_per_dim(full).std(ddof=1) / np.sqrt(IMAGES)


@pytest.mark.parametrize("count", [20, 41, 400])
def test_the_interval_of_the_choice_covers_what_it_says(full, count):
    whole = bits_per_dim(full).mean()
    found = [chosen_from(full, count, seed) for seed in range(1, 301)]
    difference = np.array([bits_per_dim(terms).mean() - whole for terms in found])
    error = np.array([error_of(terms) for terms in found])
    # Unbiased: the mean over 300 choices is within 4 of its own standard errors.
    assert abs(difference.mean()) < 4 * difference.std(ddof=1) / np.sqrt(len(difference))
    # 95 % is promised; 300 choices tell it to 2.5 %, and few strata have rare, large terms.
    assert 0.9 <= np.mean(np.abs(difference) < 1.96 * error)
    assert 0.9 < np.sqrt((error**2).mean() / (difference**2).mean()) < 1.35


def test_the_error_of_the_choice_by_its_formula():
    draws = np.random.default_rng(0)
    # Terms without any image's own share: the choice is then all of the spread.
    vlb, width = draws.standard_normal((2000, 5)), np.array([1, 2, 2, 3, 4])
    expected = np.sqrt((width[1:] ** 2).sum() / 2000)
    assert np.isclose(subset_error({"vlb": vlb, "width": width}), expected, rtol=0.05)
    odd = np.array([1, 1, 2, 3, 4])
    assert np.isclose(subset_error({"vlb": vlb, "width": odd}), np.sqrt((odd[2:] ** 2).sum() / 2000), rtol=0.05)
    # What an image adds to all strata alike is no part of it.
    shared = vlb + 100 * draws.standard_normal((2000, 1)) / width
    assert np.isclose(subset_error({"vlb": shared, "width": width}), expected, rtol=0.05)


def test_there_is_no_error_of_the_choice_without_one_and_none_to_tell_from_two_strata():
    assert subset_error({"vlb": np.ones((4, 3)), "width": np.ones(3)}) == 0
    assert subset_error({"vlb": np.ones((4, 2)), "width": np.array([1, 9])}) is None

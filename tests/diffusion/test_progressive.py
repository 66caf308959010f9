"""Reconstructions: at the bound's own noise, whatever the batches, and nearer the image the less noise there is."""

import numpy as np
import torch

from diffbench.diffusion.bound import bound_terms, strata
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.process import noised, training_chain
from diffbench.diffusion.progressive import points, reconstructions
from diffbench.diffusion.psnr import psnr
from diffbench.diffusion.similarity import ssim

torch.set_num_threads(1)
CHAIN = training_chain("linear", 1000)
DATA = (torch.randint(0, 17, (12, 3, 8, 8), generator=torch.Generator().manual_seed(0)) / 8 - 1).float()
DENOISER = ClippedDenoiser(GaussianDenoiser(0.0, 0.4))


def made(index=range(12), micro_batch=5, num_shown=7, timesteps=(0, 30, 400), seed=0, **more):
    return reconstructions(
        DENOISER,
        CHAIN,
        lambda index: DATA[index],
        torch.tensor(list(index)),
        timesteps=np.array(timesteps),
        num_shown=num_shown,
        seed=seed,
        micro_batch=micro_batch,
        **more,
    )


def test_points_are_those_of_the_published_table_and_more_where_bits_are_spent():
    assert points(1000).tolist() == [0, 10, 20, 50, *range(100, 1000, 100)]
    assert points(4000).tolist() == [0, 40, 80, 200, *range(400, 4000, 400)]
    for timesteps in (2, 3, 7, 50, 99):
        found = points(timesteps)
        assert found[0] == 0 and found[-1] < timesteps and (np.diff(found) > 0).all()


def test_errors_are_those_of_the_bound_at_its_own_noise():
    bound = bound_terms(
        DENOISER,
        CHAIN,
        lambda index: DATA[index],
        torch.arange(12),
        boundaries=strata(1000, 4),
        levels=17,
        seed=0,
        micro_batch=5,
    )
    for image in range(12):
        t = np.unique(bound.timesteps[image])
        found = made([image], micro_batch=5, timesteps=t)
        assert np.allclose(found.x_0_mse[0], bound.x_0_mse[image], rtol=1e-6)


def test_numbers_are_of_the_reconstructions_shown():
    found = made()
    assert found.shown.shape == (7, 3, 3, 8, 8) and found.psnr.shape == found.ssim.shape == (12, 3)
    for point in range(3):
        shown = found.shown[:, point]
        error = ((shown - DATA[:7]) ** 2).double().mean(dim=(1, 2, 3)).numpy()
        assert np.allclose(found.psnr[:7, point], psnr(error, peak=2))
        assert np.allclose(found.ssim[:7, point], ssim(shown, DATA[:7]))
        assert np.allclose(found.x_0_mse[:7, point], ((shown - DATA[:7]) ** 2).mean(dim=(1, 2, 3)))
    assert (np.diff(found.x_0_mse, axis=1) > 0).all() and (np.diff(found.ssim.mean(axis=0)) < 0).all()


def test_x_t_is_drawn_from_q():
    seen = []

    class Spy:
        def __call__(self, x, level, condition=None):
            seen.append((x, level))
            return DENOISER(x, level, condition)

    many = torch.zeros(2000, 1, 4, 4) + 0.5
    index = torch.arange(2000)
    reconstructions(
        Spy(), CHAIN, lambda index: many[index], index, timesteps=np.array([300]), num_shown=1, seed=0, micro_batch=2000
    )
    x_t, level = seen[0]
    mean = noised(many[:1], CHAIN.level(699), torch.zeros_like(many[:1]))
    assert abs(x_t.mean() - mean.mean()) < 0.02 and abs(x_t.std() - CHAIN.sigmas[699]) < 0.02
    assert torch.equal(level.sigma, CHAIN.sigmas[torch.full((2000,), 699)])


def test_images_do_not_depend_on_how_the_work_is_cut():
    whole, part, other = made(), made(range(3, 9)), made(micro_batch=12)
    assert np.array_equal(whole.x_0_mse[3:9], part.x_0_mse) and torch.equal(whole.shown[3:7], part.shown[:4])
    assert np.allclose(whole.x_0_mse, other.x_0_mse, rtol=1e-5) and torch.allclose(whole.shown, other.shown, atol=1e-6)
    assert len(made(num_shown=0).shown) == 0 and len(made(num_shown=12).shown) == 12


def test_progress_and_conditions():
    calls, seen = [], []

    def condition(index):
        seen.append(index.tolist())
        return Condition()

    made(on_batch=lambda: calls.append(1), condition=condition)
    assert len(calls) == 9 and seen[-1] == [10, 11, 11, 11, 11]

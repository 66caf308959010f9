"""A denoiser that knows how far off its x_0 is."""

import numpy as np
import torch

from diffbench.diffusion.bound import bound_terms, strata
from diffbench.diffusion.gaussians import Gaussian, GaussianDenoiser
from diffbench.diffusion.process import training_chain
from diffbench.diffusion.x_0_error import KnownErrorDenoiser

X_T = torch.randn(2, 1, 2, 2, generator=torch.Generator().manual_seed(0))


def test_errors_are_linear_in_log_noise_and_constant_beyond_the_table():
    chain = training_chain("linear", 100)
    table = chain.log_noise.numpy()[[90, 20]]
    model = KnownErrorDenoiser(GaussianDenoiser(), table, np.array([0.1, 0.3]))
    middle = chain.level_at((chain.log_noise[90] + chain.log_noise[20]) / 2)
    for level, error in ((chain.level(90), 0.1), (middle, 0.2), (chain.level(20), 0.3), (chain.level(0), 0.3)):
        assert np.isclose(float(model(X_T, level).x_0_variance), error)
    each = chain.level(torch.tensor([20, 99]))
    assert np.allclose(model(X_T, each).x_0_variance, [0.3, 0.1])
    assert torch.equal(model(X_T, chain.level(5)).x_0, GaussianDenoiser()(X_T, chain.level(5)).x_0)


def test_the_terms_of_a_bound_give_the_variance_that_normal_data_leaves():
    chain, data = training_chain("linear", 100), Gaussian(0.0, 0.25)
    terms = bound_terms(
        data.denoiser(), chain, lambda index: data.draw(index, 7, (1, 4, 4)).float(), torch.arange(300),
        boundaries=strata(100, None), levels=256, seed=0, micro_batch=100,
    )  # fmt: skip
    model = KnownErrorDenoiser.of(data.denoiser(), chain, terms.timesteps, terms.x_0_mse)
    for i in (0, 30, 60, 90):
        level = chain.level(i)
        found, exact = float(model(X_T, level).x_0_variance), float(data.denoiser()(X_T, level).x_0_variance)
        assert abs(found / exact - 1) < 0.08  # 4,800 squares: 0.02 is one standard error

"""The forward process and its posterior, against Bayes' rule on numbers, for chains that preserve variance or do not."""

import math

import numpy as np
import pytest
import torch

from diffbench.diffusion.process import Chain, noised, over, respaced_chain, training_chain

torch.set_num_threads(1)


def exploding():
    return Chain(torch.ones(6, dtype=torch.float64), torch.logspace(1.5, -2, 6, dtype=torch.float64))


CHAINS = {
    "linear": training_chain("linear", 100),
    "cosine": training_chain("cosine", 50),
    "respaced": respaced_chain("linear", 1000, "10"),
    "exploding": exploding(),
    "odd": Chain(torch.tensor([0.3, 0.9, 0.7]), torch.tensor([2.0, 1.1, 0.2])),
}


@pytest.fixture(params=CHAINS.values(), ids=CHAINS.keys())
def chain(request):
    return request.param


def test_levels_descend_to_the_clean_one(chain):
    noise = chain.sigmas / chain.alphas
    assert (noise.diff() < 0).all() and len(chain.alphas) == len(chain) + 1
    assert (chain.level(len(chain)).alpha, chain.level(len(chain)).sigma) == (1, 0)
    assert chain.alphas.dtype == chain.beta.dtype == torch.float64


def test_the_posterior_is_bayes_rule(chain):
    # q(x_s | x_t, x_0) is proportional to N(x_s; alpha_s x_0, sigma_s^2) N(x_t; alpha_ts x_s, sigma2_ts).
    x_0, x_t = 0.37, -1.2
    for i in range(len(chain) - 1):
        alpha_t, alpha_s = float(chain.alphas[i]), float(chain.alphas[i + 1])
        sigma_t, sigma_s = float(chain.sigmas[i]), float(chain.sigmas[i + 1])
        ratio = alpha_t / alpha_s
        forward = sigma_t**2 - ratio**2 * sigma_s**2
        precision = 1 / sigma_s**2 + ratio**2 / forward
        mean = (alpha_s * x_0 / sigma_s**2 + ratio * x_t / forward) / precision
        assert math.isclose(chain.beta[i], forward, rel_tol=1e-9)
        assert math.isclose(chain.beta_tilde[i], 1 / precision, rel_tol=1e-9)
        found = chain.posterior_mean(i, *torch.tensor([[[x_0]], [[x_t]]], dtype=torch.float64))
        assert math.isclose(found, mean, rel_tol=1e-9, abs_tol=1e-12)


def test_the_posterior_on_a_grid():
    # The same without algebra: the product of two densities, normalised by quadrature.
    chain, i, x_0, x_t = CHAINS["linear"], 40, 0.4, 0.9
    s = np.linspace(-6, 6, 200_001)
    ratio = float(chain.alpha_ts[i])
    log = -((s - float(chain.alphas[i + 1]) * x_0) ** 2) / (2 * float(chain.sigmas[i + 1]) ** 2)
    log -= (x_t - ratio * s) ** 2 / (2 * float(chain.beta[i]))
    weight = np.exp(log - log.max())
    mean = (s * weight).sum() / weight.sum()
    variance = ((s - mean) ** 2 * weight).sum() / weight.sum()
    found = chain.posterior_mean(i, *torch.tensor([[[x_0]], [[x_t]]], dtype=torch.float64))
    assert math.isclose(found, mean, rel_tol=1e-8) and math.isclose(chain.beta_tilde[i], variance, rel_tol=1e-8)


def test_the_last_step_returns_x_0(chain):
    x_0, x_t = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    last = len(chain) - 1
    assert chain.beta_tilde[last] == 0
    assert torch.allclose(chain.posterior_mean(last, x_0, x_t), x_0, rtol=1e-9)


def test_steps_of_the_forward_process_add_up(chain):
    # alpha_ts and beta of all steps, composed from the clean end, give each level back.
    alpha, variance = torch.tensor(1.0).double(), torch.tensor(0.0).double()
    for i in reversed(range(len(chain))):
        alpha, variance = chain.alpha_ts[i] * alpha, chain.alpha_ts[i] ** 2 * variance + chain.beta[i]
        assert torch.isclose(alpha, chain.alphas[i], rtol=1e-9)
        assert torch.isclose(variance, chain.sigmas[i] ** 2, rtol=1e-9)


def test_beta_of_the_training_chain_is_the_schedule():
    assert torch.allclose(
        training_chain("linear", 1000).beta.flip(0), torch.linspace(1e-4, 0.02, 1000).double(), rtol=1e-5
    )


def test_log_beta_tilde_repeats_beta_tilde_2_at_the_last_step():
    chain = training_chain("linear", 1000)
    assert chain.log_beta_tilde[-1] == chain.log_beta_tilde[-2]
    assert math.isclose(chain.log_beta_tilde[-1].exp(), 5.45e-5, rel_tol=1e-3)
    assert torch.allclose(chain.log_beta_tilde[:-1], chain.beta_tilde[:-1].log())


def test_variance_interpolates_in_log(chain):
    i = torch.arange(len(chain))
    shape = (len(chain), 1, 1, 1)
    for share in (0.0, 1.0, 0.3, -0.5):
        found = chain.log_variance(i, torch.full(shape, share, dtype=torch.float64)).flatten()
        assert torch.allclose(found, share * chain.beta.log() + (1 - share) * chain.log_beta_tilde, rtol=1e-9)


def test_a_respaced_chain_keeps_levels_of_the_training_chain():
    whole, kept = training_chain("cosine", 100), respaced_chain("cosine", 100, "7")
    positions = [99 - t for t in (99, 82, 66, 50, 33, 16, 0)]
    assert torch.equal(kept.alphas[:-1], whole.alphas[positions])
    assert torch.equal(kept.sigmas[:-1], whole.sigmas[positions])


def test_a_chain_of_one_step():
    chain = respaced_chain("linear", 1000, "1")
    assert len(chain) == 1 and torch.equal(chain.log_beta_tilde, chain.beta.log())


def test_noised_takes_one_level_or_one_per_image():
    chain = CHAINS["linear"]
    x_0, eps = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2)
    i = torch.tensor([0, 50, 99])
    together = noised(x_0, chain.level(i), eps)
    for row, step in enumerate(i.tolist()):
        level = chain.level(step)
        alone = noised(x_0[row : row + 1], level, eps[row : row + 1])
        assert torch.equal(together[row : row + 1], alone)
        assert torch.allclose(alone, float(level.alpha) * x_0[row : row + 1] + float(level.sigma) * eps[row : row + 1])
    assert together.dtype == torch.float32


def test_over_shapes_a_number_per_image():
    assert over(torch.arange(3.0).double(), torch.zeros(3, 1, 2, 2)).shape == (3, 1, 1, 1)
    assert over(torch.tensor(2.0).double(), torch.zeros(3, 1)).shape == ()


@pytest.mark.parametrize("sigmas", [[0.1, 0.2], [0.2, 0.2], [0.2, 0.0], []])
def test_levels_that_do_not_descend_are_refused(sigmas):
    with pytest.raises(ValueError, match="descending"):
        Chain(torch.ones(len(sigmas)).double(), torch.tensor(sigmas).double())

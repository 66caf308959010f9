"""Closed forms of the bound: the bound's own code reproduces them when its expectation is taken exactly."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from diffbench.diffusion.bound import bound_terms
from diffbench.diffusion.expected_bound import (
    expected_decoder_term,
    expected_prior_term,
    expected_terms,
    noisy_levels,
    optimal_log_variance,
)
from diffbench.diffusion.gaussians import Gaussian, low_rank_spectrum, power_spectrum
from diffbench.diffusion.likelihood import discretised_log_likelihood, prior_term, vlb_term
from diffbench.diffusion.process import Chain, noised, respaced_chain, training_chain

torch.set_num_threads(1)
MEAN = 0.2
SPECTRA = {
    "white": power_spectrum(4, 0),
    "1/f^2": power_spectrum(4, 2),
    "1/f^4": power_spectrum(4, 4),
    "low rank": low_rank_spectrum(4, 0.1),
}
CHAINS = {
    "linear": training_chain("linear", 1000),
    "cosine": training_chain("cosine", 4000),
    "few": respaced_chain("linear", 1000, "5"),
    "exploding": Chain(torch.ones(20).double(), torch.logspace(2, -2, 20).double()),
}
# Three Gauss-Hermite nodes each for x_0 and eps: exact for polynomials of degree five, and a term has degree two.
NODES, WEIGHTS = (torch.from_numpy(array) for array in np.polynomial.hermite_e.hermegauss(3))
WEIGHT = torch.outer(WEIGHTS, WEIGHTS).flatten() / (2 * math.pi)
FIRST, SECOND = (
    nodes.reshape(9, 1, 1, 1).expand(9, 1, 4, 4) for nodes in (NODES.repeat_interleave(3), NODES.repeat(3))
)


def node_images(data):
    return data.mean + data.variance.sqrt() * FIRST


def sampled_steps(chain):
    """Return every step of a short chain; of a long one both ends, with the smallest and largest terms, and some between."""
    steps = range(len(chain) - 1)
    return steps if len(steps) < 50 else sorted({*steps[:5], *steps[:: len(steps) // 20], *steps[-5:]})


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
@pytest.mark.parametrize("variance", SPECTRA.values(), ids=SPECTRA.keys())
@pytest.mark.parametrize("fraction", [0.0, 1.0, 0.37])
def test_the_bounds_code_gives_every_term_of_normal_data(chain, variance, fraction):
    data = Gaussian(MEAN, variance)
    log_variance = (fraction * chain.beta.log() + (1 - fraction) * chain.log_beta_tilde).reshape(-1, 1, 1, 1)
    exact = expected_terms(chain, data.error_variance(noisy_levels(chain)), log_variance)
    x_0, denoiser = node_images(data), data.denoiser(fraction)
    for i in sampled_steps(chain):
        x_t = noised(x_0, chain.level(i), SECOND)
        terms = vlb_term(chain, torch.full((9,), i), x_0, x_t, denoiser(x_t, chain.level(i)))
        assert math.isclose(float(WEIGHT @ terms), float(exact[i]), rel_tol=1e-9, abs_tol=1e-17), i


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
@pytest.mark.parametrize("variance", SPECTRA.values(), ids=SPECTRA.keys())
def test_the_bounds_code_gives_the_prior_term(chain, variance):
    data = Gaussian(MEAN, variance)
    found = float(WEIGHT @ prior_term(chain, node_images(data)))
    exact = expected_prior_term(chain, MEAN**2 + float(variance.mean()))
    assert math.isclose(found, exact, rel_tol=1e-9)


def test_the_sum_with_optimal_variances_is_the_entropy():
    # An ideal reverse process of many steps codes the data at its own density: the bound is tight.
    data = Gaussian(0.0, power_spectrum(4, 2))
    chain = training_chain("linear", 1000)
    error = data.error_variance(noisy_levels(chain))
    bits = float(expected_terms(chain, error, optimal_log_variance(chain, error)).sum())
    bits += expected_prior_term(chain, 0.25)
    entropy = 0.5 * float((2 * math.pi * math.e * data.variance).log().mean()) / math.log(2)
    # x_T ~ N(0, 1) instead of q(x_T), which costs less than L_T.
    assert 0 <= bits - entropy < 1e-5
    few = respaced_chain("linear", 1000, "5")
    error = data.error_variance(noisy_levels(few))
    assert math.isclose(
        float(expected_terms(few, error, optimal_log_variance(few, error)).sum()) + expected_prior_term(few, 0.25),
        bits,
        abs_tol=1e-5,
    )


@pytest.mark.parametrize("step", [0, 2, 4])
def test_no_variance_is_better_than_the_optimal_one(step):
    chain = respaced_chain("linear", 1000, "5")
    error = Gaussian(0.0, power_spectrum(4, 2)).error_variance(noisy_levels(chain))
    best = optimal_log_variance(chain, error)
    for move in (-0.1, 0.1):
        assert expected_terms(chain, error, best + move)[step] > expected_terms(chain, error, best)[step]


def test_the_last_term_is_the_cross_entropy_of_the_continuous_decoder():
    chain, data = respaced_chain("linear", 1000, "5"), Gaussian(MEAN, 0.25 * torch.ones(1, 4, 4).double())
    log_variance = chain.beta.log().reshape(-1, 1, 1, 1)
    exact = float(expected_terms(chain, data.error_variance(noisy_levels(chain)), log_variance)[-1])
    x_0 = node_images(data)
    x_t = noised(x_0, chain.level(4), SECOND)
    mean, scale = data.denoiser()(x_t, chain.level(4)).x_0.numpy(), math.exp(0.5 * float(chain.beta[-1].log()))
    nats = -norm.logpdf(x_0.numpy(), mean, scale).mean((1, 2, 3))
    assert math.isclose(float(WEIGHT @ torch.from_numpy(nats)) / math.log(2), exact, rel_tol=1e-12)


@pytest.mark.parametrize(("rmse", "scale", "levels"), [(0.95 / 127.5, 0.0074, 256), (0.2, 0.05, 17), (1e-3, 0.01, 256)])
def test_the_decoder_term_by_adaptive_quadrature(rmse, scale, levels):
    half = 1 / (levels - 1)

    def integrand(error):
        inside = norm.sf((abs(error) - half) / scale) - norm.sf((abs(error) + half) / scale)
        return -norm.pdf(error, 0, rmse) * math.log2(inside)

    reach = 8 * rmse
    exact = 2 * quad(integrand, 0, reach, points=[half] if half < reach else None, epsabs=1e-12, limit=500)[0]
    assert math.isclose(expected_decoder_term(rmse**2, 2 * math.log(scale), levels), exact, rel_tol=1e-8)


def test_the_bounds_decoder_term_is_the_quadrature_but_for_the_published_approximation(monkeypatch):
    chain, levels = training_chain("linear", 1000), 256
    error, log_variance = float(Gaussian().error_variance(noisy_levels(chain))[-1]), float(chain.log_beta_tilde[-1])
    nodes = torch.linspace(-6, 6, 20_001, dtype=torch.float64)
    weight = torch.exp(-(nodes**2) / 2)
    x_0 = torch.full((1, 1, 1, 20_001), 2 * 100 / 255 - 1, dtype=torch.float64)

    def bits():
        log = discretised_log_likelihood(
            x_0, x_0 + math.sqrt(error) * nodes, torch.full_like(x_0, 0.5 * log_variance), levels
        )
        return -float((weight * log).sum() / weight.sum()) / math.log(2)

    exact = expected_decoder_term(error, log_variance, levels)
    # The published tanh form of the distribution function has lighter tails: it costs 0.004 bits/dim here.
    assert math.isclose(bits() - exact, 0.0042, abs_tol=1e-4)
    monkeypatch.setattr("diffbench.diffusion.likelihood.standard_normal_cdf", torch.special.ndtr)
    assert math.isclose(bits(), exact, rel_tol=1e-6)


def test_the_bounds_estimate_agrees_within_its_spread():
    data, chain = Gaussian(0.1, power_spectrum(4, 2)), training_chain("linear", 40)
    images = data.draw(torch.arange(2000), 0, (1, 4, 4))
    found = bound_terms(
        data.denoiser(0.5),
        chain,
        lambda index: images[index],
        torch.arange(2000),
        boundaries=np.arange(41),
        levels=256,
        seed=0,
        micro_batch=2000,
    )
    log_variance = (0.5 * (chain.beta.log() + chain.log_beta_tilde)).reshape(-1, 1, 1, 1)
    exact = expected_terms(chain, data.error_variance(noisy_levels(chain)), log_variance).flip(0).numpy()
    spread = found.vlb.std(axis=0) / math.sqrt(2000)
    assert (np.abs(found.vlb.mean(axis=0) - exact)[1:] < 4.5 * spread[1:]).all()
    # A test that a wrong term would fail.
    assert (spread[1:] < 0.05 * exact[1:]).all()


def test_nearly_equal_variances_keep_their_digits():
    from diffbench.diffusion.likelihood import normal_kl

    zero, apart = torch.zeros(1).double(), torch.full((1,), 1e-6).double()
    # exp(d) - 1 - d = d^2 / 2 + d^3 / 6 + ..., here of logarithms far from 0.
    expected = 0.25e-12 * (1 + 1e-6 / 3)
    assert math.isclose(float(normal_kl(zero, zero + apart - 9, zero, zero - 9)), expected, rel_tol=1e-3)
    assert float(normal_kl(zero, zero - 9.3, zero + 1e-12, zero - 9.3)) == pytest.approx(
        0.5e-24 * math.exp(9.3), rel=1e-12
    )

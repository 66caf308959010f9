"""Claims about the bound. They are computed in closed form, except for the decoder term (by quadrature).

Images are 28 x 28, with a data variance of 0.25 and the exact denoiser. A claim is expected to fail if its conditions
are not met: a benchmark in which all claims hold would be wrong.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.commands.oracle.claims import ALL, SCHEDULES, SIZE, VARIANCE, Claim
from diffbench.commands.oracle.data import TRAINING_STEPS, spectra
from diffbench.diffusion.expected_bound import (
    PerStep,
    expected_decoder_term,
    expected_prior_term,
    expected_terms,
    noisy_levels,
    optimal_log_variance,
)
from diffbench.diffusion.gaussians import Gaussian
from diffbench.diffusion.process import Chain, respaced_chain, training_chain

BYTES = math.log2(127.5)
"""The difference in bits/dim between a density on the [-1, 1] scale and a code length of 256 grey levels."""


def prior() -> Iterator[Claim]:
    """Yield DDPM-7: the chain ends in the prior."""
    raw = [Chain.from_alpha_bars(np.cumprod(1 - np.linspace(1e-4, 0.02, steps))) for steps in (500, 100)]
    cases = [
        ("linear, T=1000", training_chain("linear", 1000), True),
        ("linear, T=100", training_chain("linear", 100), True),
        ("linear, T=500, betas not rescaled", raw[0], False),
        ("linear, T=100, betas not rescaled", raw[1], False),
    ]
    for name, chain, expected in cases:
        bits = expected_prior_term(chain, VARIANCE)
        yield Claim("DDPM-7", name, "L_T is negligible", f"{bits:.2g} bits/dim", "< 1e-4", bits < 1e-4, expected)


def decoder_share() -> Iterator[Claim]:
    """Yield DDPM-5: more than half of the code length is imperceptible. It depends on the data and the schedule."""
    for schedule, name, expected in (
        ("linear", "1/f^2", False),
        ("linear", "1/f^4", False),
        ("linear", "low rank", True),
        ("cosine", "1/f^2", False),
    ):
        chain, error = training_chain(schedule, TRAINING_STEPS), _error(schedule, TRAINING_STEPS, name)
        decoder = expected_decoder_term(float(error[-1].mean()), float(chain.log_beta_tilde[-1]))
        share = decoder / (decoder + float(_terms(chain, error, "large")[:-1].sum()))
        yield Claim(
            "DDPM-5", f"{name}, {schedule}", "L_0 / (L_0 + .. + L_T-1)", f"{share:.2f}", "> 0.5", share > 0.5, expected
        )


def low_noise_share() -> Iterator[Claim]:
    """Yield DDPM-8 and IDDPM-6: most of the rate is spent at the end of sampling, at low noise."""
    first = TRAINING_STEPS - TRAINING_STEPS // 10
    for schedule in SCHEDULES:
        chain = training_chain(schedule, TRAINING_STEPS)
        shares, monotone = {}, True
        for name in spectra(SIZE):
            error = _error(schedule, TRAINING_STEPS, name)
            terms = _terms(chain, error, "large")[:-1]
            rate = expected_prior_term(chain, VARIANCE) + float(terms.sum())
            shares[name] = float(terms[first:].sum()) / rate
            monotone &= bool((error.flatten(1).mean(1).diff() < 0).all())
        early, late = 1 - min(shares.values()), min(shares.values())
        fall = "RMSE falls at every step" if monotone else "RMSE rises at a step"
        yield Claim(
            "DDPM-8",
            f"{ALL}, {schedule}",
            "rate(0.9 T) / rate(T), RMSE falls",
            f"at most {early:.2f}; {fall}",
            "< 0.3",
            early < 0.3 and monotone,
            True,
        )
        measured = f"{late:.2f} to {max(shares.values()):.2f}"
        yield Claim("IDDPM-6", f"{ALL}, {schedule}", "share of L_t in t <= 0.1 T", measured, "> 0.5", late > 0.5, True)


def reverse_variances() -> Iterator[Claim]:
    """Yield IDDPM-11: with few steps, the reverse variance dominates the code length."""
    for name in ("1/f^2", "low rank"):
        best, ordered, shown = True, True, ""
        for steps in (10, 25, 50, 100, 250, TRAINING_STEPS):
            chain, error = respaced_chain("linear", TRAINING_STEPS, str(steps)), _error("linear", steps, name)
            prior_bits = expected_prior_term(chain, VARIANCE) + BYTES
            bits = {
                kind: float(_terms(chain, error, kind).sum()) + prior_bits for kind in ("optimal", "large", "small")
            }
            best &= bits["optimal"] <= min(bits["large"], bits["small"])
            ordered &= steps > 50 or bits["large"] < bits["small"]
            if steps == 25:
                shown = f"K=25: {bits['optimal']:.2f}, {bits['large']:.2f}, {bits['small']:.1f} bits/dim"
        yield Claim(
            "IDDPM-11",
            f"{name}, linear",
            "NLL(optimal) least at each K; large < small",
            shown,
            "K <= 50",
            best and ordered,
            True,
        )
    # On low-rank data the order is reversed for K >= 100, so large variances are not better at every K.
    chain, error = respaced_chain("linear", TRAINING_STEPS, "100"), _error("linear", 100, "low rank")
    large, small = (
        float(_terms(chain, error, kind).sum()) + expected_prior_term(chain, VARIANCE) + BYTES
        for kind in ("large", "small")
    )
    measured = f"K=100: {large:.2f}, {small:.2f} bits/dim"
    yield Claim(
        "IDDPM-11", "low rank, linear", "NLL(large) < NLL(small)", measured, "K = 100", large < small, expected=False
    )


@cache
def _error(schedule: str, steps: int, name: str) -> PerStep:
    chain = respaced_chain(schedule, TRAINING_STEPS, str(steps))
    return Gaussian(0.0, spectra(SIZE)[name]).error_variance(noisy_levels(chain))


def _terms(chain: Chain, error: PerStep, kind: str) -> Float64[Tensor, " steps"]:
    """Return the terms with one reverse variance for a whole image: beta, beta_tilde or the best one."""
    return expected_terms(chain, error, LOG_VARIANCES[kind](chain, error))


def _large(chain: Chain, error: PerStep) -> PerStep:
    # The variance of the last step is beta_tilde_2, as in both published codes.
    return torch.cat([chain.beta[:-1].log(), chain.log_beta_tilde[-1:]]).reshape(-1, 1, 1, 1)


LOG_VARIANCES: dict[str, Callable[[Chain, PerStep], PerStep]] = {
    "large": _large,
    "small": lambda chain, error: chain.log_beta_tilde.reshape(-1, 1, 1, 1),
    "optimal": lambda chain, error: optimal_log_variance(chain, error.mean((1, 2, 3), keepdim=True)),
}

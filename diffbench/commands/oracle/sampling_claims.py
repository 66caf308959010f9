"""Claims about sampling. They are computed by recursions of moments; only precision and recall use random draws.

Images are 28 x 28, with a data variance of 0.25 and the exact denoiser. A claim is expected to fail if its conditions
are not met: a benchmark in which all claims hold would be wrong.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Float64
from scipy.stats import t as student
from torch import Tensor

from diffbench.commands.oracle.claims import ALL, SCHEDULES, SIZE, VARIANCE, Claim
from diffbench.commands.oracle.data import TRAINING_STEPS, Stack, spectra
from diffbench.diffusion.denoiser import Condition, with_eps
from diffbench.diffusion.gaussians import Gaussian
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level, respaced_chain, training_chain
from diffbench.metrics.precision import precision
from diffbench.metrics.recall import recall
from diffbench.samplers._contract import Sampler
from diffbench.samplers._outcome import exact_outcome
from diffbench.samplers._steps import towards
from diffbench.samplers.ddim import Ddim

TEMPERATURE = 0.98
ETAS = (0.0, 0.2, 0.5, 1.0)


def skipping() -> Iterator[Claim]:
    """Yield IDDPM-7: a fifth of the linear chain can be skipped, but not of the cosine chain."""
    for name, schedule, expected in (
        ("1/f^2", "linear", True),
        ("1/f^2", "cosine", False),
        # Smooth data need the noisiest steps, so here a fifth of the linear chain cannot be skipped.
        ("1/f^4", "linear", False),
    ):
        chain, stack = training_chain(schedule, TRAINING_STEPS), Stack.of({name: spectra(SIZE)[name]})
        variance, distances = torch.as_tensor(stack.data.variance), []
        for skipped in (0, TRAINING_STEPS // 5):
            part = Chain(chain.alphas[skipped:-1], chain.sigmas[skipped:-1])
            found = stack.frechet(torch.zeros_like(variance), ancestral_variance(part, variance))
            distances.append(found[name] / (VARIANCE * SIZE**2))
        ratio = distances[1] / distances[0]
        measured = f"{ratio:.3g} ({distances[0]:.1e} -> {distances[1]:.1e})"
        statement = "Frechet(skip 20 %) / Frechet(all)"
        yield Claim("IDDPM-7", f"{name}, {schedule}", statement, measured, "< 1.05", ratio < 1.05, expected)


def encoding() -> Iterator[Claim]:
    """Yield DDIM-4: the error of encoding and decoding falls with more steps."""
    counts = (10, 20, 50, 100, 200, 500, TRAINING_STEPS)
    stack = Stack.of(spectra(SIZE))
    for schedule in SCHEDULES:
        chains = [respaced_chain(schedule, TRAINING_STEPS, str(steps)) for steps in counts]
        errors = torch.stack([encode_decode_error(chain, stack.data) for chain in chains]) * stack.counts
        means = torch.stack([errors[..., place].flatten(1).sum(1) for place in stack.places.values()]) / SIZE**2
        falls, worst = bool((means.diff(dim=1) <= 0).all()), means[means[:, 0].argmax()]
        measured = f"at most {worst[0]:.2g} -> {worst[-1]:.1g}"
        yield Claim(
            "DDIM-4",
            f"{ALL}, {schedule}",
            "MSE of decode(encode(x)), S = 10 .. 1000",
            measured,
            "never rises",
            falls,
            True,
        )


def noise_share() -> Iterator[Claim]:
    """Yield DDIM-1: less noise is better at every number of steps, except on smooth data with the cosine schedule."""
    for schedule, names, expected in (
        ("linear", ("white", "1/f^2", "1/f^4", "low rank"), True),
        ("cosine", ("white", "1/f^2", "low rank"), True),
        ("cosine", ("1/f^4",), False),
    ):
        stack = Stack.of({name: spectra(SIZE)[name] for name in names})
        rises, shown = True, ""
        for steps in (10, 20, 50, 100):
            chain = respaced_chain(schedule, TRAINING_STEPS, str(steps))
            outcomes = [
                exact_outcome(cast(Sampler, Ddim(eta)), stack.data.denoiser(), chain, stack.shape) for eta in ETAS
            ]
            distances = [stack.frechet(outcome.mean, outcome.variance) for outcome in outcomes]
            for name in names:
                rises &= all(before[name] < after[name] for before, after in pairwise(distances))
            if steps == 20:
                shown = ", ".join(f"{distance[names[0]]:.2f}" for distance in distances)
        yield Claim(
            "DDIM-1",
            f"{', '.join(names) if len(names) < 4 else ALL}, {schedule}",
            "Frechet rises with eta = 0, 0.2, 0.5, 1",
            f"{names[0]}, S=20: {shown}",
            "S = 10 .. 100",
            rises,
            expected,
        )


def temperature() -> Iterator[Claim]:
    """Yield ADM-9: low temperatures by scaled noise and by scaled eps are alike, and neither raises precision."""
    stack = Stack.of(spectra(SIZE))
    for schedule in SCHEDULES:
        chain, variance = training_chain(schedule, TRAINING_STEPS), torch.as_tensor(stack.data.variance)
        noise = ancestral_variance(chain, variance, noise_scale=TEMPERATURE)
        eps = ancestral_variance(chain, variance, eps_scale=1 / TEMPERATURE)
        distances = [stack.frechet(torch.zeros_like(variance), found) for found in (noise, eps)]
        apart = max(abs(distances[1][name] / distances[0][name] - 1) for name in stack.places)
        place = stack.places["1/f^2"]
        shares = [stack.counts[place] @ found[0, 0, place] / (VARIANCE * SIZE**2) for found in (noise, eps)]
        ratios = ", ".join(f"{float(share):.4f}" for share in shares)
        yield Claim(
            "ADM-9",
            f"{ALL}, {schedule}",
            "|Frechet_noise - Frechet_eps| / Frechet",
            f"at most {apart:.3f}; variance {ratios}",
            "< 0.1",
            apart < 0.1,
            True,
        )
    yield _temperature_of_ddim()
    change, low, high = precision_gain()
    means = ", ".join(f"{before:.3f} -> {after:.3f}" for before, after in change)
    recall_falls = change[1][1] < change[1][0]
    yield Claim(
        "ADM-9",
        "white, 16 dimensions, k=3",
        "precision and recall fall together",
        f"precision, recall {means}; precision {low:+.3f} to {high:+.3f}",
        "both fall",
        # Only a significant rise (by the interval) counts against the claim.
        low <= 0 and recall_falls,
        expected=False,
    )


def _temperature_of_ddim() -> Claim:
    """Return the same claim for DDIM, in which the two are not alike, since every step passes the scaled eps on."""
    stack, chain = Stack.of({"1/f^2": spectra(SIZE)["1/f^2"]}), respaced_chain("linear", TRAINING_STEPS, "250")
    denoiser = stack.data.denoiser()

    def cooled(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        prediction = denoiser(x, level)
        return with_eps(prediction, prediction.eps / TEMPERATURE, x, level)

    noise = exact_outcome(cast(Sampler, Ddim()), denoiser, chain, stack.shape).variance * TEMPERATURE**2
    eps = exact_outcome(cast(Sampler, Ddim()), cooled, chain, stack.shape).variance
    distances = [stack.frechet(torch.zeros_like(noise), found)["1/f^2"] for found in (noise, eps)]
    apart = abs(distances[1] / distances[0] - 1)
    shares = ", ".join(f"{float(stack.counts @ found[0, 0]) / (VARIANCE * SIZE**2):.4f}" for found in (noise, eps))
    statement = "|Frechet_noise - Frechet_eps| / Frechet"
    measured = f"{apart:.3g}; variance {shares}"
    return Claim("ADM-9", "1/f^2, linear, DDIM, K=250", statement, measured, "< 0.1", apart < 0.1, expected=False)


def ancestral_variance(
    chain: Chain, variance: Tensor, *, noise_scale: float = 1.0, eps_scale: float = 1.0
) -> Float64[Tensor, "..."]:
    """Return the variance of each entry at the end of ancestral sampling, by the recursion of the second moment.

    The data have mean 0 and the given variance. The reverse variance is the large one, and the last step adds no noise.
    noise_scale: a factor of x_T and of every draw. eps_scale: a factor of the predicted eps. (These are the two
    temperatures of Dhariwal and Nichol 2021, appendix G.)
    """
    found = torch.full_like(variance, noise_scale**2 * float(chain.alphas[0] ** 2 + chain.sigmas[0] ** 2))
    for i in range(len(chain)):
        alpha, sigma = chain.alphas[i], chain.sigmas[i]
        eps = eps_scale * sigma / (alpha**2 * variance + sigma**2)
        gain = chain.x_0_coefficient[i] * (1 - sigma * eps) / alpha + chain.x_t_coefficient[i]
        noise = noise_scale**2 * chain.beta[i] if i < len(chain) - 1 else 0.0
        found = gain**2 * found + noise
    return found


def encode_decode_error(chain: Chain, data: Gaussian) -> Float64[Tensor, "..."]:
    """Return each entry's mean squared error after DDIM up the noisy levels of a chain and down again.

    It starts and ends at the least noisy level, with the data's marginal variance there, because the clean level has no
    eps.
    Source: Song et al. 2021, "Denoising diffusion implicit models", section 5.4.
    """
    variance, denoiser = torch.as_tensor(data.variance), data.denoiser()
    # The map is linear in each entry, so its gain is the value to which it maps 1.
    x = torch.ones(1, *variance.shape, dtype=torch.float64)
    last = len(chain) - 1
    for here, there in [(i, i - 1) for i in range(last, 0, -1)] + [(i, i + 1) for i in range(last)]:
        x = towards(denoiser(x, chain.level(here)), chain.level(there))
    return (x[0] - 1) ** 2 * (chain.alphas[last] ** 2 * variance + chain.sigmas[last] ** 2)


def precision_gain(num_points: int = 2000, seeds: int = 4) -> tuple[list[tuple[float, float]], float, float]:
    """Return mean precision and recall at variances 1 and 0.961, and the 95 % interval of the change in precision.

    The data are white, in 16 dimensions. Changes are paired, since both variances use the same draws.
    """
    found: list[list[float]] = []
    for seed in range(seeds):
        draws = np.random.Generator(np.random.PCG64(seed))
        reference, drawn = draws.standard_normal((2, num_points, 16))
        cooled = drawn * math.sqrt(0.961)
        found.append([part(x, reference) for part in (precision, recall) for x in (drawn, cooled)])
    table: Float[np.ndarray, "seeds four"] = np.array(found)
    gain = table[:, 1] - table[:, 0]
    margin = float(student.ppf(0.975, seeds - 1)) * gain.std(ddof=1) / math.sqrt(seeds)
    means = table.mean(axis=0)
    pairs = [(float(means[0]), float(means[1])), (float(means[2]), float(means[3]))]
    return pairs, float(gain.mean() - margin), float(gain.mean() + margin)

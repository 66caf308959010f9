"""A sampler's exact moments: against hand-made recursions; what is not affine is said."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.gaussians import GaussianDenoiser, power_spectrum
from diffbench.diffusion.process import Chain, respaced_chain
from diffbench.samplers._contract import State
from diffbench.samplers._outcome import CountingDenoiser, NotAffineError, exact_outcome
from diffbench.samplers._steps import towards
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim

torch.set_num_threads(1)
CHAIN = respaced_chain("linear", 1000, "10")
SHAPE = (1, 4, 4)
VARIANCE = power_spectrum(4, 2)


def test_ddim_by_its_recursion():
    found = exact_outcome(Ddim(), GaussianDenoiser(0.3, VARIANCE), CHAIN, SHAPE)
    mean, gain = torch.zeros(SHAPE).double(), torch.ones(SHAPE).double()
    for i in range(10):
        (a, s), (b, r) = ((CHAIN.alphas[j], CHAIN.sigmas[j]) for j in (i, i + 1))
        total = a**2 * VARIANCE + s**2
        slope = b * a * VARIANCE / total + r * s / total
        mean = b * 0.3 + slope * (mean - a * 0.3)
        gain = slope * gain
    torch.testing.assert_close(found.mean, mean, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(found.variance, gain**2, rtol=1e-12, atol=1e-16)
    assert found.nfe == 10


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_ancestral_by_its_recursion_and_ddim_with_full_noise_is_its_small_variance(fraction):
    found = exact_outcome(Ancestral(), GaussianDenoiser(0.0, VARIANCE, fraction), CHAIN, SHAPE)
    variance = torch.ones(SHAPE).double()
    for i in range(10):
        a, s = CHAIN.alphas[i], CHAIN.sigmas[i]
        gain = CHAIN.x_0_coefficient[i] * a * VARIANCE / (a**2 * VARIANCE + s**2) + CHAIN.x_t_coefficient[i]
        noise = (CHAIN.beta if fraction else CHAIN.beta_tilde)[i] if i < 9 else 0.0
        variance = gain**2 * variance + noise
    torch.testing.assert_close(found.variance, variance, rtol=1e-12, atol=1e-16)
    if fraction == 0:
        other = exact_outcome(Ddim(1.0), GaussianDenoiser(0.0, VARIANCE), CHAIN, SHAPE)
        torch.testing.assert_close(found.variance, other.variance, rtol=1e-10, atol=1e-16)


def test_starting_noise_is_the_chains_own():
    # A variance-exploding chain starts at sigma 10, not at 1.
    chain = Chain(torch.ones(1).double(), torch.full((1,), 10.0).double())
    found = exact_outcome(Ddim(), GaussianDenoiser(0.0, 0.25), chain, (1, 1, 1))
    assert math.isclose(float(found.variance), 101 * (0.25 / 100.25) ** 2, rel_tol=1e-12)


def test_counting_sees_every_image_and_can_report_another_variance():
    counting = CountingDenoiser(GaussianDenoiser(variance_fraction=0.2), 0.7)
    x = torch.zeros(3, *SHAPE, dtype=torch.float64)
    assert (counting(x, CHAIN.level(0)).variance_fraction == 0.7).all() and counting.rows == 3
    assert (CountingDenoiser(GaussianDenoiser(variance_fraction=0.2))(x, CHAIN.level(0)).variance_fraction == 0.2).all()


@dataclass(frozen=True)
class Bent:
    """DDIM with the result bent, cut short, or drawing what it likes."""

    how: str

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser, chain, x_T, noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain) - (self.how == "short")):
            prediction = denoiser(x, chain.level(i))
            x = towards(prediction, chain.level(i + 1))
            if self.how == "clip":
                x = x.clamp(-0.3, 0.3)
            if self.how == "mix":
                x = x.flip(-1)
            if self.how == "peek" and i == 0 and bool((x > 0.01).any()):
                x = x + noise(5)
            if self.how == "nan":
                x = x / 0 * 0
            yield State(chain.level(i + 1), x, prediction.x_0)


@pytest.mark.parametrize(
    ("how", "kind", "said"),
    [
        ("clip", NotAffineError, "not an affine function of its noise"),
        ("mix", NotAffineError, "not an affine function of its noise"),
        ("peek", NotAffineError, "which noise it draws depends on the images"),
        ("nan", UserError, "step 0 returned values that are not finite"),
        ("short", UserError, "stopped before the clean level, at sigma"),
    ],
)
def test_what_has_no_exact_moments_is_one_line(how, kind, said):
    # Nine steps: an odd number of flips does not undo itself.
    chain = respaced_chain("linear", 1000, "9")
    with pytest.raises(kind, match=f"sampler Bent: .*{said}"):
        exact_outcome(Bent(how), GaussianDenoiser(0.0, VARIANCE), chain, SHAPE)

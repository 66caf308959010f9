"""DDIM's step, number by number."""

import math

import pytest
import torch

from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import Chain, Level, respaced_chain
from diffbench.samplers._steps import towards
from diffbench.samplers.ddim import Ddim

torch.set_num_threads(1)
X_0 = torch.tensor([[[[0.5, -0.25]]]], dtype=torch.float64)
EPS = torch.tensor([[[[-1.0, 2.0]]]], dtype=torch.float64)
Z = torch.tensor([[[[3.0, 1.0]]]], dtype=torch.float64)
# alpha_bar 0.2, 0.7: one step to a noisy level, one to the clean level.
CHAIN = Chain.from_alpha_bars(torch.tensor([0.7, 0.2]).double().numpy())


def said(x, level, condition=None):
    return Prediction(X_0, EPS)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_step_is_eq_12_with_sigma_of_eq_16(eta):
    a_t, a_s = 0.2, 0.7
    a_t, a_s = (float(CHAIN.alphas[i] ** 2) for i in (0, 1))
    sigma = eta * math.sqrt((1 - a_s) / (1 - a_t)) * math.sqrt(1 - a_t / a_s)
    expected = math.sqrt(a_s) * X_0 + math.sqrt(1 - a_s - sigma**2) * EPS + sigma * Z
    state = Ddim(eta).step(said, CHAIN, 0, X_0, lambda i: Z)
    torch.testing.assert_close(state.x, expected)
    assert torch.equal(state.x_0, X_0) and state.level == CHAIN.level(1)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_the_last_step_ends_at_x_0(eta):
    def refused(i):
        raise AssertionError("the last step draws no noise")

    assert torch.equal(Ddim(eta).step(said, CHAIN, 1, X_0, refused).x, X_0)


def test_eta_zero_asks_for_no_noise_and_follows_the_flow():
    def refused(i):
        raise AssertionError("eta 0 draws no noise")

    # For normal data the flow scales x by the ratio of the marginal deviations; the error shrinks with the step.
    x_T, errors = torch.ones(1, 1, 1, 1, dtype=torch.float64), []
    for steps in (50, 100, 200):
        chain = respaced_chain("cosine", 1000, str(steps))
        *_, last = Ddim()(GaussianDenoiser(0.0, 0.25), chain, x_T, refused)
        first = chain.level(0)
        errors.append(abs(float(last.x) - 0.5 / math.sqrt(0.25 * first.alpha**2 + first.sigma**2)))
    assert errors[0] < 0.05 and errors[1] < 0.6 * errors[0] and errors[2] < 0.6 * errors[1]


@pytest.mark.parametrize("timesteps", [1000, 4000])
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", [2, 3, 10, 1000])
def test_full_noise_leaves_a_real_deterministic_part(timesteps, schedule, steps):
    chain = respaced_chain(schedule, timesteps, str(steps))
    x = torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    for state in Ddim(1.0)(GaussianDenoiser(), chain, x, lambda i: x):
        assert torch.isfinite(state.x).all()


def test_a_step_in_either_direction():
    up = towards(Prediction(X_0, EPS), Level(torch.tensor(0.6).double(), torch.tensor(0.8).double()))
    torch.testing.assert_close(up, 0.6 * X_0 + 0.8 * EPS)


def test_stochastic_where_eta_is_positive():
    assert not Ddim().stochastic and Ddim(0.1).stochastic
    for eta in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="eta must be between 0 and 1"):
            Ddim(eta)

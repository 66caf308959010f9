"""Each solver's own equation, number by number, on a denoiser that says the same or what is written down for it."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.commands.oracle.data import mixture
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import Chain, Level, respaced_chain
from diffbench.samplers.analytic_ancestral import AnalyticAncestral
from diffbench.samplers.ddim import Ddim
from diffbench.samplers.dpm_solver import DpmSolver
from diffbench.samplers.dpmpp_2m import Dpmpp2m
from diffbench.samplers.dpmpp_2s import Dpmpp2s
from diffbench.samplers.dpmpp_3m import Dpmpp3m
from diffbench.samplers.edm import Edm
from diffbench.samplers.euler import Euler
from diffbench.samplers.euler_maruyama import EulerMaruyama
from diffbench.samplers.heun import Heun
from diffbench.samplers.plms import Plms
from diffbench.samplers.pndm import Pndm
from diffbench.samplers.predictor_corrector import PredictorCorrector
from diffbench.samplers.probability_flow import ProbabilityFlow
from diffbench.samplers.unipc import Unipc

torch.set_num_threads(1)
# sigma / alpha 4, 2, 1, 1/2, then clean: lambda rises by log 2 a step.
NOISE = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)
CHAIN = Chain((1 + NOISE**2).rsqrt(), NOISE * (1 + NOISE**2).rsqrt())
H = math.log(2)
SDE = Path(__file__).parents[3] / "shared" / "reference_sde"
X_T = torch.tensor([[[[1.5]]]], dtype=torch.float64)


class Curve:
    """Says x_0 = f(lambda) whatever x is, and the eps that goes with it."""

    def __init__(self, f):
        self.f, self.asked = f, []

    def __call__(self, x, level, condition=None):
        lam = float((level.alpha / level.sigma).log())
        self.asked.append(lam)
        x_0 = torch.full_like(x, self.f(lam))
        return Prediction(x_0, (x - level.alpha * x_0) / level.sigma)


def exact(f, x, start, end, pieces=20000):
    """Return the exact flow if x_0 is a function of lambda alone: sigma_s (x / sigma_t + integral of e^lambda f)."""
    lam = torch.linspace(math.log(1 / start), math.log(1 / end), pieces + 1, dtype=torch.float64)
    middle = (lam[1:] + lam[:-1]) / 2
    values = middle.exp() * torch.tensor([f(float(value)) for value in middle], dtype=torch.float64)
    sigma = [noise / math.sqrt(1 + noise**2) for noise in (start, end)]
    return sigma[1] * (x / sigma[0] + float(values.sum()) * float(lam[1] - lam[0]))


def states(sampler, denoiser, chain=CHAIN, x_T=X_T, noise=None):
    return list(sampler(denoiser, chain, x_T, noise))


def test_solvers_for_x_0_integrate_what_they_interpolate():
    # A constant by all; a line from the second step on by those that hold two values; a parabola from the third.
    for sampler, power, first in (
        (Dpmpp2m(), 0, 0), (Dpmpp2s(), 0, 0), (Dpmpp3m(), 0, 0), (Unipc(), 0, 0), (Dpmpp3m(), 2, 2), (Unipc(3), 2, 2),
    ):  # fmt: skip
        curve = Curve(lambda lam, power=power: 0.3 + 0.2 * lam**power)
        found = states(sampler, curve, Chain(CHAIN.alphas[:4], CHAIN.sigmas[:4]))
        for i in range(first, 3):
            start = X_T if i == 0 else found[i - 1].x
            if isinstance(sampler, Unipc):
                start = exact(curve.f, start, float(NOISE[i]), float(NOISE[i])) if i == 0 else None
            if start is not None:
                expected = exact(curve.f, start, float(NOISE[i]), float(NOISE[i + 1]))
                torch.testing.assert_close(found[i].x, expected, rtol=1e-7, atol=0)


def test_dpmpp_2m_extrapolates_half_a_step():
    curve = Curve(lambda lam: lam)
    found = states(Dpmpp2m(), curve)
    lam = [-math.log(value) for value in NOISE.tolist()]
    sigma, alpha = CHAIN.sigmas, CHAIN.alphas
    first = sigma[1] / sigma[0] * 1.5 - alpha[1] * math.expm1(-H) * lam[0]
    second = sigma[2] / sigma[1] * first - alpha[2] * math.expm1(-H) * (1.5 * lam[1] - 0.5 * lam[0])
    assert math.isclose(float(found[0].x), float(first)) and math.isclose(float(found[1].x), float(second))
    assert float(found[-1].x) == lam[3] and len(curve.asked) == 4


def test_dpmpp_3m_as_released_gives_the_second_difference_half_its_weight():
    curve = Curve(lambda lam: lam**2)
    whole, half = (states(Dpmpp3m(halved_curvature=value), curve) for value in (False, True))
    assert torch.equal(whole[1].x, half[1].x)
    # x_0 = lambda^2 has second difference 1; the parabola's integral is h^2 - 2 h - 2 (e^-h - 1) = 2 int e^(l-h) l^2 / 2.
    weight = H**2 - 2 * H - 2 * math.expm1(-H)
    assert math.isclose(float(whole[2].x - half[2].x), float(CHAIN.alphas[3]) * weight / 2, rel_tol=1e-9)
    assert (Dpmpp3m().order, Dpmpp3m(True).order) == (3, 2)


@pytest.mark.parametrize(("order", "places"), [(2, [0.5]), (3, [1 / 3, 2 / 3])])
def test_dpm_solver_asks_part_of_the_way(order, places):
    curve = Curve(lambda lam: 0.0)
    states(DpmSolver(order), curve)
    start = -math.log(4)
    expected = [start + (i + place) * H for i in range(3) for place in [0, *places]] + [start + 3 * H]
    assert torch.allclose(torch.tensor(curve.asked), torch.tensor(expected))


def test_dpm_solver_2_is_its_equation():
    # eps = -lambda: x_s = alpha_s / alpha_t x - sigma_s (e^h - 1) eps(middle).
    def said(x, level, condition=None):
        eps = torch.full_like(x, float((level.sigma / level.alpha).log()))
        return Prediction((x - level.sigma * eps) / level.alpha, eps)

    found = states(DpmSolver(2), said)
    expected = CHAIN.alphas[1] / CHAIN.alphas[0] * 1.5 - CHAIN.sigmas[1] * math.expm1(H) * math.log(4 / math.sqrt(2))
    assert math.isclose(float(found[0].x), float(expected))


def test_dpmpp_2s_holds_the_x_0_of_the_middle():
    curve = Curve(lambda lam: lam)
    found = states(Dpmpp2s(), curve)
    expected = CHAIN.sigmas[1] / CHAIN.sigmas[0] * 1.5 - CHAIN.alphas[1] * math.expm1(-H) * -math.log(4 / math.sqrt(2))
    assert math.isclose(float(found[0].x), float(expected)) and len(curve.asked) == 7


def test_heun_is_the_trapezoidal_rule_in_sigma_over_alpha():
    # eps = (x / alpha) / 10: the slope at both ends of the step from sigma 4 to 2.
    def said(x, level, condition=None):
        eps = x / level.alpha / 10
        return Prediction((x - level.sigma * eps) / level.alpha, eps)

    y = 1.5 / float(CHAIN.alphas[0])
    euler = y + (2 - 4) * y / 10
    heun = y + (2 - 4) * (y / 10 + euler / 10) / 2
    assert math.isclose(float(states(Heun(), said)[0].x / CHAIN.alphas[1]), heun)
    assert math.isclose(float(states(Euler(), said)[0].x / CHAIN.alphas[1]), euler)
    assert torch.equal(states(Edm(churn=0.0), said)[-1].x, states(Heun(), said)[-1].x)


def test_euler_is_ddim():
    denoiser = GaussianDenoiser(0.3, 0.2)
    for ours, theirs in zip(states(Euler(), denoiser), states(Ddim(), denoiser), strict=True):
        torch.testing.assert_close(ours.x, theirs.x)


def test_edm_raises_the_noise_and_no_further_than_the_chain():
    curve, noise = Curve(lambda lam: 0.0), torch.full_like(X_T, 2.0)
    gamma = math.sqrt(2) - 1  # churn 40 of 4 steps
    found = states(Edm(churn=40.0, churn_min=0.6, churn_max=3.0, noise_scale=1.5), curve, noise=lambda i: noise)
    asked = [math.exp(-lam) for lam in curve.asked]
    # 4 is above churn_max, 0.5 below churn_min; each step but the last evaluates where it starts and where it ends.
    assert torch.allclose(torch.tensor(asked), torch.tensor([4, 2, 2 * (1 + gamma), 1, 1 + gamma, 0.5, 0.5]))
    y = float(found[0].x / CHAIN.alphas[1])
    raised = y + math.sqrt((2 * (1 + gamma)) ** 2 - 4) * 1.5 * 2
    # x_0 = 0: eps is y / sigma, and Heun's step from r to s multiplies y by 1 + (s - r) (1 / r + (1 / s)(s / r)) / 2.
    assert math.isclose(float(found[1].x / CHAIN.alphas[2]), raised / (2 * (1 + gamma)), rel_tol=1e-9)
    curve = Curve(lambda lam: 0.0)
    states(Edm(churn_max=50.0), curve, noise=lambda i: noise)
    assert max(math.exp(-lam) for lam in curve.asked) <= 4 * (1 + 1e-12)


def test_euler_maruyama_is_its_equation():
    z = torch.full_like(X_T, 2.0)
    found = states(EulerMaruyama(), lambda x, level, condition=None: Prediction(0.1 * x, 0.5 * x), noise=lambda i: z)
    sigma, alphas = float(CHAIN.sigmas[0]), CHAIN.alphas.tolist()
    drift = math.log(alphas[1] / alphas[0]) * 1.5 - 2 * sigma * H * 0.75
    assert math.isclose(float(found[0].x), 1.5 + drift + sigma * math.sqrt(2 * H) * 2)


def test_a_correction_is_a_langevin_step():
    z = torch.full_like(X_T, 2.0)

    def said(x, level, condition=None):
        return Prediction(0.1 * x, 0.5 * x, variance_fraction=torch.zeros_like(x))

    draws = []
    plain = states(PredictorCorrector(snr=1e-9), said, noise=lambda i: draws.append(i) or z)[0].x
    found = states(PredictorCorrector(snr=0.1), said, noise=lambda i: z)[0].x
    sigma = float(CHAIN.sigmas[1])
    # alpha_i = 1 - beta_i of the step from level 2, where alpha^2 is 1/2, to level 1, where it is 1/5.
    length = 2 * (1 / 5) / (1 / 2) * (0.1 * sigma) ** 2
    expected = plain - length / sigma * 0.5 * plain + math.sqrt(2 * length) * 2
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=0)
    assert draws == [0, 1, 2, 3, 4, 5]


def test_a_correction_where_the_variance_explodes_has_no_alpha():
    chain, z = Chain(torch.ones(3).double(), torch.tensor([4.0, 2.0, 1.0]).double()), torch.full_like(X_T, 2.0)

    def said(x, level, condition=None):
        return Prediction(0.1 * x, 0.5 * x, variance_fraction=torch.zeros_like(x))

    plain, found = (states(PredictorCorrector(snr=r), said, chain, noise=lambda i: z)[0].x for r in (1e-9, 0.1))
    # sigma 2: of length 0.08, the score is -0.25 x.
    torch.testing.assert_close(found, plain - 0.08 * 0.25 * plain + 0.4 * 2, rtol=1e-7, atol=0)


@pytest.mark.skipif(not SDE.exists(), reason="no reference vectors of score models beside the repository")
@pytest.mark.parametrize("name", ["sde_vp_00", "sde_vp_01", "sde_ve_00", "sde_ve_01"])
def test_a_correction_is_that_of_score_sde(name):
    """yang-song/score_sde_pytorch's annealed Langevin corrector, float32: its step is 2 alpha_i (r sigma)^2 long."""
    with np.load(SDE / f"{name}.npz") as file:
        data = {key: file[key] for key in file.files}
    config = json.loads(str(data["config"]))
    for t, x, z, expected in zip(data["t"], data["x_t"], data["step_noise"], data["corrector:ald"], strict=True):
        found = corrected(level_and_alpha(config, data, float(t)), float(t), config, x, z)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def level_and_alpha(config, data, t):
    """The level at time t, and alpha_i of the grid of N levels there."""
    if config["process"] == "ve":
        sigma = config["sigma_min"] * (config["sigma_max"] / config["sigma_min"]) ** t
        return 1.0, sigma, 1.0
    low, high = config["beta_min"], config["beta_max"]
    integral = low * t + (high - low) * t**2 / 2
    k = int(np.float32(t) * np.float32(config["N"] - 1))
    return math.exp(-integral / 2), math.sqrt(-math.expm1(-integral)), 1 - float(data["discrete_betas"][k])


def corrected(level, t, config, x_t, z):
    """One correction of x_t: the step before is told to arrive there, and the level behind makes beta_i the grid's."""
    alpha, sigma, alpha_i = level
    alphas = torch.tensor([alpha * 0.9, alpha, alpha / math.sqrt(alpha_i)], dtype=torch.float64)
    chain = Chain(alphas, torch.tensor([sigma, sigma, sigma / 2], dtype=torch.float64))
    x_t, z = (torch.from_numpy(array).double()[None] for array in (x_t, z))
    asked = []

    def said(x, level, condition=None):
        asked.append(x)
        if len(asked) == 1:
            return Prediction(x_t / chain.x_0_coefficient[0], x, variance_fraction=torch.zeros_like(x))
        h, last = (x, 0.05 * 999 * t) if config["process"] == "vp" else (x / math.sqrt(1 + sigma**2), math.log(sigma))
        eps = 0.4 * h + 0.2 * torch.tanh(h.roll(1, 3)) + 0.1 * math.sin(last)
        return Prediction(x, eps, variance_fraction=torch.zeros_like(x))

    sampler = PredictorCorrector(snr=config["snr"])
    state = next(iter(sampler(said, chain, torch.zeros_like(x_t), lambda i: z if i == 1 else torch.zeros_like(z))))
    return state.x[0].numpy()


def test_plms_and_pndm_weigh_the_last_four():
    values = iter([1.0, 1.0, 10.0, 100.0, 1000.0, 10000.0])

    def said(x, level, condition=None):
        eps = torch.full_like(x, next(values))
        return Prediction((x - level.sigma * eps) / level.alpha, eps)

    chain = respaced_chain("linear", 1000, "5")
    found = states(Plms(), said, chain)
    # The first step evaluates twice; the fourth has all four: 55, -59, 37, -9 over 24.
    eps = (55 * 1000 - 59 * 100 + 37 * 10 - 9) / 24
    ratio = chain.alphas[4] / chain.alphas[3]
    expected = ratio * found[2].x + (chain.sigmas[4] - ratio * chain.sigmas[3]) * eps
    torch.testing.assert_close(found[3].x, expected)


def test_pndms_first_step_is_runge_kuttas():
    given = [1.0, 2.0, 3.0, 4.0]

    def said(x, level, condition=None):
        eps = torch.full_like(x, given.pop(0) if given else 0.0)
        return Prediction((x - level.sigma * eps) / level.alpha, eps)

    found = states(Pndm(), said)
    ratio = CHAIN.alphas[1] / CHAIN.alphas[0]
    expected = ratio * 1.5 + (CHAIN.sigmas[1] - ratio * CHAIN.sigmas[0]) * (1 + 2 * 2 + 2 * 3 + 4) / 6
    assert math.isclose(float(found[0].x), float(expected))


def test_unipc_corrects_where_it_arrived():
    # With one value: x_s as held, then half of B (x_0 there - x_0 here).
    curve = Curve(lambda lam: lam)
    found = states(Unipc(1), curve)
    lam = [-math.log(value) for value in NOISE.tolist()]
    b = math.expm1(-H)
    sigma, alpha = CHAIN.sigmas, CHAIN.alphas
    predicted = sigma[1] / sigma[0] * 1.5 - alpha[1] * b * lam[0]
    corrected = predicted - alpha[1] * b * 0.5 * H
    second = sigma[2] / sigma[1] * corrected - alpha[2] * b * lam[1]
    assert math.isclose(float(found[0].x), float(predicted)) and math.isclose(float(found[1].x), float(second))
    assert len(curve.asked) == 4


RELEASED = {
    (2, "bh1"): [0.35675706554035386, -0.8192207009096656, 0.8323172444376489, 0.6815734086343446],
    (2, "bh2"): [0.30099914747970813, -0.578402339727341, 0.6711128171690711, 0.5463027826025634],
    (3, "bh1"): [0.35656202814259697, -0.8195467660330201, 0.8320033140831822, 0.6815019971356335],
    (3, "bh2"): [0.30333043592644976, -0.6247632109435004, 0.6877805280658925, 0.5635658832441203],
}
"""The end of wl-zhao/UniPC@cf9de85, uni_pc.py: data_prediction, multistep, logSNR, 5 steps from t = 1 to 1e-3 of its linear
schedule, lower_order_final, float64, on the oracle's mixture from x_T = (0.3, -1.2) and (1, 0.7)."""
STARTS = torch.tensor([[[[0.3, -1.2]]], [[[1.0, 0.7]]]], dtype=torch.float64)


def authors_chain() -> Chain:
    """The six levels between which those five steps go; ours has one more, to the clean level."""
    noise = torch.logspace(math.log10(152.1669702839461), math.log10(0.010485992786703322), 6, dtype=torch.float64)
    return Chain((1 + noise**2).rsqrt(), noise * (1 + noise**2).rsqrt())


@pytest.mark.parametrize(("order", "b"), RELEASED)
def test_unipc_ends_as_the_authors_code_does(order, b):
    *_, last_noisy, _ = states(Unipc(order, b), mixture().denoiser(), authors_chain(), STARTS)
    expected = torch.tensor(RELEASED[order, b], dtype=torch.float64).reshape(STARTS.shape)
    torch.testing.assert_close(last_noisy.x, expected, rtol=0, atol=1e-10)


def test_unipc_lowers_the_order_of_the_last_steps_between_noisy_levels():
    def used(sampler, steps):
        return [sampler.used(i, steps) for i in range(steps)]

    assert used(Unipc(), 6) == [1, 2, 2, 2, 1, 1]
    assert used(Unipc(3), 7) == [1, 2, 3, 3, 2, 1, 1]
    assert used(Unipc(3), 3) == [1, 1, 1] and used(Unipc(), 1) == [1]
    assert used(Unipc(lower_order_final=False), 6) == [1, 2, 2, 2, 2, 2]
    assert used(Unipc(count_clean_step=True), 6) == [1, 2, 2, 2, 2, 1]
    assert used(Unipc(3, count_clean_step=True), 7) == [1, 2, 3, 3, 3, 2, 1]
    with pytest.raises(ValueError, match="no effect without lower_order_final"):
        Unipc(lower_order_final=False, count_clean_step=True)


def test_unipc_of_five_steps_is_nearer_to_the_exact_flow_by_the_authors_rule():
    """Where few steps end at the cosine schedule's last noise, whose step is the longest but one."""
    data, chain = GaussianDenoiser(0.0, 0.25), respaced_chain("cosine", 1000, "5")
    x_T = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(-1, 1, 1, 1)
    exact = data.flow(x_T, chain.level(0), chain.level(5))

    def error(sampler):
        return float(((states(sampler, data, chain, x_T)[-1].x - exact) ** 2).mean().sqrt())

    assert error(Unipc()) < 0.65 * error(Unipc(count_clean_step=True))
    assert error(Unipc(3)) < 0.65 * error(Unipc(3, count_clean_step=True))


@pytest.mark.parametrize("spacing", ["2", "10", "karras5"])
def test_analytic_variance_is_exact_on_data_of_one_variance(spacing):
    from diffbench.samplers._outcome import exact_outcome

    chain = respaced_chain("cosine", 1000, spacing)
    noisiest = chain.level(0)
    last = chain.level(len(chain) - 1)
    outcome = exact_outcome(AnalyticAncestral(), GaussianDenoiser(0.0, 0.25), chain, (1, 1, 1))
    # All but the last step, which takes the mean: E[x_0 | x] has the variance that is not left.
    left = 0.25 * float(last.sigma**2 / (last.alpha**2 * 0.25 + last.sigma**2))
    start = float(noisiest.alpha**2 * 0.75)  # x_T has variance 1, the data there a little less
    assert abs(float(outcome.variance) - (0.25 - left)) < 1e-9 + start


def test_analytic_variance_needs_to_know_the_error():
    with pytest.raises(UserError, match="--terms"):
        states(AnalyticAncestral(), lambda x, level, condition=None: Prediction(x, x), noise=lambda i: X_T)


def test_ddim_encodes_what_it_decodes():
    data, errors = GaussianDenoiser(0.1, 0.25), []
    x_0 = torch.tensor([[[[0.4, -0.8]]]], dtype=torch.float64)
    for steps in (10, 100, 1000):
        chain = respaced_chain("linear", 1000, str(steps))
        *_, top = Ddim().encode(data, chain, x_0)
        assert top.level == chain.level(0)
        *_, last = Ddim()(data, chain, top.x, None)
        errors.append(float((last.x - x_0).abs().max()))
    assert errors[0] > 3 * errors[1] > 9 * errors[2] and errors[2] < 0.01
    # The first move up, number by number: the image is taken to be at the least noisy level.
    state = next(Ddim().encode(data, chain, x_0))
    here, there = chain.level(999), chain.level(998)
    said = data(x_0, here)
    torch.testing.assert_close(state.x, there.alpha * said.x_0 + there.sigma * said.eps)
    with pytest.raises(UserError, match="eta = 0"):
        next(Ddim(0.5).encode(data, chain, x_0))


@pytest.mark.parametrize(
    ("part", "options", "message"),
    [
        (DpmSolver, {"order": 4}, "order must be 2 or 3"),
        (Unipc, {"predictor_order": 0}, "must be 1 to 4"),
        (Edm, {"churn": -1.0}, "must not be negative"),
        (PredictorCorrector, {"snr": 0.0}, "snr must be positive"),
        (ProbabilityFlow, {"rtol": 0.0}, "rtol must be between"),
    ],
)
def test_impossible_settings_are_refused(part, options, message):
    with pytest.raises(ValueError, match=message):
        part(**options)


def test_a_level_of_each_image_is_its_own():
    level = CHAIN.level_at(torch.tensor([0.0, 1.0]).double())
    assert torch.allclose(level.sigma / level.alpha, torch.tensor([1.0, math.e]).double())
    assert isinstance(level, Level)

"""Our samplers beside those of diffusers: equal definitions agree to 1e-4; of others, the difference is tested.

`pytest tests/samplers/test_diffusers_agreement.py -s` prints every difference; docs/diffusers.md says what they come from.
"""

import numpy as np
import pytest
import torch

from diffbench.base.plugins import configure, load
from diffbench.commands.oracle.data import mixture
from diffbench.diffusion.denoiser import ClippedDenoiser, Diffusion, ModelDenoiser
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.process import Level
from diffbench.diffusion.schedules import betas
from diffbench.samplers._batches import walked

schedulers = pytest.importorskip("diffusers.schedulers")
torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
AGREES = 1e-4


class Network:
    """A small convolution with random weights, in the type of what it is given."""

    def __init__(self, outputs=1):
        generator = torch.Generator().manual_seed(0)
        self.inner = torch.randn(32, 1, 3, 3, generator=generator) / 3
        self.outer = torch.randn(outputs, 32, 3, 3, generator=generator) / 17

    def __call__(self, x, t, y, low_res):
        h = torch.nn.functional.conv2d(x, self.inner.to(x), padding=1) + 0.001 * t.to(x)[:, None, None, None]
        output = torch.nn.functional.conv2d(torch.nn.functional.silu(h), self.outer.to(x), padding=1)
        return torch.cat([output[:, :1], output[:, 1:].tanh()], dim=1)


def denoiser_of(data, schedule, variance="fixed_large"):
    """A random network, the same with x_0 clipped, or the exact denoiser of normal data or of a mixture."""
    if data == "normal":
        return GaussianDenoiser(0.3, 0.2, {"fixed_small": 0.0, "fixed_large": 1.0, "learned_range": 0.4}[variance])
    if data == "mixture":
        return mixture().denoiser(float(variance == "fixed_large"))
    diffusion = Diffusion(schedule=schedule, variance=variance)
    model = ModelDenoiser.of(diffusion, Network(2 if diffusion.learns_variance else 1), off_grid="interpolate")
    return ClippedDenoiser(model) if data == "clipped" else model


DATA = ("network", "clipped", "normal", "mixture")


def part(name, **options):
    return configure(load("samplers", name), options, name)


def draws(data, dtype):
    shape = (1, 1, 2) if data == "mixture" else (1, 6, 6)
    return torch.randn(101, 4, *shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def apart(found, expected):
    """Return the largest difference of a pixel. It is relative if images are larger than 1, as with a random network."""
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))


def difference(theirs, ours, data, schedule, steps, dtype=torch.float64, variance="fixed_large"):
    """How far two samplers end apart from one x_T, with the same draws."""
    x, chain, denoiser = (
        draws(data, dtype),
        Diffusion(schedule=schedule).chain(steps),
        denoiser_of(data, schedule, variance),
    )
    found, expected = (walked(sampler, denoiser, chain, x[100], lambda i: x[i]) for sampler in (theirs, ours))
    assert float(expected.std()) > 0.01
    return apart(found, expected)


def said(what, value):
    print(f"\n{what}: {value:.2g}")
    return value


STEPS = ("7", "ddim10", "25")
PAIRS = {
    "DDPM, fixed small": ("ancestral", {}, "DDPMScheduler", {}, "fixed_small"),
    "DDPM, fixed large": ("ancestral", {}, "DDPMScheduler", {"variance_type": "fixed_large"}, "fixed_large"),
    "DDPM, learned": ("ancestral", {}, "DDPMScheduler", {"variance_type": "learned_range"}, "learned_range"),
    "DDIM": ("ddim", {}, "DDIMScheduler", {}),
    "DDIM, eta 0.5": ("ddim", {"eta": 0.5}, "DDIMScheduler", {"eta": 0.5}),
    "DDIM, eta 1": ("ddim", {"eta": 1.0}, "DDIMScheduler", {"eta": 1.0}),
    "DDIM, Euler ancestral": ("ddim", {"eta": 1.0}, "EulerAncestralDiscreteScheduler", {}),
    "DPM-Solver++ 2M": ("dpmpp_2m", {}, "DPMSolverMultistepScheduler", {}),
    "DPM-Solver++ 3M as released": (
        "dpmpp_3m",
        {"halved_curvature": True},
        "DPMSolverMultistepScheduler",
        {"solver_order": 3, "lower_order_final": False},
    ),
    "UniPC-2, bh2": ("unipc", {"count_clean_step": True}, "UniPCMultistepScheduler", {}),
    "UniPC-3, bh2": (
        "unipc",
        {"predictor_order": 3, "count_clean_step": True},
        "UniPCMultistepScheduler",
        {"solver_order": 3},
    ),
    "Euler": ("euler", {}, "EulerDiscreteScheduler", {}),
    "DPM-Solver 2": ("dpm_solver", {"order": 2}, "KDPM2DiscreteScheduler", {}),
    "Heun": ("heun", {}, "HeunDiscreteScheduler", {}),
    "PLMS": ("plms", {}, "PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": True}),
    "PNDM": ("pndm", {}, "PNDMScheduler", {"set_alpha_to_one": True}),
}


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("name", PAIRS)
def test_where_definitions_agree_so_do_the_images(name, schedule):
    ours, our_options, theirs, their_options, *variance = PAIRS[name]
    found = {
        data: max(
            difference(
                part(f"diffusers:{theirs}", **their_options),
                part(ours, **our_options),
                data,
                schedule,
                steps,
                variance=variance[0] if variance else "fixed_large",
            )
            for steps in STEPS
        )
        for data in DATA
        if data != "mixture" or variance != ["learned_range"]
    }
    print(f"\n{name}, {schedule}: " + ", ".join(f"{data} {value:.1e}" for data, value in found.items()))
    assert max(found.values()) < AGREES


NO_LARGE_NUMBERS = ("DDPM, fixed small", "DDPM, learned", "DDIM", "DDIM, eta 1", "DPM-Solver++ 2M", "UniPC-2, bh2")


@pytest.mark.parametrize("name", PAIRS)
def test_so_they_do_in_float32(name):
    """Where the linear schedule starts, sigma / alpha is 157; at the cosine schedule's 2e4 some need float64 to agree."""
    ours, our_options, theirs, their_options, *variance = PAIRS[name]
    samplers = part(f"diffusers:{theirs}", **their_options), part(ours, **our_options)
    used = variance[0] if variance else "fixed_large"
    found = {
        schedule: max(
            difference(*samplers, data, schedule, steps, torch.float32, used)
            for steps in STEPS
            for data in ("clipped", "normal")
        )
        for schedule in ("linear", "cosine")
    }
    print(f"\n{name}, float32: " + ", ".join(f"{schedule} {value:.1e}" for schedule, value in found.items()))
    assert found["linear"] < AGREES
    assert found["cosine"] < AGREES or name not in NO_LARGE_NUMBERS


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("data", DATA)
def test_bh1_agrees_down_to_the_last_noisy_level(data, order):
    """diffusers' bh1 has no step to the clean level: it gives 0 times infinity there."""
    chain, denoiser, x_T = Diffusion().chain("25"), denoiser_of(data, "linear"), draws(data, torch.float64)[100]
    options = {"solver_type": "bh1", "solver_order": order, "final_sigmas_type": "sigma_min"}
    samplers = (
        part("diffusers:UniPCMultistepScheduler", **options),
        part("unipc", b="bh1", predictor_order=order, count_clean_step=True),
    )
    found, expected = ([state.x for state in sampler(denoiser, chain, x_T, None)][-2] for sampler in samplers)
    assert said(f"UniPC-{order}, bh1, {data}", apart(found, expected)) < AGREES


# Where definitions do not agree.


def native(scheduler, denoiser, x_T, *, begin=True):
    """diffusers' own loop, with its own timesteps, on the exact denoiser of the linear schedule's process."""
    alpha_bars, x = np.cumprod(1 - betas("linear", 1000)), None
    if begin and hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    for t in scheduler.timesteps:
        factor = float(scheduler.scale_model_input(torch.ones((), dtype=torch.float64), t))
        x = x_T / factor if x is None else x
        ratio = (1 / np.interp(float(t), range(1000), alpha_bars) - 1) ** 0.5
        if factor != 1:
            ratio = (1 / factor**2 - 1) ** 0.5
        elif hasattr(scheduler, "sigmas"):
            ratio = float(scheduler.sigmas[scheduler.step_index or 0])
        alpha = torch.tensor((1 + ratio**2) ** -0.5, dtype=torch.float64)
        x = scheduler.step(denoiser(x * factor, Level(alpha, alpha * ratio)).eps, t, x).prev_sample
    return x


def theirs_of(name, steps, schedule="linear", **options):
    scheduler = getattr(schedulers, name)(trained_betas=betas(schedule, 1000).tolist(), **options)
    scheduler.set_timesteps(steps)
    return scheduler


@pytest.mark.parametrize("steps", ["10", "25"])
def test_3m_gives_the_curvature_half_of_its_weight_and_ends_lower_below_15_steps(steps):
    theirs = part("diffusers:DPMSolverMultistepScheduler", solver_order=3)
    full, halved = (part("dpmpp_3m", halved_curvature=value) for value in (False, True))
    differs = [difference(theirs, ours, "normal", "linear", steps) for ours in (full, halved)]
    said(f"3M, {steps} steps, the parabola's weight", differs[0])
    said(f"3M, {steps} steps, as released, theirs with lower_order_final", differs[1])
    assert differs[0] > 0.01
    assert differs[1] > 0.01 if steps == "10" else differs[1] < AGREES


def test_order_of_clipping():
    """Their DDIM clips x_0 and keeps the eps it was given; ours gives both again from the clipped x_0."""
    x = draws("network", torch.float64)
    model, chain = denoiser_of("network", "linear"), Diffusion().chain("ddim10")
    ours = walked(part("ddim"), ClippedDenoiser(model), chain, x[100], None)
    kept, again = (
        walked(
            part("diffusers:DDIMScheduler", clip_sample=True, use_clipped_model_output=value),
            model,
            chain,
            x[100],
            None,
        )
        for value in (False, True)
    )
    assert said("DDIM, eps kept from before the clipping", apart(kept, ours)) > 0.1
    assert said("DDIM, use_clipped_model_output", apart(again, ours)) < AGREES


def test_spacing_in_the_timesteps_themselves():
    """Some of their grids equal ours, and others do not."""

    def kept(spacing):
        known, alphas = Diffusion().chain().alphas[:-1], Diffusion().chain(spacing).alphas[:-1]
        return [999 - int((known - alpha).abs().argmin()) for alpha in alphas]

    def timesteps(name, steps, **options):
        return theirs_of(name, steps, **options).timesteps.tolist()

    assert timesteps("DDIMScheduler", 10) == kept("ddim10")
    assert timesteps("DDIMScheduler", 10, timestep_spacing="linspace") == kept("10")
    assert timesteps("DDIMScheduler", 10, steps_offset=1) == [t + 1 for t in kept("ddim10")]
    assert timesteps("EulerDiscreteScheduler", 10) == kept("10")
    assert timesteps("EulerDiscreteScheduler", 25) != kept("25")  # fractional
    # DPM-Solver's linspace has K + 1 points and leaves out t = 0; trailing never has it.
    assert timesteps("DPMSolverMultistepScheduler", 10) == kept("11")[:-1]
    assert timesteps("DDIMScheduler", 10, timestep_spacing="trailing") == list(range(999, 0, -100))


@pytest.mark.parametrize(
    ("name", "options", "ours"),
    [
        ("DDIMScheduler", {"clip_sample": False, "steps_offset": 1}, ("ddim", "ddim10")),
        ("DDIMScheduler", {"clip_sample": False, "timestep_spacing": "trailing"}, ("ddim", "10")),
        ("DPMSolverMultistepScheduler", {}, ("dpmpp_2m", "10")),
    ],
)
def test_spacing_in_the_images(name, options, ours):
    x_T, denoiser = draws("normal", torch.float64)[100], denoiser_of("normal", "linear")
    found = native(theirs_of(name, 10, **options), denoiser, x_T)
    expected = walked(part(ours[0]), denoiser, Diffusion().chain(ours[1]), x_T, None)
    assert said(f"{name} with its own timesteps {options}", apart(found, expected)) > 1e-3


def test_last_step_noise_where_t_0_is_left_out():
    """Their DDPM draws noise unless t = 0: with trailing timesteps the last step, from t = 99, adds that of beta_t."""
    x_T, denoiser = draws("normal", torch.float64)[100], denoiser_of("normal", "linear")
    ends = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        scheduler = theirs_of(
            "DDPMScheduler", 10, clip_sample=False, variance_type="fixed_large", timestep_spacing="trailing"
        )
        scheduler.timesteps = scheduler.timesteps[-1:]
        ends.append(native(scheduler, denoiser, x_T))
    assert said("DDPM, fixed large, trailing: noise of the last step alone", apart(*ends)) > 0.1


@pytest.mark.parametrize(
    ("theirs", "options", "ours"),
    [
        ("PNDMScheduler", {"skip_prk_steps": True}, "plms"),
        ("UniPCMultistepScheduler", {"final_sigmas_type": "sigma_min"}, "unipc"),
        ("DPMSolverMultistepScheduler", {"final_sigmas_type": "sigma_min"}, "dpmpp_2m"),
    ],
)
def test_last_level_that_is_not_clean(theirs, options, ours):
    """They end at the chain's cleanest noisy level. The last evaluation changes nothing, so that level's noise remains."""
    found = difference(part(f"diffusers:{theirs}", **options), part(ours), "normal", "linear", "25")
    assert said(f"{theirs} {options}", found) > 2 * AGREES


@pytest.mark.parametrize(
    ("theirs", "ours", "why"),
    [
        ("IPNDMScheduler", "plms", "it starts with one evaluation, PLMS with two"),
        ("DPMSolverSinglestepScheduler", "dpmpp_2s", "a step of second order spans two levels of the chain"),
    ],
)
def test_other_methods_under_a_like_name(theirs, ours, why):
    found = difference(part(f"diffusers:{theirs}"), part(ours), "normal", "linear", "10")
    assert said(f"{theirs} against {ours}: {why}", found) > 2 * AGREES


def test_starting_noise_of_schedulers_that_scale_x():
    """They start at sigma_max z, we at sqrt(sigma_max^2 + 1) z: x_T has the variance that the model was trained with."""
    scheduler = theirs_of("EulerDiscreteScheduler", 10)
    largest = float(scheduler.sigmas[0])
    found = said("Euler, relative size of x_T", (1 + largest**-2) ** 0.5 - 1)
    assert 1e-5 < found < 1e-4 and float(scheduler.init_noise_sigma) == pytest.approx(largest)


def test_a_first_level_skipped_where_timesteps_repeat():
    """Karras levels that are rounded to timesteps repeat. A scheduler without a given start takes the second."""
    x_T, denoiser = draws("normal", torch.float64)[100], denoiser_of("normal", "cosine")
    made = [theirs_of("DPMSolverMultistepScheduler", 10, "cosine", use_karras_sigmas=True) for _ in range(2)]
    repeated = int((made[0].timesteps == made[0].timesteps[0]).sum())
    print(f"\nKarras levels of the cosine schedule that are rounded to the first timestep: {repeated} of 10")
    assert repeated > 1 and torch.isfinite(native(made[0], denoiser, x_T)).all()
    with pytest.raises(IndexError):
        native(made[1], denoiser, x_T, begin=False)

"""Schedulers of diffusers as samplers: on our chains they do what diffusers does, with our noise; what cannot be is said."""

import inspect
import json
import subprocess
import sys
import threading
from unittest import mock

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.base.plugins import configure, described, load, module_of
from diffbench.base.provenance import versions_of
from diffbench.benchmark.codehash import code_hash
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.process import Chain, Level, respaced_chain
from diffbench.diffusion.schedules import betas
from diffbench.samplers._batches import sample, walked
from diffbench.samplers._contract import State
from diffbench.samplers._outcome import exact_outcome

schedulers = pytest.importorskip("diffusers.schedulers")
torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

MEMBERS = [
    ("DDIMParallelScheduler", {}),
    ("DDIMScheduler", {"eta": 1.0}),
    ("DDIMScheduler", {}),
    ("DDPMParallelScheduler", {}),
    ("DDPMScheduler", {"variance_type": "fixed_large"}),
    ("DDPMScheduler", {"variance_type": "learned_range"}),
    ("DDPMScheduler", {}),
    ("DEISMultistepScheduler", {}),
    ("DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}),
    ("DPMSolverMultistepScheduler", {"solver_order": 3}),
    ("DPMSolverMultistepScheduler", {}),
    ("DPMSolverSinglestepScheduler", {}),
    ("EulerAncestralDiscreteScheduler", {}),
    ("EulerDiscreteScheduler", {"s_churn": 2.0}),
    ("EulerDiscreteScheduler", {}),
    ("HeunDiscreteScheduler", {}),
    ("IPNDMScheduler", {}),
    ("KDPM2AncestralDiscreteScheduler", {}),
    ("KDPM2DiscreteScheduler", {}),
    ("LMSDiscreteScheduler", {}),
    ("PNDMScheduler", {"skip_prk_steps": True, "set_alpha_to_one": True}),
    ("PNDMScheduler", {}),
    ("SASolverScheduler", {}),
    ("UnCLIPScheduler", {}),
    ("UniPCMultistepScheduler", {"solver_order": 3}),
    ("UniPCMultistepScheduler", {}),
]
TWO_A_STEP = {"HeunDiscreteScheduler": 19, "KDPM2DiscreteScheduler": 19, "KDPM2AncestralDiscreteScheduler": 19}
SHAPE = (1, 2, 2)
DENOISER = GaussianDenoiser(0.3, 0.2, 0.4)


def made(name, options=None):
    return configure(load("samplers", f"diffusers:{name}", "samplers.x"), options or {}, "samplers.x")


def spelled(member):
    return member[0] + "".join(f" {key}={value}" for key, value in member[1].items())


each = pytest.mark.parametrize("member", MEMBERS, ids=spelled)


def normals(count=3, shape=SHAPE, seed=0):
    """x_T, and a source of noise, in float64."""
    draws = torch.randn(200, count, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return draws[-1], lambda i: draws[i]


class Network:
    """A small convolution with random weights."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.inner = torch.randn(32, 1, 3, 3, generator=generator) / 3
        self.outer = torch.randn(1, 32, 3, 3, generator=generator) / 17

    def __call__(self, x, t, y, low_res):
        h = torch.nn.functional.conv2d(x, self.inner, padding=1) + 0.001 * t[:, None, None, None]
        return torch.nn.functional.conv2d(torch.nn.functional.silu(h), self.outer, padding=1)


# What it does: diffusers' own loop, from their documentation, is the reference.


def spacing_of(name):
    """Where t = 0 is not among the timesteps, their DDPM draws noise at the last step too; DPM's leading leaves K - 1."""
    return "leading" if name.startswith("DDPM") else "trailing"


def native(name, options, chain, noise, x_T):
    """Their scheduler in their own loop over a training chain of 1000, of which ours has each hundredth level."""
    kind = getattr(schedulers, name)
    taken, stepped = (inspect.signature(function).parameters for function in (kind.__init__, kind.step))
    table = betas("linear", 1000)
    own = {key: value for key, value in options.items() if key in taken}
    own |= {"clip_sample": False} if "clip_sample" in taken else {}
    own |= {"timestep_spacing": spacing_of(name)} if "timestep_spacing" in taken else {}
    scheduler = kind(num_train_timesteps=1000, trained_betas=table.tolist(), **own)
    if "timestep_spacing" in taken:
        scheduler.set_timesteps(10)
    else:
        scheduler.set_timesteps(timesteps=list(range(999, 0, -100)))
    if name in ("DEISMultistepScheduler", "SASolverScheduler"):
        # They end at the cleanest level that they know of: here it is t = 99, there t = 0.
        scheduler.sigmas[-1] = scheduler.sigmas[-2]
    if name == "PNDMScheduler" and not options:
        scheduler.final_alpha_cumprod = scheduler.alphas_cumprod[99]
    alpha_bars, x, count = np.cumprod(1 - table), None, iter(range(1000))

    def randn_tensor(shape, generator=None, device=None, dtype=None):
        return noise(next(count)).to(dtype)

    module = sys.modules[kind.__module__]
    with mock.patch.object(module, "randn_tensor", randn_tensor, create=True):
        for t in scheduler.timesteps:
            factor = float(scheduler.scale_model_input(torch.ones((), dtype=torch.float64), t))
            x = x_T / factor if x is None else x
            ratio = (1 / np.interp(float(t), range(1000), alpha_bars) - 1) ** 0.5
            if factor != 1:
                ratio = (1 / factor**2 - 1) ** 0.5
            alpha = torch.tensor((1 + ratio**2) ** -0.5, dtype=torch.float64)
            prediction = DENOISER(x * factor, Level(alpha, alpha * ratio))
            output = prediction.eps
            if options.get("variance_type") == "learned_range":
                output = torch.cat([output, 2 * prediction.variance_fraction - 1], 1)
            step_options = {key: value for key, value in options.items() if key in stepped and key not in taken}
            x = scheduler.step(output, t, x, **step_options).prev_sample
    return x


ALSO_NATIVE = [member for member in MEMBERS if member[0] not in ("IPNDMScheduler", "UnCLIPScheduler")]


@pytest.mark.parametrize("member", [*ALSO_NATIVE, ("EulerDiscreteScheduler", {"use_karras_sigmas": True})], ids=spelled)
def test_on_the_same_levels_it_is_diffusers_own_loop(member):
    """PNDM's half steps are the exception: they are halfway in log noise here, and in t there."""
    name, options = member
    alpha_bars = np.cumprod(1 - betas("linear", 1000))[0 if spacing_of(name) == "leading" else 99 :: 100]
    chain = Chain.from_alpha_bars(alpha_bars)
    x_T, noise = normals()
    expected = native(name, options, chain, noise, x_T)
    found = walked(made(name, options), DENOISER, chain, x_T, noise)
    tolerance = 1e-4 if member == ("PNDMScheduler", {}) else 2e-5
    torch.testing.assert_close(found, expected.to(found.dtype), rtol=0, atol=tolerance)


def test_unclip_is_ddpm_with_the_small_variance_and_no_schedule_of_its_own():
    chain, (x_T, noise) = respaced_chain("linear", 1000, "10"), normals()
    found, expected = (walked(made(name), DENOISER, chain, x_T, noise) for name in ("UnCLIPScheduler", "DDPMScheduler"))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_ipndm_is_diffusers_own_loop():
    """Its table holds sigmas, the noisiest first, and its network predicts v."""
    chain, (x_T, noise) = respaced_chain("linear", 1000, "10"), normals()
    scheduler, x = schedulers.IPNDMScheduler(trained_betas=chain.sigmas.tolist()), x_T
    scheduler.set_timesteps(10)
    for i, t in enumerate(scheduler.timesteps):
        prediction = DENOISER(x, chain.level(i))
        x = scheduler.step(chain.alphas[i] * prediction.eps - chain.sigmas[i] * prediction.x_0, t, x).prev_sample
    torch.testing.assert_close(walked(made("IPNDMScheduler"), DENOISER, chain, x_T, noise), x, rtol=0, atol=2e-5)


# The contract of a sampler.


@each
@pytest.mark.parametrize("schedule", ["linear", "cosine", "exploding"])
def test_yields_a_state_per_step_down_to_the_clean_level(member, schedule):
    chain = Chain(torch.ones(10).double(), torch.logspace(1, -1.5, 10).double())
    if schedule != "exploding":
        chain = respaced_chain(schedule, 1000, "10")
    rows, asked = [], []

    def denoiser(x, level, condition=None):
        rows.append(level)
        # In a proper scale, x has the variance of the data and the noise at that level.
        return DENOISER(x, level)

    x_T, noise = normals()
    x_T = x_T * (chain.alphas[0] ** 2 + chain.sigmas[0] ** 2).sqrt()
    sampler = made(*member)
    states = list(sampler(denoiser, chain, x_T, lambda i: asked.append(i) or noise(i)))
    assert len(states) == 10 and all(isinstance(state, State) for state in states)
    levels = [(float(state.level.alpha), float(state.level.sigma)) for state in states]
    assert levels == list(zip(chain.alphas[1:].tolist(), chain.sigmas[1:].tolist(), strict=True))
    assert all(state.x.shape == state.x_0.shape == x_T.shape for state in states)
    assert bool(asked) == sampler.stochastic and len(set(asked)) == len(asked)
    expected = {"PNDMScheduler": 11 if member[1] else 19}.get(member[0], TWO_A_STEP.get(member[0], 10))
    assert len(rows) == expected
    assert sampler.leaves_grid == (member in (("KDPM2DiscreteScheduler", {}), ("PNDMScheduler", {})))


@pytest.mark.parametrize("grid", ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"])
@pytest.mark.parametrize(
    "name",
    [
        "DEISMultistepScheduler",
        "DPMSolverMultistepScheduler",
        "DPMSolverSinglestepScheduler",
        "EulerDiscreteScheduler",
        "HeunDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "LMSDiscreteScheduler",
        "SASolverScheduler",
        "UniPCMultistepScheduler",
    ],
)
def test_a_grid_of_its_own_has_as_many_steps_and_leaves_the_chains(name, grid):
    sampler, chain, (x_T, noise) = made(name, {grid: True}), respaced_chain("linear", 1000, "10"), normals()
    states = list(sampler(DENOISER, chain, x_T, noise))
    ratios = [float(state.level.sigma / state.level.alpha) for state in states]
    assert len(states) == 10 and sampler.leaves_grid
    assert all(later < earlier for earlier, later in zip(ratios, ratios[1:], strict=False)) and ratios[-1] == 0
    assert all(bool(torch.isfinite(state.x).all()) for state in states)


@pytest.mark.parametrize("name", ["EulerDiscreteScheduler", "HeunDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_a_state_is_a_point_of_its_level(name):
    """From x_T = 0 with data that is one image, each state is alpha times that image."""
    chain = respaced_chain("linear", 1000, "10")
    x_T = chain.alphas[0] * torch.full((1, *SHAPE), 0.5).double()
    for state in made(name)(GaussianDenoiser(0.5, 0.0), chain, x_T, lambda i: x_T):
        torch.testing.assert_close(state.x, state.level.alpha * torch.full_like(x_T, 0.5), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "member", [("DDPMScheduler", {}), ("SASolverScheduler", {}), ("KDPM2AncestralDiscreteScheduler", {})], ids=spelled
)
def test_bytes_do_not_depend_on_how_the_work_is_cut(member):
    network, diffusion = Network(), Diffusion(timesteps=100)

    def drawn(*parts):
        model = ModelDenoiser.of(diffusion, network)
        return np.concatenate(
            [
                sample(
                    made(*member), model, diffusion.chain("5"), index=part, shape=(1, 6, 6), seed=3, micro_batch=5
                ).numpy()
                for part in parts
            ]
        )

    whole = drawn(range(13))
    assert drawn(range(6), range(6, 13)).tobytes() == whole.tobytes()
    assert drawn([12, 0, 7]).tobytes() == whole[[12, 0, 7]].tobytes()
    assert len({image.tobytes() for image in whole}) == 13


@each
def test_moments_are_exact_on_normal_data(member):
    """Their float32 inside does not hide that the result is affine in the noise."""
    outcome = exact_outcome(made(*member), DENOISER, respaced_chain("linear", 1000, "20"), (1, 1, 1))
    assert abs(float(outcome.mean) - 0.3) < 0.02 and 0 < float(outcome.variance) < 30


@pytest.mark.parametrize(
    ("name", "options", "order"),
    [
        ("EulerDiscreteScheduler", {}, 1),
        ("HeunDiscreteScheduler", {}, 2),
        ("DPMSolverMultistepScheduler", {"solver_order": 3}, 2),
        ("DPMSolverSinglestepScheduler", {"solver_order": 3}, 3),
        ("DEISMultistepScheduler", {}, 2),
        ("UniPCMultistepScheduler", {}, 3),
        ("PNDMScheduler", {"set_alpha_to_one": True}, 2),
        ("IPNDMScheduler", {}, 2),
    ],
)
def test_errors_fall_with_the_declared_order(name, options, order):
    """On normal data, against the exact flow map between the first level and the last noisy one."""
    sampler, errors = made(name, options), []
    assert min(sampler.order, sampler.startup_order + 1) == order
    for steps in (47, 95):
        ratios = torch.logspace(1, -1, steps + 1, dtype=torch.float64)
        alphas = (1 + ratios**2).rsqrt()
        chain, (x_T, noise) = Chain(alphas, alphas * ratios), normals()
        # After the last State but one: the step to the clean level is of first order in all.
        reached = list(sampler(DENOISER, chain, x_T, noise))[-2]
        exact = DENOISER.flow(x_T, chain.level(0), reached.level)
        errors.append(float((reached.x - exact).abs().max()))
    assert abs(np.log(errors[0] / errors[1]) / np.log(95 / 47) - order) < 0.3


def test_threads_draw_from_their_own_noise_and_diffusers_is_left_as_it_was():
    module = sys.modules["diffusers.schedulers.scheduling_ddpm"]
    before, state, chain = module.randn_tensor, torch.get_rng_state(), respaced_chain("linear", 1000, "25")
    x_T, _ = normals()
    alone = [walked(made("DDPMScheduler"), DENOISER, chain, x_T, normals(seed=seed)[1]) for seed in range(4)]
    together = [None] * 4

    def run(seed):
        together[seed] = walked(made("DDPMScheduler"), DENOISER, chain, x_T, normals(seed=seed)[1])

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert module.randn_tensor is before and torch.equal(state, torch.get_rng_state())


def test_a_walk_keeps_nothing_for_the_next():
    sampler, chain, (x_T, noise) = made("UniPCMultistepScheduler"), respaced_chain("linear", 1000, "10"), normals()
    first, second = (walked(sampler, DENOISER, chain, x_T, noise) for _ in range(2))
    assert torch.equal(first, second)


# The name, its options, and what cannot be.


def test_a_part_described_is_a_part_configured_and_knows_every_default():
    sampler = made("DPMSolverMultistepScheduler", {"solver_order": 3})
    plain = json.loads(json.dumps(described(sampler, "diffusers:DPMSolverMultistepScheduler")))
    assert (
        plain["solver_order"] == 3 and plain["algorithm_type"] == "dpmsolver++" and plain["lower_order_final"] is True
    )
    name = plain.pop("name")
    assert configure(load("samplers", name), plain, "x") == sampler
    assert load("samplers", name) is type(sampler)
    assert (sampler.order, sampler.startup_order) == (2, 1)
    for name, options in MEMBERS:
        plain = json.loads(json.dumps(described(made(name, options), name), allow_nan=False))
        plain.pop("name")
        assert made(name, plain) == made(name, options)


def test_a_schedulers_own_clipping_is_off_unless_asked_for():
    chain, (x_T, noise) = respaced_chain("linear", 1000, "10"), normals()
    wide = GaussianDenoiser(0.0, 25.0)
    assert float(walked(made("DDIMScheduler"), wide, chain, x_T, noise).abs().max()) > 1.5
    assert float(walked(made("DDIMScheduler", {"clip_sample": True}), wide, chain, x_T, noise).abs().max()) <= 1


def test_its_code_and_its_version_are_recorded():
    assert module_of("samplers", "diffusers:DDIMScheduler") == "diffbench.samplers._diffusers"
    assert code_hash(["diffbench.samplers._diffusers"]) != code_hash(["diffbench.samplers.ddim"])
    assert versions_of({"sampler": {"name": "diffusers:DDIMScheduler"}})["diffusers"]


def test_it_is_imported_only_where_it_is_used():
    program = (
        "import sys; from diffbench.benchmark.load import load_benchmark; import diffbench.stages.sample; "
        "load_benchmark('workflow/config/smoke.yaml'); assert 'diffusers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("DDIMSchedular", {}, "diffusers has no scheduler 'DDIMSchedular'; did you mean 'DDIMScheduler'?"),
        ("DDIMScheduler", {"etta": 1.0}, "unknown key 'etta'; did you mean 'eta'?"),
        ("DPMSolverMultistepScheduler", {"solver_ordr": 1}, "unknown key 'solver_ordr'; did you mean 'solver_order'?"),
        ("DPMSolverMultistepScheduler", {"solver_order": "2"}, "solver_order: '2' is not a whole number"),
        ("DDPMScheduler", {"variance_type": "fixed_smal"}, "did you mean 'fixed_small'?"),
        ("DDPMScheduler", {"variance_type": "learned"}, "a learned diagonal is not handed on"),
        ("DDIMScheduler", {"beta_start": 0.1}, "beta_start: cannot be set here: the model's own schedule"),
        ("DDIMScheduler", {"prediction_type": "sample"}, "prediction_type: cannot be set here: the model's own"),
        (
            "EulerDiscreteScheduler",
            {"steps_offset": 1},
            "steps_offset: cannot be set here: the timesteps are those",
        ),
        ("UniPCMultistepScheduler", {"use_flow_sigmas": True}, "it is for flow-matching models"),
        ("UniPCMultistepScheduler", {"solver_type": "bh1"}, "gives values that are not finite"),
        (
            "DPMSolverMultistepScheduler",
            {"algorithm_type": "dpmsolver"},
            "`final_sigmas_type` zero is not supported for `algorithm_type` dpmsolver. Please choose `sigma_min`",
        ),
        ("EulerDiscreteScheduler", {"use_karras_sigmas": True, "use_beta_sigmas": True}, "Only one of"),
        ("FlowMatchEulerDiscreteScheduler", {}, "cannot sample these models: it integrates flow-matching models"),
        ("VQDiffusionScheduler", {}, "cannot sample these models: it draws discrete tokens"),
        ("LCMScheduler", {}, "cannot sample these models: it needs a network distilled for it"),
        ("DDIMInverseScheduler", {}, "it climbs from images to noise"),
        ("DPMSolverSDEScheduler", {}, "it draws a Brownian path"),
        ("EDMEulerScheduler", {}, "its network is preconditioned with sigma_data"),
        ("ScoreSdeVeScheduler", {}, "its schedule is a variance-exploding one"),
        ("", {}, "diffusers has no scheduler ''"),
    ],
)
def test_what_cannot_be_is_one_line(name, options, message):
    with pytest.raises(UserError) as caught:
        made(name, options)
    said = str(caught.value)
    assert said.startswith("samplers.x") and message in said and "\n" not in said


def test_every_scheduler_of_diffusers_samples_or_is_refused_with_a_reason():
    offered = [name for name in dir(schedulers) if name.endswith("Scheduler")]
    used = {name for name, _ in MEMBERS}
    for name in sorted(set(offered) - used):
        with pytest.raises(UserError, match=f"diffusers:{name} cannot sample these models: "):
            made(name)
    assert len(used) == 18 and len(offered) > 45


def test_an_unknown_family_is_one_line():
    with pytest.raises(UserError, match=r"^samplers\.x: no family 'difusers' of samplers .*did you mean 'diffusers'\?"):
        load("samplers", "difusers:DDIMScheduler", "samplers.x")
    with pytest.raises(UserError, match="no family 'contract'"):
        load("samplers", "contract:State", "samplers.x")


def test_without_diffusers_one_line_says_how_to_get_it(monkeypatch):
    from diffbench.samplers import _diffusers

    monkeypatch.setitem(sys.modules, "diffusers", None)
    monkeypatch.setitem(sys.modules, "diffusers.schedulers", None)
    _diffusers.part.cache_clear()
    with pytest.raises(
        UserError, match=r"samplers\.x: diffusers:DDIMScheduler needs .*pip install 'diffbench\[diffusers\]'"
    ):
        load("samplers", "diffusers:DDIMScheduler", "samplers.x")
    _diffusers.part.cache_clear()


def test_noise_that_cannot_be_replaced_is_refused(monkeypatch):
    from diffbench.samplers import _diffusers

    class Rogue(schedulers.DDIMScheduler):
        def step(self, model_output, timestep, sample, return_dict=True):
            done = super().step(model_output, timestep, sample)
            done.prev_sample = done.prev_sample + 0.01 * torch.randn_like(sample)
            return done

    monkeypatch.setattr(_diffusers, "_found", lambda name: Rogue)
    _diffusers.part.cache_clear()
    state = torch.get_rng_state()
    with pytest.raises(UserError, match="Rogue draws noise that cannot be replaced by the image's own"):
        made("Rogue")
    assert torch.equal(state, torch.get_rng_state())
    _diffusers.part.cache_clear()


def test_what_goes_wrong_on_the_way_is_one_line():
    chain, (x_T, noise) = respaced_chain("linear", 1000, "10"), normals()
    with pytest.raises(UserError, match=r"sampler DDIMScheduler: step \d+ returned values that are not finite"):
        walked(made("DDIMScheduler"), GaussianDenoiser(float("nan")), chain, x_T, noise)
    with pytest.raises(UserError, match="PNDMScheduler needs at least 4 steps"):
        walked(made("PNDMScheduler"), DENOISER, respaced_chain("linear", 1000, "3"), x_T, noise)

"""What every sampler must keep, for each file in the folder: its declarations, its moments on normal data, its bytes."""

import dataclasses
import math
import os
import typing

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.base.images import truncated
from diffbench.base.plugins import configure, load, names
from diffbench.base.seeds import Stream
from diffbench.commands.oracle.data import mixture
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.gaussians import Gaussian, GaussianDenoiser
from diffbench.diffusion.process import Chain, respaced_chain
from diffbench.diffusion.x_0_error import KnownErrorDenoiser
from diffbench.samplers._batches import sample
from diffbench.samplers._contract import State
from diffbench.samplers._outcome import exact_outcome

torch.set_num_threads(1)
# pytest tests/samplers/test_contract.py --sampler my_module.MySampler
GIVEN = os.environ.get("DIFFBENCH_TEST_SAMPLERS", "").split()
SAMPLERS = {name: load("samplers", name) for name in GIVEN or names("samplers")}
CHAINS = {
    "linear": respaced_chain("linear", 1000, "10"),
    "cosine": respaced_chain("cosine", 1000, "10"),
    "exploding": Chain(torch.ones(8).double(), torch.logspace(1, -1.5, 8).double()),
}
MEAN, VARIANCE = 0.3, 0.2

each = pytest.mark.parametrize("part", SAMPLERS.values(), ids=SAMPLERS.keys())


def variants(part):
    """Yield the sampler unchanged, and with each field changed: numbers to 0.7, booleans negated, words to others."""
    found = [part()]
    for field in dataclasses.fields(part):
        value = getattr(part(), field.name)
        if isinstance(value, bool):
            found.append(part(**{field.name: not value}))
        elif isinstance(value, float):
            found.append(part(**{field.name: 0.7}))
        elif isinstance(value, str):
            words = typing.get_args(typing.get_type_hints(part)[field.name])
            found += [part(**{field.name: word}) for word in words if word != value]
    return found


ALL = [sampler for part in SAMPLERS.values() for sampler in variants(part)]
ADAPTIVE = [sampler for sampler in ALL if getattr(sampler, "adaptive", False)]
STEPPED = [sampler for sampler in ALL if sampler not in ADAPTIVE]


def no_noise(i):
    """Noise of a sampler that draws none."""
    raise AssertionError(f"draw {i} of a sampler that says that it is deterministic")


def standard_normals(seed, index):
    stream = Stream(seed, "step")
    return lambda i: stream.normal(index, i, (1, 2, 2)).double()


@each
def test_is_a_frozen_dataclass_with_defaults_and_declarations(part):
    assert part.__dataclass_params__.frozen
    sampler = configure(part, {}, "x")
    assert sampler == part()
    assert isinstance(sampler.order, int) and 1 <= sampler.startup_order <= sampler.order
    assert isinstance(sampler.stochastic, bool) and isinstance(sampler.applies_gradient, bool)


@pytest.mark.parametrize("sampler", STEPPED, ids=repr)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_yields_a_state_per_step_down_to_the_clean_level(sampler, chain):
    index = torch.arange(3)
    x_T = torch.randn(3, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    states = list(sampler(GaussianDenoiser(MEAN, VARIANCE), chain, x_T, standard_normals(0, index)))
    assert len(states) == len(chain) and all(isinstance(state, State) for state in states)
    levels = [(float(state.level.alpha), float(state.level.sigma)) for state in states]
    assert levels == list(zip(chain.alphas[1:].tolist(), chain.sigmas[1:].tolist(), strict=True))
    assert levels[-1] == (1.0, 0.0)
    for state in states:
        assert state.x.shape == state.x_0.shape == x_T.shape and torch.isfinite(state.x).all()


@pytest.mark.parametrize("sampler", ALL, ids=repr)
def test_draws_noise_exactly_where_it_says_so(sampler):
    chain, asked = CHAINS["linear"], []

    def noise(i):
        asked.append(i)
        return torch.zeros(2, 1, 2, 2, dtype=torch.float64)

    list(sampler(GaussianDenoiser(), chain, torch.ones(2, 1, 2, 2, dtype=torch.float64), noise))
    assert bool(asked) == sampler.stochastic
    assert len(set(asked)) == len(asked)  # a draw used twice would correlate two steps


def exact_moments(sampler, chain):
    """Mean and variance of the sampler's result, exactly.

    What remains to be tested is that the noises of many steps and images together give that.
    """
    outcome = exact_outcome(sampler, GaussianDenoiser(MEAN, VARIANCE, 0.4), chain, (1, 1, 1))
    return float(outcome.mean), float(outcome.variance)


@pytest.mark.parametrize("sampler", STEPPED, ids=repr)
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_moments_on_normal_data_are_those_of_the_finite_recursion(sampler, chain):
    mean, variance = exact_moments(sampler, chain)
    num_images, shape = 3000, (1, 2, 2)
    denoiser = GaussianDenoiser(MEAN, VARIANCE, 0.4)
    if sampler.stochastic:
        x = sample(sampler, denoiser, chain, index=range(num_images), shape=shape, seed=1, micro_batch=1000).double()
    else:
        # In float64: cosine starts at sigma 2e4, from where differences of eps in float32 grow to a tenth of the image.
        x_T = Stream(1, "x_T").normal(torch.arange(num_images), 0, shape).double()
        x_T = x_T * (chain.alphas[0] ** 2 + chain.sigmas[0] ** 2).sqrt()
        *_, last = sampler(denoiser, chain, x_T, no_noise)
        x = last.x
    n = x.numel()
    assert abs(x.mean() - mean) < 4 * math.sqrt(variance / n) + 1e-6
    assert abs(x.var() - variance) < 4 * variance * math.sqrt(2 / n)
    # Pixels and images are independent.
    assert abs(((x[1:] - mean) * (x[:-1] - mean)).mean()) < 4 * variance / math.sqrt(n)


@pytest.mark.parametrize("sampler", [sampler for sampler in STEPPED if sampler == type(sampler)()], ids=repr)
@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_moments_come_near_the_datas_with_many_steps(sampler, schedule):
    mean, variance = exact_moments(sampler, Diffusion(schedule=schedule).chain("500"))
    assert abs(mean - MEAN) < 0.005
    assert abs(math.sqrt(variance / VARIANCE) - 1) < 0.04
    coarse = exact_moments(sampler, Diffusion(schedule=schedule).chain("10"))[1]
    off = [abs(math.sqrt(found / VARIANCE) - 1) for found in (coarse, variance)]
    # What is exact on this data with any number of steps cannot come nearer.
    assert off[0] > off[1] or max(off) < 1e-3


PROOF = {"normal data": Gaussian(0.2, torch.tensor([0.5, 0.05]).double().reshape(1, 1, 2)), "mixture": mixture()}


def slope(sampler, data, noisiest=2.0, cleanest=0.05, counts=(64, 256)):
    """The exponent with which the error falls between two noise levels of a continuous schedule, without clipping.

    One more noisy level follows: a sampler may lower the order of its very last steps, where little noise is left.
    """
    x_T = Stream(0, "x_T").normal(torch.arange(16), 0, (1, 1, 2)).double()
    errors = []
    for steps in counts:
        noise = noisiest * (cleanest / noisiest) ** (torch.arange(steps + 2).double() / steps)
        alphas = (1 + noise**2).rsqrt()
        chain = Chain(alphas, noise * alphas)
        *_, state, _, _ = sampler(data.denoiser(), chain, x_T, no_noise)
        exact = data.flow(x_T, chain.level(0), chain.level(steps))
        errors.append(float((state.x - exact).pow(2).mean().sqrt()))
    return math.log(errors[0] / errors[1]) / math.log(counts[1] / counts[0])


@pytest.mark.parametrize("data", PROOF.values(), ids=PROOF.keys())
@pytest.mark.parametrize("sampler", [sampler for sampler in STEPPED if not sampler.stochastic], ids=repr)
def test_errors_fall_with_the_declared_order(sampler, data):
    assert abs(slope(sampler, data) - min(sampler.order, sampler.startup_order + 1)) < 0.15


def off(sampler, steps):
    """How far the deviation that a sampler ends with is from the data's, over three variances; exact, by its recursion."""
    variance = torch.tensor([0.05, 0.2, 0.6]).double().reshape(1, 1, 3)
    noise = torch.logspace(math.log10(20), -3, steps, dtype=torch.float64)
    alphas = (1 + noise**2).rsqrt()
    denoiser = GaussianDenoiser(0.0, variance, 1.0)
    found = exact_outcome(sampler, denoiser, Chain(alphas, noise * alphas), (1, 1, 3)).variance
    return float((found.sqrt() - variance.sqrt()).norm())


def as_it_stands(sampler):
    """Whether a variant is the default, or the only one that draws noise: other settings may need more steps to settle."""
    default = type(sampler)()
    return sampler == default or not default.stochastic


@pytest.mark.parametrize("sampler", [item for item in ALL if item.stochastic and as_it_stands(item)], ids=repr)
def test_a_stochastic_samplers_recursion_converges_at_the_declared_rate(sampler):
    assert abs(math.log2(off(sampler, 128) / off(sampler, 512)) / 2 - sampler.order) < 0.25


@pytest.mark.parametrize("data", PROOF.values(), ids=PROOF.keys())
@pytest.mark.parametrize("sampler", ADAPTIVE, ids=repr)
def test_an_adaptive_solvers_error_follows_its_tolerance_and_each_image_has_its_own_steps(sampler, data):
    chain = CHAINS["linear"]
    x_T = Stream(0, "x_T").normal(torch.arange(12), 0, (1, 1, 2)).double()
    x_T[0] = 0  # an easy one
    exact, found = data.flow(x_T, chain.level(0), chain.level(len(chain) - 1)), {}
    for tolerance in (1e-3, 1e-6):
        tight = dataclasses.replace(sampler, rtol=tolerance, atol=tolerance)
        found[tolerance] = list(tight(data.denoiser(), chain, x_T, no_noise))
        assert float(found[tolerance][-1].level.sigma) == 0
    errors = [float((states[0].x - exact).abs().max()) for states in found.values()]
    assert errors[1] < 1e-4 < 100 * errors[1] < errors[0]
    assert (found[1e-6][-1].nfe > found[1e-3][-1].nfe).all()
    some = [7, 2, 11]
    alone = list(tight(data.denoiser(), chain, x_T[some], no_noise))
    torch.testing.assert_close(alone[-1].x, found[1e-6][-1].x[some], rtol=0, atol=1e-9)
    assert torch.equal(alone[-1].nfe, found[1e-6][-1].nfe[some])
    assert found[1e-6][-1].nfe.unique().numel() > 1


class Convolution:
    """A network whose float result for one image may depend on the shape of its batch, as real ones do."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.inner = torch.randn(32, 1, 3, 3, generator=generator) / 3
        self.outer = torch.randn(1, 32, 3, 3, generator=generator) / 17
        self.shapes = set()

    def __call__(self, x, t, y, low_res):
        self.shapes.add(tuple(x.shape))
        h = torch.nn.functional.conv2d(x, self.inner, padding=1) + 0.001 * t[:, None, None, None]
        return torch.nn.functional.conv2d(torch.nn.functional.silu(h), self.outer, padding=1)


@pytest.mark.parametrize("sampler", [sampler for sampler in ALL if sampler.stochastic] + [ALL[0]], ids=repr)
def test_bytes_do_not_depend_on_how_the_work_is_cut(sampler):
    network, diffusion = Convolution(), Diffusion(timesteps=100)

    def drawn(*parts):
        found = []
        for part in parts:
            model = ModelDenoiser.of(diffusion, network, off_grid="interpolate")
            model = KnownErrorDenoiser(model, np.array([-5.0, 3.0]), np.array([0.01, 0.2]))
            x = sample(sampler, model, diffusion.chain("4"), index=part, shape=(1, 6, 6), seed=3, micro_batch=5)
            found.append(x.numpy())
        return np.concatenate(found)

    whole = drawn(range(23))
    assert drawn(range(8), range(8, 16), range(16, 23)).tobytes() == whole.tobytes()
    sevenths = [range(start, min(start + 4, 23)) for start in range(0, 23, 4)] + [range(22, 23)]
    assert drawn(*sevenths)[:23].tobytes() == whole.tobytes()
    some = [21, 0, 13, 13, 7, 2, 19]
    assert drawn(some).tobytes() == whole[some].tobytes()
    assert drawn(torch.tensor([4])).tobytes() == whole[4:5].tobytes()
    assert network.shapes == {(5, 1, 6, 6)}
    assert len({image.tobytes() for image in whole}) == 23
    assert np.array_equal(truncated(torch.from_numpy(whole)), truncated(torch.from_numpy(drawn(range(23)))))


def test_another_seed_gives_other_images():
    def drawn(seed):
        return sample(
            ALL[0], GaussianDenoiser(), CHAINS["linear"], index=range(4), shape=(1, 2, 2), seed=seed, micro_batch=4
        )

    assert torch.equal(drawn(0), drawn(0)) and not (drawn(0) == drawn(1)).any()


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: x * float("nan"), "step 0 returned values that are not finite"),
        (lambda x: x * float("inf"), "step 0 returned values that are not finite"),
        (lambda x: x[:, :, :1], r"step 0 returned \(4, 1, 1, 2\) for \(4, 1, 2, 2\)"),
    ],
)
def test_what_is_no_image_is_one_line(result, message):
    class Broken:
        order = startup_order = 1
        stochastic = applies_gradient = False

        def __call__(self, denoiser, chain, x_T, noise):
            for i in range(len(chain)):
                yield State(chain.level(i + 1), result(x_T), x_T)

    with pytest.raises(UserError, match=f"sampler Broken: {message}"):
        sample(Broken(), GaussianDenoiser(), CHAINS["linear"], index=range(4), shape=(1, 2, 2), seed=0, micro_batch=4)


def test_every_step_is_reported():
    calls = []
    chain = CHAINS["linear"]
    sample(
        ALL[0],
        GaussianDenoiser(),
        chain,
        index=range(5),
        shape=(1, 2, 2),
        seed=0,
        micro_batch=2,
        on_step=calls.append,
    )
    assert len(calls) == 3 * len(chain)

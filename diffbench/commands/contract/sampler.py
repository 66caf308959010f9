"""Checks of a sampler: its declarations, its steps, its moments and its order on known data, and its bytes."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from diffbench.base.seeds import Stream
from diffbench.commands.contract.check import BrokenError, Check, NotJudgedError, is_default, require, require_frozen
from diffbench.commands.oracle.data import mixture
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.gaussians import Gaussian, GaussianDenoiser
from diffbench.diffusion.process import Chain, respaced_chain
from diffbench.diffusion.x_0_error import KnownErrorDenoiser
from diffbench.samplers._batches import sample
from diffbench.samplers._contract import Sampler, State
from diffbench.samplers._outcome import NotAffineError, exact_outcome

MEAN, VARIANCE = 0.3, 0.2
NUM_IMAGES = 3000


def chains() -> dict[str, Chain]:
    """Return the chains on which samplers are tried, by name."""
    return {
        "linear": respaced_chain("linear", 1000, "10"),
        "cosine": respaced_chain("cosine", 1000, "10"),
        "exploding": Chain(torch.ones(8).double(), torch.logspace(1, -1.5, 8).double()),
    }


def proofs() -> dict[str, Any]:
    """Return the data whose flow is known, by name."""
    return {"normal data": Gaussian(0.2, torch.tensor([0.5, 0.05]).double().reshape(1, 1, 2)), "a mixture": mixture()}


def checks(sampler: Sampler) -> Sequence[Check]:
    """Return the checks that apply to a sampler; those of its convergence are of its default options."""
    found = [declarations, noise_draws, cuts]
    if sampler.adaptive:
        return (*found, own_steps)
    found += [states, moments]
    if is_default(sampler):
        found.append(convergence)
    if not sampler.stochastic:
        found.append(order)
    elif is_default(sampler) or _only_then_stochastic(sampler):
        found.append(stochastic_order)
    return found


def _only_then_stochastic(sampler: Sampler) -> bool:
    """Return whether the sampler draws no noise with its default options: other noise may need more steps to settle."""
    return not type(sampler)().stochastic


def declarations(sampler: Sampler) -> None:
    """It is a frozen dataclass that declares its orders, its noise and its guidance."""
    require_frozen(sampler)
    orders = (sampler.order, sampler.startup_order)
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in orders)
    require(
        whole and 1 <= sampler.startup_order <= sampler.order,
        f"declares order {orders[0]} and startup_order {orders[1]}; they are whole numbers with 1 <= startup <= order",
    )
    for name in ("stochastic", "applies_gradient"):
        found = getattr(sampler, name)
        require(isinstance(found, bool), f"declares {name} = {found!r}; it must be True or False")


def states(sampler: Sampler) -> None:
    """It yields one finite State a step, down to the clean level."""
    x_T = torch.randn(3, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for name, chain in chains().items():
        found = list(sampler(GaussianDenoiser(MEAN, VARIANCE), chain, x_T, _normals(0, torch.arange(3))))
        where = f"on the chain '{name}'"
        for place, state in enumerate(found):
            require(isinstance(state, State), f"yields {type(state).__name__} {where}; yield State(level, x, x_0)")
            shapes = (tuple(state.x.shape), tuple(state.x_0.shape))
            require(
                shapes == (x_T.shape,) * 2,
                f"step {place} {where}: x and x_0 have shapes {shapes}, not {tuple(x_T.shape)}",
            )
            require(
                bool(torch.isfinite(state.x).all()), f"step {place} {where}: x is not finite; divide by no sigma of 0"
            )
        levels = [(float(state.level.alpha), float(state.level.sigma)) for state in found]
        wanted = list(zip(chain.alphas[1:].tolist(), chain.sigmas[1:].tolist(), strict=True))
        require(
            levels == wanted,
            f"{where} with {len(chain)} steps it yields {len(found)} states, whose levels are not chain.level(1) to "
            f"chain.level({len(chain)}); yield State(chain.level(i + 1), ...) for i in range(len(chain))",
        )


def noise_draws(sampler: Sampler) -> None:
    """It draws noise exactly if it says so, and no draw twice."""
    asked: list[int] = []

    def noise(i: int) -> Tensor:
        asked.append(i)
        return torch.zeros(2, 1, 2, 2, dtype=torch.float64)

    x_T = torch.ones(2, 1, 2, 2, dtype=torch.float64)
    list(sampler(GaussianDenoiser(), chains()["linear"], x_T, noise))
    said = f"declares stochastic = {sampler.stochastic} and calls noise {len(asked)} times"
    require(bool(asked) == sampler.stochastic, f"{said}; declare what it does")
    twice = sorted({i for i in asked if asked.count(i) > 1})
    require(
        not twice,
        f"asks twice for noise({twice[0] if twice else ''}), which correlates two steps; use a new i each time",
    )


def moments(sampler: Sampler) -> None:
    """On normal data its images have the mean and the variance that its own formula gives."""
    for name, chain in chains().items():
        mean, variance = _exact_moments(sampler, chain)
        x = _drawn(sampler, chain)
        n, where = x.numel(), f"on the chain '{name}'"
        off = abs(float(x.mean()) - mean)
        require(
            off < 4 * math.sqrt(variance / n) + 1e-6,
            f"{where}: the mean of {n} values is {float(x.mean()):.4f}, and its formula gives {mean:.4f}",
        )
        off = abs(float(x.var()) - variance)
        require(
            off < 4 * variance * math.sqrt(2 / n),
            f"{where}: the variance of {n} values is {float(x.var()):.4f}, and its formula gives {variance:.4f}; "
            "take noise from noise(i) only, and do not compute over the batch",
        )
        together = abs(float(((x[1:] - mean) * (x[:-1] - mean)).mean()))
        require(
            together < 4 * variance / math.sqrt(n), f"{where}: images of a batch are correlated; treat each by itself"
        )


def convergence(sampler: Sampler) -> None:
    """With more steps its images come nearer to the data's mean and variance."""
    for schedule in ("linear", "cosine"):
        mean, variance = _exact_moments(sampler, Diffusion(schedule=schedule).chain("500"))
        deviation = math.sqrt(variance / VARIANCE)
        require(
            abs(mean - MEAN) < 0.005 and abs(deviation - 1) < 0.04,
            f"with 500 steps of the schedule {schedule} the mean is {mean:.3f} for {MEAN}, and the standard deviation "
            f"{deviation:.3f} times the data's; the update is wrong",
        )
        coarse = math.sqrt(_exact_moments(sampler, Diffusion(schedule=schedule).chain("10"))[1] / VARIANCE)
        errors = [abs(found - 1) for found in (coarse, deviation)]
        # What is exact on this data with any number of steps cannot come nearer.
        require(
            errors[0] > errors[1] or max(errors) < 1e-3,
            f"the error of the standard deviation is {errors[0]:.4f} with 10 steps and {errors[1]:.4f} with 500",
        )


def order(sampler: Sampler) -> None:
    """Its error falls with the number of steps as its order says."""
    declared = min(sampler.order, sampler.startup_order + 1)
    for name, data in proofs().items():
        found = slope(sampler, data)
        require(
            abs(found - declared) < 0.15,
            f"on {name} the error falls as steps^-{found:.2f}, and order {sampler.order} with startup_order "
            f"{sampler.startup_order} means {declared}; mend the update, or declare the order that it has",
        )


def stochastic_order(sampler: Sampler) -> None:
    """The variance of its images converges as its order says."""
    found = math.log2(_off(sampler, 128) / _off(sampler, 512)) / 2
    require(
        abs(found - sampler.order) < 0.25,
        f"the error of the variance falls as steps^-{found:.2f}, and order is {sampler.order}",
    )


def own_steps(sampler: Any) -> None:
    """Its error follows its tolerance, and each image has its own steps."""
    chain = chains()["linear"]
    for name, data in proofs().items():
        x_T = Stream(0, "x_T").normal(torch.arange(12), 0, (1, 1, 2)).double()
        x_T[0] = 0  # an easy one
        exact = data.flow(x_T, chain.level(0), chain.level(len(chain) - 1))
        tight = {at: dataclasses.replace(sampler, rtol=at, atol=at) for at in (1e-3, 1e-6)}
        found = {at: list(solver(data.denoiser(), chain, x_T, _no_noise)) for at, solver in tight.items()}
        ends = [run[-1] for run in found.values()]
        require(all(float(end.level.sigma) == 0 for end in ends), f"on {name} it does not end at the clean level")
        errors = [float((run[0].x - exact).abs().max()) for run in found.values()]
        require(
            errors[1] < 1e-4 < 100 * errors[1] < errors[0],
            f"on {name} the errors at tolerances 1e-3 and 1e-6 are {errors[0]:.1e} and {errors[1]:.1e}",
        )
        counts = [_counted(end) for end in ends]
        require(bool((counts[1] > counts[0]).all()), f"on {name} a lower tolerance takes no more evaluations")
        some = [7, 2, 11]
        alone = list(tight[1e-6](data.denoiser(), chain, x_T[some], _no_noise))[-1]
        same = torch.allclose(alone.x, ends[1].x[some], rtol=0, atol=1e-9) and torch.equal(
            _counted(alone), counts[1][some]
        )
        require(
            same, f"on {name} an image changes with the others of its batch; control the error of each image by itself"
        )
        require(counts[1].unique().numel() > 1, f"on {name} all images take the same steps; choose them for each image")


def cuts(sampler: Sampler) -> None:
    """Its bytes do not depend on how the images are divided into batches."""
    convolution, diffusion = Convolution(), Diffusion(timesteps=100)

    def drawn(*parts: Sequence[int]) -> np.ndarray:
        found = []
        for part in parts:
            known = ModelDenoiser.of(diffusion, convolution, off_grid="interpolate")
            model = KnownErrorDenoiser(known, np.array([-5.0, 3.0]), np.array([0.01, 0.2]))
            x = sample(sampler, model, diffusion.chain("4"), index=part, shape=(1, 6, 6), seed=3, micro_batch=5)
            found.append(x.numpy())
        return np.concatenate(found)

    whole = drawn(range(23))
    cut = {
        "drawn again": drawn(range(23)),
        "three batches": drawn(range(8), range(8, 16), range(16, 23)),
        "six batches": drawn(*(range(start, min(start + 4, 23)) for start in range(0, 23, 4))),
    }
    for name, images in cut.items():
        require(
            images.tobytes() == whole.tobytes(), f"{name}: other bytes; keep nothing between calls, use noise(i) only"
        )
    some = [21, 0, 13, 13, 7, 2, 19]
    require(drawn(some).tobytes() == whole[some].tobytes(), "images depend on the others of their batch")
    require(len({image.tobytes() for image in whole}) == 23, "several images are equal; each must follow its own x_T")
    require(convolution.shapes == {(5, 1, 6, 6)}, "calls the denoiser with another batch than it was given")


class Convolution:
    """A network whose float result for one image may depend on the shape of its batch, as real ones do."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inner = torch.randn(32, 1, 3, 3, generator=generator) / 3
        self.outer = torch.randn(1, 32, 3, 3, generator=generator) / 17
        self.shapes: set[tuple[int, ...]] = set()

    def __call__(self, x: Tensor, t: Tensor, y: Tensor | None, low_res: Tensor | None) -> Tensor:
        self.shapes.add(tuple(x.shape))
        h = torch.nn.functional.conv2d(x, self.inner, padding=1) + 0.001 * t[:, None, None, None]
        return torch.nn.functional.conv2d(torch.nn.functional.silu(h), self.outer, padding=1)


def slope(sampler: Sampler, data: Any, counts: tuple[int, int] = (64, 256)) -> float:
    """Return the exponent with which the error falls between two noise levels of a continuous schedule.

    One more noisy level follows: a sampler may lower the order of its very last steps, where little noise is left.
    """
    noisiest, cleanest = 2.0, 0.05
    x_T = Stream(0, "x_T").normal(torch.arange(16), 0, (1, 1, 2)).double()
    errors = []
    for steps in counts:
        noise = noisiest * (cleanest / noisiest) ** (torch.arange(steps + 2).double() / steps)
        alphas = (1 + noise**2).rsqrt()
        chain = Chain(alphas, noise * alphas)
        *_, state, _, _ = sampler(data.denoiser(), chain, x_T, _no_noise)
        exact = data.flow(x_T, chain.level(0), chain.level(steps))
        errors.append(float((state.x - exact).pow(2).mean().sqrt()))
    return math.log(errors[0] / errors[1]) / math.log(counts[1] / counts[0])


def _off(sampler: Sampler, steps: int) -> float:
    """Return how far the deviations that a sampler ends with are from the data's, for three variances; exactly."""
    variance = torch.tensor([0.05, 0.2, 0.6]).double().reshape(1, 1, 3)
    noise = torch.logspace(math.log10(20), -3, steps, dtype=torch.float64)
    alphas = (1 + noise**2).rsqrt()
    denoiser = GaussianDenoiser(0.0, variance, 1.0)
    found = exact_outcome(sampler, denoiser, Chain(alphas, noise * alphas), (1, 1, 3)).variance
    return float((found.sqrt() - variance.sqrt()).norm())


def _exact_moments(sampler: Sampler, chain: Chain) -> tuple[float, float]:
    """Return mean and variance of the sampler's result on normal data, exactly. Raises: NotJudgedError."""
    try:
        outcome = exact_outcome(sampler, GaussianDenoiser(MEAN, VARIANCE, 0.4), chain, (1, 1, 1))
    except NotAffineError:
        raise NotJudgedError(
            "its step is not linear in x (it clips, for example), so its moments are not known"
        ) from None
    return float(outcome.mean), float(outcome.variance)


def _drawn(sampler: Sampler, chain: Chain) -> Tensor:
    """Return images of normal data in float64, by `sample` if noise is drawn."""
    denoiser, shape = GaussianDenoiser(MEAN, VARIANCE, 0.4), (1, 2, 2)
    if sampler.stochastic:
        drawn = sample(sampler, denoiser, chain, index=range(NUM_IMAGES), shape=shape, seed=1, micro_batch=1000)
        return drawn.double()
    # In float64: cosine starts at sigma 2e4, from where differences of eps in float32 grow to a tenth of the image.
    x_T = Stream(1, "x_T").normal(torch.arange(NUM_IMAGES), 0, shape).double()
    x_T = x_T * (chain.alphas[0] ** 2 + chain.sigmas[0] ** 2).sqrt()
    *_, last = sampler(denoiser, chain, x_T, _no_noise)
    return last.x


def _no_noise(i: int) -> Tensor:
    raise BrokenError(f"asks for noise({i}), and declares stochastic = False")


def _normals(seed: int, index: Tensor) -> Callable[[int], Tensor]:
    stream = Stream(seed, "step")
    return lambda i: stream.normal(index, i, (1, 2, 2)).double()


def _counted(state: State) -> Tensor:
    if state.nfe is None:
        raise BrokenError(
            "an adaptive sampler yields State(level, x, x_0, nfe) with each image's number of evaluations"
        )
    return state.nfe

"""Sample sets: image k is a function of (denoiser, sampler, chain, seed, k), however the work is cut.

A network's output for one image depends, in its last bits, on the shape of the batch. So every batch is padded to one
micro-batch size, and noise comes from streams that are addressed by k.
"""

import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.memory import is_out_of_memory
from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.micro_batches import micro_batches
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level, over
from diffbench.samplers._contract import Noise, Sampler, State

Conditions = Callable[[Int[Tensor, " batch"]], Condition]
"""conditions(index) says what the images of these indices are to be."""


ASKED_EVERY = 50
"""After so many steps on a GPU, the host looks whether all values are finite."""

NEVER = 2**31 - 1


def sample(
    sampler: Sampler,
    denoiser: Denoiser,
    chain: Chain,
    *,
    index: Sequence[int] | Int[Tensor, " batch"],
    shape: tuple[int, int, int],
    seed: int | str,
    micro_batch: int,
    conditions: Conditions | None = None,
    device: torch.device | str = "cpu",
    on_step: Callable[[State], None] | None = None,
) -> X:
    """Return the images of the given indices: floats, nominally in [-1, 1], (channel, height, width) = shape.

    However the indices are divided into calls, the bytes are the same on one machine and thread count.
    Raises: UserError if the sampler returns something that is not finite or has another shape.
    """
    index = torch.as_tensor(index)
    done = []
    for place, padded in micro_batches(index, micro_batch):
        x = sample_batch(
            sampler,
            denoiser,
            chain,
            index=padded,
            shape=shape,
            seed=seed,
            conditions=conditions,
            device=device,
            on_step=on_step,
        )
        done.append(x[: place.stop - place.start])
    return torch.cat(done)


@torch.no_grad()
def sample_batch(
    sampler: Sampler,
    denoiser: Denoiser,
    chain: Chain,
    *,
    index: Int[Tensor, " batch"],
    shape: tuple[int, int, int],
    seed: int | str,
    conditions: Conditions | None = None,
    device: torch.device | str = "cpu",
    on_step: Callable[[State], None] | None = None,
) -> X:
    """Return the images of the given indices, drawn in one batch; all is as in `sample`."""
    stream = Stream(seed, "step", device)
    x_T = starts(chain, index=index, shape=shape, seed=seed, device=device)
    own = None if conditions is None else conditions(index).to(device)

    def conditioned(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        return denoiser(x, level, condition or own)

    return walked(sampler, conditioned, chain, x_T, lambda i: stream.normal(index, i, shape), on_step)


def starts(
    chain: Chain,
    *,
    index: Int[Tensor, " batch"],
    shape: tuple[int, int, int],
    seed: int | str,
    device: torch.device | str = "cpu",
) -> X:
    """Return the x_T from which the images of the given indices start; the arguments are those of `sample`."""
    start = Stream(seed, "x_T", device).normal(index, 0, shape)
    # At the noisiest level alpha^2 + sigma^2 is 1 in a variance-preserving chain, and far from 1 in others.
    first = chain.level(0)
    return over((first.alpha**2 + first.sigma**2).sqrt(), start) * start


def walked(
    sampler: Sampler,
    denoiser: Denoiser,
    chain: Chain,
    x_T: X,
    noise: Noise,
    on_step: Callable[[State], None] | None = None,
) -> X:
    """Return where a sampler ends from x_T, at the clean level.

    Raises: UserError if it fails, or if it returns something that is not finite, has another shape, or is not clean.
    """
    name = type(sampler).__name__
    x, reached = x_T, chain.level(0)
    first_bad = torch.full((), NEVER, device=x_T.device)
    for number, state in enumerate(_guarded(name, sampler(denoiser, chain, x_T, noise))):
        x, reached = state.x, state.level
        if x.shape != x_T.shape:
            raise UserError(f"sampler {name}: step {number} returned {tuple(x.shape)} for {tuple(x_T.shape)}")
        first_bad = torch.where(torch.isfinite(x).all() | (first_bad < number), first_bad, number)
        # The host waits for a GPU's answer, so it asks a GPU now and then, and the CPU each time.
        if x.device.type == "cpu" or number % ASKED_EVERY == ASKED_EVERY - 1:
            _require_finite(name, first_bad)
        if on_step is not None:
            on_step(state)
    _require_finite(name, first_bad)
    if bool((reached.sigma != 0).any()):
        sigma = float(reached.sigma.max())
        raise UserError(f"sampler {name}: it stopped before the clean level, at sigma {sigma:.3g}")
    return x


def _require_finite(name: str, first_bad: Int[Tensor, ""]) -> None:
    """Raise UserError if there was a step after which not all values were finite."""
    number = int(first_bad)
    if number != NEVER:
        raise UserError(f"sampler {name}: step {number} returned values that are not finite")


def _guarded(name: str, states: Iterable[State]) -> Iterator[State]:
    """Yield a sampler's states. What it raises, or yields instead of a State, becomes one line with step and place."""
    number = 0
    try:
        for number, state in enumerate(states):
            if not isinstance(state, State):
                raise UserError(f"sampler {name}: step {number} yielded {type(state).__name__}, not a State")
            yield state
    except UserError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        raise UserError(f"sampler {name}: step {number}: {type(error).__name__}: {error} ({place})") from error

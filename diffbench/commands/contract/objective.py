"""Checks of an objective: a loss an image, its gradient, the steps that it draws and their weights."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from diffbench.base.seeds import Stream
from diffbench.commands.contract.check import BrokenError, Check, require, require_frozen
from diffbench.diffusion.batch import Objective, PredictedBatch
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.parameterization import PARAMETERIZATIONS
from diffbench.diffusion.process import noised

TIMESTEPS = 50
STEPS = (0, 10, 25, 40, 48, 49)
"""The steps of the images of a batch; 0 is the noisiest, 49 the last."""

DRAWS, LENGTH = 20_000, 10
CHI_SQUARED = 33.8
"""The quantile of chi squared with 9 degrees of freedom at 1e-4."""


class Affine(nn.Module):
    """A network of one or two parameters."""

    def __init__(self, learns_variance: bool):
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(0.3))
        self.variance = nn.Parameter(torch.tensor(0.1)) if learns_variance else None

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None, low_res: Tensor | None) -> Tensor:
        """Return multiples of x."""
        return self.mean * x if self.variance is None else torch.cat([self.mean * x, self.variance * x], dim=1)


def predicted(objective: Objective, parameterization: str = "eps", noise: int = 0) -> tuple[PredictedBatch, Affine]:
    """Return a batch with a network's prediction, and the network. noise: the seed of the last image's pixels."""
    learns = objective.needs_variance is True
    variance = "learned_range" if learns else "fixed_large"
    diffusion = Diffusion(timesteps=TIMESTEPS, parameterization=parameterization, variance=variance)  # pyright: ignore[reportArgumentType]
    network, chain = Affine(learns), diffusion.chain()
    generator = torch.Generator().manual_seed(0)
    x_0 = torch.randint(0, 17, (len(STEPS), 1, 3, 3), generator=generator) / 8 - 1
    eps = torch.randn(x_0.shape, generator=generator)
    if noise:
        eps[-1] = torch.randn(eps[-1].shape, generator=torch.Generator().manual_seed(noise))
    i = torch.tensor(STEPS)
    x_t = noised(x_0, chain.level(i), eps)
    prediction = ModelDenoiser.of(diffusion, network)(x_t, chain.level(i))
    form = PARAMETERIZATIONS[parameterization]
    return PredictedBatch(chain, i, x_0, x_t, eps, prediction=prediction, form=form, levels=17), network


def checks(objective: Objective) -> Sequence[Check]:
    """Return the checks of every objective."""
    return declarations, losses, alone, gradients, steps


def declarations(objective: Objective) -> None:
    """It is a frozen dataclass, an Objective, and declares whether it needs a learned variance."""
    require_frozen(objective)
    require(isinstance(objective, Objective), "does not inherit from diffbench.Objective, whose methods training calls")
    needs = objective.needs_variance
    require(needs in (True, False, None), f"needs_variance = {needs!r}; it must be True, False or None (either)")


def losses(objective: Objective) -> None:
    """It returns a finite loss for each image, whatever the network predicts."""
    for name in PARAMETERIZATIONS:
        loss = objective(predicted(objective, name)[0])
        where = f"for a network that predicts {name}"
        require(
            tuple(loss.shape) == (len(STEPS),),
            f"{where} the loss has shape {tuple(loss.shape)}; return one number for each image",
        )
        bad = torch.nonzero(~torch.isfinite(loss)).flatten().tolist()
        require(not bad, f"{where} the loss at step {[STEPS[k] for k in bad]} of {TIMESTEPS} is not finite")


def alone(objective: Objective) -> None:
    """The loss of an image does not depend on the others of its batch."""
    one, other = (objective(predicted(objective, noise=seed)[0]) for seed in (1, 2))
    require(
        torch.equal(one[:-1], other[:-1]),
        "another last image changes the losses of the others; use no mean over the batch",
    )
    require(bool(one[-1] != other[-1]), "the loss of an image does not depend on its noise")


def gradients(objective: Objective) -> None:
    """Its gradient is finite and reaches every parameter of the network."""
    for name in PARAMETERIZATIONS:
        batch, network = predicted(objective, name)
        objective(batch).mean().backward()
        for parameter, held in network.named_parameters():
            found = held.grad
            said = f"for a network that predicts {name}, the gradient of its {parameter} is {found}"
            require(found is not None and bool(torch.isfinite(found)) and bool(found != 0), f"{said}; detach less")


def steps(objective: Objective) -> None:
    """Its steps are drawn with the probabilities that it gives, by the draw alone, and weighted by 1 / (T p)."""
    stream, index, state = Stream(0, "train"), torch.arange(DRAWS), objective.start(LENGTH)
    p = objective.probabilities(state)
    p = torch.full((LENGTH,), 1 / LENGTH, dtype=torch.float64) if p is None else p
    require(tuple(p.shape) == (LENGTH,) and bool((p > 0).all()), "probabilities must be positive, one for each step")
    require(abs(float(p.sum()) - 1) < 1e-9, f"the probabilities of the steps sum to {float(p.sum()):.6f}")
    i, weight = objective.steps(stream, index, 3, LENGTH, state)
    again = objective.steps(Stream(0, "train"), index, 3, LENGTH, state)[0]
    require(torch.equal(i, again), "the same draw gives other steps; take numbers from the stream only")
    require(
        not torch.equal(i, objective.steps(stream, index, 4, LENGTH, state)[0]), "another draw gives the same steps"
    )
    if int(i.min()) < 0 or int(i.max()) >= LENGTH:
        raise BrokenError(
            f"draws steps from {int(i.min())} to {int(i.max())}; a chain of {LENGTH} has 0 to {LENGTH - 1}"
        )
    expected = DRAWS * p
    counts = torch.bincount(i, minlength=LENGTH).double()
    require(
        float(((counts - expected) ** 2 / expected).sum()) < CHI_SQUARED, "steps are not drawn with its probabilities"
    )
    require(
        torch.allclose(weight, 1 / (LENGTH * p[i])), "weights are not 1 / (T p), so the mean loss is another quantity"
    )

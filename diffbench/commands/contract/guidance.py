"""Checks of a kind of guidance: its scale, its predictions, and that each image is guided by itself."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from diffbench.commands.contract.check import Check, require, require_declared, require_frozen
from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import Level, respaced_chain
from diffbench.guidance._contract import Guidance

BATCH = 3


def level() -> Level:
    """Return a level in the middle of the linear schedule."""
    return respaced_chain("linear", 1000, "10").level(4)


def labelled(x: Tensor, level: Level, condition: Condition | None = None) -> Prediction:
    """Return the prediction of a model whose images of class y have the mean y / 10; without a label, -1/10."""
    y = torch.full((len(x),), -1) if condition is None or condition.y is None else condition.y
    x_0 = 0.1 * y.reshape(-1, 1, 1, 1).to(x) + 0.2 * x
    eps = (x - level.alpha.to(x) * x_0) / level.sigma.to(x)
    return Prediction(x_0=x_0, eps=eps, variance_fraction=torch.full_like(x, 0.4))


def pull(x: Tensor, level: Level, condition: Condition | None) -> Tensor:
    """Return the gradient of a classifier that likes images of the mean y."""
    y = torch.zeros(len(x)) if condition is None or condition.y is None else condition.y
    return y.reshape(-1, 1, 1, 1).to(x) - x


def guided(guidance: Guidance, *, applies_gradient: bool = False) -> Denoiser:
    """Return the guided stand-in model."""
    gradient = pull if guidance.needs_classifier else None
    return guidance(labelled, gradient, applies_gradient=applies_gradient)


def given(n: int = BATCH) -> tuple[Tensor, Condition]:
    """Return images and their labels."""
    x = torch.randn(n, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x, Condition(y=torch.arange(n) % 3 + 1)


def checks(guidance: Guidance) -> Sequence[Check]:
    """Return the checks of every kind of guidance."""
    return declarations, no_guidance, more_guidance, consistent, alone


def declarations(guidance: Guidance) -> None:
    """It is a frozen dataclass with a field `scale`, and declares whether it needs a classifier."""
    require_frozen(guidance)
    fields = {item.name for item in dataclasses.fields(guidance)}  # pyright: ignore[reportArgumentType]
    require(
        "scale" in fields, "scale is no field; write `scale: float = 1.0`, because a benchmark may list several scales"
    )
    require_declared(guidance, needs_classifier=bool, before_clipping=bool)


def no_guidance(guidance: Guidance) -> None:
    """At scale 0, or at scale 1 for rules that mix two predictions, it changes nothing."""
    x, condition = given()
    plain = labelled(x, level(), condition)
    off = {}
    for scale in (0.0,) if guidance.needs_classifier else (0.0, 1.0):
        found = guided(_scaled(guidance, scale))(x, level(), condition)
        off[scale] = float((found.x_0 - plain.x_0).abs().max())
    nearest = min(off, key=lambda scale: off[scale])
    require(
        off[nearest] < 1e-9, f"at scale {nearest:g} x_0 changes by {off[nearest]:.2g}; a scale must mean no guidance"
    )


def more_guidance(guidance: Guidance) -> None:
    """A larger scale moves the prediction further, or gives the sampler a larger gradient."""
    x, condition = given()
    plain = labelled(x, level(), condition)
    for applies in (False, True):
        moved = []
        for scale in (2.0, 4.0):
            found = guided(_scaled(guidance, scale), applies_gradient=applies)(x, level(), condition)
            push = 0.0 if found.gradient is None else float(found.gradient.abs().mean())
            moved.append(float((found.eps - plain.eps).abs().mean()) + push)
        said = f"applies_gradient = {applies}: scales 2 and 4 move the prediction by {moved[0]:.3g} and {moved[1]:.3g}"
        require(0 < moved[0] < moved[1], said)


def consistent(guidance: Guidance) -> None:
    """Its x_0 and its eps say the same about x: alpha x_0 + sigma eps = x."""
    x, condition = given()
    here = level()
    for applies in (False, True):
        found = guided(_scaled(guidance, 3.0), applies_gradient=applies)(x, here, condition)
        back = here.alpha * found.x_0 + here.sigma * found.eps
        off = float((back - x).abs().max())
        require(
            off < 1e-9, f"alpha x_0 + sigma eps misses x by {off:.2g}; change both, by diffbench.with_eps or with_x_0"
        )
        require(
            found.x_0.shape == x.shape and found.x_0.dtype == x.dtype,
            f"x_0 is {found.x_0.dtype}{tuple(found.x_0.shape)}",
        )
        require(bool(torch.isfinite(found.x_0).all()), "x_0 is not finite")


def alone(guidance: Guidance) -> None:
    """The prediction for an image does not depend on the others of its batch."""
    x, condition = given()
    denoiser = guided(_scaled(guidance, 3.0))
    whole = denoiser(x, level(), condition).x_0
    assert condition.y is not None
    one = torch.cat([denoiser(x[k : k + 1], level(), Condition(y=condition.y[k : k + 1])).x_0 for k in range(BATCH)])
    off = float((whole - one).abs().max())
    require(off < 1e-9, f"alone, an image gives another x_0 (by {off:.2g}); take no mean or norm over the batch")


def _scaled(guidance: Guidance, scale: float) -> Guidance:
    part: Any = guidance
    return dataclasses.replace(part, scale=scale)

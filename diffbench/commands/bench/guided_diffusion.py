"""The training step and the sampling step of guided-diffusion, from a local checkout of its code.

The checkout's own U-Net, diffusion, loss scaling and average do the work; what its training loop does around them
(one micro-batch, no logging) is done here, because the loop itself needs MPI. Nothing of it is part of diffbench.
Source: Dhariwal and Nichol 2021, https://github.com/openai/guided-diffusion.
"""

import copy
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.benchmark.entries import Model
from diffbench.commands.plan.data import Known
from diffbench.commands.steps import shape_of
from diffbench.networks.unet import Unet
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb

MODULES = ("unet", "script_util", "fp16_util", "nn", "logger")

FIXED = {
    "norm_groups": 32,
    "null_label": False,
    "time_embedding": "cos_sin",
    "downsample_padding": "symmetric",
    "norm_eps": 1e-5,
}
"""Settings of a U-Net that guided-diffusion does not have, with what it does."""


@dataclass(frozen=True)
class Checkout:
    """The modules of guided-diffusion that are used."""

    unet: Any
    script_util: Any
    fp16_util: Any
    nn: Any
    logger: Any


def loaded(path: Path) -> Checkout:
    """Return the modules of a checkout. Its code is run. Raises: UserError if it is not one of guided-diffusion."""
    package = path / "guided_diffusion"
    missing = [name for name in MODULES if not (package / f"{name}.py").is_file()]
    if missing:
        raise UserError(
            f"--against {path}: not a checkout of guided-diffusion, for it has no guided_diffusion/{missing[0]}.py; "
            "git clone https://github.com/openai/guided-diffusion, and name the folder"
        )
    sys.path.insert(0, str(path.resolve()))
    try:
        found = [importlib.import_module(f"guided_diffusion.{name}") for name in MODULES]
    except Exception as error:
        raise UserError(f"--against {path}: cannot be imported ({type(error).__name__}: {error})") from error
    finally:
        sys.path.pop(0)
    return _quiet(Checkout(*found), path)


def _quiet(found: Checkout, path: Path) -> Checkout:
    """Return a checkout whose logger writes nothing. Raises: UserError if it lacks what is used of it."""
    uses = [("unet", "UNetModel"), ("script_util", "create_gaussian_diffusion"), ("nn", "update_ema")]
    for module, name in [*uses, ("fp16_util", "MixedPrecisionTrainer"), ("logger", "Logger")]:
        if not hasattr(getattr(found, module), name):
            raise UserError(f"--against {path}: not guided-diffusion, for guided_diffusion.{module} has no {name}")
    found.logger.Logger.CURRENT = found.logger.Logger(dir=None, output_formats=[])
    return found


def unlike(model: Model) -> str | None:
    """Return why guided-diffusion cannot do what a model's entry says; None if it can."""
    network, process = model.network, model.diffusion
    if type(network) is not Unet:
        return f"its network is {model.network_name}, not unet"
    for name, value in FIXED.items():
        if getattr(network, name) != value:
            return f"its {name} is {getattr(network, name)}, and guided-diffusion's is {value}"
    if process.schedule not in ("linear", "cosine"):
        return f"guided-diffusion has no schedule {process.schedule}"
    if process.parameterization not in ("eps", "x_0") or process.variance == "learned_diagonal":
        return f"guided-diffusion has no flag for {process.parameterization} with {process.variance}"
    if model.low_size is not None:
        return "it is an upsampler"
    return None if model.objective is None else _unlike_objective(model)


def _unlike_objective(model: Model) -> str | None:
    compared = model.objective
    if type(compared) not in (Simple, Hybrid, Vlb):
        return f"guided-diffusion has no objective {model.objective_name}"
    if isinstance(compared, Hybrid) and compared.vlb_weight != 0.001:
        return f"its vlb_weight is {compared.vlb_weight}, and guided-diffusion's is 0.001"
    if compared.loss_aware is not None:
        return "it draws timesteps by their loss, and the step that is compared draws them uniformly"
    return None


def network_of(checkout: Checkout, model: Model, known: Known, own: nn.Module, *, fp16: bool = False) -> nn.Module:
    """Return guided-diffusion's network with the settings of a model's entry and the weights of its own network.

    fp16: whether it computes in half precision, on a GPU.
    """
    settings, shape = model.network, shape_of(model, known)
    theirs = checkout.unet.UNetModel(
        image_size=shape[1],
        in_channels=shape[0],
        model_channels=settings.channels,
        out_channels=shape[0] * (2 if model.diffusion.learns_variance else 1),
        num_res_blocks=settings.residual_blocks,
        attention_resolutions=tuple(shape[1] // size for size in settings.attention_resolutions),
        dropout=settings.dropout,
        channel_mult=settings.channel_multipliers,
        num_classes=known.num_classes if settings.class_conditional else None,
        use_fp16=fp16,
        num_heads=settings.heads,
        num_head_channels=settings.head_channels or -1,
        use_scale_shift_norm=settings.scale_shift,
        resblock_updown=settings.residual_resampling,
        use_new_attention_order=settings.new_attention_order,
    )
    theirs.load_state_dict(own.state_dict())
    return theirs.to(next(own.parameters()).device)


@torch.no_grad()
def difference(own: nn.Module, theirs: nn.Module, model: Model, known: Known) -> float:
    """Return the largest difference of two networks' outputs, relative to the largest output."""
    device = next(own.parameters()).device
    draws = torch.Generator(device).manual_seed(0)
    x = torch.randn(2, *shape_of(model, known), device=device, generator=draws)
    t = torch.tensor([1.0, 500.0], device=device)
    y = torch.zeros(2, dtype=torch.int64, device=device) if model.network.class_conditional else None
    first, second = own.eval()(x, t, y, None), theirs.eval()(x, t, y)
    return float((first - second).abs().max() / first.abs().max())


def diffusion_of(checkout: Checkout, model: Model) -> Any:
    """Return guided-diffusion's process and loss with the settings of a model's entry."""
    process = model.diffusion
    return checkout.script_util.create_gaussian_diffusion(
        steps=process.timesteps,
        learn_sigma=process.learns_variance,
        sigma_small=process.variance == "fixed_small",
        noise_schedule=process.schedule,
        use_kl=isinstance(model.objective, Vlb),
        predict_xstart=process.parameterization == "x_0",
        rescale_timesteps=process.rescale_timesteps,
        rescale_learned_sigmas=isinstance(model.objective, Hybrid),
    )


def training_step(
    checkout: Checkout, model: Model, known: Known, theirs: nn.Module, batch: int, *, fp16: bool = False
) -> Callable[[], None]:
    """Return a function that takes a training step of guided-diffusion on black images."""
    device, diffusion = next(theirs.parameters()).device, diffusion_of(checkout, model)
    trainer = checkout.fp16_util.MixedPrecisionTrainer(model=theirs.train(), use_fp16=fp16)
    settings = model.training
    optimiser = torch.optim.AdamW(trainer.master_params, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    average = copy.deepcopy(trainer.master_params)
    images = torch.full((batch, *shape_of(model, known)), -1.0)
    labels = {"y": torch.zeros(batch, dtype=torch.int64)} if model.network.class_conditional else {}

    def step() -> None:
        theirs.train()
        trainer.zero_grad()
        given = {name: value.to(device) for name, value in labels.items()}
        t = torch.randint(model.diffusion.timesteps, (batch,)).to(device)
        losses = diffusion.training_losses(theirs, images.to(device), t, model_kwargs=given)
        trainer.backward(losses["loss"].mean())
        if trainer.optimize(optimiser):
            checkout.nn.update_ema(average, trainer.master_params, rate=settings.ema_decay)

    return step


def sampling_step(checkout: Checkout, model: Model, known: Known, theirs: nn.Module, batch: int) -> Callable[[], None]:
    """Return a function that takes a step of guided-diffusion's ancestral sampling, from noise on in all steps.

    Its own loop is a generator that leaves gradients switched off for whoever called it, so its step is called here.
    """
    device, diffusion, steps = (
        next(theirs.parameters()).device,
        diffusion_of(checkout, model),
        model.diffusion.timesteps,
    )
    labels = {"y": torch.zeros(batch, dtype=torch.int64, device=device)} if model.network.class_conditional else {}
    x, i = torch.randn(batch, *shape_of(model, known), device=device), steps

    @torch.no_grad()
    def step() -> None:
        nonlocal x, i
        i = (i or steps) - 1
        t = torch.tensor([i] * batch, device=device)
        x = diffusion.p_sample(theirs.eval(), x, t, clip_denoised=True, model_kwargs=labels)["sample"]

    return step

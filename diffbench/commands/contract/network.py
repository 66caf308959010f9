"""Checks of a network: its output, its gradients, its independence of the batch, its weights on disk."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.base.meta import without_values
from diffbench.commands.contract.check import (
    BrokenError,
    Check,
    NotJudgedError,
    require,
    require_declared,
    require_frozen,
)
from diffbench.networks._contract import NetworkSettings
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row

SHAPES = ((1, 8, 8), (3, 32, 32), (1, 28, 28), (3, 64, 64))
"""Images for which a network may be made; the first that it accepts is used."""

CLASSES, BATCH = 10, 5

TOLERANCE = 1e-4
"""How far an output may differ between batches, relative to the largest output."""


@dataclass(frozen=True)
class Trial:
    """A network for images of one shape."""

    settings: NetworkSettings
    shape: tuple[int, int, int]
    learns_variance: bool = False

    @classmethod
    def of(cls, settings: NetworkSettings) -> "Trial":
        """Return the trial of the first shape that the settings accept. Raises: BrokenError if they accept none."""
        reasons = []
        for shape in SHAPES:
            try:
                cls(settings, shape).built()
                return cls(settings, shape)
            except UserError as error:
                reasons.append(str(error))
        raise BrokenError(f"is built for no image of {', '.join(map(str, SHAPES))}: {reasons[-1]}")

    def built(self) -> nn.Module:
        """Return the module with its fresh weights."""
        settings = self.settings
        if settings.classifies:
            return settings.build(self.shape, CLASSES)  # pyright: ignore[reportCallIssue]  (a classifier learns no variance)
        return settings.build(self.shape, CLASSES if settings.class_conditional else None, self.learns_variance)

    def trained(self) -> nn.Module:
        """Return the module with weights that no longer give zeros, as last layers often do at first."""
        torch.manual_seed(0)
        module = self.built().eval()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape))
        return module

    def inputs(self, n: int = BATCH) -> tuple[Tensor, ...]:
        """Return x, t and, for a model, labels and low-resolution images, which are None if it takes none."""
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(n, *self.shape, generator=generator)
        t = torch.linspace(0, 999, n)
        if self.settings.classifies:
            return x, t
        y = torch.arange(n) % CLASSES if self.settings.class_conditional else None
        channels, height, width = self.shape
        low = torch.rand(n, channels, height // 2, width // 2, generator=generator) if self.settings.upsamples else None
        return x, t, y, low  # pyright: ignore[reportReturnType]  (None where a network takes none)


def checks(settings: NetworkSettings) -> Sequence[Check]:
    """Return the checks that apply to a network."""
    found: list[Check] = [declarations, output, repeated, batch_alone, timestep, gradients, weights, seeded, operations]
    if settings.class_conditional and not settings.classifies:
        found.append(labels)
    return found


def declarations(settings: NetworkSettings) -> None:
    """It is a frozen dataclass that declares what it is given."""
    require_frozen(settings)
    require_declared(settings, class_conditional=bool, null_label=bool, upsamples=bool, classifies=bool)
    require(isinstance(Trial.of(settings).built(), nn.Module), "build must return a torch.nn.Module")


def output(settings: NetworkSettings) -> None:
    """Its output has the shape of x, with twice the channels if it learns the variance."""
    trial = Trial.of(settings)
    for learns in (False,) if settings.classifies else (False, True):
        own = Trial(settings, trial.shape, learns)
        found = own.trained()(*own.inputs())
        channels, *sides = trial.shape
        wanted = (BATCH, CLASSES) if settings.classifies else (BATCH, channels * (1 + learns), *sides)
        given = f"x of {(BATCH, *trial.shape)} with learns_variance = {learns}"
        require(tuple(found.shape) == wanted, f"{given} gives {tuple(found.shape)}; {wanted} is wanted")
        require(found.dtype == torch.float32, f"{given} gives {found.dtype}; float32 is wanted")
        require(bool(torch.isfinite(found).all()), f"{given} gives numbers that are not finite")


def repeated(settings: NetworkSettings) -> None:
    """The same input gives the same output."""
    trial = Trial.of(settings)
    module = trial.trained()
    require(
        torch.equal(module(*trial.inputs()), module(*trial.inputs())),
        "two calls differ in eval mode; draw nothing in forward, and let dropout follow self.training",
    )


def batch_alone(settings: NetworkSettings) -> None:
    """The output for an image does not depend on the others of its batch."""
    trial = Trial.of(settings)
    module, given = trial.trained(), trial.inputs()
    with torch.no_grad():
        whole = module(*given)
        alone = torch.cat(
            [module(*(None if part is None else part[k : k + 1] for part in given)) for k in range(BATCH)]
        )
    off = float((whole - alone).abs().max() / whole.abs().max().clamp(min=1e-12))
    require(
        off < TOLERANCE,
        f"alone, an image gives another output (by {off:.1e}); use no batch norm, nor means over the batch",
    )


def timestep(settings: NetworkSettings) -> None:
    """The output depends on the timestep."""
    trial = Trial.of(settings)
    x, t, *rest = trial.inputs()
    module = trial.trained()
    require(
        not torch.equal(module(x, t, *rest), module(x, 0 * t + 500, *rest)),
        "t changes nothing; a model must know the noise",
    )


def labels(settings: NetworkSettings) -> None:
    """The output depends on the label."""
    trial = Trial.of(settings)
    x, t, y, low = trial.inputs()
    module = trial.trained()
    require(
        not torch.equal(module(x, t, y, low), module(x, t, y.flip(0), low)),
        "y changes nothing, and class_conditional is True",
    )


def gradients(settings: NetworkSettings) -> None:
    """Every parameter gets a finite gradient, and so does x."""
    trial = Trial.of(settings)
    module, given = trial.trained(), trial.inputs()
    given[0].requires_grad_(True)
    module(*given).square().sum().backward()
    named = [*module.named_parameters(), ("the input x", given[0])]
    without = [name for name, held in named if held.grad is None or not bool(held.grad.any())]
    require(not without, f"{len(without)} get no gradient, the first is {without[:1]}; use it in forward, or remove it")
    broken = [name for name, held in named if held.grad is not None and not bool(torch.isfinite(held.grad).all())]
    require(not broken, f"the gradient of {broken[:1]} is not finite")


def weights(settings: NetworkSettings) -> None:
    """Its weights survive a file: another network that loads them gives the same output."""
    trial = Trial.of(settings)
    module, other = trial.trained(), trial.built().eval()
    state = {name: tensor.detach().contiguous() for name, tensor in module.state_dict().items()}
    pointers = [tensor.data_ptr() for tensor in state.values() if tensor.numel()]
    require(len(set(pointers)) == len(pointers), "two entries of the state dict are one tensor; register it once")
    other.load_state_dict(load(save(state)))
    same = torch.equal(module(*trial.inputs()), other(*trial.inputs()))
    require(same, "after load_state_dict the output differs; keep everything that matters in parameters and buffers")


def seeded(settings: NetworkSettings) -> None:
    """The same seed gives the same first weights."""
    trial, states = Trial.of(settings), []
    for _ in range(2):
        torch.manual_seed(3)
        states.append(trial.built().state_dict())
    other = [name for name, tensor in states[0].items() if not torch.equal(tensor, states[1][name])]
    require(not other, f"{other[:1]} differs under the same torch.manual_seed; draw weights from torch only")


def operations(settings: NetworkSettings) -> None:
    """It can be built without values, and its operations can be counted."""
    trial = Trial.of(settings)
    with without_values():
        module = trial.built()
    place = torch.device("meta")
    if settings.classifies:
        count = classifier_flops_per_row(module, trial.shape, with_gradient=False, device=place)
    else:
        channels, height, width = trial.shape
        low = (channels, height // 2, width // 2) if settings.upsamples else None
        conditional = settings.class_conditional
        count = flops_per_row(module, trial.shape, conditional=conditional, low_shape=low, device=place)
    if count == 0:
        raise NotJudgedError("no operation was counted (only matrix products and convolutions are)")

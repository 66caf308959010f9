"""The measurement of the validation loss during a training, on a copy of the network that is never trained."""

import copy
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.forward import forward_of, placed
from diffbench.base.images import to_float
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.sizes import shrunk
from diffbench.diffusion.denoiser import Condition, Diffusion, ModelDenoiser
from diffbench.diffusion.micro_batches import spread
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.validation_loss import ValidationLosses, eps_errors, equidistant
from diffbench.training.average import WeightAverage
from diffbench.training.data import TrainingData
from diffbench.training.settings import Training, Validation
from diffbench.training.sharding import whole


class Validator:
    """Measurements of the averaged weights so far. They touch neither the training's network nor a random generator."""

    def __init__(
        self,
        settings: Validation,
        network: nn.Module,
        diffusion: Diffusion,
        data: TrainingData,
        device: torch.device,
        numerics: Numerics = DEFAULT_NUMERICS,
    ):
        """data: held-out images. Raises: ValueError if the training chain has too few timesteps."""
        self._settings, self._data, self._device = settings, data, device
        self._network = placed(copy.deepcopy(network), numerics, device).eval().requires_grad_(False)
        self._denoiser = ModelDenoiser.of(diffusion, forward_of(self._network, numerics))
        self._timesteps = equidistant(diffusion.timesteps, settings.timesteps)
        self._index = spread(len(data.images), settings.num_images)
        if len(self._index) < 2:
            raise ValueError(f"{len(self._index)} held-out images, and a standard error needs two")
        self._steps: list[int] = []
        self._losses: list[Float[Tensor, "images count"]] = []

    def after(self, network: nn.Module, average: WeightAverage, step: int, training: Training) -> None:
        """Measure after a step of training, if it is one after which a measurement is due."""
        if step % self._settings.every and step != training.steps:
            return
        self._network.load_state_dict(whole(network.state_dict() | average.state_dict()))
        with torch.no_grad():
            found = [self._errors(rows) for rows in self._index.split(training.batch_size)]
        self._steps.append(step)
        self._losses.append(torch.cat(found).cpu())

    def found(self, batch_size: int, flops_per_image: int) -> ValidationLosses:
        """Return all measurements. flops_per_image: the operations of a training step for an image of its batch."""
        step = torch.tensor(self._steps).numpy()
        level = self._denoiser.chain.level(len(self._denoiser.chain) - 1 - self._timesteps)
        return ValidationLosses(
            step=step,
            images_seen=step * batch_size,
            training_flops=step * float(batch_size * flops_per_image),
            timesteps=self._timesteps.numpy(),
            alphas=level.alpha.numpy(),
            sigmas=level.sigma.numpy(),
            losses=torch.stack(self._losses).numpy(),
        )

    @property
    def state(self) -> dict[str, Any]:
        """The measurements so far, which are part of each checkpoint."""
        return {"steps": self._steps, "losses": self._losses}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the measurements of a checkpoint."""
        self._steps, self._losses = list(state["steps"]), [losses.cpu() for losses in state["losses"]]

    def _errors(self, rows: Tensor) -> Float[Tensor, "batch count"]:
        x_0, condition = self._images(rows)
        return eps_errors(self._denoiser, x_0, rows, self._timesteps, condition)

    def _images(self, rows: Tensor) -> tuple[X, Condition]:
        data, images = self._data, self._data.images[rows.numpy()]
        condition = Condition(None if data.labels is None else data.labels[rows].to(self._device))
        if data.low_size is not None:
            condition = replace(condition, low_res=to_float(shrunk(images, data.low_size), self._device))
        return to_float(images, self._device), condition

"""A model of diffbench in the form of a UNet2DModel, so that pipelines of diffusers can use it.

This module does not import diffusers: a pipeline only reads `config.in_channels`, `config.sample_size`, `dtype` and
`device`, and calls unet(sample, timestep).sample.
"""

# torch's annotation of Tensor.tolist does not say what the list contains.
# pyright: reportUnknownMemberType=false

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Condition, Denoiser, Diffusion
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import over


@dataclass(frozen=True)
class UnetOutput:
    """The result of a call, as diffusers names it; sample: the network's output."""

    sample: X


class PipelineUnet(nn.Module):
    """A denoiser, which may clip and be guided, in the form of the `unet` of a pipeline of diffusers.

    Make the pipeline's scheduler with `scheduler_settings`. It need not clip if the denoiser does.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        diffusion: Diffusion,
        shape: tuple[int, int, int],
        *,
        device: torch.device | str = "cpu",
        output: Literal["epsilon", "v_prediction"] = "epsilon",
        learned_range: bool = False,
    ):
        """diffusion: the process on which the model was trained. shape: (channels, height, width) of an image.

        output: what a call returns; v keeps digits of x_0 that eps loses where alpha is small (cosine schedules).
        learned_range: whether a call also returns the variance's channels, for a DDPMScheduler with variance_type
        learned_range.
        """
        super().__init__()
        channels, *size = shape
        self.denoiser, self.chain, self.learned_range = denoiser, diffusion.chain(), learned_range
        self.config = SimpleNamespace(
            in_channels=channels, sample_size=tuple(size), prediction_type=output, num_class_embeds=None
        )
        # A pipeline reads dtype and device from the parameters of its modules.
        self.place = nn.Parameter(torch.zeros((), device=device), requires_grad=False)

    @property
    def dtype(self) -> torch.dtype:
        """The type of the noise from which a pipeline starts."""
        return self.place.dtype

    @property
    def device(self) -> torch.device:
        """The device on which a pipeline works."""
        return self.place.device

    @property
    def scheduler_settings(self) -> dict[str, Any]:
        """The settings of a diffusers scheduler for this model, such as its betas and its type of prediction."""
        alpha_bars = self.chain.alphas.flip(0) ** 2
        settings: dict[str, Any] = {
            "num_train_timesteps": len(self.chain),
            "trained_betas": (1 - alpha_bars[1:] / alpha_bars[:-1]).tolist(),
            "prediction_type": self.config.prediction_type,
            "clip_sample": False,
        }
        return settings | ({"variance_type": "learned_range"} if self.learned_range else {})

    def forward(self, sample: X, timestep: Tensor | int, class_labels: Tensor | None = None) -> UnetOutput:
        """Return the prediction in the form of a network's output; timestep: of the training chain, 0 is the cleanest.

        Raises: UserError for a timestep that is not in the chain.
        """
        t = torch.as_tensor(timestep).flatten()
        i = len(self.chain) - 1 - t.long()
        if bool((t != t.long()).any()) or bool((i < 0).any()) or bool((i >= len(self.chain)).any()):
            raise UserError(
                f"the model was trained at the timesteps 0 to {len(self.chain) - 1} and was asked about "
                f"{t.tolist()[0]:g}; use a scheduler made with its scheduler_settings"
            )
        level = self.chain.level(i.cpu() if len(i) > 1 else int(i))
        prediction = self.denoiser(sample, level, Condition(y=class_labels))
        output = prediction.eps
        if self.config.prediction_type == "v_prediction":
            output = over(level.alpha, output) * prediction.eps - over(level.sigma, output) * prediction.x_0
        if self.learned_range:
            if prediction.variance_fraction is None:
                raise UserError("learned_range: the model learned no variance between beta_tilde and beta")
            output = torch.cat([output, 2 * prediction.variance_fraction - 1], dim=1)
        return UnetOutput(output)

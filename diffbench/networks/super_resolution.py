"""The upsampler's U-Net: the bilinearly enlarged low-resolution image joins x along the channels.

Dhariwal and Nichol 2021, section 5.2, after Saharia et al. 2021.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from diffbench.base.errors import UserError
from diffbench.networks._blocks import Features, LowResolution, Transformed
from diffbench.networks.unet import Unet, UnetModule, attention_factors


@dataclass(frozen=True)
class SuperResolution(Unet):
    """Settings of a U-Net that is given a low-resolution image of any smaller size."""

    needs: ClassVar[str | None] = "low-resolution images"

    def build(self, shape: tuple[int, int, int], num_classes: int | None, learns_variance: bool) -> UnetModule:
        """Return the module for high-resolution images of `shape` (channel, height, width)."""
        channels, height, _ = shape
        return SuperResolutionModule(
            self,
            in_channels=2 * channels,
            out_channels=channels * (2 if learns_variance else 1),
            attention_factors=attention_factors(height, self.attention_resolutions, len(self.channel_multipliers) - 1),
            num_classes=num_classes if self.class_conditional else None,
        )


class SuperResolutionModule(UnetModule):
    """The network itself."""

    def forward(
        self,
        x: Features,
        t: Float[Tensor, " batch"],
        y: Int[Tensor, " batch"] | None = None,
        low_res: LowResolution | None = None,
    ) -> Transformed:
        """Return the output for x at network times t, given the low-resolution images."""
        if low_res is None:
            raise UserError("an upsampler needs low-resolution images")
        enlarged = functional.interpolate(low_res, x.shape[2:], mode="bilinear")
        return self.transform(torch.cat([x, enlarged], dim=1), t, y)

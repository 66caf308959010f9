"""The upsampler's U-Net: the low-resolution image is enlarged bilinearly and joined to x along the channels.

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
from diffbench.networks.unet import Unet, UnetModule


@dataclass(frozen=True)
class SuperResolution(Unet):
    """Settings of a U-Net that is given a low-resolution image of any smaller size."""

    needs: ClassVar[str | None] = "low-resolution images"
    upsamples: ClassVar[bool] = True

    def build(self, shape: tuple[int, int, int], num_classes: int | None, learns_variance: bool) -> UnetModule:
        """Return the module for high-resolution images of `shape` (channel, height, width). Raises: as `Unet.build`."""
        return self._built(SuperResolutionModule, shape, 2 * shape[0], num_classes, learns_variance)


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

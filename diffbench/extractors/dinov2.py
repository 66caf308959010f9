"""DINOv2 features by torch-fidelity's extractor: the class token of a vision transformer that saw no labels.

Bytes are resized to 224 x 224 by TensorFlow 1's bilinear rule and normalised by ImageNet's mean and deviation.
torch-fidelity gets the network and its weights through torch.hub. The first use downloads facebookresearch/dinov2 and
runs its code; later uses find both in torch's hub folder.
Source: Oquab et al. 2023, "DINOv2: learning robust visual features without supervision"; its use in a Frechet
distance is Stein et al. 2023, "Exposing flaws of generative model evaluation metrics".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffbench.base.arrays import Bytes
from diffbench.base.digests import sha256
from diffbench.base.errors import DownloadError, UserError
from diffbench.extractors._contract import Extract
from diffbench.extractors._microbatches import MICRO_BATCH, in_micro_batches, rgb

SHORT = {"small": "s", "base": "b", "large": "l", "giant": "g"}

WIDTHS = {"small": 384, "base": 768, "large": 1024, "giant": 1536}
"""The dimensions of the class token of each size."""


@dataclass(frozen=True)
class Dinov2:
    """Class tokens of a ViT/14. FD-DINOv2 is defined with the large one (1,024 dimensions)."""

    size: Literal["small", "base", "large", "giant"] = "large"
    """which of the published networks."""
    micro_batch: int = MICRO_BATCH
    """the number of images that the network sees at once."""

    features: ClassVar[tuple[str, ...]] = ("dinov2",)
    needs_weights: ClassVar[bool] = False
    resize: ClassVar[str] = "tf1-224"
    stored_statistics: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.micro_batch < 1:
            raise UserError(f"micro_batch = {self.micro_batch}, at least 1 is allowed")

    def network(self, weights: Path | None = None, device: torch.device | str = "cpu") -> Extract:
        """Return the network from torch's hub folder; it is downloaded if it is not there yet.

        Raises: UserError if there is a file of weights (torch-fidelity takes none), or if the download fails.
        """
        self._refuse(weights)
        from torch_fidelity.feature_extractor_dinov2 import FeatureExtractorDinoV2

        try:
            network = FeatureExtractorDinoV2(f"dinov2-vit-{SHORT[self.size]}-14", list(self.features)).to(device)
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DownloadError(
                f"DINOv2 cannot be loaded ({reason}); on a machine with a network, run "
                f"torch.hub.load('facebookresearch/dinov2', '{self._hub_name()}') and copy its folder "
                f"to {torch.hub.get_dir()}"
            ) from error

        def forward(images: Bytes) -> dict[str, Float[Tensor, "batch features"]]:
            channels_first = torch.from_numpy(np.ascontiguousarray(np.asarray(rgb(images)).transpose(0, 3, 1, 2)))
            return {"dinov2": network(channels_first.to(device))[0]}

        return in_micro_batches(forward, self.micro_batch, module=network)

    def weights_sha256(self, weights: Path | None = None) -> str:
        """Return the hash of the file of weights in torch's hub folder. Raises: UserError if there is none yet."""
        self._refuse(weights)
        file = self._hub_file()
        if not file.is_file():
            raise UserError(f"{file}: no such file; extractor 'dinov2' puts it there at its first use")
        return sha256(file)

    def widths(self) -> Mapping[str, int]:
        """Return how many dimensions its features have."""
        return {"dinov2": WIDTHS[self.size]}

    def absent(self) -> Path | None:
        """Return the file of weights in torch's hub folder, if it is not there yet."""
        return None if (file := self._hub_file()).is_file() else file

    def _hub_file(self) -> Path:
        return Path(torch.hub.get_dir()) / "checkpoints" / f"{self._hub_name()}_pretrain.pth"

    def _hub_name(self) -> str:
        return f"dinov2_vit{SHORT[self.size]}14"

    def _refuse(self, weights: Path | None) -> None:
        if weights is not None:
            raise UserError(
                f"extractor 'dinov2' takes its weights from torch's hub folder; leave out --weights {weights}"
            )

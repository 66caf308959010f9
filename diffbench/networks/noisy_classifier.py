"""The classifier of noisy images: the U-Net's contracting half, with a pooling head on it.

Dhariwal and Nichol 2021, section 4 and appendix; the published pooling is `attention`.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.networks._blocks import AttentionPool, Features, timestep_embedding, zeroed
from diffbench.networks.unet import Unet, attention_factors, encoder_stages, middle_stage, time_mlp


@dataclass(frozen=True)
class NoisyClassifier:
    """Settings of a noisy classifier: those of the encoder, and how its features are pooled."""

    encoder: Unet = field(default_factory=Unet)
    """the U-Net whose contracting half is used."""
    pool: Literal["attention", "adaptive", "spatial"] = "attention"
    """how features become logits; the published classifiers use attention."""

    needs: ClassVar[str | None] = "a model to guide"
    classifies: ClassVar[bool] = True

    def build(self, shape: tuple[int, int, int], num_classes: int | None) -> "NoisyClassifierModule":
        """Return the module for images of `shape` (channel, height, width).

        Raises: UserError without classes, or for attention pooling without head_channels.
        """
        if num_classes is None:
            raise UserError("a classifier needs a data set with labels")
        return NoisyClassifierModule(self, shape, num_classes)


class NoisyClassifierModule(nn.Module):
    """The network itself."""

    def __init__(self, settings: NoisyClassifier, shape: tuple[int, int, int], num_classes: int):
        super().__init__()
        encoder, blocks = settings.encoder, settings.encoder.block_settings()
        self._settings = settings
        channels, size, _ = shape
        factors = attention_factors(size, encoder.attention_resolutions, len(encoder.channel_multipliers) - 1)
        self.time_embed = time_mlp(encoder.channels)
        self.input_blocks, widths, factor = encoder_stages(encoder, channels, factors)
        width = widths[-1]
        self.middle_block = middle_stage(width, blocks)
        if settings.pool == "spatial":
            features = sum(widths) + width
            self.out = nn.Sequential(nn.Linear(features, 2048), nn.ReLU(), nn.Linear(2048, num_classes))
            return
        if settings.pool == "attention":
            if encoder.head_channels is None:
                raise UserError("pool attention needs head_channels")
            head: list[nn.Module] = [AttentionPool(size // factor, width, encoder.head_channels, num_classes)]
        else:
            head = [nn.AdaptiveAvgPool2d(1), zeroed(nn.Conv2d(width, num_classes, 1)), nn.Flatten()]
        self.out = nn.Sequential(blocks.norm(width), nn.SiLU(), *head)

    def forward(self, x: Features, t: Float[Tensor, " batch"]) -> Float[Tensor, "batch classes"]:
        """Return logits for x at network times t."""
        encoder = self._settings.encoder
        embedding = self.time_embed(timestep_embedding(t, encoder.channels, encoder.time_embedding).to(x.dtype))
        pooled = []
        for stage in [*self.input_blocks, self.middle_block]:
            x = stage(x, embedding)
            pooled.append(x.mean(dim=(2, 3)))
        return self.out(torch.cat(pooled, dim=1) if self._settings.pool == "spatial" else x)

"""The U-Net of DDPM, improved DDPM and ADM: one class for all three families of published checkpoints.

Ho et al. 2020, appendix B; Nichol and Dhariwal 2021; Dhariwal and Nichol 2021, section 3.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import NO_LABEL
from diffbench.networks._blocks import (
    AttentionBlock,
    BlockSettings,
    Downsample,
    Features,
    LowResolution,
    ResidualBlock,
    Stage,
    Transformed,
    Upsample,
    timestep_embedding,
    zeroed,
)

MOST_BLOCKS = 512
"""The most residual blocks of the contracting half; published networks have at most 24."""
WIDEST = 2**16
"""The most channels of a layer; published networks have at most 2,048."""


@dataclass(frozen=True)
class Unet:
    """Settings of a U-Net.

    channels: of the first layer. channel_multipliers: the channels of each resolution, as multiples of the first
    layer's; fractions are allowed. residual_blocks: blocks at each resolution. attention_resolutions: sizes of the
    feature maps that get attention. heads: the number of attention heads. head_channels: channels a head, instead of a
    number of heads. scale_shift: adaptive group norm; otherwise the embedding is added. residual_resampling: residual
    blocks change the resolution; otherwise strided convolutions do. new_attention_order: the released code's other
    order of queries, keys and values in one tensor. class_conditional: the network is given a label. null_label: one
    more label embedding, for "no label", as classifier-free guidance needs (y = NO_LABEL). dropout: the share of
    features that training sets to 0. norm_groups: the groups of each group norm. time_embedding: the order of sines and
    cosines in the embedding of t. downsample_padding: the padding of strided convolutions. norm_eps: the small number
    in each group norm.

    Ho et al.'s own weights need time_embedding sin_cos, downsample_padding right_bottom and norm_eps 1e-6; if one of
    these three is wrong, the weights load all the same.
    """

    channels: int = 128
    channel_multipliers: tuple[float, ...] = (1, 2, 2, 2)
    residual_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (16, 8)
    heads: int = 4
    head_channels: int | None = None
    scale_shift: bool = True
    residual_resampling: bool = False
    new_attention_order: bool = False
    class_conditional: bool = False
    null_label: bool = False
    dropout: float = 0.0
    norm_groups: int = 32
    time_embedding: Literal["cos_sin", "sin_cos"] = "cos_sin"
    downsample_padding: Literal["symmetric", "right_bottom"] = "symmetric"
    norm_eps: float = 1e-5

    def __post_init__(self):
        for name in ("channels", "residual_blocks", "heads", "norm_groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}")
        if not self.channel_multipliers:
            raise ValueError("channel_multipliers must have an entry per resolution")
        if self.residual_blocks * len(self.channel_multipliers) > MOST_BLOCKS:
            raise ValueError(
                f"residual_blocks {self.residual_blocks} at {len(self.channel_multipliers)} resolutions: more than "
                f"{MOST_BLOCKS} blocks are not built"
            )
        if (widest := max(self.channel_multipliers) * self.channels) > WIDEST:
            raise ValueError(f"channels: {widest:g} in a layer; more than {WIDEST} are not built")
        if self.null_label and not self.class_conditional:
            raise ValueError("null_label belongs to a network that is class_conditional")
        if self.head_channels is not None and self.head_channels < 1:
            raise ValueError(f"head_channels must be positive or null, not {self.head_channels}")
        for multiplier in self.channel_multipliers:
            width = int(multiplier * self.channels)
            if width < 1 or width % self.norm_groups:
                raise ValueError(
                    f"channel_multipliers: {multiplier:g} x {self.channels} channels gives {width}, "
                    f"which norm_groups {self.norm_groups} must divide"
                )

    def block_settings(self) -> BlockSettings:
        """Return the settings that all blocks of the network share."""
        return BlockSettings(
            embedding_channels=4 * self.channels,
            dropout=self.dropout,
            scale_shift=self.scale_shift,
            norm_groups=self.norm_groups,
            norm_eps=self.norm_eps,
            heads=self.heads,
            head_channels=self.head_channels,
            new_attention_order=self.new_attention_order,
            downsample_padding=self.downsample_padding,
        )

    def build(self, shape: tuple[int, int, int], num_classes: int | None, learns_variance: bool) -> "UnetModule":
        """Return the module for images of `shape` (channel, height, width).

        Raises: UserError if the size cannot be halved as often as there are multipliers, if attention is asked for at a
        size that does not occur, or if a class-conditional network is built without classes.
        """
        return self._built(UnetModule, shape, shape[0], num_classes, learns_variance)

    def _built(
        self,
        module: "type[UnetModule]",
        shape: tuple[int, int, int],
        in_channels: int,
        num_classes: int | None,
        learns_variance: bool,
    ) -> "UnetModule":
        channels, height, width = shape
        halvings = len(self.channel_multipliers) - 1
        if height % 2**halvings or width % 2**halvings:
            raise UserError(
                f"images of {height}x{width} cannot be halved {halvings} times; use fewer channel_multipliers"
            )
        if self.class_conditional and num_classes is None:
            raise UserError("a class-conditional network needs a data set with labels")
        return module(
            self,
            in_channels=in_channels,
            out_channels=channels * (2 if learns_variance else 1),
            attention_factors=attention_factors(height, self.attention_resolutions, halvings),
            num_classes=num_classes if self.class_conditional else None,
        )


def attention_factors(size: int, resolutions: tuple[int, ...], halvings: int) -> frozenset[int]:
    """Return the downsampling factors that get attention: the image's size divided by each resolution.

    Raises: UserError for a resolution at which the network has no feature map.
    """
    sizes = {size // 2**i: 2**i for i in range(halvings + 1)}
    for resolution in resolutions:
        if resolution not in sizes:
            occurring = ", ".join(map(str, sizes))
            raise UserError(f"attention_resolutions: no feature map is {resolution} pixels wide; allowed: {occurring}")
    return frozenset(sizes[resolution] for resolution in resolutions)


def encoder_stages(settings: Unet, in_channels: int, factors: frozenset[int]) -> tuple[nn.ModuleList, list[int], int]:
    """Return the contracting half, the channels of each of its outputs, and the factor of its last resolution."""
    blocks = settings.block_settings()
    width = int(settings.channel_multipliers[0] * settings.channels)
    stages = nn.ModuleList([Stage(nn.Conv2d(in_channels, width, 3, padding=1))])
    widths, factor = [width], 1
    for position, multiplier in enumerate(settings.channel_multipliers):
        out = int(multiplier * settings.channels)
        for _ in range(settings.residual_blocks):
            layers: list[nn.Module] = [ResidualBlock(width, out, blocks)]
            width = out
            if factor in factors:
                layers.append(AttentionBlock(width, blocks))
            stages.append(Stage(*layers))
            widths.append(width)
        if position < len(settings.channel_multipliers) - 1:
            if settings.residual_resampling:
                down: nn.Module = ResidualBlock(width, width, blocks, Downsample)
            else:
                down = Downsample(width, convolve=True, padding=blocks.downsample_padding)
            stages.append(Stage(down))
            widths.append(width)
            factor *= 2
    return stages, widths, factor


def middle_stage(width: int, blocks: BlockSettings) -> Stage:
    """Return the layers at the lowest resolution."""
    return Stage(
        ResidualBlock(width, width, blocks), AttentionBlock(width, blocks), ResidualBlock(width, width, blocks)
    )


def time_mlp(channels: int) -> nn.Sequential:
    """Return the layers that turn sinusoids of t into the embedding."""
    return nn.Sequential(nn.Linear(channels, 4 * channels), nn.SiLU(), nn.Linear(4 * channels, 4 * channels))


class UnetModule(nn.Module):
    """The network itself."""

    def __init__(
        self,
        settings: Unet,
        in_channels: int,
        out_channels: int,
        attention_factors: frozenset[int],
        num_classes: int | None,
    ):
        super().__init__()
        self._settings = settings
        blocks = settings.block_settings()
        self.time_embed = time_mlp(settings.channels)
        if num_classes is not None:
            self.label_emb = nn.Embedding(num_classes + settings.null_label, 4 * settings.channels)

        self.input_blocks, widths, factor = encoder_stages(settings, in_channels, attention_factors)
        width = widths[-1]
        self.middle_block = middle_stage(width, blocks)

        self.output_blocks = nn.ModuleList()
        for position, multiplier in reversed(list(enumerate(settings.channel_multipliers))):
            out = int(multiplier * settings.channels)
            for repeat in range(settings.residual_blocks + 1):
                layers: list[nn.Module] = [ResidualBlock(width + widths.pop(), out, blocks)]
                width = out
                if factor in attention_factors:
                    layers.append(AttentionBlock(width, blocks))
                if position and repeat == settings.residual_blocks:
                    if settings.residual_resampling:
                        layers.append(ResidualBlock(width, width, blocks, Upsample))
                    else:
                        layers.append(Upsample(width, convolve=True))
                    factor //= 2
                self.output_blocks.append(Stage(*layers))
        self.out = nn.Sequential(blocks.norm(width), nn.SiLU(), zeroed(nn.Conv2d(width, out_channels, 3, padding=1)))

    def forward(
        self,
        x: Features,
        t: Float[Tensor, " batch"],
        y: Int[Tensor, " batch"] | None = None,
        low_res: LowResolution | None = None,
    ) -> Transformed:
        """Return the output for x at network times t; y: labels of a class-conditional network.

        Raises: UserError if labels are given to an unconditional network, or are missing for a conditional one.
        """
        conditional = hasattr(self, "label_emb")
        if conditional != (y is not None):
            raise UserError(
                "this network is class-conditional and needs labels" if conditional else "this network takes no labels"
            )
        if low_res is not None:
            raise UserError("this network takes no low-resolution image; use network super_resolution")
        return self.transform(x, t, y)

    def transform(self, x: Features, t: Float[Tensor, " batch"], y: Int[Tensor, " batch"] | None) -> Transformed:
        """Return the output, without a check of the conditions."""
        settings = self._settings
        embedding = self.time_embed(timestep_embedding(t, settings.channels, settings.time_embedding).to(x.dtype))
        if y is not None:
            if settings.null_label:
                y = torch.where(y == NO_LABEL, self.label_emb.num_embeddings - 1, y)
            embedding = embedding + self.label_emb(y)
        skips = []
        for stage in self.input_blocks:
            x = stage(x, embedding)
            skips.append(x)
        x = self.middle_block(x, embedding)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], dim=1), embedding)
        return self.out(x)

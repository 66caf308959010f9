"""The blocks of the U-Net that DDPM, improved DDPM and ADM share, under the published parameter names.

Ho et al. 2020, appendix B; Nichol and Dhariwal 2021, appendix A (scale-shift); Dhariwal and Nichol 2021, section 3
(residual resampling, head channels).
Shapes in comments: b batch, c channels, h height, w width, e embedding, n = h w positions, m heads.
"""

import math
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from diffbench.base.errors import UserError

Features = Float[Tensor, "batch channel height width"]
Transformed = Float[Tensor, "batch out_channel out_height out_width"]
"""What comes out of a layer that may change channels and size."""

LowResolution = Float[Tensor, "batch channel low_height low_width"]
Embedding = Float[Tensor, "batch embedding"]


@dataclass(frozen=True)
class BlockSettings:
    """The settings that all blocks of one network share."""

    embedding_channels: int
    dropout: float
    scale_shift: bool
    norm_groups: int
    norm_eps: float
    heads: int
    head_channels: int | None
    new_attention_order: bool
    downsample_padding: Literal["symmetric", "right_bottom"]

    def norm(self, channels: int) -> nn.GroupNorm:
        """Return a group normalisation."""
        return GroupNorm(self.norm_groups, channels, eps=self.norm_eps)


class GroupNorm(nn.GroupNorm):
    """A group normalisation that computes in float32 and returns the type of its input, as the published networks'."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.float()).to(input.dtype)


def timestep_embedding(
    t: Float[Tensor, " batch"], channels: int, order: Literal["cos_sin", "sin_cos"] = "cos_sin"
) -> Float[Tensor, "batch channels"]:
    """Return sinusoids of t at geometrically spaced frequencies from 1 down to about 1e-4.

    cos_sin: improved DDPM's and ADM's, spaced over half the channels, so that the lowest frequency is above 1e-4;
    sin_cos: Ho et al.'s, spaced over half the channels minus one, so that the lowest frequency is 1e-4.
    """
    half = channels // 2
    span = half if order == "cos_sin" else half - 1
    frequencies = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32, device=t.device) / span)
    angles = t.float()[:, None] * frequencies
    parts = [angles.cos(), angles.sin()] if order == "cos_sin" else [angles.sin(), angles.cos()]
    return functional.pad(torch.cat(parts, dim=-1), (0, channels % 2))


def zeroed(module: nn.Module) -> nn.Module:
    """Return the module with all parameters set to 0, so that a residual block starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module


class Downsample(nn.Module):
    """Halves height and width, by a strided convolution (`op`) or by averaging."""

    def __init__(self, channels: int, convolve: bool, padding: Literal["symmetric", "right_bottom"] = "symmetric"):
        super().__init__()
        self._lopsided = convolve and padding == "right_bottom"
        pad = 0 if self._lopsided else 1
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=pad) if convolve else nn.AvgPool2d(2)

    def forward(self, x: Features) -> Transformed:
        return self.op(functional.pad(x, (0, 1, 0, 1)) if self._lopsided else x)


class Upsample(nn.Module):
    """Doubles height and width by repetition, followed by a convolution (`conv`) if asked."""

    def __init__(self, channels: int, convolve: bool):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1) if convolve else None

    def forward(self, x: Features) -> Transformed:
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        return x if self.conv is None else self.conv(x)


class ResidualBlock(nn.Module):
    """Two convolutions with the embedding between them, added to a skip connection; may halve or double the size."""

    def __init__(
        self,
        channels: int,
        out_channels: int,
        settings: BlockSettings,
        resample: type[Downsample] | type[Upsample] | None = None,
    ):
        super().__init__()
        self._scale_shift = settings.scale_shift
        self.in_layers = nn.Sequential(
            settings.norm(channels), nn.SiLU(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.h_upd = resample(channels, convolve=False) if resample else None
        self.x_upd = resample(channels, convolve=False) if resample else None
        width = out_channels * (2 if settings.scale_shift else 1)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(settings.embedding_channels, width))
        self.out_layers = nn.Sequential(
            settings.norm(out_channels),
            nn.SiLU(),
            nn.Dropout(settings.dropout),
            zeroed(nn.Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        same = channels == out_channels
        self.skip_connection = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1)

    def forward(self, x: Features, embedding: Embedding) -> Transformed:
        norm, activation, convolution = self.in_layers
        h = activation(norm(x))
        if self.h_upd is not None and self.x_upd is not None:
            h, x = self.h_upd(h), self.x_upd(x)
        h = convolution(h)
        shift = self.emb_layers(embedding)[:, :, None, None]
        out_norm, *rest = self.out_layers
        if self._scale_shift:
            scale, shift = shift.chunk(2, dim=1)
            h = torch.addcmul(shift, out_norm(h), 1 + scale)
        else:
            h = out_norm(h + shift)
        for layer in rest:
            h = layer(h)
        return self.skip_connection(x) + h


def attend(qkv: Float[Tensor, "batch channels3 positions"], heads: int, new_order: bool) -> Float[Tensor, "b c n"]:
    """Return multi-head attention over positions.

    new_order False: channels are laid out head by head, and each head has q, k, v (the released models' order). True: q
    of all heads, then k, then v. A state dict loads under either order, but means something different.
    """
    b, width, n = qkv.shape
    if new_order:
        q, k, v = qkv.reshape(b, 3, heads, width // (3 * heads), n).unbind(1)
    else:
        q, k, v = qkv.reshape(b, heads, 3, width // (3 * heads), n).unbind(2)
    out = functional.scaled_dot_product_attention(q.mT, k.mT, v.mT)  # b m n c/m
    return out.mT.reshape(b, width // 3, n)


class AttentionBlock(nn.Module):
    """Self-attention over all positions, added to its input."""

    def __init__(self, channels: int, settings: BlockSettings):
        super().__init__()
        self._heads = head_count(channels, settings.heads, settings.head_channels)
        self._new_order = settings.new_attention_order
        self.norm = settings.norm(channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Features) -> Features:
        flat = x.flatten(2)  # b c n
        out = attend(self.qkv(self.norm(flat)), self._heads, self._new_order)
        return (flat + self.proj_out(out)).reshape(x.shape)


def head_count(channels: int, heads: int, head_channels: int | None) -> int:
    """Return the number of attention heads. Raises: UserError if they do not divide the channels."""
    if head_channels is not None and channels % head_channels:
        raise UserError(f"head_channels {head_channels} does not divide a layer of {channels} channels")
    count = heads if head_channels is None else channels // head_channels
    if channels % count:
        raise UserError(f"{count} heads do not divide a layer of {channels} channels")
    return count


class AttentionPool(nn.Module):
    """Attention pooling: the mean position asks and all positions answer. Source: Radford et al. 2021, section 2.4."""

    def __init__(self, side: int, channels: int, head_channels: int, out_channels: int):
        super().__init__()
        self._heads = head_count(channels, 1, head_channels)
        self.positional_embedding = nn.Parameter(torch.randn(channels, side**2 + 1) / channels**0.5)
        self.qkv_proj = nn.Conv1d(channels, 3 * channels, 1)
        self.c_proj = nn.Conv1d(channels, out_channels, 1)

    def forward(self, x: Features) -> Float[Tensor, "batch out"]:
        flat = x.flatten(2)
        flat = torch.cat([flat.mean(dim=-1, keepdim=True), flat], dim=-1) + self.positional_embedding.to(x.dtype)
        return self.c_proj(attend(self.qkv_proj(flat), self._heads, new_order=True))[:, :, 0]


class Stage(nn.Sequential):
    """Layers that are applied in turn. Those that take the embedding get it.

    recomputed: whether training keeps only the input, and computes the rest again on the way back, which needs less
    memory and more time. The operations and their random masks are the same, so the result is, too.
    """

    recomputed = False

    def forward(self, x: Features, embedding: Embedding) -> Transformed:  # type: ignore[override]
        if self.recomputed and torch.is_grad_enabled():
            return cast(Tensor, checkpoint(self._applied, x, embedding, use_reentrant=False))
        return self._applied(x, embedding)

    def _applied(self, x: Features, embedding: Embedding) -> Transformed:
        for layer in self:
            x = layer(x, embedding) if isinstance(layer, ResidualBlock) else layer(x)
        return x


def recompute(network: nn.Module) -> None:
    """Let a network in training keep the inputs of its stages only, and compute the rest again on the way back."""
    for module in network.modules():
        if isinstance(module, Stage):
            module.recomputed = True

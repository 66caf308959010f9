"""diffusers' UNet2DModel as our U-Net: its configuration as settings, and its weights under the published names.

The weights of Ho et al. are available in this layout (google/ddpm-cifar10-32 and others), with sin before cos over
half_dim - 1, padding at the right and the bottom, and eps 1e-6.
Source: diffusers, models/unets/unet_2d.py and schedulers.
"""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced
from diffbench.diffusion.denoiser import Diffusion, Variance
from diffbench.networks.unet import Unet

DEFAULTS: dict[str, Any] = {
    "center_input_sample": False,
    "time_embedding_type": "positional",
    "time_embedding_dim": None,
    "freq_shift": 0,
    "flip_sin_to_cos": True,
    "mid_block_type": "UNetMidBlock2D",
    "mid_block_scale_factor": 1,
    "downsample_padding": 1,
    "downsample_type": "conv",
    "upsample_type": "conv",
    "dropout": 0.0,
    "act_fn": "silu",
    "attention_head_dim": 8,
    "norm_num_groups": 32,
    "attn_norm_num_groups": None,
    "norm_eps": 1e-5,
    "resnet_time_scale_shift": "default",
    "add_attention": True,
    "class_embed_type": None,
    "num_class_embeds": None,
}
"""The values of keys that a configuration leaves out, as older ones do."""

ALLOWED: dict[str, tuple[Any, ...]] = {
    "center_input_sample": (False,),
    "time_embedding_type": ("positional",),
    "mid_block_type": ("UNetMidBlock2D",),
    "mid_block_scale_factor": (1,),
    "downsample_padding": (0, 1),
    "downsample_type": ("conv",),
    "upsample_type": ("conv",),
    "act_fn": ("silu", "swish"),
    "resnet_time_scale_shift": ("default", "scale_shift"),
    "add_attention": (True,),
    "class_embed_type": (None,),
}
EMBEDDINGS: dict[tuple[bool, int], Literal["sin_cos", "cos_sin"]] = {(False, 1): "sin_cos", (True, 0): "cos_sin"}
"""Our time embedding (order of the sinusoids and span of their frequencies) for (flip_sin_to_cos, freq_shift)."""

ATTENTION = {
    "query": ("to_q", "query"),
    "key": ("to_k", "key"),
    "value": ("to_v", "value"),
    "out": ("to_out.0", "proj_attn"),
}
"""Names of the layers of attention: the present ones, and those in files of 2022."""

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


TYPES: dict[str, Any] = {
    "sample_size": int | tuple[int, int],
    "in_channels": int,
    "block_out_channels": tuple[int, ...],
    "layers_per_block": int,
    "down_block_types": tuple[str, ...],
    "up_block_types": tuple[str, ...] | None,
    "flip_sin_to_cos": bool,
    "freq_shift": int | float,
    "time_embedding_dim": int | None,
    "downsample_padding": int,
    "dropout": float,
    "attention_head_dim": int | None,
    "norm_num_groups": int,
    "attn_norm_num_groups": int | None,
    "norm_eps": float,
    "resnet_time_scale_shift": str,
    "num_class_embeds": int | None,
}
"""The types of the keys that are used."""


def _checked(config: Mapping[str, Any], defaults: Mapping[str, Any], types: Mapping[str, Any], source: object) -> dict:
    """Return a configuration with its defaults, after a check of types. Raises: UserError."""
    given = {**defaults, **config}
    return given | {key: coerced(given[key], hint, f"{source}: {key}") for key, hint in types.items() if key in given}


def unet_of(config: Mapping[str, Any], source: object) -> tuple[Unet, tuple[int, int, int]]:
    """Return the settings of a UNet2DModel's configuration, and the shape of its images (height, width, channel).

    Raises: UserError naming a setting that our network does not have.
    """
    if config.get("_class_name", "UNet2DModel") != "UNet2DModel":
        raise UserError(f"{source}: a {config['_class_name']}; only UNet2DModel can be imported")
    for key in ("sample_size", "in_channels", "block_out_channels", "layers_per_block", "down_block_types"):
        if config.get(key) is None:
            raise UserError(f"{source}: '{key}' is missing; not the configuration of a UNet2DModel")
    given = _checked(config, DEFAULTS, TYPES, source)
    for key, allowed in ALLOWED.items():
        if given[key] not in allowed:
            raise UserError(f"{source}: {key} {given[key]!r} is not supported; supported: {_listed(allowed)}")
    embedding = EMBEDDINGS.get((given["flip_sin_to_cos"], given["freq_shift"]))
    if embedding is None:
        raise UserError(
            f"{source}: flip_sin_to_cos {given['flip_sin_to_cos']} with freq_shift {given['freq_shift']} is not "
            "supported; supported: False with 1 (Ho et al.), True with 0 (improved DDPM)"
        )
    sizes = given["sample_size"] if isinstance(given["sample_size"], tuple) else (given["sample_size"],) * 2
    if not given["block_out_channels"] or min(*given["block_out_channels"], *sizes, given["in_channels"]) < 1:
        raise UserError(f"{source}: sample_size, in_channels and block_out_channels must be positive")
    widths, scale_shift = given["block_out_channels"], given["resnet_time_scale_shift"] == "scale_shift"
    channels = widths[0]
    if given["time_embedding_dim"] not in (None, 4 * channels):
        raise UserError(
            f"{source}: time_embedding_dim {given['time_embedding_dim']} is not supported; only 4 x channels"
        )
    # With scale_shift, diffusers has no normalisation in the middle attention unless the number of groups is given.
    wanted = (given["norm_num_groups"],) if scale_shift else (None, given["norm_num_groups"])
    if given["attn_norm_num_groups"] not in wanted:
        raise UserError(
            f"{source}: attn_norm_num_groups {given['attn_norm_num_groups']} is not supported; "
            f"supported: {_listed(wanted)}"
        )
    try:
        settings = Unet(
            channels=channels,
            channel_multipliers=tuple(width / channels for width in widths),
            residual_blocks=given["layers_per_block"],
            attention_resolutions=_attention(given, sizes[0], source),
            heads=1,
            head_channels=given["attention_head_dim"],
            scale_shift=scale_shift,
            residual_resampling=False,
            # `_attention_weights` puts q of all heads first, then k, then v. For one head, both orders are equal.
            new_attention_order=given["attention_head_dim"] is not None,
            class_conditional=given["num_class_embeds"] is not None,
            dropout=given["dropout"],
            norm_groups=given["norm_num_groups"],
            time_embedding=embedding,
            downsample_padding="symmetric" if given["downsample_padding"] else "right_bottom",
            norm_eps=given["norm_eps"],
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"{source}: {error}") from None
    return settings, (sizes[0], sizes[1], given["in_channels"])


def _listed(values: tuple[Any, ...]) -> str:
    return ", ".join(map(str, values))


def _attention(given: Mapping[str, Any], size: int, source: object) -> tuple[int, ...]:
    """Return the sizes of the feature maps with attention, which must be the same on the way down and up."""
    down, up = given["down_block_types"], given.get("up_block_types") or []
    for name in (*down, *up):
        if name not in ("DownBlock2D", "AttnDownBlock2D", "UpBlock2D", "AttnUpBlock2D"):
            raise UserError(f"{source}: block {name} is not supported; supported: (Attn)DownBlock2D, (Attn)UpBlock2D")
    attended = [name.startswith("Attn") for name in down]
    if len(down) != len(given["block_out_channels"]) or [name.startswith("Attn") for name in up] != attended[::-1]:
        raise UserError(
            f"{source}: up_block_types {list(up)} do not mirror down_block_types {list(down)}; not supported"
        )
    return tuple(size // 2**level for level, has in enumerate(attended) if has)


SCHEDULES: dict[str, Literal["linear", "cosine"]] = {"linear": "linear", "squaredcos_cap_v2": "cosine"}
PREDICTIONS: dict[str, Literal["eps", "x_0", "v"]] = {"epsilon": "eps", "sample": "x_0", "v_prediction": "v"}
VARIANCES: dict[str, Variance] = {
    "fixed_large": "fixed_large",
    "fixed_small": "fixed_small",
    "learned_range": "learned_range",
}


PROCESS_DEFAULTS: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_schedule": "linear",
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "trained_betas": None,
    "prediction_type": "epsilon",
    "variance_type": "fixed_small",
    "rescale_betas_zero_snr": False,
    "thresholding": False,
}
PROCESS_TYPES: dict[str, Any] = {
    "num_train_timesteps": int,
    "beta_schedule": str,
    "beta_start": float,
    "beta_end": float,
    "prediction_type": str,
    "variance_type": str,
}


def diffusion_of(config: Mapping[str, Any], source: object) -> Diffusion:
    """Return the process of a scheduler's configuration. Raises: UserError naming a setting that we do not have."""
    given = _checked(config, PROCESS_DEFAULTS, PROCESS_TYPES, source)
    tables: dict[str, Mapping[str, str]] = {
        "beta_schedule": SCHEDULES,
        "prediction_type": PREDICTIONS,
        "variance_type": VARIANCES,
    }
    for key, table in tables.items():
        if given[key] not in table:
            raise UserError(f"{source}: {key} {given[key]!r} is not supported; supported: {', '.join(table)}")
    for key, wanted in {"trained_betas": None, "rescale_betas_zero_snr": False, "thresholding": False}.items():
        if given[key] != wanted:
            raise UserError(f"{source}: {key} {given[key]!r} is not supported; supported: {wanted}")
    timesteps = given["num_train_timesteps"]
    if timesteps < 2:
        raise UserError(f"{source}: num_train_timesteps must be at least 2, not {timesteps}")
    if given["beta_schedule"] == "linear":
        own = (0.1 / timesteps, 20 / timesteps)
        for key, wanted in zip(("beta_start", "beta_end"), own, strict=True):
            if abs(given[key] - wanted) > 1e-9:
                raise UserError(f"{source}: {key} {given[key]} is not supported; schedule linear starts at {wanted:g}")
    try:
        return Diffusion(
            timesteps=timesteps,
            schedule=SCHEDULES[given["beta_schedule"]],
            parameterization=PREDICTIONS[given["prediction_type"]],
            variance=VARIANCES[given["variance_type"]],
        )
    except ValueError as error:
        raise UserError(f"{source}: {error}") from None


def published_names(weights: Mapping[str, Tensor], settings: Unet, source: object) -> dict[str, Tensor]:
    """Return a UNet2DModel's weights under the published names. Raises: UserError for an unknown weight."""
    layers = _layers(settings, weights)
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        layer, _, kind = name.rpartition(".")
        if layer in layers:
            found[f"{layers[layer]}.{kind}"] = tensor
    known = {*layers}
    for place, ours in _attentions(settings).items():
        found |= _attention_weights(weights, place, ours, source)
        known |= {f"{place}.{old}" for names in ATTENTION.values() for old in names}
    for name in weights:
        if name.rpartition(".")[0] not in known:
            raise UserError(f"{source}: weight '{name}' has no place in the UNet2DModel that its config.json describes")
    return found


def _blocks(settings: Unet) -> dict[str, str]:
    """Return {diffusers' name of a residual block: ours}."""
    levels, blocks = len(settings.channel_multipliers), settings.residual_blocks
    found = {"mid_block.resnets.0": "middle_block.0", "mid_block.resnets.1": "middle_block.2"}
    for level in range(levels):
        for block in range(blocks):
            found[f"down_blocks.{level}.resnets.{block}"] = f"input_blocks.{1 + level * (blocks + 1) + block}.0"
        for block in range(blocks + 1):
            found[f"up_blocks.{level}.resnets.{block}"] = f"output_blocks.{level * (blocks + 1) + block}.0"
    return found


def _attentions(settings: Unet) -> dict[str, str]:
    """Return {diffusers' name of an attention block: ours} at every resolution, even if it has no attention."""
    found = {"mid_block.attentions.0": "middle_block.1"}
    for place, ours in _blocks(settings).items():
        if not place.startswith("mid_block"):
            found[place.replace("resnets", "attentions")] = f"{ours.removesuffix('.0')}.1"
    return found


def _layers(settings: Unet, weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Return {diffusers' name of a layer: ours} for the layers whose weights have the same form."""
    levels, blocks = len(settings.channel_multipliers), settings.residual_blocks
    found = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "class_embedding": "label_emb",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for place, ours in _blocks(settings).items():
        found |= {f"{place}.{theirs}": f"{ours}.{own}" for theirs, own in RESNET.items()}
    found |= {f"{place}.group_norm": f"{ours}.norm" for place, ours in _attentions(settings).items()}
    for level in range(levels - 1):
        found[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * (blocks + 1)}.0.op"
        # If the resolution has attention, the upsampler is the layer after it.
        layer = 2 if f"up_blocks.{level}.attentions.0.group_norm.weight" in weights else 1
        found[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{level * (blocks + 1) + blocks}.{layer}.conv"
    return found


def _attention_weights(weights: Mapping[str, Tensor], place: str, ours: str, source: object) -> dict[str, Tensor]:
    """Return an attention block's weights as 1x1 convolutions, with q, k and v joined; {} if there is no such block."""
    found: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        parts = {}
        for part, names in ATTENTION.items():
            held = [f"{place}.{name}.{kind}" for name in names if f"{place}.{name}.{kind}" in weights]
            if held:
                parts[part] = weights[held[0]]
        if not parts:
            continue
        for part in ATTENTION:
            if part not in parts:
                raise UserError(f"{source}: no weight '{place}.{ATTENTION[part][0]}.{kind}' in the file")
        try:
            q, k, v, out = (
                tensor.reshape(*tensor.shape[:2], 1) if kind == "weight" else tensor for tensor in parts.values()
            )
            found[f"{ours}.qkv.{kind}"], found[f"{ours}.proj_out.{kind}"] = torch.cat([q, k, v]), out
        except (RuntimeError, TypeError):
            raise UserError(f"{source}: the {kind}s of '{place}' do not belong to one attention") from None
    return found

"""Networks and processes from the command-line flags of improved-diffusion and guided-diffusion."""

from collections.abc import Mapping
from typing import Any

from diffbench.base.errors import UserError
from diffbench.commands.conform.closeness import check_known
from diffbench.diffusion.denoiser import Diffusion
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet

POOLS = ("attention", "adaptive", "spatial")
MULTIPLIERS = {512: "0.5,1,1,2,2,4,4", 256: "1,1,2,2,4,4", 128: "1,1,2,3,4", 64: "1,2,3,4", 32: "1,2,2,2"}
"""The published code's multipliers for an empty channel_mult, by image size. Only improved-diffusion has 32."""

UPSAMPLER_MULTIPLIERS = MULTIPLIERS | {512: MULTIPLIERS[256]}


def published_part(kind: str, flags: Mapping[str, Any], size: int) -> tuple[str, Any]:
    """Return the name and the settings of the network that flags describe for images of `size` pixels.

    kind: unet, superres or classifier. Raises: UserError for another one.
    """
    published = UPSAMPLER_MULTIPLIERS if kind == "superres" else MULTIPLIERS
    multipliers = str(flags.get("channel_mult") or published.get(flags["image_size"], ""))
    head_channels = flags.get("num_head_channels", -1)
    # The published code divides the image's size by each value, rounding down. Factors of no level have no effect.
    levels = len(multipliers.split(","))
    factors = {size // int(part) for part in str(flags["attention_resolutions"]).split(",") if part}
    sizes = [size // factor for factor in sorted(factors & {2**i for i in range(levels)})]
    settings = {
        "channels": flags["num_channels"],
        "channel_multipliers": tuple(float(part) for part in multipliers.split(",")),
        "residual_blocks": flags["num_res_blocks"],
        "attention_resolutions": tuple(sizes),
        "heads": flags.get("num_heads", 1),
        "head_channels": None if head_channels == -1 else head_channels,
        "scale_shift": flags.get("use_scale_shift_norm", True),
        "residual_resampling": flags.get("resblock_updown", False),
        "new_attention_order": flags.get("use_new_attention_order", False),
        "class_conditional": flags.get("class_cond", False),
        "dropout": flags.get("dropout", 0.0),
    }
    if kind == "classifier":
        check_known({"pool": "attention", **flags}, "pool", POOLS)
        return "noisy_classifier", NoisyClassifier(Unet(**settings), flags.get("pool", "attention"))
    kinds = {"unet": Unet, "superres": SuperResolution}
    if kind not in kinds:
        raise UserError(f"kind '{kind}' is not known; allowed: classifier, superres, unet")
    return {"unet": "unet", "superres": "super_resolution"}[kind], kinds[kind](**settings)


def published_diffusion(kind: str, flags: Mapping[str, Any]) -> Diffusion:
    """Return the process that flags describe. For a classifier, parameterization and variance have no meaning."""
    process = {
        "timesteps": flags["diffusion_steps"],
        "schedule": flags["noise_schedule"],
        "rescale_timesteps": flags["rescale_timesteps"],
    }
    if kind == "classifier":
        return Diffusion(**process)
    fixed = "fixed_small" if flags["sigma_small"] else "fixed_large"
    return Diffusion(
        **process,
        parameterization="x_0" if flags["predict_xstart"] else "eps",
        variance="learned_range" if flags["learn_sigma"] else fixed,
    )

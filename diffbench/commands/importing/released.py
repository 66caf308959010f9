"""The files that improved-diffusion and guided-diffusion released, with every flag that their weights need.

The flags have the published names and are complete. A file does not contain its heads, attention order, schedule, T,
timestep rescaling or class order, and with wrong ones it loads without an error.
Sources: the READMEs of openai/improved-diffusion and openai/guided-diffusion; their script_util.py for defaults;
Dhariwal and Nichol 2021, table 12, for the classifiers' schedules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.commands.published_flags import MULTIPLIERS, UPSAMPLER_MULTIPLIERS

HOST = "https://openaipublic.blob.core.windows.net/diffusion"
FOLDERS = {"improved-diffusion": "march-2021", "guided-diffusion": "jul-2021"}

IMAGENET_CLASSES = "ImageNet's 1,000 WordNet ids, sorted (the loader numbers sorted file name prefixes)"

COMMON: dict[str, Any] = {
    "channel_mult": "",
    "dropout": 0.0,
    "class_cond": False,
    "learn_sigma": True,
    "sigma_small": False,
    "predict_xstart": False,
    "use_kl": False,
    "schedule_sampler": "uniform",
    "use_scale_shift_norm": True,
    "use_new_attention_order": False,
    "num_head_channels": -1,
    "num_heads": 4,
}

IMPROVED = COMMON | {
    "attention_resolutions": "16,8",
    "num_channels": 128,
    "num_res_blocks": 3,
    "resblock_updown": False,
    "diffusion_steps": 4000,
    "noise_schedule": "cosine",
    "rescale_timesteps": True,
    "rescale_learned_sigmas": True,
}
"""improved-diffusion's defaults, and the flags that most of its released models share."""

GUIDED = COMMON | {
    "attention_resolutions": "32,16,8",
    "num_channels": 256,
    "num_res_blocks": 2,
    "resblock_updown": True,
    "diffusion_steps": 1000,
    "noise_schedule": "linear",
    "rescale_timesteps": False,
    "rescale_learned_sigmas": False,
}
"""guided-diffusion's defaults, and the flags that most of its released models share."""

CLASSIFIER: dict[str, Any] = {
    "attention_resolutions": "32,16,8",
    "channel_mult": "",
    "num_channels": 128,
    "num_res_blocks": 2,
    "num_head_channels": 64,
    "num_heads": 1,
    "use_new_attention_order": False,
    "use_scale_shift_norm": True,
    "resblock_updown": True,
    "pool": "attention",
    "diffusion_steps": 1000,
    "noise_schedule": "linear",
    "rescale_timesteps": False,
}
"""guided-diffusion's noisy classifiers with the flags' names for diffusion models.

The classifiers' width is num_channels, and their depth is num_res_blocks."""

UNSCALED: dict[str, Any] = {"rescale_timesteps": False, "rescale_learned_sigmas": False}
LSUN_2021: dict[str, Any] = UNSCALED | {
    "num_res_blocks": 2,
    "num_heads": 1,
    "use_scale_shift_norm": False,
    "attention_resolutions": "16",
    "diffusion_steps": 1000,
    "noise_schedule": "linear",
}
LABELLED: dict[str, Any] = {"class_cond": True}
HEADS_64: dict[str, Any] = {"num_head_channels": 64}
VLB: dict[str, Any] = {"use_kl": True, "schedule_sampler": "loss-second-moment"}


@dataclass(frozen=True)
class Released:
    """A published file.

    kind: unet, superres or classifier. size: the size of the images that it makes or classifies. low_size: the size of
    the images that an upsampler starts from. num_classes: of the data, even if the network takes no labels. sha256: the
    file's hash, if anybody reported it.
    """

    file: str
    family: str
    kind: str
    data: str
    size: int
    flags: Mapping[str, Any]
    num_classes: int | None = None
    low_size: int | None = None
    sha256: str | None = None
    note: str = ""
    name: str = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "name", self.file.removesuffix(".pt"))

    @property
    def url(self) -> str:
        """The URL of the file."""
        return f"{HOST}/{FOLDERS[self.family]}/{self.file}"

    @property
    def class_order(self) -> str | None:
        """The meaning of the labels; None if the network takes none."""
        takes = self.kind == "classifier" or self.flags["class_cond"]
        return IMAGENET_CLASSES if takes else None

    @property
    def objective(self) -> dict[str, Any] | None:
        """The objective of a model: L_hybrid, or L_vlb with steps drawn by their loss; None for a classifier.

        The weight of L_vlb in L_hybrid is 1/1000. It is 1/T if the published code's rescaling was off, since that code
        then adds one of the T terms, instead of the estimate of their sum times 1/1000.
        """
        if self.kind == "classifier":
            return None
        if self.flags["use_kl"]:
            return {"name": "vlb", "loss_aware": {}}
        rescaled = self.flags["rescale_learned_sigmas"]
        return {"name": "hybrid", "vlb_weight": 0.001 if rescaled else 1 / self.flags["diffusion_steps"]}


def _improved(file: str, data: str, size: int, num_classes: int | None, **changes: Any) -> Released:
    flags = IMPROVED | {"image_size": size} | changes
    return Released(file, "improved-diffusion", "unet", data, size, flags, num_classes)


def _guided(
    file: str,
    data: str,
    size: int,
    num_classes: int | None,
    *,
    note: str = "",
    sha256: str | None = None,
    **changes: Any,
) -> Released:
    flags = GUIDED | {"image_size": size} | changes
    return Released(file, "guided-diffusion", "unet", data, size, flags, num_classes, sha256=sha256, note=note)


def _classifier(size: int, note: str, **changes: Any) -> Released:
    flags = CLASSIFIER | {"image_size": size} | changes
    file = f"{size}x{size}_classifier.pt"
    return Released(file, "guided-diffusion", "classifier", "ImageNet", size, flags, 1000, note=note)


def _upsampler(file: str, family: str, low_size: int, size: int, flags: Mapping[str, Any]) -> Released:
    flags = dict(flags) | {"image_size": size, "num_channels": 192, "num_res_blocks": 2} | LABELLED
    return Released(file, family, "superres", "ImageNet", size, flags, 1000, low_size)


BEST_1000 = "best at 1000 steps"
DROPOUT: dict[str, Any] = {"dropout": 0.1}

ALL = (
    _improved("imagenet64_uncond_100M_1500K.pt", "ImageNet", 64, 1000),
    _improved("imagenet64_uncond_vlb_100M_1500K.pt", "ImageNet", 64, 1000, **VLB),
    _improved("imagenet64_cond_270M_250K.pt", "ImageNet", 64, 1000, num_channels=192, **LABELLED, **UNSCALED),
    _improved("cifar10_uncond_50M_500K.pt", "CIFAR-10", 32, 10, dropout=0.3),
    _improved("cifar10_uncond_vlb_50M_500K.pt", "CIFAR-10", 32, 10, dropout=0.3, **VLB),
    _improved("lsun_uncond_100M_1200K_bs128.pt", "LSUN bedroom", 256, None, **LSUN_2021),
    _improved("lsun_uncond_100M_2400K_bs64.pt", "LSUN bedroom", 256, None, **LSUN_2021),
    _upsampler(
        "upsample_cond_500K.pt", "improved-diffusion", 64, 256, IMPROVED | UNSCALED | {"noise_schedule": "linear"}
    ),
    _guided(
        "64x64_diffusion.pt",
        "ImageNet",
        64,
        1000,
        num_channels=192,
        num_res_blocks=3,
        noise_schedule="cosine",
        use_new_attention_order=True,
        **LABELLED,
        **HEADS_64,
        **DROPOUT,
    ),
    _guided("128x128_diffusion.pt", "ImageNet", 128, 1000, **LABELLED),
    _guided("256x256_diffusion.pt", "ImageNet", 256, 1000, **LABELLED, **HEADS_64),
    _guided(
        "256x256_diffusion_uncond.pt",
        "ImageNet",
        256,
        1000,
        # The makers did not publish this hash. Disco Diffusion and later projects check the file with it.
        sha256="a37c32fffd316cd494cf3f35b339936debdc1576dad13fe57c42399a5dbc78b1",
        note="guided by 256x256_classifier at scale 10",
        **HEADS_64,
    ),
    _guided("512x512_diffusion.pt", "ImageNet", 512, 1000, **LABELLED, **HEADS_64),
    _guided("lsun_bedroom.pt", "LSUN bedroom", 256, None, note=BEST_1000, **HEADS_64, **DROPOUT),
    _guided("lsun_cat.pt", "LSUN cat", 256, None, note=BEST_1000, **HEADS_64, **DROPOUT),
    _guided("lsun_horse.pt", "LSUN horse", 256, None, note=BEST_1000, **HEADS_64, **DROPOUT),
    _guided("lsun_horse_nodropout.pt", "LSUN horse", 256, None, note=BEST_1000, **HEADS_64),
    _upsampler("64_256_upsampler.pt", "guided-diffusion", 64, 256, GUIDED),
    _upsampler(
        "128_512_upsampler.pt", "guided-diffusion", 128, 512, GUIDED | HEADS_64 | {"attention_resolutions": "32,16"}
    ),
    _classifier(64, "guides 64x64_diffusion at scale 1", num_res_blocks=4, noise_schedule="cosine"),
    _classifier(128, "guides 128x128_diffusion at scale 0.5"),
    _classifier(256, "guides 256x256_diffusion at scale 1, 256x256_diffusion_uncond at scale 10"),
    _classifier(512, "guides 512x512_diffusion at scale 4"),
)

REGISTRY = {item.name: item for item in ALL}


def released(name: str) -> Released:
    """Return a published file by its name, with or without `.pt`. Raises: UserError with the nearest spelling."""
    found = REGISTRY.get(name.removesuffix(".pt"))
    if found is None:
        raise UserError(f"'{name}' is no released checkpoint; {nearest(name, REGISTRY)}")
    return found


def listing() -> str:
    """Return the list of released files as text, each with its URL, its hash and all its flags."""
    blocks = []
    for item in ALL:
        kinds = {
            "unet": "model",
            "superres": f"upsampler from {item.low_size} pixels",
            "classifier": "noisy classifier",
        }
        lines = [f"{item.name}: {kinds[item.kind]}, {item.data} {item.size}x{item.size}, {item.family}"]
        lines.append(f"  url      {item.url}")
        lines.append(f"  sha256   {item.sha256 or 'not published; recorded at import'}")
        if item.class_order:
            lines.append(f"  classes  {item.class_order}")
        if item.note:
            lines.append(f"  note     {item.note}")
        multipliers = (UPSAMPLER_MULTIPLIERS if item.kind == "superres" else MULTIPLIERS)[item.size]
        flags = dict(item.flags) | {"channel_mult": item.flags["channel_mult"] or multipliers}
        lines.append(f"  flags    {', '.join(f'{key} {value}' for key, value in sorted(flags.items()))}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)

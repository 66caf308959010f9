"""A small network on recorded weights and inputs, against the published code's output."""

import re
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.commands._comparison import Comparison, check_known, compare
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet

NETWORK_TOLERANCE = 1e-4
POOLS = ("attention", "adaptive", "spatial")
MULTIPLIERS = {512: "0.5,1,1,2,2,4,4", 256: "1,1,2,2,4,4", 128: "1,1,2,3,4", 64: "1,2,3,4"}
"""The published code's multipliers for an empty channel_mult, by image size."""

UPSAMPLER_MULTIPLIERS = MULTIPLIERS | {512: MULTIPLIERS[256]}


def conform_network(path: Path, config: dict) -> list[Comparison]:
    """Return the comparison of a network's output (and gradient) on recorded weights and inputs."""
    arrays = {name: np.asarray(read_member(path, name)) for name in member_names(path)}
    weights = {
        name.removeprefix("weight:"): torch.from_numpy(array.astype(np.float32))
        for name, array in arrays.items()
        if name.startswith("weight:")
    }
    inputs = {
        name.removeprefix("input:"): torch.from_numpy(array.copy()) for name, array in arrays.items() if ":" in name
    }
    network = published_network(config, tuple(inputs["x"].shape[1:]))
    load_strictly(network, weights, path)
    network.eval()
    x, t = inputs["x"], inputs["timesteps"].float()
    if config["kind"] != "classifier":
        with torch.no_grad():
            output = network(x, t, inputs.get("y"), inputs.get("low_res"))
        return [compare("output", output, arrays["output"], NETWORK_TOLERANCE)]
    x.requires_grad_()
    logits = network(x, t)
    results = [compare("output", logits, arrays["output"], NETWORK_TOLERANCE)]
    for name, reference in arrays.items():
        if name.startswith("log_prob_gradient_for_y_"):
            labels = [int(label) for label in re.findall(r"\d+", name)]
            total = logits.log_softmax(-1)[range(len(labels)), labels].sum()
            (gradient,) = torch.autograd.grad(total, x, retain_graph=True)
            results.append(compare(name, gradient, reference, NETWORK_TOLERANCE))
    return results


def published_network(config: dict, shape: tuple[int, int, int]) -> torch.nn.Module:
    """Return the network that the published flags describe, for x of `shape`."""
    flags, num_classes = config["flags"], config.get("num_classes")
    published = UPSAMPLER_MULTIPLIERS if config["kind"] == "superres" else MULTIPLIERS
    multipliers = str(flags.get("channel_mult") or published.get(flags["image_size"], ""))
    head_channels = flags.get("num_head_channels", -1)
    # The published flags divide the image's size by each, rounding down; a factor that does not occur has no effect.
    size, levels = shape[1], len(multipliers.split(","))
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
    }
    if config["kind"] == "classifier":
        check_known({"pool": "attention", **flags}, "pool", POOLS)
        return NoisyClassifier(Unet(**settings), flags.get("pool", "attention")).build(shape, num_classes)
    kinds = {"unet": Unet, "superres": SuperResolution}
    if config["kind"] not in kinds:
        raise UserError(f"kind '{config['kind']}' is not known; allowed: classifier, superres, unet")
    return kinds[config["kind"]](**settings).build(shape, num_classes, flags.get("learn_sigma", False))


def load_strictly(network: torch.nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Load a state dict; a difference in names or shapes is one line that names the first tensor that differs."""
    own = network.state_dict()
    for name in sorted(own.keys() | weights.keys()):
        if name not in weights:
            raise UserError(f"{path}: no weight '{name}', which the network described by its flags has")
        if name not in own:
            raise UserError(f"{path}: weight '{name}' has no place in the network described by its flags")
        if own[name].shape != weights[name].shape:
            sizes = f"{tuple(weights[name].shape)} in the file, {tuple(own[name].shape)} in the network"
            raise UserError(f"{path}: weight '{name}' is {sizes}")
    network.load_state_dict(weights)

"""A model from its spec and weights, shared by the stages that run one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.plugins import chosen, configure
from diffbench.base.provenance_file import read_provenance
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.trained_levels import OffGrid
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.networks._fit import load_fitting


def part_of(folder: str, described: Mapping[str, Any]) -> Any:
    """Return the part that a spec describes: its name and its fields."""
    return chosen(folder, described, folder)[1]


def diffusion_of(spec: Mapping[str, Any]) -> Diffusion:
    """Return the process of a spec."""
    return configure(Diffusion, spec["diffusion"], "diffusion")


def build_network(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> nn.Module:
    """Return the network of a spec for data with the given facts (shape, num_classes), with fresh weights."""
    height, width, channels = facts["shape"]
    network = part_of("networks", spec["network"])
    return network.build((channels, height, width), facts["num_classes"], diffusion_of(spec).learns_variance)


def build_classifier(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> nn.Module:
    """Return the noisy classifier of a spec for data with the given facts, with fresh weights."""
    height, width, channels = facts["shape"]
    return part_of("networks", spec["network"]).build((channels, height, width), facts["num_classes"])


def load_model(
    spec: Mapping[str, Any], weights: Path, device: torch.device, *, full_chain: bool, off_grid: OffGrid = "refuse"
) -> tuple[ModelDenoiser, dict[str, Any]]:
    """Return the denoiser of trained weights (ema or raw, as the spec says) and the facts of the data it saw.

    Raises: UserError where the weights do not fit the network.
    """
    facts = read_provenance(weights)["facts"]
    network = _with_weights(build_network(spec, facts), spec, weights, device)
    return ModelDenoiser.of(diffusion_of(spec), network, full_chain=full_chain, off_grid=off_grid), facts


def load_classifier(
    spec: Mapping[str, Any],
    weights: Path,
    facts: Mapping[str, Any],
    device: torch.device,
    off_grid: OffGrid = "refuse",
) -> ClassifierGradient:
    """Return the gradient of a trained noisy classifier; facts: of the data that the model to be guided saw.

    Raises: UserError where the classifier was trained on other data, or its weights do not fit the network.
    """
    own = read_provenance(weights)["facts"]
    for name, words in {"num_classes": "classes", "shape": "the image shape", "images_sha256": "images"}.items():
        # Of a released file nobody knows the images, only what they were: their shape and their classes.
        unknown = name == "images_sha256" and None in (own.get(name), facts.get(name))
        if own.get(name) != facts.get(name) and not unknown:
            raise UserError(
                f"{weights}: a classifier of another data set: "
                f"{words} {own.get(name)}, and the model's {facts.get(name)}"
            )
    network = _with_weights(build_classifier(spec, own), spec, weights, device)
    return ClassifierGradient.of(diffusion_of(spec), network, off_grid)


def _with_weights(network: nn.Module, spec: Mapping[str, Any], weights: Path, device: torch.device) -> nn.Module:
    prefix = f"{spec['weights']}."
    try:
        state = {
            name.removeprefix(prefix): tensor for name, tensor in load_file(weights).items() if name.startswith(prefix)
        }
    except (SafetensorError, OSError) as error:
        raise UserError(f"{weights}: not a whole safetensors file ({error}); train the model again") from None
    load_fitting(network, state, weights)
    return network.to(device).eval().requires_grad_(False)

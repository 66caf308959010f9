"""A model from its spec and weights, shared by the stages that run one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from diffbench.base.artifacts import read_provenance
from diffbench.base.errors import UserError
from diffbench.base.plugins import configure, load
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser


def part_of(folder: str, described: Mapping[str, Any]) -> Any:
    """Return the part that a spec describes: its name and its fields."""
    options = {key: value for key, value in described.items() if key != "name"}
    return configure(load(folder, described["name"]), options, folder)


def diffusion_of(spec: Mapping[str, Any]) -> Diffusion:
    """Return the process of a spec."""
    return configure(Diffusion, spec["diffusion"], "diffusion")


def build_network(spec: Mapping[str, Any], facts: Mapping[str, Any]) -> nn.Module:
    """Return the network of a spec for data with the given facts (shape, num_classes), with fresh weights."""
    height, width, channels = facts["shape"]
    network = part_of("networks", spec["network"])
    return network.build((channels, height, width), facts["num_classes"], diffusion_of(spec).learns_variance)


def load_model(
    spec: Mapping[str, Any], weights: Path, device: torch.device, *, full_chain: bool
) -> tuple[ModelDenoiser, dict[str, Any]]:
    """Return the denoiser of trained weights (ema or raw, as the spec says) and the facts of the data it saw.

    Raises: UserError where the weights do not fit the network.
    """
    facts = read_provenance(weights)["facts"]
    network = build_network(spec, facts)
    prefix = f"{spec['weights']}."
    try:
        state = {
            name.removeprefix(prefix): tensor for name, tensor in load_file(weights).items() if name.startswith(prefix)
        }
    except (SafetensorError, OSError) as error:
        raise UserError(f"{weights}: not a whole safetensors file ({error}); train the model again") from None
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(f"{weights}: does not fit the network: {str(error).splitlines()[-1].strip()}") from None
    network.to(device).eval().requires_grad_(False)
    return ModelDenoiser.of(diffusion_of(spec), network, full_chain=full_chain), facts

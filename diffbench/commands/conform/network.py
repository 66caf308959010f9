"""The comparison of a small network with the published code's output, on recorded weights and inputs."""

import re
from pathlib import Path

import numpy as np
import torch

from diffbench.base.arrays import member_names, read_member
from diffbench.commands.conform.closeness import Comparison, compare
from diffbench.commands.published_flags import published_part
from diffbench.networks._fit import load_fitting

NETWORK_TOLERANCE = 1e-4


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
    _, channels, height, width = inputs["x"].shape
    network = published_network(config, (channels, height, width))
    load_fitting(network, weights, path)
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
    """Return the network that the published flags describe, for images of `shape`."""
    _, part = published_part(config["kind"], config["flags"], shape[1])
    num_classes = config.get("num_classes")
    if config["kind"] == "classifier":
        return part.build(shape, num_classes)
    return part.build(shape, num_classes, config["flags"].get("learn_sigma", False))

"""A network without values has the right shapes, and building it is cheap."""

import subprocess
import sys

import torch
from torch import nn

from diffbench.base.meta import without_values

BUILT = """
import sys
from diffbench.base.meta import without_values
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.unet import Unet
with without_values():
    networks = Unet(class_conditional=True).build((3, 32, 32), 10, True), NoisyClassifier(Unet(head_channels=32)).build((3, 64, 64), 10)
assert all(parameter.is_meta for network in networks for parameter in network.parameters())
print(*sorted({"sympy", "torch._dynamo"} & set(sys.modules)), sum(p.numel() for p in networks[0].parameters()))
"""


def test_layers_have_shapes_and_no_values_and_later_ones_have_values_again():
    with without_values():
        layers = nn.Linear(3, 4), nn.Conv2d(3, 4, 3), nn.Embedding(5, 6), nn.GroupNorm(2, 4)
    assert all(parameter.is_meta for layer in layers for parameter in layer.parameters())
    assert layers[2].weight.shape == (5, 6)
    after = nn.Linear(3, 4)
    assert after.weight.device.type == "cpu" and bool(torch.any(after.weight != 0))


def test_networks_with_labels_do_not_import_the_compiler():
    said = subprocess.run([sys.executable, "-c", BUILT], capture_output=True, text=True, check=True).stdout.split()
    assert len(said) == 1 and int(said[0]) > 1_000_000

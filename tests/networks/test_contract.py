"""What every network must keep, for each file in the folder: the checks of `diffbench contract`."""

import pytest
import torch

from diffbench.base import plugins
from diffbench.commands.contract import network as contract

torch.set_num_threads(1)
UNET = {
    "channels": 8,
    "channel_multipliers": [1, 2],
    "residual_blocks": 1,
    "attention_resolutions": [4],
    "norm_groups": 4,
}
SMALL = {
    "unet": [UNET, UNET | {"class_conditional": True, "null_label": True, "dropout": 0.1}],
    "super_resolution": [UNET],
    "noisy_classifier": [
        {"encoder": UNET, "pool": "adaptive"},
        {"encoder": UNET | {"head_channels": 4}, "pool": "attention"},
    ],
}
"""Options with which each network is small."""


def networks():
    return [
        plugins.configure(plugins.load("networks", name), options, name)
        for name in plugins.names("networks")
        for options in SMALL.get(name, [{}])
    ]


KEPT = [(check, network) for network in networks() for check in contract.checks(network)]


@pytest.mark.parametrize(("check", "network"), KEPT, ids=lambda item: getattr(item, "__name__", type(item).__name__))
def test_keeps_the_contract(check, network):
    check(network)

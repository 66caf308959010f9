"""The arithmetic of the shipped networks gives what counting by running them gives."""

import dataclasses
import json

import pytest
import torch

from diffbench.networks._arithmetic import classifier_cost, unet_cost
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet

NARROW = {"channels": 8, "norm_groups": 4, "heads": 2}
RESAMPLING = {"residual_resampling": True, "head_channels": 4}
NETWORKS = [
    (Unet(**NARROW, channel_multipliers=(1, 2), residual_blocks=1, attention_resolutions=()), (1, 8, 8)),
    (Unet(**NARROW, channel_multipliers=(1, 1.5, 2), residual_blocks=2, attention_resolutions=(16, 4)), (3, 16, 16)),
    (Unet(**NARROW, channel_multipliers=(1, 2), attention_resolutions=(8,), scale_shift=False), (3, 16, 16)),
    (Unet(**NARROW, channel_multipliers=(2, 1), attention_resolutions=(8,), downsample_padding="right_bottom"), (1, 8, 8)),
    (Unet(**NARROW, **RESAMPLING, channel_multipliers=(1, 1, 2), attention_resolutions=(8,), dropout=0.1), (3, 16, 16)),
    (Unet(**NARROW, channel_multipliers=(1,), attention_resolutions=(), class_conditional=True), (1, 8, 8)),
    (Unet(**NARROW, channel_multipliers=(1, 2), class_conditional=True, null_label=True, attention_resolutions=()), (1, 8, 8)),
    (SuperResolution(**NARROW, **RESAMPLING, channel_multipliers=(1, 2), attention_resolutions=(8,)), (3, 16, 16)),
    (Unet(**NARROW, channel_multipliers=(1, 2), attention_resolutions=(8,)), (3, 16, 8)),
]  # fmt: skip


def plain(settings):
    return json.loads(json.dumps(dataclasses.asdict(settings)))


def parameters_of(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("learns_variance", [False, True])
@pytest.mark.parametrize(("settings", "shape"), NETWORKS)
def test_parameters_and_operations_are_those_that_are_counted(settings, shape, learns_variance):
    with torch.device("meta"):
        network = settings.build(shape, 10, learns_variance)
    low = (shape[0], shape[1] // 2, shape[2] // 2) if isinstance(settings, SuperResolution) else None
    cost = unet_cost(plain(settings), shape, num_classes=10, learns_variance=learns_variance, upsamples=low is not None)
    counted = flops_per_row(network, shape, conditional=settings.class_conditional, low_shape=low, device="meta")
    assert (cost.parameters, cost.flops) == (parameters_of(network), counted)


@pytest.mark.parametrize("pool", ["attention", "adaptive", "spatial"])
def test_classifiers_too(pool):
    encoder = Unet(**NARROW, **RESAMPLING, channel_multipliers=(1, 2), attention_resolutions=(8,))
    settings = NoisyClassifier(encoder=encoder, pool=pool)
    with torch.device("meta"):
        network = settings.build((3, 16, 16), 10)
    cost = classifier_cost(plain(settings), (3, 16, 16), num_classes=10)
    counted = classifier_flops_per_row(network, (3, 16, 16), with_gradient=False, device="meta")
    assert (cost.parameters, cost.flops) == (parameters_of(network), counted)
    gradient = classifier_flops_per_row(network, (3, 16, 16), with_gradient=True, device="meta")
    assert cost.with_gradient == gradient


@pytest.mark.parametrize(("settings", "shape"), NETWORKS[:5])
def test_what_the_backward_pass_keeps_is_what_torch_saves(settings, shape):
    """The numbers that a real forward pass saves, storages counted once and parameters not at all."""
    network = settings.build(shape, None, False).train()
    held = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    found: dict[int, torch.Tensor] = {}

    def keep(tensor):
        if (place := tensor.untyped_storage().data_ptr()) not in held:
            found[place] = tensor
        return tensor

    batch = 4
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = network(torch.randn(batch, *shape), torch.zeros(batch))
    assert output.requires_grad
    saved = sum(tensor.untyped_storage().nbytes() for tensor in found.values()) / 4 / batch
    cost = unet_cost(plain(settings), shape, num_classes=None, learns_variance=False)
    assert cost.saved == pytest.approx(saved, rel=0.1)

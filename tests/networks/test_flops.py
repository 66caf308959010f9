"""Floating-point operations of networks, by hand and of published sizes."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from diffbench.diffusion.denoiser import Condition, Diffusion
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.unet import Unet


def test_parameters_and_flops_of_the_published_cifar10_network():
    """DDPM's CIFAR-10 network in the released code of improved DDPM has 52.5M parameters (3 blocks, learned variance)."""
    settings = Unet(channels=128, channel_multipliers=(1, 2, 2, 2), residual_blocks=3, attention_resolutions=(16, 8))
    with torch.device("meta"):
        network = settings.build((3, 32, 32), None, learns_variance=True)
    assert sum(parameter.numel() for parameter in network.parameters()) == 52_546_438
    assert flops_per_row(network, (3, 32, 32), conditional=False, device="meta") > 1e9


def test_flops_of_one_convolution_are_counted_by_hand():
    layer = torch.nn.Conv2d(1, 4, 3, padding=1, bias=False)

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x, t, y, low_res):
            return self.layer(x)

    assert flops_per_row(Network(), (1, 8, 8), conditional=False) == 2 * 9 * 4 * 64


@pytest.mark.parametrize("pool", ["attention", "adaptive", "spatial"])
def test_a_classifiers_gradient_counts_as_guidance_takes_it(pool):
    encoder = Unet(
        channels=8,
        channel_multipliers=(1.0, 2.0),
        residual_blocks=1,
        attention_resolutions=(4,),
        head_channels=4,
        norm_groups=4,
    )
    network = NoisyClassifier(encoder, pool=pool).build((3, 8, 8), 5)
    gradient = ClassifierGradient.of(Diffusion(timesteps=50), lambda x, t: network(x.view_as(x), t))
    with FlopCounterMode(display=False) as counter:
        gradient(torch.zeros(1, 3, 8, 8), gradient.chain.level(0), Condition(y=torch.zeros(1, dtype=torch.int64)))
    found = classifier_flops_per_row(network, (3, 8, 8), with_gradient=True)
    assert found == counter.get_total_flops() > classifier_flops_per_row(network, (3, 8, 8), with_gradient=False)
    assert all(parameter.requires_grad for parameter in network.parameters())
    on_meta = classifier_flops_per_row(network.to("meta"), (3, 8, 8), with_gradient=True, device="meta")
    assert found == on_meta

"""Networks in bf16: which arithmetic is in bfloat16, and which stays in float32."""

import pytest
import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from diffbench.base.forward import forward_of, placed
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.seeds import seed_torch
from diffbench.diffusion.denoiser import Condition, Diffusion, ModelDenoiser
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet

torch.set_num_threads(1)
BF16 = Numerics("bf16")
ENCODER = Unet(
    channels=16,
    channel_multipliers=(1.0, 2.0),
    residual_blocks=1,
    attention_resolutions=(4,),
    head_channels=8,
    norm_groups=8,
    dropout=0.1,
)
CLOSE = 0.03
"""The largest error of a network's output in bf16, as a share of its standard deviation; float32's is about 1e-6."""


class Types(TorchDispatchMode):
    """The types of the first tensor that each operation is given, by the operation's name."""

    def __init__(self):
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = next((item for item in args if isinstance(item, torch.Tensor)), None)
        if found is not None:
            self.seen.setdefault(func.overloadpacket.__name__, set()).add(found.dtype)
        return func(*args, **(kwargs or {}))


def built(settings, *args):
    """A network whose last layers are not zero, as after training."""
    seed_torch(0, "init")
    network = settings.build(*args)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return network


def drawn(settings):
    """The inputs of a network: images, times, labels and smaller images, those that it takes."""
    seed_torch(1, "init")
    x, t, y = torch.randn(6, 1, 8, 8), torch.arange(6.0) * 30, torch.arange(6) % 3
    low_res = torch.randn(6, 1, 4, 4) if isinstance(settings, SuperResolution) else None
    return x, t, y if settings.class_conditional else None, low_res


NETWORKS = {
    "adm": Unet(**vars(ENCODER) | {"scale_shift": True, "residual_resampling": True, "class_conditional": True}),
    "ddpm": Unet(**vars(ENCODER) | {"scale_shift": False}),
    "upsampler": SuperResolution(**vars(ENCODER)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_compute_in_bfloat16_and_norms_and_the_output_in_float32(name):
    settings = NETWORKS[name]
    network = built(settings, (1, 8, 8), 3, True).eval()
    given = drawn(settings)
    with torch.no_grad():
        exact = network(*given)
        with Types() as types:
            found = forward_of(network, BF16)(*given)
    assert found.dtype == torch.float32
    assert types.seen["convolution"] == {torch.bfloat16}
    assert types.seen["native_group_norm"] == {torch.float32}
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    error = (found - exact).square().mean().sqrt() / exact.std()
    assert 1e-4 < error < CLOSE
    assert not torch.is_autocast_enabled("cpu")


def test_without_bf16_the_network_itself_is_called():
    network = built(ENCODER, (1, 8, 8), None, False)
    assert forward_of(network, DEFAULT_NUMERICS) is network
    assert forward_of(network, Numerics("tf32", channels_last=True)) is network


def test_the_loss_the_gradient_and_the_weights_of_training_are_in_float32():
    settings = NETWORKS["adm"]
    network = built(settings, (1, 8, 8), 3, True).train()
    denoiser = ModelDenoiser.of(Diffusion(timesteps=200, variance="learned_range"), forward_of(network, BF16))
    x, _, y, _ = drawn(settings)
    prediction = denoiser(x, denoiser.chain.level(torch.arange(6) * 30), Condition(y))
    assert {prediction.x_0.dtype, prediction.eps.dtype} == {torch.float32}
    with Types() as types:
        loss = functional.mse_loss(prediction.eps, x)
    assert loss.dtype == torch.float32 and torch.bfloat16 not in set().union(*types.seen.values())
    loss.backward()
    assert {parameter.grad.dtype for parameter in network.parameters() if parameter.grad is not None} == {torch.float32}


@pytest.mark.parametrize("pool", ["attention", "adaptive", "spatial"])
def test_a_classifier_guides_in_bf16(pool):
    network = built(NoisyClassifier(encoder=ENCODER, pool=pool), (1, 8, 8), 3).eval().requires_grad_(False)
    diffusion = Diffusion(timesteps=200)
    x, _, _, _ = drawn(ENCODER)
    condition = Condition(torch.arange(6) % 3)
    found = [
        ClassifierGradient.of(diffusion, forward_of(network, numerics))(x, diffusion.chain().level(100), condition)
        for numerics in (DEFAULT_NUMERICS, BF16)
    ]
    assert found[1].dtype == torch.float32 and not torch.equal(*found)
    assert functional.cosine_similarity(found[0].flatten(), found[1].flatten(), dim=0) > 0.99


def test_channels_last_changes_the_layout_of_feature_maps_and_hardly_a_number():
    network = built(NETWORKS["adm"], (1, 8, 8), 3, True).eval()
    given = drawn(NETWORKS["adm"])
    with torch.no_grad():
        exact = network(*given)
        found = placed(network, Numerics(channels_last=True), "cpu")(*given)
    assert network.input_blocks[1][0].out_layers[3].weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, exact, rtol=1e-4, atol=1e-5)

"""The U-Net: published names, flags that change what the same weights mean, sizes that fit or are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.load import load_benchmark
from diffbench.networks._blocks import attend, timestep_embedding
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet

torch.set_num_threads(1)
REFERENCE = Path(__file__).parents[3] / "shared/reference"
SMALL = {
    "channels": 16,
    "channel_multipliers": (1.0, 2.0),
    "residual_blocks": 1,
    "attention_resolutions": (4,),
    "heads": 2,
    "norm_groups": 8,
}


def built(shape=(1, 8, 8), num_classes=None, learns_variance=False, network=Unet, **settings):
    """A network whose parameters are all random: a fresh one answers 0, whatever its flags."""
    torch.manual_seed(0)
    module = network(**(SMALL | settings)).build(shape, num_classes, learns_variance)
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return module.eval()


def answer(module, shape=(1, 8, 8), y=None):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(2, *shape, generator=generator)
    with torch.no_grad():
        return module(x, torch.tensor([3.0, 700.0]), y)


def test_a_fresh_network_answers_zero():
    module = Unet(**SMALL).build((1, 8, 8), None, False)
    assert (answer(module) == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("learns_variance", [False, True])
@pytest.mark.parametrize("residual_resampling", [False, True])
@pytest.mark.parametrize("scale_shift", [False, True])
def test_output_shapes(channels, learns_variance, residual_resampling, scale_shift):
    settings = {"residual_resampling": residual_resampling, "scale_shift": scale_shift}
    module = built((channels, 8, 8), learns_variance=learns_variance, **settings)
    found = answer(module, (channels, 8, 8))
    assert found.shape == (2, channels * (1 + learns_variance), 8, 8) and torch.isfinite(found).all()


@pytest.mark.parametrize(
    ("multipliers", "widths"),
    [((1.0,), (16,)), ((0.5, 1.0), (8, 16)), ((1.0, 2.0, 1.5), (16, 32, 24)), ((3.0,), (48,))],
)
def test_any_multipliers(multipliers, widths):
    module = built(channel_multipliers=multipliers, attention_resolutions=())
    assert answer(module).shape == (2, 1, 8, 8)
    assert module.input_blocks[0][0].out_channels == widths[0]
    assert module.middle_block[0].skip_connection.__class__ is nn.Identity
    assert module.middle_block[1].norm.num_channels == widths[-1]
    assert module.out[0].num_channels == widths[0]
    # The embedding's width belongs to `channels`, not to the first multiplier.
    assert module.time_embed[0].in_features == 16 and module.time_embed[2].out_features == 64


def test_rectangular_images():
    assert answer(built((3, 8, 12)), (3, 8, 12)).shape == (2, 3, 8, 12)


@pytest.mark.parametrize(
    "flag",
    [
        {"new_attention_order": True},
        {"time_embedding": "sin_cos"},
        {"downsample_padding": "right_bottom"},
        {"norm_eps": 1e-2},
        {"heads": 4},
        {"head_channels": 4},
        {"norm_groups": 4},
    ],
    ids=str,
)
def test_flags_that_load_silently_change_the_output(flag):
    plain, other = built(), built(**flag)
    other.load_state_dict(plain.state_dict())
    assert (answer(plain) - answer(other)).abs().max() > 1e-4 * answer(plain).abs().max()


@pytest.mark.parametrize(
    "flag", [{"scale_shift": False}, {"residual_resampling": True}, {"attention_resolutions": (8,)}]
)
def test_flags_that_change_the_shape_of_the_weights_do_not_load(flag):
    with pytest.raises(RuntimeError):
        built(**flag).load_state_dict(built().state_dict())


def test_padding_of_ones_own_right_and_bottom():
    plain, other = built(), built(downsample_padding="right_bottom")
    assert answer(other).shape == answer(plain).shape


def attention_by_loops(qkv, heads, new_order):
    b, width, n = qkv.shape
    c = width // (3 * heads)
    out = torch.zeros(b, heads * c, n, dtype=qkv.dtype)
    for head in range(heads):
        if new_order:
            q, k, v = (qkv[:, part * heads * c + head * c :][:, :c] for part in range(3))
        else:
            q, k, v = (qkv[:, head * 3 * c + part * c :][:, :c] for part in range(3))
        weight = (torch.einsum("bcq,bck->bqk", q, k) / c**0.5).softmax(dim=-1)
        out[:, head * c : (head + 1) * c] = torch.einsum("bqk,bck->bcq", weight, v)
    return out


@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("new_order", [False, True])
def test_attention_by_its_formula(heads, new_order):
    qkv = torch.randn(2, 3 * 8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(attend(qkv, heads, new_order), attention_by_loops(qkv, heads, new_order))


def test_the_two_attention_orders_agree_for_one_head_only():
    qkv = torch.randn(2, 3 * 8, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(attend(qkv, 1, True), attend(qkv, 1, False))
    assert not torch.allclose(attend(qkv, 2, True), attend(qkv, 2, False), atol=1e-3)


def test_timestep_embeddings_by_their_formulas():
    t = torch.tensor([0.0, 7.0, 999.0])
    cos_sin, sin_cos = timestep_embedding(t, 8), timestep_embedding(t, 8, "sin_cos")
    for k in range(4):
        for row, value in enumerate(t.tolist()):
            ours, theirs = value * 10_000 ** (-k / 4), value * 10_000 ** (-k / 3)
            assert np.isclose(cos_sin[row, k], np.cos(ours), atol=1e-4)
            assert np.isclose(cos_sin[row, 4 + k], np.sin(ours), atol=1e-4)
            assert np.isclose(sin_cos[row, k], np.sin(theirs), atol=1e-4)
            assert np.isclose(sin_cos[row, 4 + k], np.cos(theirs), atol=1e-4)
    assert timestep_embedding(t, 9).shape == (3, 9) and (timestep_embedding(t, 9)[:, -1] == 0).all()


def test_attention_stands_where_it_is_asked_for():
    def places(resolutions):
        module = built((1, 16, 16), channel_multipliers=(1.0, 2.0, 2.0), attention_resolutions=resolutions)
        return [name for name, part in module.named_modules() if type(part).__name__ == "AttentionBlock"]

    assert places(()) == ["middle_block.1"]
    assert places((16,)) == ["input_blocks.1.1", "middle_block.1", "output_blocks.4.1", "output_blocks.5.1"]
    assert places((4,)) == ["input_blocks.5.1", "middle_block.1", "output_blocks.0.1", "output_blocks.1.1"]
    assert len(places((16, 8, 4))) == 10


def test_labels_matter_and_are_asked_for():
    module = built(num_classes=5, class_conditional=True)
    a, b = (answer(module, y=torch.tensor(y)) for y in ([0, 1], [0, 2]))
    assert torch.equal(a[0], b[0]) and not torch.allclose(a[1], b[1])
    with pytest.raises(UserError, match="needs labels"):
        answer(module)
    with pytest.raises(UserError, match="takes no labels"):
        answer(built(), y=torch.tensor([0, 1]))
    with pytest.raises(UserError, match="data set with labels"):
        built(num_classes=None, class_conditional=True)
    assert not hasattr(built(num_classes=5), "label_emb")


def test_the_time_matters():
    module, x = built(), torch.zeros(1, 1, 8, 8)
    with torch.no_grad():
        assert not torch.allclose(module(x, torch.tensor([3.0])), module(x, torch.tensor([4.0])))


def test_dropout_acts_in_training_only():
    module = built(dropout=0.5)
    assert torch.equal(answer(module), answer(module))
    module.train()
    assert not torch.equal(answer(module), answer(module))


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        ({"head_channels": 5}, (1, 8, 8), "head_channels 5 does not divide a layer of 32 channels"),
        ({"heads": 3}, (1, 8, 8), "3 heads do not divide a layer of 32 channels"),
        ({}, (1, 7, 8), "images of 7x8 cannot be halved 1 times; use fewer channel_multipliers"),
        ({}, (1, 8, 9), "images of 8x9 cannot be halved"),
        ({"channel_multipliers": (1.0,) * 5}, (1, 8, 8), "cannot be halved 4 times"),
        ({"attention_resolutions": (16,)}, (1, 8, 8), "no feature map is 16 pixels wide; allowed: 8, 4"),
        ({"attention_resolutions": (3,)}, (1, 8, 8), "no feature map is 3 pixels wide; allowed: 8, 4"),
        ({"attention_resolutions": (2,)}, (1, 8, 8), "no feature map is 2 pixels wide; allowed: 8, 4"),
    ],
)
def test_sizes_that_do_not_fit_are_one_line(settings, shape, message):
    with pytest.raises(UserError) as caught:
        built(shape, **settings)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": 0},
        {"dropout": 1.0},
        {"channel_multipliers": ()},
        {"channel_multipliers": (0, 1)},
        {"residual_blocks": 0},
        {"heads": 0},
        {"head_channels": 0},
        {"channels": 16, "norm_groups": 32},
        {"channels": 20, "norm_groups": 8},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Unet(**settings)


def test_an_upsampler_looks_at_the_low_resolution_image():
    module = built((3, 8, 8), network=SuperResolution)
    x, t = torch.zeros(1, 3, 8, 8), torch.tensor([5.0])
    with torch.no_grad():
        a, b = (module(x, t, None, torch.full((1, 3, 2, 2), value)) for value in (0.0, 1.0))
    assert a.shape == (1, 3, 8, 8) and not torch.allclose(a, b)
    with pytest.raises(UserError, match="needs low-resolution images"):
        module(x, t)
    with pytest.raises(UserError, match="use network super_resolution"):
        built((3, 8, 8))(x, t, None, torch.zeros(1, 3, 2, 2))


# The published names of a small network with attention and both kinds of resampling, written out.
NAMES = """
time_embed.0 time_embed.2 input_blocks.0.0 input_blocks.1.0.in_layers.0 input_blocks.1.0.in_layers.2
input_blocks.1.0.emb_layers.1 input_blocks.1.0.out_layers.0 input_blocks.1.0.out_layers.3 {down}
input_blocks.3.0.in_layers.0 input_blocks.3.0.in_layers.2 input_blocks.3.0.emb_layers.1 input_blocks.3.0.out_layers.0
input_blocks.3.0.out_layers.3 input_blocks.3.0.skip_connection input_blocks.3.1.norm input_blocks.3.1.qkv
input_blocks.3.1.proj_out middle_block.0.in_layers.0 middle_block.0.in_layers.2 middle_block.0.emb_layers.1
middle_block.0.out_layers.0 middle_block.0.out_layers.3 middle_block.1.norm middle_block.1.qkv middle_block.1.proj_out
middle_block.2.in_layers.0 middle_block.2.in_layers.2 middle_block.2.emb_layers.1 middle_block.2.out_layers.0
middle_block.2.out_layers.3 output_blocks.0.0.in_layers.0 output_blocks.0.0.in_layers.2 output_blocks.0.0.emb_layers.1
output_blocks.0.0.out_layers.0 output_blocks.0.0.out_layers.3 output_blocks.0.0.skip_connection output_blocks.0.1.norm
output_blocks.0.1.qkv output_blocks.0.1.proj_out output_blocks.1.0.in_layers.0 output_blocks.1.0.in_layers.2
output_blocks.1.0.emb_layers.1 output_blocks.1.0.out_layers.0 output_blocks.1.0.out_layers.3
output_blocks.1.0.skip_connection output_blocks.1.1.norm output_blocks.1.1.qkv output_blocks.1.1.proj_out {up}
output_blocks.2.0.in_layers.0 output_blocks.2.0.in_layers.2 output_blocks.2.0.emb_layers.1
output_blocks.2.0.out_layers.0 output_blocks.2.0.out_layers.3 output_blocks.2.0.skip_connection
output_blocks.3.0.in_layers.0 output_blocks.3.0.in_layers.2 output_blocks.3.0.emb_layers.1
output_blocks.3.0.out_layers.0 output_blocks.3.0.out_layers.3 output_blocks.3.0.skip_connection out.0 out.2
"""
RESIDUAL = "{0}.in_layers.0 {0}.in_layers.2 {0}.emb_layers.1 {0}.out_layers.0 {0}.out_layers.3"


@pytest.mark.parametrize("residual", [False, True])
def test_parameter_names_are_the_published_ones(residual):
    down = RESIDUAL.format("input_blocks.2.0") if residual else "input_blocks.2.0.op"
    up = RESIDUAL.format("output_blocks.1.2") if residual else "output_blocks.1.2.conv"
    layers = NAMES.format(down=down, up=up).split()
    expected = {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")}
    assert set(built(residual_resampling=residual).state_dict()) == expected


FILES = sorted(REFERENCE.glob("unet_*.npz"))


@pytest.mark.skipif(not FILES, reason="no reference files beside the repository")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parameter_names_equal_those_of_the_reference_files(path):
    with np.load(path) as arrays:
        config = json.loads(str(arrays["config"]))
        shapes = {name.removeprefix("weight:"): arrays[name].shape for name in arrays if name.startswith("weight:")}
    flags = config["flags"]
    network = Unet(
        channels=flags["num_channels"],
        channel_multipliers=tuple(float(part) for part in flags["channel_mult"].split(",")),
        residual_blocks=flags["num_res_blocks"],
        attention_resolutions=tuple(int(part) for part in flags["attention_resolutions"].split(",")),
        heads=flags["num_heads"],
        head_channels=None if flags["num_head_channels"] == -1 else flags["num_head_channels"],
        scale_shift=flags["use_scale_shift_norm"],
        residual_resampling=flags["resblock_updown"],
        class_conditional=flags["class_cond"],
    )
    module = network.build((3, 32, 32), config["num_classes"], flags["learn_sigma"])
    assert {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()} == shapes


UPSAMPLING = Path(__file__).parents[2] / "workflow/config"


@pytest.mark.parametrize(
    ("size", "name", "millions"),
    [
        *(
            (256, "adm", 554),
            (256, "adm_low", 296),
            (256, "upsampler", 312),
            (256, "noisy", 54),
            (256, "noisy_low", 65),
        ),
        *(
            (512, "adm", 559),
            (512, "adm_low", 422),
            (512, "upsampler", 309),
            (512, "noisy", 54),
            (512, "noisy_low", 43),
        ),
    ],
)
def test_networks_of_the_published_cascades_have_the_published_number_of_parameters(size, name, millions):
    """Dhariwal and Nichol 2021, tables 11 and 12."""
    benchmark = load_benchmark(UPSAMPLING / f"imagenet{size}_upsampling.yaml")
    part = (benchmark.models | benchmark.classifiers)[name]
    variance = () if name in benchmark.classifiers else (True,)
    with torch.device("meta"):
        module = part.network.build(shrunk_shape((3, size, size), part.size), 1000, *variance)
    assert round(sum(parameter.numel() for parameter in module.parameters()) / 1e6) == millions


def test_an_upsampler_refuses_what_a_unet_refuses():
    settings = SuperResolution(
        channels=32, channel_multipliers=(1, 2, 2), attention_resolutions=(), class_conditional=True
    )
    with pytest.raises(UserError, match="images of 6x6 cannot be halved 2 times"):
        settings.build((1, 6, 6), 10, learns_variance=False)
    with pytest.raises(UserError, match="needs a data set with labels"):
        settings.build((1, 8, 8), None, learns_variance=False)

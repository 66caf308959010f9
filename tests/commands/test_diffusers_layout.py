"""diffusers' UNet2DModel in our network: equal outputs for equal weights, and one line for what it cannot be."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance
from diffbench.commands.importing.diffusers_layout import diffusion_of, published_names, unet_of
from diffbench.commands.importing.run import import_checkpoint
from diffbench.networks._fit import load_fitting

diffusers = pytest.importorskip("diffusers")
torch.set_num_threads(1)

HO = {"flip_sin_to_cos": False, "freq_shift": 1, "downsample_padding": 0, "norm_eps": 1e-6}
"""What Ho et al.'s weights need."""

SMALL = {
    "sample_size": 8,
    "in_channels": 3,
    "out_channels": 3,
    "block_out_channels": (16, 32),
    "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 8,
    "attention_head_dim": None,
}
DDPM = {
    "layers_per_block": 2,
    "block_out_channels": (16, 32, 32, 32),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    "sample_size": 16,
}
"""google/ddpm-cifar10-32's blocks: attention at one of four resolutions."""


def model_of(**changes):
    """A UNet2DModel whose weights are all random."""
    torch.manual_seed(0)
    model = diffusers.UNet2DModel(**(SMALL | HO | changes)).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.02, std=0.1, generator=generator)
    return model


def ours_of(model):
    config = json.loads(model.to_json_string())
    settings, (height, width, channels) = unet_of(config, "config.json")
    learns_variance = config["out_channels"] == 2 * channels
    network = settings.build((channels, height, width), config["num_class_embeds"], learns_variance).eval()
    load_fitting(network, published_names(model.state_dict(), settings, "weights"), "weights")
    return network


def inputs(size=8, channels=3):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(3, channels, size, size, generator=generator), torch.tensor([0, 500, 999])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        DDPM,
        {"layers_per_block": 3},
        {"attention_head_dim": 8},
        {"down_block_types": ("AttnDownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "AttnUpBlock2D")},
        {"down_block_types": ("DownBlock2D", "DownBlock2D"), "up_block_types": ("UpBlock2D", "UpBlock2D")},
        {"flip_sin_to_cos": True, "freq_shift": 0, "downsample_padding": 1, "norm_eps": 1e-5},
        {"resnet_time_scale_shift": "scale_shift", "attn_norm_num_groups": 8, "attention_head_dim": 16},
        {"in_channels": 1, "out_channels": 2},
        {"num_class_embeds": 5},
    ],
    ids=lambda changes: ",".join(changes) or "plain",
)
def test_the_outputs_are_equal(changes):
    model = model_of(**changes)
    x, t = inputs(changes.get("sample_size", 8), changes.get("in_channels", 3))
    y = torch.tensor([0, 3, 4]) if "num_class_embeds" in changes else None
    with torch.no_grad():
        theirs = model(x, t, y).sample
        ours = ours_of(model)(x, t.float(), y)
    assert theirs.abs().max() > 0.1
    assert (ours - theirs).abs().max() < 1e-4 * theirs.abs().max()


@pytest.mark.parametrize("key", HO)
def test_each_field_of_ho_et_als_weights_matters(key):
    """The other value loads as well and answers otherwise, by more than the tolerance above."""
    model = model_of(norm_eps=1e-2) if key == "norm_eps" else model_of()
    x, t = inputs()
    config = json.loads(model.to_json_string())
    other = {"flip_sin_to_cos": (True, 0), "freq_shift": (True, 0), "downsample_padding": 1, "norm_eps": 1e-5}[key]
    if isinstance(other, tuple):
        config["flip_sin_to_cos"], config["freq_shift"] = other
    else:
        config[key] = other
    settings, _ = unet_of(config, "config.json")
    network = settings.build((3, 8, 8), None, False).eval()
    load_fitting(network, published_names(model.state_dict(), settings, "weights"), "weights")
    with torch.no_grad():
        theirs = model(x, t).sample
        assert (network(x, t.float()) - theirs).abs().max() > 1e-3 * theirs.abs().max()


def test_names_of_2022_mean_the_same():
    model = model_of(**DDPM)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = {}
    for name, tensor in model.state_dict().items():
        for new, was in old.items():
            name = name.replace(f".{new}.", f".{was}.")
        renamed[name] = tensor
    settings, _ = unet_of(json.loads(model.to_json_string()), "config.json")
    found, expected = (published_names(state, settings, "w") for state in (renamed, model.state_dict()))
    assert any(".query." in name for name in renamed) and found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "a UNet2DConditionModel; only UNet2DModel can be imported"),
        ({"center_input_sample": True}, "center_input_sample True is not supported; supported: False"),
        ({"freq_shift": 0}, "flip_sin_to_cos False with freq_shift 0 is not supported"),
        ({"time_embedding_type": "fourier"}, "time_embedding_type 'fourier' is not supported"),
        ({"time_embedding_dim": 100}, "time_embedding_dim 100 is not supported"),
        ({"downsample_padding": 2}, "downsample_padding 2 is not supported"),
        ({"resnet_time_scale_shift": "scale_shift"}, "attn_norm_num_groups None is not supported; supported: 8"),
        ({"down_block_types": ["SkipDownBlock2D", "DownBlock2D"]}, "block SkipDownBlock2D is not supported"),
        ({"up_block_types": ["UpBlock2D", "AttnUpBlock2D"]}, "do not mirror"),
        ({"add_attention": False}, "add_attention False is not supported"),
        ({"mid_block_type": None}, "mid_block_type None is not supported"),
        ({"class_embed_type": "timestep"}, "class_embed_type 'timestep' is not supported"),
        ({"block_out_channels": None}, "'block_out_channels' is missing"),
        ({"norm_num_groups": 5}, "norm_groups 5 must divide"),
    ],
    ids=lambda value: "" if isinstance(value, str) else ",".join(value),
)
def test_a_configuration_that_we_cannot_be_is_one_line(changes, message):
    with pytest.raises(UserError) as caught:
        unet_of(SMALL | HO | changes, "config.json")
    assert message in str(caught.value) and str(caught.value).startswith("config.json: ")


def test_schedulers():
    ddpm = diffusers.DDPMScheduler(variance_type="fixed_large")
    found = diffusion_of(dict(ddpm.config), "s")
    assert (found.schedule, found.timesteps, found.parameterization) == ("linear", 1000, "eps")
    assert found.variance == "fixed_large" and not found.rescale_timesteps
    for settings in ({}, {"beta_schedule": "squaredcos_cap_v2"}):
        theirs = diffusers.DDPMScheduler(**settings)
        own = diffusion_of(dict(theirs.config), "s").chain().alphas[:-1].flip(0) ** 2
        assert (own - theirs.alphas_cumprod).abs().max() < 1e-6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beta_schedule": "scaled_linear"}, "beta_schedule 'scaled_linear' is not supported; supported: linear,"),
        ({"beta_end": 0.012}, "beta_end 0.012 is not supported; schedule linear starts at"),
        ({"num_train_timesteps": 500}, "beta_start 0.0001 is not supported"),
        ({"prediction_type": "flow"}, "prediction_type 'flow' is not supported"),
        ({"variance_type": "learned"}, "variance_type 'learned' is not supported"),
        ({"rescale_betas_zero_snr": True}, "rescale_betas_zero_snr True is not supported"),
    ],
)
def test_a_process_that_we_do_not_have_is_one_line(changes, message):
    with pytest.raises(UserError, match="^scheduler: ") as caught:
        diffusion_of(changes, "scheduler")
    assert message in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """google/ddpm-cifar10-32 in small: configuration, weights and scheduler side by side."""
    folder = tmp_path / "ddpm"
    model_of(**DDPM).save_pretrained(folder)
    diffusers.DDPMScheduler(variance_type="fixed_large").save_pretrained(folder)
    return folder


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_a_folder_becomes_an_artifact(folder, tmp_path, form):
    file = folder / "diffusion_pytorch_model.safetensors"
    if form == "bin":
        torch.save(load_file(file), folder / "diffusion_pytorch_model.bin")
        file.unlink()
    spec = tmp_path / "data.yaml"
    spec.write_text("num_classes: 10\nweights: raw\n")
    out = import_checkpoint(str(folder), out=tmp_path / "a.safetensors", spec_file=spec)
    provenance = read_provenance(out)
    found, facts = provenance["spec"], provenance["facts"]
    assert found["weights"] == "raw" and found["diffusion"]["variance"] == "fixed_large"
    fields = ("time_embedding", "downsample_padding", "norm_eps", "attention_resolutions", "heads")
    assert [found["network"][key] for key in fields] == ["sin_cos", "right_bottom", 1e-6, [8], 1]
    assert facts["shape"] == [16, 16, 3] and facts["num_classes"] == 10 and facts["levels"] == 256
    assert set(provenance["inputs"]) == {"checkpoint", "config", "scheduler"}
    assert all(name.startswith("raw.") for name in load_file(out))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json: cannot be read"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda folder: (folder / "scheduler_config.json").unlink(), "no scheduler_config.json"),
        (lambda folder: (folder / "diffusion_pytorch_model.safetensors").unlink(), "neither diffusion_pytorch_model"),
    ],
)
def test_a_folder_that_lacks_something_is_one_line(folder, tmp_path, change, message):
    change(folder)
    with pytest.raises(UserError) as caught:
        import_checkpoint(str(folder), out=tmp_path / "a.safetensors")
    assert message in str(caught.value) and not (tmp_path / "a.safetensors").exists()


def test_weights_of_another_configuration_name_the_tensor(folder, tmp_path):
    file = folder / "diffusion_pytorch_model.safetensors"
    state = load_file(file)
    save_file(state | {"down_blocks.0.attentions.0.to_q.weight": torch.zeros(16, 16)}, file)
    with pytest.raises(UserError, match=r"no weight 'down_blocks.0.attentions.0.to_k.weight'"):
        import_checkpoint(str(folder), out=tmp_path / "a.safetensors")
    save_file(state | {"extra.weight": torch.zeros(1)}, file)
    with pytest.raises(UserError, match=r"weight 'extra.weight' has no place"):
        import_checkpoint(str(folder), out=tmp_path / "a.safetensors")
    state.pop("mid_block.attentions.0.to_v.bias")
    save_file(state, file)
    with pytest.raises(UserError, match=r"no weight 'mid_block.attentions.0.to_v.bias'"):
        import_checkpoint(str(folder), out=tmp_path / "a.safetensors")

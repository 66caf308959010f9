"""Folders of diffusers: the average is taken if there is one, and a wrong configuration is refused in one line."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import diffusers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance
from diffbench.benchmark.json_file import read_json_map
from diffbench.commands.importing.diffusers_layout import diffusion_of, published_names, unet_of
from diffbench.commands.importing.run import import_checkpoint

CONFIG = {
    "sample_size": 8, "in_channels": 3, "out_channels": 3, "block_out_channels": (16, 32), "layers_per_block": 1,
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "norm_num_groups": 8, "attention_head_dim": 8,
}  # fmt: skip
SPEC = "schedule: linear\ntimesteps: 1000\nvariance: fixed_large\n"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return diffusers.UNet2DModel(**CONFIG)


@pytest.fixture
def checkpoint(tmp_path, network):
    """A training checkpoint of diffusers' scripts: the last weights, all 1, and the average, all 2."""
    with torch.no_grad():
        for value, name in ((1.0, "unet"), (2.0, "unet_ema")):
            for parameter in network.parameters():
                parameter.fill_(value)
            network.save_pretrained(tmp_path / "checkpoint-500" / name)
    return tmp_path / "checkpoint-500"


def imported(folder, tmp_path, extra=""):
    """Return the value that all tensors have, what their names begin with, and what the record says they are."""
    (tmp_path / "spec.yaml").write_text(SPEC + extra)
    out = import_checkpoint(str(folder), spec_file=tmp_path / "spec.yaml", out=tmp_path / "own.safetensors")
    held, recorded = load_file(out), read_provenance(out)["spec"]["weights"]
    (value,) = {float(number) for tensor in held.values() for number in tensor.unique()}
    (prefix,) = {name.partition(".")[0] for name in held}
    assert prefix == recorded
    return value, recorded


def test_the_average_is_taken_where_there_is_one_and_the_record_is_true(checkpoint, tmp_path):
    assert imported(checkpoint, tmp_path) == (2.0, "ema")
    assert imported(checkpoint, tmp_path, "weights: ema\n") == (2.0, "ema")
    assert imported(checkpoint, tmp_path, "weights: raw\n") == (1.0, "raw")
    assert imported(checkpoint / "unet", tmp_path) == (1.0, "raw")
    assert imported(checkpoint / "unet_ema", tmp_path) == (2.0, "ema")
    for name, weights in (("unet", "ema"), ("unet_ema", "raw")):
        with pytest.raises(UserError, match=f"weights: {weights}, and th"):
            imported(checkpoint / name, tmp_path, f"weights: {weights}\n")


def test_a_folder_of_one_network_is_recorded_as_what_it_is(checkpoint, tmp_path):
    (checkpoint / "unet").rename(tmp_path / "set_aside")
    assert imported(checkpoint, tmp_path) == (2.0, "ema")
    with pytest.raises(UserError, match=r"weights: raw, and it holds the average alone \(unet_ema\)"):
        imported(checkpoint, tmp_path, "weights: raw\n")
    (checkpoint / "unet_ema").rename(tmp_path / "aside_too")
    (tmp_path / "set_aside").rename(checkpoint / "unet")
    assert imported(checkpoint, tmp_path) == (1.0, "raw")
    # The hub's files: what is no average says so.
    file = checkpoint / "unet/diffusion_pytorch_model.safetensors"
    save_file(load_file(file), checkpoint / "unet/diffusion_pytorch_model.non_ema.safetensors")
    assert imported(checkpoint, tmp_path) == (1.0, "ema")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"sample_size": 8, "sample_size": 9}', "key 'sample_size' is written twice"),
        ('{"norm_eps": 1, "norm_eps": 1}', "key 'norm_eps' is written twice"),
        ("[" * 100_000, "not JSON"),
        ('{"in_channels": ' + "9" * 5000 + "}", "not JSON"),
        ("[1]", "not JSON of a configuration"),
        ("\xff", "is missing|not JSON"),
        ("", "not JSON"),
    ],
)
def test_a_configuration_that_is_no_map_is_one_line(checkpoint, tmp_path, text, message):
    (checkpoint / "unet_ema/config.json").write_text(text)
    (tmp_path / "spec.yaml").write_text(SPEC)
    command = [Path(sys.executable).parent / "diffbench", "import", str(checkpoint), "--spec", "spec.yaml"]
    if text.startswith("["):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and message in done.stderr
    with pytest.raises(UserError, match=message):
        import_checkpoint(str(checkpoint), spec_file=tmp_path / "spec.yaml", out=tmp_path / "own.safetensors")


def test_what_is_no_file_is_one_line(tmp_path):
    for path in (Path("/dev/zero"), tmp_path, tmp_path / "none.json"):
        with pytest.raises(UserError, match="not a file|cannot be read"):
            read_json_map(path)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**13), 10**13), st.sampled_from([0, 1, -1, 10**12, 2**63, 10**400]),
    st.floats(), st.text(max_size=3), st.lists(st.integers(-1, 3) | st.text(max_size=2), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2), st.lists(st.lists(st.none()), max_size=2),
)  # fmt: skip
KEYS = [
    *CONFIG, "_class_name", "center_input_sample", "time_embedding_type", "time_embedding_dim", "freq_shift",
    "flip_sin_to_cos", "mid_block_type", "mid_block_scale_factor", "downsample_padding", "dropout", "act_fn",
    "attn_norm_num_groups", "norm_eps", "resnet_time_scale_shift", "add_attention", "num_class_embeds",
]  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(KEYS), ODD, min_size=1, max_size=3))
def test_an_odd_network_is_made_or_refused_in_one_line(changes):
    content = json.loads(json.dumps(copy.deepcopy(CONFIG) | changes))
    try:
        network, shape = unet_of(content, "config.json")
        with torch.device("meta"):
            network.build((shape[2], shape[0], shape[1]), 3, False)
        published_names({}, network, "weights")
    except UserError as error:
        assert "\n" not in str(error)


PROCESS = [
    "num_train_timesteps", "beta_schedule", "beta_start", "beta_end", "trained_betas", "prediction_type",
    "variance_type", "rescale_betas_zero_snr", "thresholding",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(changes=st.dictionaries(st.sampled_from(PROCESS), ODD, min_size=1, max_size=3))
def test_an_odd_process_is_made_or_refused_in_one_line(changes):
    try:
        diffusion_of(changes, "scheduler_config.json").chain()
    except UserError as error:
        assert str(error).startswith("scheduler_config.json: ") and "\n" not in str(error)


LAYERS = ["weight", "bias"]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_weights_of_odd_shapes_are_renamed_or_refused_in_one_line(network, data):
    state = dict(network.state_dict())
    for name in data.draw(st.lists(st.sampled_from(sorted(state)), min_size=1, max_size=3)):
        shape = data.draw(st.lists(st.integers(0, 3), max_size=4))
        state[name] = torch.zeros(shape)
    settings, _ = unet_of(CONFIG, "config.json")
    try:
        published_names(state, settings, "weights")
    except UserError as error:
        assert "\n" not in str(error)

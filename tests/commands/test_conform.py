"""Comparison with recorded outputs of the published code: passes on the record, fails on anything else."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.commands.conform.closeness import compare
from diffbench.commands.conform.network import NETWORK_TOLERANCE, published_network
from diffbench.commands.conform.process import MATHEMATICS_TOLERANCE
from diffbench.commands.conform.run import conform, reference_files
from diffbench.networks.unet import Unet

torch.set_num_threads(1)
REFERENCE = Path(__file__).parents[3] / "shared/reference"
FILES = sorted([*REFERENCE.glob("*.npz"), *REFERENCE.glob("*.json")])
referenced = pytest.mark.skipif(not FILES, reason="no reference files beside the repository")


@referenced
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_reference_file_passes_in_every_array(path):
    results = conform(path)
    assert results and all(result.passed for result in results), [str(r) for r in results if not r.passed]
    if path.name.startswith("diffusion"):
        with np.load(path) as arrays:
            given = {"config", "x_start", "noise", "step_noise", "t", "bpd_loop_noise"}
            assert {result.array for result in results} == set(arrays) - given


def rewritten(source, target, change):
    with np.load(source) as arrays:
        content = {name: arrays[name].copy() for name in arrays}
    change(content)
    save_npz(target, content)
    return target


def flag(**flags):
    def change(content):
        config = json.loads(str(content["config"]))
        (config["flags"] if "flags" in config else config).update(flags)
        content["config"] = np.array(json.dumps(config))

    return change


@referenced
@pytest.mark.parametrize("name", ["unet_improved_ddpm", "superres_adm", "classifier_attention_pool"])
def test_a_perturbed_network_fails(tmp_path, name):
    def change(content):
        weight = next(key for key in content if key.endswith("out_layers.3.weight"))
        content[weight] = (content[weight].astype(np.float32) * 1.2).astype(np.float16)

    results = conform(rewritten(REFERENCE / f"{name}.npz", tmp_path / "a.npz", change))
    assert not results[0].passed and results[0].array == "output" and "EXCEEDS" in str(results[0])


@referenced
@pytest.mark.parametrize("array", ["p_sample", "ddim_sample_eta1", "vb_terms_bpd", "betas", "training_loss"])
def test_one_perturbed_entry_fails_in_that_array_alone(tmp_path, array):
    def change(content):
        content[array].reshape(-1)[-1] += 3 * MATHEMATICS_TOLERANCE * np.abs(content[array]).max()

    results = conform(rewritten(REFERENCE / "diffusion_01.npz", tmp_path / "a.npz", change))
    assert [result.array for result in results if not result.passed] == [array]


@referenced
@pytest.mark.parametrize(
    ("file", "flags"),
    [
        ("unet_improved_ddpm", {"use_new_attention_order": True}),
        ("unet_improved_ddpm", {"num_heads": 2}),
        ("diffusion_01", {"variance": "fixed_large"}),
        ("diffusion_00", {"mean": "x_start"}),
        ("diffusion_02", {"rescale_timesteps": False, "steps": 1000, "schedule": "linear"}),
        ("diffusion_07", {"loss": "kl"}),
    ],
)
def test_a_flag_that_loads_and_means_something_else_fails(tmp_path, file, flags):
    results = conform(rewritten(REFERENCE / f"{file}.npz", tmp_path / "a.npz", flag(**flags)))
    assert any(not result.passed for result in results)


@referenced
@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("unet_improved_ddpm", flag(num_channels=64), "probably channels ("),
        ("unet_improved_ddpm", flag(channel_mult="1,2,2"), "probably channel_multipliers ("),
        ("unet_improved_ddpm", flag(num_res_blocks=2), "probably residual_blocks ("),
        ("unet_improved_ddpm", flag(class_cond=True, num_classes=10), "data set with labels"),
        ("unet_improved_ddpm", lambda content: content.pop("weight:out.2.bias"), "no weight 'out.2.bias'"),
        ("unet_improved_ddpm", lambda content: content.update({"weight:x": np.zeros(3)}), "weight 'x' has no place"),
        ("unet_improved_ddpm", lambda content: content.pop("output"), "lacks 'output'"),
        ("unet_improved_ddpm", lambda content: content.pop("config"), "has no array 'config'"),
        ("diffusion_01", lambda content: content.pop("x_start"), "lacks 'x_start'"),
        ("diffusion_01", flag(loss="huber"), "loss 'huber' is not known"),
        ("diffusion_01", flag(respacing="2000"), "2000 steps asked"),
    ],
)
def test_a_file_that_contradicts_itself_is_one_line(tmp_path, file, change, message):
    with pytest.raises(UserError) as caught:
        conform(rewritten(REFERENCE / f"{file}.npz", tmp_path / "a.npz", change))
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_respacing_compares_lists(tmp_path):
    path = tmp_path / "respacing.json"
    path.write_text(json.dumps({"10|4": [0, 3, 6, 9], "10|ddim5": [0, 2, 4, 6, 9]}))
    assert [result.passed for result in conform(path)] == [True, False]


def test_comparison_is_relative_to_the_largest_value():
    reference = np.array([0.0, 100.0])
    assert compare("a", np.array([0.009, 100.0]), reference, NETWORK_TOLERANCE).passed
    assert not compare("a", np.array([0.011, 100.0]), reference, NETWORK_TOLERANCE).passed
    assert not compare("a", np.array([np.nan, 100.0]), reference, NETWORK_TOLERANCE).passed
    assert compare("a", np.zeros(2), np.zeros(2), 0.0).passed
    found = compare("a", np.array([1.0, 100.0]), reference, np.array([0.1, 0.0]))
    assert found.passed and (found.absolute, found.relative) == (1.0, 0.01)
    with pytest.raises(UserError, match=r"array a has shape \(2,\), ours has \(3,\)"):
        compare("a", np.zeros(3), reference, 0.1)


def test_folders_and_files(tmp_path):
    for name in ("b.npz", "a.npz", "c.json", "d.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in reference_files([tmp_path])] == ["a.npz", "b.npz", "c.json"]
    assert reference_files([tmp_path / "a.npz"]) == [tmp_path / "a.npz"]
    with pytest.raises(UserError, match="neither .npz nor .json"):
        reference_files([tmp_path / "d.txt"])
    with pytest.raises(UserError, match="no such file or folder"):
        reference_files([tmp_path / "none"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no .npz or .json"):
        reference_files([tmp_path / "empty"])


@pytest.mark.parametrize("text", ["{", "[1]"])
def test_a_json_file_that_is_no_map_is_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"a\.json"):
        conform(tmp_path / "a.json")


FLAGS = {"num_channels": 32, "num_res_blocks": 1, "attention_resolutions": "16", "num_heads": 4}


@pytest.mark.parametrize(
    ("flags", "widths"),
    [
        ({"image_size": 64, "channel_mult": ""}, (1, 2, 3, 4)),
        ({"image_size": 128, "channel_mult": ""}, (1, 1, 2, 3, 4)),
        ({"image_size": 32, "channel_mult": "0.5,1"}, (0.5, 1)),
    ],
)
def test_published_multipliers(flags, widths):
    if 0.5 in widths:
        # 32 groups do not divide 16 channels: the published code refuses it as well.
        flags = flags | {"num_channels": 64}
    module = published_network({"kind": "unet", "flags": FLAGS | flags}, (3, flags["image_size"], flags["image_size"]))
    assert module._settings.channel_multipliers == widths and module._settings.norm_groups == Unet().norm_groups


def test_published_attention_at_a_size_that_does_not_occur_is_no_attention():
    # "32,16,8" is the published default, also for small images: the code divides, and factor 0 never comes up.
    flags = FLAGS | {"image_size": 16, "channel_mult": "1,2", "attention_resolutions": "32,16,8"}
    module = published_network({"kind": "unet", "flags": flags}, (3, 16, 16))
    attention = [name for name, part in module.named_modules() if type(part).__name__ == "AttentionBlock"]
    assert "input_blocks.1.1" in attention and "input_blocks.3.1" in attention


def test_a_kind_that_is_not_known():
    with pytest.raises(UserError, match="kind 'transformer' is not known"):
        published_network(
            {"kind": "transformer", "flags": FLAGS | {"channel_mult": "1,2", "image_size": 32}}, (3, 32, 32)
        )


@referenced
def test_a_truncated_file_is_one_line(tmp_path):
    shutil.copy(REFERENCE / "diffusion_01.npz", tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:5000])
    with pytest.raises(UserError, match="not a whole"):
        conform(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "record",
    [np.full(3, np.nan), np.array([1, np.inf, 2]), np.array([]), np.array(["a", "b", "c"]), np.zeros(3, complex)],
    ids=["nan", "infinity", "empty", "text", "complex"],
)
def test_a_record_against_which_everything_would_pass_is_refused(record):
    with pytest.raises(UserError, match="holds no numbers to compare with"):
        compare("x", np.zeros(len(record)), record, 1e-6)

"""Checkpoints in a whole run: a released model, guided by a released classifier, and your own network."""

import csv
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml

from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.unet import Unet

LAB = Path(__file__).parent / "my_lab.py"
NETWORK = {"channels": 16, "channel_multipliers": [1, 2], "residual_blocks": 1, "attention_resolutions": [4]}
NETWORK |= {"norm_groups": 8, "head_channels": 8, "residual_resampling": True}
DATA = {"shape": [8, 8, 1], "num_classes": 10, "levels": 17, "timesteps": 1000, "schedule": "linear"}


def randomised(network, seed):
    generator = torch.Generator().manual_seed(seed)
    return {name: 0.1 * torch.randn(tensor.shape, generator=generator) for name, tensor in network.state_dict().items()}


def own_network():
    spec = importlib.util.spec_from_file_location("my_lab_of_this_test", LAB)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.Net(width=6).build((1, 8, 8), 10, True)


def released(tree):
    """Import what the published code would have saved: an ADM-like model and its classifier."""
    settings = Unet(**{key: tuple(value) if isinstance(value, list) else value for key, value in NETWORK.items()})
    labelled = Unet(**{**vars(settings), "class_conditional": True})
    torch.save(randomised(labelled.build((1, 8, 8), 10, True), 1), tree.root / "adm.pt")
    torch.save(randomised(NoisyClassifier(settings).build((1, 8, 8), 10), 2), tree.root / "classifier.pt")
    model = DATA | {"network": NETWORK | {"class_conditional": True}, "variance": "learned_range"}
    classifier = DATA | {"network": {"name": "noisy_classifier", "encoder": NETWORK}}
    for name, content in (("adm", model), ("classifier", classifier)):
        (tree.root / f"{name}.yaml").write_text(yaml.safe_dump(content))
        command = [sys.executable, "-m", "diffbench.cli", "import", f"{name}.pt", "--spec", f"{name}.yaml"]
        tree.run(*command, "--out", f"checkpoints/{name}.safetensors")


def use(config):
    config["classifiers"] = {"noisy": {"checkpoint": "checkpoints/classifier.safetensors"}}
    config["models"] = {
        "adm": {"checkpoint": "checkpoints/adm.safetensors"},
        "adm_g": {"of": "adm", "guidance": {"name": "classifier", "classifier": "noisy", "scale": 1000.0}},
        "mine": {
            "network": {"name": "my_lab.Net", "width": 6},
            "checkpoint": "mine.pt",
            "schedule": "cosine",
            "variance": "learned_range",
        },
    }
    config["bound"]["splits"] = ["test"]
    run = config["runs"][0]
    config["runs"] = [run | {"models": ["adm", "adm_g", "mine"], "samplers": ["ddim"], "steps": [3], "num_images": 100}]


@pytest.fixture
def tree(fresh):
    shutil.copy(LAB, fresh.root / "my_lab.py")
    torch.save(randomised(own_network(), 3), fresh.root / "mine.pt")
    released(fresh)
    fresh.configure(use)
    return fresh


def test_the_documentation_shows_this_network(code_block):
    assert code_block("docs/checkpoints.md") == LAB.read_text()


@pytest.mark.slow
def test_they_are_sampled_and_bounded_and_nothing_is_trained(tree):
    count = tree.count(tree.plan("results/table2.csv"))
    assert "train" not in count and "train_classifier" not in count
    assert count["sample"] == 3 and count["convert"] == 1 and count["bound"] == 2
    planned = tree.run(sys.executable, "-m", "diffbench.cli", "plan").stdout
    assert "0 train, 1 convert, 3 sample, 2 bound" in planned
    shown = yaml.safe_load(tree.run(sys.executable, "-m", "diffbench.cli", "check", "--resolved").stdout)
    assert shown["models"]["adm"]["network"]["head_channels"] == 8 and "training" not in shown["models"]["adm"]
    assert shown["models"]["mine"]["checkpoint"] == str(tree.root / "mine.pt")
    tree.snakemake("results/table2.csv")
    with open(tree.root / "results/table2.csv") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"real", "adm", "adm_g", "mine"}
    assert all(float(rows[name]["fid"]) > 0 for name in rows)
    assert rows["adm"]["fid"] != rows["adm_g"]["fid"] and float(rows["mine"]["nll_bits_per_dim"]) > 0
    assert tree.nothing_to_do("results/table2.csv")

    # Other weights of one's own: their jobs alone. A module edited: likewise.
    torch.save(randomised(own_network(), 4), tree.root / "mine.pt")
    jobs = tree.plan("results/table2.csv")
    assert tree.count(jobs)["convert"] == 1 and tree.count(jobs)["sample"] == 1
    assert {wildcards["model"] for _, wildcards in jobs if "model" in wildcards} == {"mine"}
    tree.snakemake("results/table2.csv")
    tree.write("my_lab.py", LAB.read_text() + "\nEDITED = True\n")
    jobs = tree.plan("results/table2.csv")
    assert {wildcards["model"] for _, wildcards in jobs if "model" in wildcards} == {"mine"}

    # Another release of the model: its sample sets, guided ones too, and its bound.
    content = (tree.root / "checkpoints/adm.safetensors.json").read_text()
    (tree.root / "adm.yaml").write_text((tree.root / "adm.yaml").read_text().replace("linear", "cosine"))
    tree.run(
        *(sys.executable, "-m", "diffbench.cli", "import", "adm.pt", "--spec", "adm.yaml"),
        *("--out", "checkpoints/adm.safetensors"),
    )
    assert (tree.root / "checkpoints/adm.safetensors.json").read_text() != content
    failed = tree.snakemake("results/table2.csv", expect=2)
    assert "noisy knows the noise of schedule linear, and the model's is cosine" in failed.stderr

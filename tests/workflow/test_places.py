"""Projects, data and weights in places of their own: odd names, other folders, moved, replaced, or gone."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

CONFIG = "workflow/config/digits.yaml"
DATA = "results/data/train.npz"
ODD = "My 'Drive' $(touch ran) \"x\" & y"


def draw(folder, seed=0, count=6):
    """Write pictures of 8 x 8 in train and test."""
    draws = np.random.default_rng(seed)
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            Image.fromarray(draws.integers(0, 256, (8, 8), np.uint8)).save(folder / split / f"{k}.png")


def own_benchmark(path="pictures"):
    """Return a benchmark of one model on pictures."""
    network = {"channels": 8, "channel_multipliers": [1, 2], "residual_blocks": 1, "attention_resolutions": [4]}
    return {
        "benchmark": "own",
        "dataset": {"name": "folder", "path": path, "channels": 1},
        "models": {"ddpm": {"network": network | {"heads": 2, "norm_groups": 4}, "training": {"steps": 2}}},
        "samplers": {"ddim": {}},
        "protocols": {"ruler": {"extractor": "digits_features", "metrics": ["fid"]}},
        "runs": [{"models": ["ddpm"], "samplers": ["ddim"], "steps": [2], "num_images": 4, "protocols": ["ruler"]}],
    }


def test_a_project_in_a_folder_with_an_odd_name_runs_and_runs_nothing_else(checkout, tmp_path):
    tree = checkout(tmp_path / ODD / "diffbench")
    tree.snakemake("results/data/train_4.npz")
    assert (tree.root / "results/data/train_4.npz").is_file()
    assert not list(tmp_path.rglob("ran")) and not Path("ran").exists()


def test_an_interpreter_in_a_folder_with_an_odd_name_runs_jobs(fresh, tmp_path):
    environment = tmp_path / ODD
    environment.symlink_to(Path(sys.prefix), target_is_directory=True)
    python = environment / "bin" / "python"
    fresh.run(str(python), "-m", "snakemake", "--cores", "1", DATA)
    assert (fresh.root / DATA).is_file() and not (fresh.root / "ran").exists()


def test_relative_data_start_at_the_file_that_names_them_for_every_command(fresh, tmp_path):
    """The project has pictures under the same name: none of the commands may take those."""
    elsewhere = tmp_path / "elsewhere"
    draw(elsewhere / "pictures", count=7)
    draw(fresh.root / "pictures", count=5)
    (elsewhere / "own.yaml").write_text(yaml.safe_dump(own_benchmark()))
    shown = fresh.run(sys.executable, "-m", "diffbench.cli", "check", "--resolved", str(elsewhere / "own.yaml")).stdout
    assert yaml.safe_load(shown)["dataset"]["path"] == str(elsewhere / "pictures")
    fresh.snakemake(DATA, "--configfile", str(elsewhere / "own.yaml"))
    home = fresh.root / "runs/own"
    assert np.load(home / DATA)["arr_0"].shape == (7, 8, 8, 1)
    assert "images" in (home / f"{DATA}.json").read_text() and str(elsewhere) not in (home / f"{DATA}.json").read_text()

    # The same from where the file is, and by the variable.
    (elsewhere / "pictures").rename(elsewhere / "gone")
    for command in (("check",), ("plan",)):
        done = fresh.run(sys.executable, "-m", "diffbench.cli", *command, str(elsewhere / "own.yaml"), expect=2)
        assert str(elsewhere / "pictures") in done.stderr and "Traceback" not in done.stderr


def test_other_data_at_the_same_path_are_prepared_again(fresh):
    draw(fresh.root / "pictures", 0)
    fresh.write(CONFIG, yaml.safe_dump(own_benchmark() | {"benchmark": "digits"}))
    fresh.snakemake(DATA)
    before = (fresh.root / DATA).read_bytes()
    assert fresh.nothing_to_do(DATA)
    draw(fresh.root / "pictures", 1)
    assert fresh.count(fresh.plan(DATA)) == {"prepare": 1}
    fresh.snakemake(DATA)
    assert (fresh.root / DATA).read_bytes() != before
    # The files may be gone afterwards, as in a clone that pulled: the recorded hash stands, and one line says so.
    shutil.rmtree(fresh.root / "pictures")
    done = fresh.forked("--cores", "2", DATA)
    assert "Nothing to be done" in done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("diffbench: ")]
    assert "pictures is not here; results that were made from it are kept" in line
    # Also where Snakemake's record is all that is left of the preparation.
    (fresh.root / f"{DATA}.json").rename(fresh.root / "kept")
    assert "pictures is not here; results that were made" in fresh.snakemake("-n", DATA).stderr


def test_a_moved_project_has_nothing_to_do(fresh, tmp_path):
    draw(fresh.root / "pictures", 0)
    fresh.write(CONFIG, yaml.safe_dump(own_benchmark() | {"benchmark": "digits"}))
    fresh.snakemake("results/data/train.npz")
    moved = type(fresh)(tmp_path / "moved")
    fresh.root.rename(moved.root)
    assert moved.nothing_to_do("results/data/train.npz")


@pytest.mark.slow
def test_a_moved_project_with_a_checkpoint_samples_nothing_again(fresh, tmp_path):
    """Paths of foreign weights were absolute, so that a moved project sampled for days."""
    import torch

    from diffbench.networks.unet import Unet

    network = {"channels": 16, "channel_multipliers": [1, 2], "residual_blocks": 1, "attention_resolutions": [4]}
    network |= {"norm_groups": 8, "heads": 2}
    unet = Unet(**{key: tuple(value) if isinstance(value, list) else value for key, value in network.items()})
    torch.save(unet.build((1, 8, 8), None, False).state_dict(), fresh.root / "theirs.pt")
    flags = {"network": network, "shape": [8, 8, 1], "levels": 17, "num_classes": 10, "timesteps": 100}
    (fresh.root / "theirs.yaml").write_text(yaml.safe_dump(flags))
    command = (sys.executable, "-m", "diffbench.cli", "import", "theirs.pt", "--spec", "theirs.yaml")
    fresh.run(*command, "--out", "checkpoints/theirs.safetensors")

    def use(config):
        config["models"] = {"theirs": {"checkpoint": "checkpoints/theirs.safetensors"}}
        config["bound"] |= {"splits": ["test"]}
        config.pop("classifiers")
        config["runs"] = [config["runs"][0] | {"models": ["theirs"], "samplers": ["ddim"], "steps": [2]}]
        config["runs"][0]["protocols"] = ["digits"]

    fresh.configure(use)
    target = "results/scores/digits/theirs/train0/ddim/sample0/2.json"
    fresh.snakemake(target)
    moved = type(fresh)(tmp_path / "moved")
    fresh.root.rename(moved.root)
    assert moved.nothing_to_do(target)
    # Other weights at the same place are another matter.
    torch.save(unet.build((1, 8, 8), None, False).state_dict(), moved.root / "theirs.pt")
    moved.run(*command, "--out", "checkpoints/theirs.safetensors")
    assert moved.count(moved.plan(target))["sample"] == 1


def test_a_second_file_of_the_same_name_is_refused_and_check_says_so(fresh):
    first, second = own_benchmark(), own_benchmark()
    second["runs"][0]["steps"] = [3]
    draw(fresh.root / "pictures")
    (fresh.root / "first.yaml").write_text(yaml.safe_dump(first))
    (fresh.root / "second.yaml").write_text(yaml.safe_dump(second))
    fresh.snakemake(DATA, "--configfile", "first.yaml")
    done = fresh.forked("--cores", "2", DATA, "--configfile", "second.yaml", expect=2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("diffbench: ")]
    assert "second.yaml: benchmark: 'own' is the name of" in line and "first.yaml too" in line
    said = fresh.run(sys.executable, "-m", "diffbench.cli", "check", "second.yaml", expect=2).stderr
    assert "benchmark: 'own' is the name of" in said and "first.yaml too" in said and said.count("\n") == 1
    os.rename(fresh.root / "first.yaml", fresh.root / "renamed.yaml")
    done = fresh.snakemake("-n", DATA, "--configfile", "second.yaml")
    assert f"runs/own was made by {fresh.root}/first.yaml, which is gone; second.yaml goes on with it" in done.stderr


def test_a_run_refuses_pictures_that_its_extractor_does_not_take_before_any_job(fresh):
    draw(fresh.root / "pictures")
    (fresh.root / "own.yaml").write_text(
        yaml.safe_dump(own_benchmark() | {"dataset": {"name": "folder", "path": "pictures"}})
    )
    done = fresh.forked("--cores", "2", DATA, "--configfile", "own.yaml", expect=2)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("diffbench: ")]
    assert "own.yaml: protocols.ruler.extractor: digits_features takes grey images of 8x8, and these are 8x8 in" in line
    assert not list((fresh.root / "runs/own").rglob("*.npz"))

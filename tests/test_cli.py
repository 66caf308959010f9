"""The command line: one line and exit code 2 for a mistake, the stages by name, nothing imported that is not used."""

import json
import subprocess
import sys

import pytest
import yaml


@pytest.fixture(scope="module")
def root(request):
    return request.config.rootpath


def test_check_accepts_what_ships(diffbench, root):
    for name in ("digits", "smoke"):
        done = diffbench("check", f"workflow/config/{name}.yaml", cwd=root)
        assert done.returncode == 0 and f"benchmark {name}" in done.stdout


def test_check_resolved_prints_bases_and_defaults(diffbench, root):
    done = diffbench("check", "--resolved", cwd=root)
    content = yaml.safe_load(done.stdout)
    assert content["models"]["iddpm"]["diffusion"]["timesteps"] == 1000
    assert content["models"]["iddpm"]["network"]["name"] == "unet"
    assert content["samplers"]["ddim"] == {"name": "ddim", "eta": 0.0}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["chek"], "Did you mean 'check'"),
        (["conform", "nowhere"], "nowhere: no such file or folder"),
        (["sample", "--spec", "{}", "--weights", "w", "--out"], None),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(diffbench, root, arguments, said):
    done = diffbench(*arguments, cwd=root)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    if said:
        assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_stage_runs_from_the_provenance_of_what_it_made(diffbench, root, tmp_path):
    spec = json.dumps({"dataset": {"name": "digits"}})
    first = ["--out-train", tmp_path / "train.npz", "--out-test", tmp_path / "test.npz"]
    again = ["--out-train", tmp_path / "again.npz", "--out-test", tmp_path / "test2.npz"]
    assert diffbench("prepare", "--spec", spec, *first, cwd=root).returncode == 0
    assert diffbench("prepare", "--spec", tmp_path / "train.npz.json", *again, cwd=root).returncode == 0
    assert (tmp_path / "train.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_what_needs_no_network_imports_no_torch():
    modules = ("diffbench", "diffbench.cli", "diffbench.stages.score", "diffbench.stages.tabulate")
    code = f"import sys, {', '.join(modules)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_public_functions_can_be_imported():
    import diffbench

    for name in diffbench.__all__:
        assert callable(getattr(diffbench, name))
    with pytest.raises(AttributeError):
        _ = diffbench.nothing


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("attention_resolutions: [4]", "attention_resolutions: [5]", "no feature map is 5 pixels wide; allowed: 8, 4"),
        ("heads: 4", "heads: 5", "models.ddpm.network: 5 heads do not divide a layer"),
        ("dataset: {name: digits}", "dataset: {name: folder, path: nowhere}", "/nowhere: no such folder"),
    ],
)
def test_check_builds_the_networks_for_the_data(diffbench, root, tmp_path, old, new, said):
    config = tmp_path / "changed.yaml"
    # A name of its own: where the shipped benchmark has run, check speaks of a second file of its name.
    text = (root / "workflow/config/smoke.yaml").read_text().replace("benchmark: smoke", "benchmark: changed")
    assert old in text
    config.write_text(text.replace(old, new))
    done = diffbench("check", config, cwd=root)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1


def test_a_benchmark_whose_data_are_not_here_yet_is_checked_all_the_same(diffbench, root, tmp_path):
    config = tmp_path / "later.yaml"
    text = (root / "workflow/config/smoke.yaml").read_text().replace("[4]", "[14]")
    # The digits' extractor takes no images of 28x28.
    text = text.replace("digits_features", "classifier")
    config.write_text(text.replace("dataset: {name: digits}", "dataset: {name: mnist, path: nowhere}"))
    done = diffbench("check", config, cwd=root)
    assert (
        done.returncode == 0 and f"note: the data are not here yet ({tmp_path}/nowhere: no such folder" in done.stderr
    )


def test_check_counts_the_images_to_upsample_and_looks_for_references(diffbench, root, tmp_path):
    content = yaml.safe_load((root / "workflow/config/digits.yaml").read_text())
    # A second file with the default benchmark's name is refused where that one has run.
    content["benchmark"] = "upsampled"
    content["runs"] = [content["runs"][-1] | {"models": ["upsampled_real"]}]
    content["protocols"]["labelled"]["reference"] = "nowhere.npz"
    config = tmp_path / "upsampled.yaml"
    config.write_text(yaml.safe_dump(content))
    done = diffbench("check", config, cwd=root)
    assert (
        done.returncode == 0 and f"protocols.labelled.reference: {tmp_path}/nowhere.npz is not here yet" in done.stderr
    )
    content["runs"][0]["num_images"] = 501
    config.write_text(yaml.safe_dump(content))
    done = diffbench("check", config, cwd=root)
    assert done.returncode == 2 and "upsample 501 held-out images, of which there are 500" in done.stderr

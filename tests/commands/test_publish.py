"""`diffbench publish`: what is in the copy, that it is used again, and what is never published."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from diffbench.base.errors import UserError
from diffbench.base.plugins import load
from diffbench.benchmark.yaml_file import read_yaml
from diffbench.commands.publish.chosen import Wanted
from diffbench.commands.publish.hub import upload
from diffbench.commands.publish.run import Asked, publish


def published(machines, to, **others):
    return publish(Asked(machines.whole, str(to), machines.file, **others))


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_copy_is_checked_used_again_and_made_once(machines, diffbench, tmp_path):
    options = ["--to", "shared", "--weights", "--license", "mit", "--configfile", "whole.yaml"]
    done = diffbench("publish", "whole", *options, cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("published: shared ("), done.stderr
    held = files(tmp_path / "shared")
    weights = "results/models/ddpm/train0/weights.safetensors"
    assert {weights, f"{weights}.json", "results/table2.csv", "benchmark.yaml", "README.md"} <= held.keys()
    assert "results/models/ddpm/README.md" in held
    assert "results/data/train.npz.json" in held and not any(name.endswith(".npz") for name in held)
    assert not any("logs" in name for name in held)
    original = files(machines.whole)
    made = ("README.md", "benchmark.yaml")
    assert all(original[name] == content for name, content in held.items() if not name.endswith(made))
    assert diffbench("verify", "shared", cwd=tmp_path).returncode == 0
    assert diffbench("table", "shared/results", cwd=tmp_path).returncode == 0
    again = diffbench("publish", "whole", *options, cwd=tmp_path)
    assert again.returncode == 0 and again.stdout.startswith("nothing to do: shared holds the same")
    other = diffbench("publish", "whole", "--to", "shared", "--configfile", "whole.yaml", cwd=tmp_path)
    assert other.returncode == 2 and "exists and holds other files" in other.stderr
    assert files(tmp_path / "shared") == held
    # The published weights are a model of another benchmark.
    content = read_yaml(machines.file)
    content["benchmark"], content["models"] = "again", {"x": {"checkpoint": f"shared/{weights}"}}
    content["runs"][0] |= {"models": ["x"], "train_seeds": [0]}
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(content))
    assert diffbench("check", "again.yaml", cwd=tmp_path).returncode == 0


def test_cards_hold_our_numbers_with_intervals(machines, tmp_path):
    published(machines, tmp_path / "shared", license="mit")
    card = ModelCard.load(tmp_path / "shared/results/models/ddpm/README.md")
    assert (card.data.license, card.data.datasets, card.data.library_name) == ("mit", ["digits"], "diffbench")
    scores = machines.whole / "results/scores/digits/ddpm/train1/ddim/sample0/3.json"
    (fid,) = (record for record in read_yaml(scores)["records"] if record["metric"] == "fid")
    (found,) = (
        result
        for result in card.data.eval_results
        if result.metric_type == "fid" and result.metric_args["train_seed"] == 1
    )
    assert (found.metric_value, found.metric_args["low"], found.metric_args["high"]) == (
        fid["value"],
        fid["low"],
        fid["high"],
    )
    assert f"{fid['low']:.5g} to {fid['high']:.5g}" in found.metric_name
    assert load("metrics", "fid").label in card.text
    whole = ModelCard.load(tmp_path / "shared/README.md")
    assert "results/models/ddpm/README.md" in whole.text and len(whole.data.eval_results) >= 2


def damaged(machines):
    path = next((machines.whole / "results/scores/digits/ddpm").rglob("3.json"))
    path.write_text(path.read_text().replace("1", "2", 1))


def outdated(machines):
    content = read_yaml(machines.file)
    content["models"]["ddpm"]["training"]["steps"] = 5
    machines.file.write_text(yaml.safe_dump(content))


def with_a_path(machines):
    """A text of the user that an artifact's folder holds, and a record vouches for, cannot hold a path either."""
    from diffbench.base.provenance import write_provenance

    path = machines.whole / "results/figures/note.svg"
    path.write_text(f"<svg>{machines.whole}/results</svg>")
    write_provenance(path, spec={})


def with_a_machine(machines):
    from diffbench.base.provenance import write_provenance

    path = machines.whole / "results/figures/note.svg"
    path.write_text(f"<svg>made on {socket.gethostname()}</svg>")
    write_provenance(path, spec={})


def absolute(machines):
    content = read_yaml(machines.file)
    content["dataset"] = {"name": "folder", "path": "/data/pictures"}
    machines.file.write_text(yaml.safe_dump(content))


REFUSED = {
    damaged: ["is not what its record says", "nothing was published"],
    outdated: ["out of date", "training.steps 4 -> 5"],
    with_a_path: ["note.svg: holds '", "a path or the name of this machine"],
    with_a_machine: ["note.svg: holds '"],
    absolute: ["dataset.path: /data/pictures is a path of this machine"],
}


@pytest.mark.parametrize("broken", REFUSED, ids=lambda change: change.__name__)
def test_what_is_never_published(machines, tmp_path, broken, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "node17.lab")
    broken(machines)
    with pytest.raises(UserError) as error:
        published(machines, tmp_path / "shared")
    assert all(word in str(error.value) for word in REFUSED[broken]), str(error.value)
    assert not (tmp_path / "shared").exists() and not list(tmp_path.glob(".publish_*"))


def test_logs_and_samples_are_there_if_they_are_asked_for(machines, tmp_path):
    published(machines, tmp_path / "shared", wanted=Wanted(samples=True, logs=True))
    held = files(tmp_path / "shared")
    assert "results/logs/train/ddpm.run.json" in held
    assert [name for name in held if name.endswith(".npz")] == [
        f"results/samples/ddpm/train{seed}/ddim/sample0/3.npz" for seed in (0, 1)
    ]


class FakeApi:
    def __init__(self, held=(), fails=None):
        self.held, self.fails, self.calls = list(held), fails, []

    def create_repo(self, name, **options):
        self.calls.append(("create", name, options))
        return f"https://example/{name}"

    def list_repo_files(self, name, **options):
        return self.held

    def upload_folder(self, **options):
        if self.fails:
            raise self.fails
        self.calls.append(
            ("upload", sorted(path.name for path in Path(options["folder_path"]).iterdir()), options["repo_type"])
        )


def test_an_upload_holds_the_folder_and_leaves_other_files_alone(tmp_path):
    (tmp_path / "README.md").write_text("a card")
    api = FakeApi(held=[".gitattributes", "README.md"])
    assert upload(tmp_path, "me/it", repo_type="model", private=True, api=api) == "https://example/me/it"
    assert api.calls == [
        ("create", "me/it", {"repo_type": "model", "private": True, "exist_ok": True}),
        ("upload", ["README.md"], "model"),
    ]
    with pytest.raises(UserError, match=r"hub:me/it: holds other files, such as weights.bin"):
        upload(tmp_path, "me/it", repo_type="model", private=False, api=FakeApi(held=["weights.bin"]))
    with pytest.raises(UserError, match=r"cannot be uploaded \(ConnectionError: no route\); .* --to FOLDER"):
        upload(
            tmp_path, "me/it", repo_type="model", private=False, api=FakeApi(fails=ConnectionError("no route\nmore"))
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "hub:me/it"], "hub:me/it: no token"),
        (["--to", "hub:a/b/c"], "is no name of a repository"),
        (["--to", "hub:me/it", "--repo-type", "space"], "no type 'space'"),
        ([], "say where to"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_one_line(machines_once, diffbench, monkeypatch, tmp_path, options, said):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    done = diffbench("publish", machines_once.whole, "--configfile", machines_once.file, *options, cwd=tmp_path)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_without_the_extra_it_says_how_to_get_it(machines_once, tmp_path):
    code = "import sys; sys.modules['huggingface_hub'] = None; from diffbench.cli import main; main()"
    command = [sys.executable, "-c", code, "publish", str(machines_once.whole), "--to", "shared"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 2 and "pip install 'diffbench[publish]'" in done.stderr and done.stderr.count("\n") == 1
    shutil.rmtree(tmp_path / "shared", ignore_errors=True)

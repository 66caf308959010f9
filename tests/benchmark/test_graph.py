"""The dependencies of an artifact: everything upstream, and nothing else."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from diffbench.base.errors import UserError
from diffbench.benchmark.foreign import snakemake_specs
from diffbench.benchmark.graph import Artifact, Graph, files_of, records_of
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.paths import place_of
from diffbench.benchmark.places import located

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"


@pytest.fixture(autouse=True)
def own_memory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def graph(change=lambda content: None, home=Path("/home"), **options) -> Graph:
    content = yaml.safe_load(SMOKE.read_text())
    change(content)
    return Graph(parse_benchmark(located(content, home), "smoke.yaml"), home, **options)


@pytest.fixture
def asked_apart():
    """A change of the benchmark: a comparison asks for sets that no table holds."""

    def change(content):
        content["runs"].append({**content["runs"][0], "models": ["ddpm"], "num_images": 60, "in_table": False})

    return change


def everything(found: Graph) -> dict[str, str]:
    """Return the digest of every artifact that the tables rest on, by its path."""
    benchmark = found.benchmark
    artifacts = [found.data("train"), found.data("test"), *found.bounds(), *found.scores_of(benchmark.sample_sets())]
    artifacts += [found.model(*pair) for pair in benchmark.used_models()]
    artifacts += [found.classifier(*pair) for pair in benchmark.used_classifiers()]
    for row in benchmark.sampled_sets():
        artifacts.append(found.samples(row))
        artifacts += [found.features(benchmark.extractor_of(name), row) for name in row.protocols]
    artifacts += [found.terms(*pair, split) for pair in benchmark.bounded_models() for split in benchmark.bound.splits]
    return {artifact.path: artifact.digest for artifact in artifacts}


def moved(change) -> set[str]:
    """Return the paths whose digest a change of the configuration moves."""
    before, after = everything(graph()), everything(graph(change))
    assert before.keys() == after.keys()
    return {path for path in before if before[path] != after[path]}


def test_a_model_moves_what_rests_on_it_alone():
    def faster(content):
        content["models"]["iddpm"]["training"] = {"learning_rate": 2.0e-3}

    found = moved(faster)
    # iddpm is the base of the other models, not of ddpm.
    assert found and not [path for path in found if "/ddpm/" in path or "/data/" in path]
    for name in ("models/iddpm/train0/weights.safetensors", "scores/bound/iddpm/train0.json"):
        assert f"results/{name}" in found
    assert any(path.startswith("results/scores/digits/iddpm") for path in found)


def test_a_classifier_moves_the_guided_rows_alone():
    def heavier(content):
        content["classifiers"]["noisy"]["training"]["weight_decay"] = 0.1

    assert {path.split("/")[-5] for path in moved(heavier) if "samples" in path} == {"adm_g", "adm_g@0"}


def test_what_an_upsampler_starts_from_moves_it():
    def other(content):
        content["models"]["adm_low"]["training"] = {"steps": 61}

    found = moved(other)
    assert any("samples/adm_u/" in path for path in found) and not any(
        "samples/upsampled_real/" in path for path in found
    )


def test_device_and_checkpoints_move_nothing():
    def elsewhere(content):
        content["execution"] |= {"device": "cpu", "checkpoint_every": 7}

    assert not moved(elsewhere)


def test_every_set_is_found_where_it_lies_and_no_other(asked_apart):
    found = graph(asked_apart)
    for row in found.benchmark.all_sets():
        tree = found.tree_of(row)
        assert found.row_at(tree, place_of(row), str(row.steps)) == row
    assert {found.tree_of(row) for row in found.benchmark.sets_apart()} == {"results/compared/n60"}
    with pytest.raises(UserError, match="results/samples/ddpm/train0/ddim/sample0/5.npz: no run of this benchmark"):
        found.row_at("results", "ddpm/train0/ddim/sample0", 5)


def test_the_parameter_of_a_rule_has_one_order_and_what_no_job_made_has_no_record():
    made, foreign = Artifact("a.npz", "x", {"b": 1, "a": 2}), Artifact("b.npz", "y")
    assert made.params == '{"a": 2, "b": 1}'
    assert files_of([made, foreign]) == ["a.npz", "b.npz"] and files_of(made) == ["a.npz"] and files_of(None) == []
    assert records_of([made, foreign]) == ["a.npz.json"] and records_of(None) == []


def test_a_module_of_ones_own_upstream_moves_the_digest(tmp_path):
    """The code of a job is part of its spec, and so of everything downstream."""
    root = tmp_path / "project"
    shutil.copytree(Path(__file__).parents[2] / "diffbench", root / "diffbench")
    before = everything(graph(root=root))
    module = root / "diffbench/stages/bound.py"
    module.write_text(module.read_text() + "\nEDITED = True\n")
    after = everything(graph(root=root))
    found = {path for path in before if before[path] != after[path]}
    assert {path.split("/")[1] for path in found} == {"terms", "scores"}
    assert all("bound" in path or "terms" in path for path in found)


# -- data and weights that lie elsewhere


@pytest.fixture
def pictures(tmp_path):
    for name in ("train/a", "train/b", "test/a", "test/b"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        (tmp_path / "pictures" / name / "1.png").write_bytes(name.encode())
    return tmp_path


def of_pictures(content):
    content["dataset"] = {"name": "folder", "path": "pictures"}


def test_the_content_of_the_data_is_part_of_everything(pictures):
    before = everything(graph(of_pictures, pictures))
    (pictures / "pictures/train/a/1.png").write_bytes(b"another")
    after = everything(graph(of_pictures, pictures))
    assert not [path for path in before if before[path] == after[path]]


def test_a_note_beside_the_pictures_is_not(pictures):
    before = everything(graph(of_pictures, pictures))
    (pictures / "pictures/README.txt").write_text("taken in May")
    assert everything(graph(of_pictures, pictures)) == before


def test_where_the_data_lie_is_not(pictures):
    before = everything(graph(of_pictures, pictures))
    (pictures / "pictures").rename(pictures / "moved")

    def elsewhere(content):
        content["dataset"] = {"name": "folder", "path": str(pictures / "moved")}

    assert everything(graph(elsewhere, pictures)) == before


def test_absent_data_stand_by_what_was_recorded(pictures):
    before = graph(of_pictures, pictures)
    record = pictures / "results/data/train.npz.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"spec": before.data("train").spec}))
    shutil.rmtree(pictures / "pictures")
    said = []
    after = graph(of_pictures, pictures, notice=said.append)
    assert everything(after) == everything(before)
    (line,) = said
    assert line.startswith(str(pictures / "pictures")) and "is not here" in line
    record.unlink()
    assert everything(graph(of_pictures, pictures)) != everything(before)


@pytest.mark.parametrize(
    "path", ["results/table2.csv", f"results/samples/{'m' * 64}@0.5/train0/{'s' * 64}/sample0/250.npz.json"]
)
def test_snakemakes_record_is_found_where_snakemake_keeps_it(tmp_path, path):
    """A long path's record lies in a folder, which Snakemake's own code names."""
    from snakemake.persistence.file import FilePersistence

    folder = tmp_path / ".snakemake/metadata"
    folder.mkdir(parents=True)

    place = FilePersistence.__new__(FilePersistence)
    place._max_len = None
    record = Path(place._record_path(str(folder), path))
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps({"params": [repr(json.dumps({"eta": 0.5}))]}))
    assert snakemake_specs(tmp_path, path) == [{"eta": 0.5}] and snakemake_specs(tmp_path, "results/none") == []


def test_a_foreign_file_is_named_within_the_project_if_it_lies_there(tmp_path):
    home = tmp_path / "project/runs/own"
    found = graph(home=home, root=tmp_path / "project")
    assert found.foreign.place(tmp_path / "project/checkpoints/a.pt") == os.path.join("..", "..", "checkpoints", "a.pt")
    assert found.foreign.place(tmp_path / "elsewhere/a.pt") == str(tmp_path / "elsewhere/a.pt")

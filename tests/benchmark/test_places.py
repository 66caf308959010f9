"""Where relative paths start, and whose a tree of results is."""

from pathlib import Path

import pytest

from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.places import (
    CONFIGURATION,
    DEFAULT_NAME,
    SHIPPED,
    folder_of,
    home_of,
    located,
    moved_configuration,
    naming_file,
    other_configuration,
    project_of,
    remember_configuration,
)


def test_paths_start_at_the_files_folder_and_in_shipped_files_at_the_project(tmp_path):
    assert folder_of(tmp_path / "own.yaml") == tmp_path
    assert folder_of(PACKAGE_ROOT / "workflow/config/digits.yaml") == PACKAGE_ROOT


@pytest.mark.parametrize("name", [DEFAULT_NAME, "smoke"])
def test_a_benchmarks_project_is_found_from_its_home(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert project_of(home_of(name, tmp_path)) == tmp_path.resolve()


def test_every_path_of_a_benchmark_is_located_and_nothing_else(tmp_path):
    content = {
        "benchmark": "own",
        "dataset": {"name": "folder", "path": "pictures"},
        "models": {
            "a": {"checkpoint": "a.pt"},
            "b": {"checkpoint": {"path": "b.pt", "key": "ema"}},
            "c": {"base": "a"},
        },
        "classifiers": {"d": {"checkpoint": "/abs/d.pt"}},
        "extractors": {"inception": {"path": "~/w.pth"}},
        "protocols": {"adm": {"reference": "ref.npz"}, "own": {"reference": "train"}, "plain": "classifier"},
        "samplers": {"x": None},
    }
    found = located(content, tmp_path)
    assert found["dataset"] == {"name": "folder", "path": str(tmp_path / "pictures")}
    assert found["models"]["a"]["checkpoint"] == str(tmp_path / "a.pt")
    assert found["models"]["b"]["checkpoint"] == {"path": str(tmp_path / "b.pt"), "key": "ema"}
    assert found["models"]["c"] == {"base": "a"} and found["samplers"] == {"x": None}
    assert found["classifiers"]["d"]["checkpoint"] == "/abs/d.pt"
    assert found["extractors"]["inception"]["path"] == str(Path.home() / "w.pth")
    assert found["protocols"]["adm"]["reference"] == str(tmp_path / "ref.npz")
    assert found["protocols"]["own"]["reference"] == "train" and found["protocols"]["plain"] == "classifier"
    assert located(found, Path("/elsewhere")) == found


@pytest.mark.parametrize(
    "content", [None, 3, [], {"dataset": None}, {"dataset": "digits", "models": [1], "protocols": 2}]
)
def test_what_has_not_the_form_of_a_benchmark_is_left_to_the_loader(content):
    assert located(content, Path("/x")) == content


@pytest.fixture
def tree(tmp_path):
    """A tree of results that one.yaml configured."""
    (tmp_path / "one.yaml").write_text("benchmark: own\nx: 1\n")
    remember_configuration(tmp_path / "runs/own", tmp_path / "one.yaml")
    return tmp_path


def other(tree, text, name="two.yaml"):
    (tree / name).write_text(text)
    return other_configuration(tree / "runs/own", tree / name, "own")


def test_a_file_of_the_same_name_that_says_otherwise_is_another(tree):
    assert other(tree, "benchmark: own\nx: 2\n") == tree / "one.yaml"


def test_itself_edited_a_copy_a_renamed_benchmark_and_one_that_is_gone_are_none(tree):
    assert other(tree, "benchmark: own\nx: 2\n", "one.yaml") is None
    (tree / "one.yaml").write_text("benchmark: own\nx: 1\n")
    assert other(tree, "benchmark: own\nx: 1\n") is None
    (tree / "one.yaml").write_text("benchmark: renamed\nx: 1\n")
    assert other(tree, "benchmark: own\nx: 2\n") is None
    (tree / "one.yaml").unlink()
    assert other(tree, "benchmark: own\nx: 2\n") is None
    assert other_configuration(tree / "runs/never", tree / "two.yaml", "own") is None


def test_the_same_text_in_another_folder_names_other_data_and_a_file_that_cannot_be_read_may_be_the_same(tree):
    text = "benchmark: own\ndataset: {name: folder, path: pictures}\n"
    (tree / "one.yaml").write_text(text)
    assert other(tree, text) is None
    (tree / "folder").mkdir()
    assert other(tree, text, "folder/one.yaml") == tree / "one.yaml"
    (tree / "one.yaml").write_text("benchmark: [own\n")
    assert other(tree, "benchmark: own\nx: 2\n") == tree / "one.yaml"


def test_results_without_a_note_are_those_of_the_benchmark_that_ships_under_their_name(tree):
    home = tree / "runs/own"
    (home / CONFIGURATION).unlink()
    shipped = tree / SHIPPED / "own.yaml"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("benchmark: own\nx: 1\n")
    assert other(tree, "benchmark: own\nx: 2\n") is None  # there is nothing to lose yet
    (home / "results/scores").mkdir(parents=True)
    (home / "results/scores/a.json").write_text("{}")
    assert other(tree, "benchmark: own\nx: 2\n") == shipped
    assert other_configuration(home, shipped, "own") is None


def test_where_the_file_was_that_made_a_tree_is_told_only_if_it_is_gone(tree):
    home = tree / "runs/own"
    (home / "results").mkdir()
    (home / "results/a.json").write_text("{}")
    assert moved_configuration(home, tree / "two.yaml", "own") is None
    (tree / "one.yaml").rename(tree / "two.yaml")
    assert moved_configuration(home, tree / "two.yaml", "own") == tree / "one.yaml"


def test_of_several_layers_the_last_that_names_the_benchmark_counts(tmp_path):
    for name, text in {"base": "benchmark: own\n", "over": "bound: {}\n", "third": "benchmark: x\n"}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    base, over, third = (tmp_path / f"{name}.yaml" for name in ("base", "over", "third"))
    assert naming_file([base]) == naming_file([base, over]) == base
    assert naming_file([base, third, over]) == third
    assert naming_file([over]) == over and naming_file([tmp_path / "nowhere.yaml"]) == tmp_path / "nowhere.yaml"


def test_a_note_moves_with_the_project(tree, tmp_path_factory):
    moved = tmp_path_factory.mktemp("moved") / "project"
    tree.rename(moved)
    assert other(moved, "benchmark: own\nx: 2\n") == moved / "one.yaml"
    moved.rename(tree)


def test_only_the_default_benchmark_is_at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert home_of("digits") == tmp_path and home_of("own") == PACKAGE_ROOT / "runs/own"

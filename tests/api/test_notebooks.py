"""The notebooks: run as a person runs them, in a kernel of their own, in a folder beside a finished tree."""

import json
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).parents[2] / "notebooks"


@pytest.fixture
def run(home, tmp_path, monkeypatch):
    """A function (name) that returns what the cells of a notebook showed, as one list of outputs for each cell."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "results").symlink_to(home / "results")
    # The kernel is another process, with the environment of a shell.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))

    def shown(name):
        notebook = nbformat.read(shutil.copy2(FOLDER / name, tmp_path / "notebooks"), as_version=4)
        nbclient.NotebookClient(
            notebook, timeout=300, resources={"metadata": {"path": tmp_path / "notebooks"}}
        ).execute()
        return [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]

    return shown


def text_of(outputs):
    """Return all text that cells showed."""
    return "\n".join(
        item.get("text") or item.get("data", {}).get("text/plain", "") for cell in outputs for item in cell
    )


def pictures_in(outputs):
    return sum("image/png" in item.get("data", {}) for cell in outputs for item in cell)


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.ipynb")), ids=lambda file: file.stem)
def test_a_notebook_is_kept_without_what_a_machine_showed(file):
    content = json.loads(file.read_text())
    code = [cell for cell in content["cells"] if cell["cell_type"] == "code"]
    assert code and all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert file.stat().st_size < 20_000 and set(content["metadata"]["language_info"]) == {"name"}


def test_a_look_at_results(run):
    outputs = run("look_at_results.ipynb")
    said = text_of(outputs)
    assert said.count("fid (lower is better): ") == 2 and "difference" in said
    assert "results/data/train.npz" in said and "upsampler" in said
    assert pictures_in(outputs) == 4, "a plot, a figure, and two grids"
    assert not any(item.output_type == "stream" and item.name == "stderr" for cell in outputs for item in cell)


@pytest.mark.slow
def test_a_sampler_defined_in_a_cell(run):
    outputs = run("try_a_sampler.ipynb")
    said = text_of(outputs)
    assert "error ~ steps^-order, as declared" in said and "holds" in said
    assert "two_step" in said and "paired image by image" in said
    assert pictures_in(outputs) == 2


def test_the_folder_has_no_other_notebook():
    """Each is run by a test here."""
    assert {file.stem for file in FOLDER.iterdir() if not file.name.startswith(".")} == {
        "look_at_results",
        "try_a_sampler",
    }

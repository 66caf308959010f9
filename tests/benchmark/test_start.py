"""The start of the workflow: the benchmark's file, the place of its tree, and the errors of a start that fails."""

import os
import shutil
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.benchmark.start import files_of_config, one_line_errors, require_writable, started

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"


def test_the_variable_goes_before_the_default_and_not_beside_another_file(tmp_path):
    assert files_of_config([], tmp_path, {}) == [str(tmp_path / "workflow/config/digits.yaml")]
    assert files_of_config(["a.yaml", "b.yaml"], tmp_path, {}) == ["a.yaml", "b.yaml"]
    assert files_of_config([], tmp_path, {"DIFFBENCH_CONFIG": "own.yaml"}) == ["own.yaml"]
    with pytest.raises(UserError, match=r"names own.yaml, and --configfile another benchmark; give one"):
        files_of_config(["a.yaml"], tmp_path, {"DIFFBENCH_CONFIG": "own.yaml"})


def test_a_benchmark_has_its_tree_and_settings_laid_over_it(tmp_path, monkeypatch):
    monkeypatch.delenv("DIFFBENCH_CONFIG", raising=False)
    found = started([str(SMOKE)], ["bound={num_images: 51}"], tmp_path)
    assert found.home == tmp_path / "runs/smoke" and found.file == SMOKE
    assert found.benchmark.bound.num_images == 51 and not found.of_comparison
    asked = found.home / "results/compared/x/benchmark.yaml"
    asked.parent.mkdir(parents=True)
    shutil.copy(SMOKE, asked)
    assert started([str(asked)], [], tmp_path).of_comparison


def test_a_folder_that_is_none_is_named(tmp_path):
    (tmp_path / "results").touch()
    require_writable(tmp_path / "new/deep")
    with pytest.raises(UserError, match="results: is no folder"):
        require_writable(tmp_path / "results/deep")


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, how: False)  # as root, everything can be written
    with pytest.raises(UserError, match="cannot be written; fix permissions"):
        require_writable(tmp_path / "new/deep")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("a.yaml: no such key"), "diffbench: a.yaml: no such key\n"),
        (OSError(28, "No space left on device", "alive"), "diffbench: alive: No space left on device; free space or"),
    ],
)
def test_what_a_person_can_mend_is_one_line_and_exit_code_2(capsys, error, line):
    with pytest.raises(SystemExit) as ended, one_line_errors():
        raise error
    said = capsys.readouterr().err
    assert ended.value.code == 2 and said.startswith(line) and said.count("\n") == 1

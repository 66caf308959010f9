"""The hash of a job's code: it moves with what can change an output, and with nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from diffbench.benchmark.codehash import code_hash

FILES = {
    "stage.py": "import json\n\nfrom parts.inner import value\n\nprint(json.dumps(value))\n",
    "parts/__init__.py": "",
    "parts/inner.py": '"""A part."""\n\nfrom . import deep\n\nvalue = deep.number + 1  # why\n',
    "parts/deep.py": "number = 1\n",
    "parts/other.py": "number = 2\n",
}


@pytest.fixture
def project(tmp_path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def edited(project: Path, name: str, old: str, new: str) -> bool:
    """Return whether an edit moves the hash of the stage."""
    before = code_hash(["stage"], project)
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))
    return code_hash(["stage"], project) != before


@pytest.mark.parametrize("name", ["stage.py", "parts/inner.py", "parts/deep.py"])
def test_code_counts_however_deep_it_is_imported(project, name):
    assert edited(project, name, "\n", "\nadded = 3\n")


def test_a_module_that_is_not_imported_does_not(project):
    assert not edited(project, "parts/other.py", "2", "3")


@pytest.mark.parametrize(
    ("old", "new"), [("# why", "# because"), ('"""A part."""', '"""Another part."""'), ("\n\n", "\n\n\n")]
)
def test_words_do_not(project, old, new):
    assert not edited(project, "parts/inner.py", old, new)


def test_a_hash_sign_in_a_text_is_no_comment(project):
    (project / "parts/deep.py").write_text('number = "# 1"\n')
    assert edited(project, "parts/deep.py", "# 1", "# 2")


def test_the_order_of_modules_does_not(project):
    assert code_hash(["stage", "parts.other"], project) == code_hash(["parts.other", "stage"], project)
    assert code_hash(["stage"], project) != code_hash(["stage", "parts.other"], project)


def test_a_part_outside_the_package_counts_with_what_stands_beside_it(project, monkeypatch):
    monkeypatch.chdir(project)
    before = code_hash(["parts.inner"])
    (project / "parts/deep.py").write_text("number = 5\n")
    assert code_hash(["parts.inner"]) != before


def test_hashing_imports_no_library():
    """It is done at every start of the workflow: looking at code must not run it."""
    program = (
        "import sys; from diffbench.benchmark.codehash import code_hash;"
        "code_hash(['diffbench.stages.plot', 'diffbench.stages.train', 'diffbench.datasets.digits']);"
        "print([name for name in ('torch', 'sklearn', 'scipy', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

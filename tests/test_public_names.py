"""Every public name can be imported and says what it is, and what a part needs is listed where a person looks."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import diffbench

ROOT = Path(__file__).parents[1]
LISTED = re.findall(
    r"`(\w+)`",
    (ROOT / "docs/extending/index.md").read_text().partition("## Names that a part needs")[2].partition("\n## ")[0],
)
ALIASES = {"Noise", "Gradient"}
"""Names of function types, which have no docstring of their own; the contract's module documents them."""


@pytest.mark.parametrize("name", diffbench.PUBLIC)
def test_can_be_imported_and_has_a_docstring(name):
    found = getattr(diffbench, name)
    if name in ALIASES:
        return
    own = inspect.getdoc(found) or ""
    assert len(own) > 20 and not own.startswith(f"{name}("), f"{name} has no docstring of its own"


def test_the_names_that_a_part_needs_are_public():
    needed = [name for name in LISTED if name not in ("chain", "diffbench")]
    assert len(needed) > 25 and set(needed) <= set(diffbench.PUBLIC)


def test_the_package_itself_imports_nothing_heavy():
    code = "import sys, diffbench; sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

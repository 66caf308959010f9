"""docs/python.md and the tutorial: every name that they show exists, and every call takes the arguments that they show."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import diffbench
from diffbench.api.model import Model
from diffbench.api.results import Results

ROOT = Path(__file__).parents[2]
KINDS = {"results": Results, "model": Model, "diffbench": diffbench}


def blocks(file):
    return re.findall(r"```python\n(.*?)```", (ROOT / file).read_text(), re.DOTALL)


def calls(file):
    """Yield (name of the object, name of its member, keywords) of each call in a document's Python."""
    for node in (node for text in blocks(file) for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            holder = node.func.value
            inner = "model" if isinstance(holder, ast.Call) and ast.unparse(holder.func) == "results.model" else ""
            name = inner or (holder.id if isinstance(holder, ast.Name) else "")
            if name in KINDS:
                yield name, node.func.attr, [keyword.arg for keyword in node.keywords]


@pytest.mark.parametrize("file", ["docs/python.md", "docs/tutorial.md"])
def test_what_is_shown_exists(file):
    found = list(calls(file))
    assert {("results", "compare"), ("model", "sample"), ("diffbench", "grid")} <= {call[:2] for call in found}
    for name, member, keywords in found:
        known = inspect.signature(getattr(KINDS[name], member)).parameters
        assert set(keywords) <= set(known), f"{name}.{member}"


def test_members_in_the_tables_exist():
    text = (ROOT / "docs/python.md").read_text()
    for name, member in re.findall(r"\b(results|model|diffbench)\.(\w+)", text):
        assert hasattr(KINDS[name], member) or (name, member) == ("diffbench", "base"), f"{name}.{member}"

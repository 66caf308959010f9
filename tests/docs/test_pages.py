"""Every fenced block of the documentation has a language, and is run or checked (tests/docs/blocks.py)."""

import importlib.util
import re
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("documentation_blocks", Path(__file__).with_name("blocks.py"))
blocks = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = blocks
spec.loader.exec_module(blocks)

FEW = 20
"""The most blocks that may be skipped. Each says why in the source of its page."""


def names(page):
    return str(page.relative_to(ROOT))


def checked(page, folder, monkeypatch, diffbench, slow):
    """Check each block of a page in an empty folder that also Python searches, and say all that is wrong."""
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    for module in [name for name in sys.modules if name.startswith("my_")]:
        monkeypatch.delitem(sys.modules, module)
    wrong = []
    examples = blocks.examples_of(page)
    for example in examples:
        example.namespace |= {"slow": slow, "run_diffbench": diffbench, "__name__": "page"}
        try:
            example.evaluate()
        except Exception as error:
            wrong.append(f"{names(page)}:{example.line}: {type(error).__name__}: {error}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("page", blocks.PAGES, ids=names)
def test_every_block_is_right(page, tmp_path, monkeypatch, diffbench):
    checked(page, tmp_path, monkeypatch, diffbench, slow=False)


SLOW = [page for page in blocks.PAGES if re.search("<!-- (slow|tree) -->", page.read_text())]


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=names)
def test_slow_blocks_are_right_too(page, tmp_path, monkeypatch, diffbench, finished_folder):
    shutil.copytree(finished_folder / "results", tmp_path / "results")
    checked(page, tmp_path, monkeypatch, diffbench, slow=True)


def test_few_blocks_are_skipped_and_each_says_why():
    skipped = [
        example.parsed for page in blocks.PAGES for example in blocks.examples_of(page) if example.parsed.mark == "skip"
    ]
    assert len(skipped) <= FEW and all(len(block.said) > 10 for block in skipped)

"""The documentation's site, built once as the gate builds it: what its search finds, its links, and its pictures."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import typer

from diffbench.benchmark.reference import described
from diffbench.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md"))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of a fresh site; a warning ends the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def index(site):
    """The search's index, as its script reads it."""
    text = (site / "searchindex.js").read_text()
    return json.loads(text[text.index("(") + 1 : text.rindex(")")])


@pytest.fixture(scope="module")
def found(index):
    """The names of all objects that the search finds, in lower case."""
    return {f"{prefix}.{entry[4]}".strip(".") for prefix, held in index["objects"].items() for entry in held}


class _Page(HTMLParser):
    """The links, addresses, anchors and pictures of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors, self.without_text = [], [], set(), []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.anchors |= {given["id"]} if given.get("id") else set()
        if tag == "a":
            self.links.append(given.get("href") or "")
        elif tag in ("script", "img", "link", "iframe", "source"):
            self.loaded.append(given.get("src") or given.get("href") or "")
        if tag == "img" and not given.get("alt", "").strip():
            self.without_text.append(given.get("src"))


@pytest.fixture(scope="module")
def pages(site):
    return {path: _Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}


def test_the_search_finds_each_key_of_a_benchmarks_file(index):
    names = {entry[4] for held in index["objects"].values() for entry in held}
    for key in described():
        assert key.key in names, f"{key.section}: {key.key}"


def test_the_search_finds_each_command_and_option(index):
    program = typer.main.get_command(app)
    context = typer.Context(program, info_name="diffbench")
    titles = index["alltitles"]
    text = json.dumps(index["objects"])
    for name in program.list_commands(context):
        assert f"diffbench {name}" in titles, name
        for one in program.get_command(context, name).get_params(context):
            if one.param_type_name == "option" and "--help" not in one.opts:
                assert f"diffbench {name} {one.opts[0]}".lower() in text.lower() or one.opts[0] in text, (
                    name,
                    one.opts,
                )


def test_every_page_is_built(site):
    for page in PAGES:
        built = site / page.relative_to(ROOT / "docs").with_suffix(".html")
        assert built.is_file(), page


def test_every_internal_link_leads_to_a_page_and_a_place_in_it(pages):
    dead = []
    for path, page in pages.items():
        for link in page.links:
            if re.match(r"\w+:", link) or not link:
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            there = pages[target].anchors if target in pages else None
            if not target.exists() or (there is not None and anchor and anchor not in there):
                dead.append(f"{path.name}: {link}")
    assert dead == []


def test_nothing_is_loaded_from_elsewhere(site, pages):
    assert [link for page in pages.values() for link in page.loaded if re.match(r"(https?:)?//", link)] == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )['\"]?(https?:)?//", sheet.read_text()), sheet


def test_pictures_say_what_they_show(pages):
    assert [f"{path.name}: {src}" for path, page in pages.items() for src in page.without_text] == []


def test_no_page_names_an_address_in_memory(pages):
    assert [path.name for path in pages if re.search(r"at 0x[0-9a-f]{6,}", path.read_text())] == []

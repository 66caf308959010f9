"""The parts of the documentation's site that are written from the code: commands, the YAML's keys, public names.

A page that is named in PAGES is what its file says, and after it what its function returns, in Markdown.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from diffbench_docs import commands, names, parts, settings
from diffbench_docs.docstrings import as_rest

PAGES: dict[str, Callable[[], str]] = {
    "reference/commands": commands.text,
    "reference/api": names.text,
    "reference/parts": parts.text,
    "reference/yaml": settings.text,
}

COPIES = {"README": "index", "CONTRIBUTING": "contributing", "CHANGELOG": "changelog"}
"""The pages that stand for files of the project's folder."""


def _complete(app: Sphinx, docname: str, source: list[str]) -> None:
    text = source[0]
    if docname in PAGES:
        text = f"{text.rstrip()}\n\n{PAGES[docname]()}"
    source[0] = linked(text)


def _complete_included(app: Sphinx, path: Any, docname: str, content: list[str]) -> None:
    content[0] = linked(content[0])


def linked(text: str) -> str:
    """Return Markdown whose links lead to pages of the site, with titles of pages instead of names of files."""
    to_copies = re.sub(rf"\]\(\.\./((?:\.\./)*)({'|'.join(COPIES)})\.md", _to_copy, text)
    return re.sub(r"\[[\w./]+\.md\]\((?=[\w./]+\.md)", "[](", to_copies)


def _to_copy(link: re.Match[str]) -> str:
    return f"]({link[1]}{COPIES[link[2]]}.md"


def _signature(app: Sphinx, what: str, name: str, item: Any, *of: Any) -> tuple[str, str] | None:
    """Return no arguments for a contract, which nobody calls; None leaves a signature as it is."""
    return ("", "") if getattr(item, "_is_protocol", False) else None


def _read_again(app: Sphinx, env: BuildEnvironment, *changes: Any) -> Iterable[str]:
    """Return the pages that are read in every build, since no file's time says that the code has changed."""
    return PAGES


def setup(app: Sphinx) -> dict[str, Any]:
    """Return what Sphinx asks of an extension."""
    app.connect("source-read", _complete)
    app.connect("include-read", _complete_included)
    app.connect("env-get-outdated", _read_again)
    app.connect("autodoc-process-docstring", as_rest)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

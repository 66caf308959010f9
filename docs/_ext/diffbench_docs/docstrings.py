"""Docstrings as the reStructuredText that autodoc reads.

The project's docstrings are plain text with `code` in backticks. After the first line come sentences of the form
"name: text." for arguments and fields, which become a list, and "Raises: text." and "Source: text.", each a field.
"""

import dataclasses
import inspect
import re
from typing import Any

LITERAL = re.compile(r"(`+)(.+?)\1", re.DOTALL)
SPECIAL = re.compile(r"([\\*_|`])")
PLAIN_FIELDS = ("Raises", "Source", "Sources")


def as_rest(app: Any, what: str, name: str, item: Any, options: Any, lines: list[str]) -> None:
    """Replace the lines of a docstring by reStructuredText."""
    paragraphs = "\n".join(lines).strip().split("\n\n")
    known = _arguments(item)
    body: list[str] = []
    fields: list[str] = []
    for paragraph in paragraphs:
        if paragraph.startswith(" "):
            body.append("::\n\n" + "\n".join(f"    {line}" for line in paragraph.splitlines()))
        elif re.match(r"- ", paragraph):
            body.append(escaped(paragraph))
        else:
            before, found = split(" ".join(paragraph.split()), known)
            body += [escaped(before)] if before else []
            fields += found
    listed = [field for field in fields if field.startswith("-")]
    named = [field for field in fields if not field.startswith("-")]
    lines[:] = "\n\n".join([*body, *map("\n".join, (listed, named))]).splitlines()


def split(text: str, known: list[str]) -> tuple[str, list[str]]:
    """Return the sentences of a paragraph before its first field, and its fields as lines of reStructuredText.

    known: names that begin a field; several names may share one.
    """
    names = "|".join(map(re.escape, known))
    alternatives = [*([rf"(?:{names})(?:\([^)]*\))?(?:, (?:{names}))*"] if known else []), *PLAIN_FIELDS]
    starts = [*re.finditer(rf"(?:^|(?<=[.;)] ))({'|'.join(alternatives)}): ", text)]
    ends = [start.start() for start in starts[1:]] + [len(text)]
    before = text[: starts[0].start()] if starts else text
    said = [(start[1], text[start.end() : end].strip()) for start, end in zip(starts, ends, strict=False)]
    return before.strip(), [_field(name, about) for name, about in said]


def _field(name: str, text: str) -> str:
    return f":{name}: {escaped(text)}" if name in PLAIN_FIELDS else f"- ``{name}``: {escaped(text)}"


def escaped(text: str) -> str:
    """Return text in which code stays code, and no other sign has a meaning in reStructuredText."""
    pieces, at = [], 0
    for literal in LITERAL.finditer(text):
        pieces += [SPECIAL.sub(r"\\\1", text[at : literal.start()]), f"``{literal[2]}``"]
        at = literal.end()
    return "".join([*pieces, SPECIAL.sub(r"\\\1", text[at:])])


def _arguments(item: Any) -> list[str]:
    """Return the names of a function's arguments or of a dataclass's fields, longest first."""
    found = [field.name for field in dataclasses.fields(item)] if dataclasses.is_dataclass(item) else []
    if callable(item):
        try:
            found += [*inspect.signature(item).parameters]
        except (TypeError, ValueError):
            pass
    return sorted({*found}, key=lambda name: (-len(name), name))

"""Pages as a parser sees them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

EMPTY = {"meta", "link", "img", "input", "br", "path", "rect"}


@dataclass
class Seen(HTMLParser):
    """The elements of a page in order: (name, attributes), and the text of each script by its id or type."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    scripts: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    inside: str = ""

    def __post_init__(self):
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)
        if tag == "script":
            given = self.elements[-1][1]
            self.inside = given.get("id") or given.get("type") or "plain"

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag not in EMPTY:
            self.unmatched.append(tag)
        self.inside = ""

    def handle_data(self, data):
        if self.inside:
            self.scripts[self.inside] = self.scripts.get(self.inside, "") + data
        elif self.open and data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def all(self, tag):
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def parsed():
    """The function that reads a page."""

    def read(html: str) -> Seen:
        seen = Seen()
        seen.feed(html)
        seen.close()
        return seen

    return read

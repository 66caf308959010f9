"""HTML, read by the parser of the standard library."""

from html.parser import HTMLParser

from diffbench.base.sheets import Cell, Column, Sheet
from diffbench.formats.html import Html

VOID = {"br"}


class Reader(HTMLParser):
    """The elements of a text, with their attributes and text; an element that is not closed is refused."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.found = [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = (tag, dict(attrs), [])
        self.found.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, _, text in self.open:
            text.append(data)

    def texts(self, *tags):
        return ["".join(text) for tag, _, text in self.found if tag in tags]

    def attributes(self, tag):
        return [attributes for found, attributes, _ in self.found if found == tag]


def test_one_table_whose_cells_belong_to_heads(sheet, awkward):
    read = Reader(Html(style=False)(sheet))
    assert [tag for tag, _, _ in read.found[:3]] == ["table", "caption", "br"]
    assert read.texts("caption") == [f"Scores of {awkward}.A note."]
    assert [item["scope"] for item in read.attributes("th")] == ["col", "col", "row", "row"]
    assert read.texts("th") == ["model", "FID ↓", awkward, "ddpm"] and read.texts("td") == ["3.5 3.0 to 4.0", ""]
    assert read.texts("strong") == ["3.5"] and read.texts("small") == ["3.0 to 4.0"]
    assert read.attributes("abbr") == [{"title": "lower is better"}]
    assert read.attributes("td") == [{"class": "number"}] * 2


def test_the_second_is_underlined_and_the_text_is_ascii():
    sheet = Sheet("t", "", (Column("größe", ("x",), "up", True),), ((Cell("1 ± 2", mark="second"),),))
    text = Html()(sheet)
    read = Reader(text)
    assert text.isascii() and read.texts("u") == ["1 ± 2"] and read.texts("th")[0] == "größe ↑"
    assert "caption" not in [tag for tag, _, _ in read.found] and "<style>" in text
    assert "<style>" not in Html(style=False)(sheet)

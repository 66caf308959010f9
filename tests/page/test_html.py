"""The HTML of the page: its structure, that it asks for nothing outside, and that nothing in the data runs."""

import base64
import gzip
import json
import re
from collections import Counter

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.page import itables_bundle
from diffbench.page.contents import Cell, Column, Contents, Fact, Figure, File, Grids, Image, Row, Shown, Table
from diffbench.page.html import length_of, page_html
from diffbench.page.sprites import sprite

EVIL = """</script><script>alert('1')</script><img src=x onerror="alert(2)">&copy '"<!-- {{ 7 * 7 }}"""
PICTURE = sprite(np.zeros((4, 8, 8, 1), np.uint8))


def table(name, text):
    columns = (
        Column("model", "model"),
        Column(text, text, numeric=True, direction="down"),
        Column("kid", "KID", extra=True),
    )
    rows = (
        Row(text, (Cell(text), Cell("3.50", "3.0 to 4.0", "3.5"), Cell("1")), (0,)),
        Row("b", (Cell("b"), Cell(), Cell()), ()),
    )
    return Table(name, f"Title {text}", f"results/{text}.csv", f"Caption {text}", columns, rows)


def contents(text="ddpm", **changed):
    """Contents of each kind, with one text in every place that a name from the data may be in."""
    shown = Shown(text, text, "10", "0", "0", f"results/samples/{text}", 4, 40, (8, 8), PICTURE, (1, 2, 3, 4))
    file = File(
        f"results/scores/{text}.json", "score", "ab" * 32, f"snakemake -f {text}",
        inputs=(("features", "cd" * 32), ("images", 0)), spec={"code": text, text: {text: text}}, facts={text: 1},
        versions={"torch": text}, threads=1, numbers=((text, "3.5", "3", "4", "sampling", f"protocol={text};n=4"),),
    )  # fmt: skip
    figures = (
        Figure("fid", text, text, text, (f"results/figures/{text}.png",), Image("image/png", b"png")),
        Figure("gone", text, text, text, (), None, f"missing {text}"),
    )
    return Contents(**{
        "benchmark": text, "facts": (Fact("Data", (text, "b")), Fact(text, text)), "models": table("models", text),
        "tables": (table("table2", text), Table("table4", "Table 4", "results/table4.csv", missing=f"no {text}")),
        "figures": figures, "grids": Grids((shown,), (shown,), text, text), "files": (file,),
        "cost": (table("cost-stages", text),), "protocols": ((text, f"protocol={text};n=4"),), "gaps": (text,),
        "verify": f"diffbench verify {text}", **changed,
    })  # fmt: skip


@pytest.fixture(scope="module")
def plain():
    return page_html(contents())


def test_elements_are_closed_in_order_and_ids_are_unique(plain, parsed):
    seen = parsed(plain)
    assert seen.open == ["!doctype"] or seen.open == []
    assert seen.unmatched == []
    ids = Counter(attributes["id"] for _, attributes in seen.elements if "id" in attributes)
    assert [name for name, count in ids.items() if count > 1] == []
    for _, attributes in seen.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(attributes.get(name, "").split()) <= ids.keys(), attributes
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_the_page_has_landmarks_headings_and_names_for_what_is_used(plain, parsed):
    seen = parsed(plain)
    assert seen.all("html")[0]["lang"] == "en" and len(seen.all("main")) == len(seen.all("h1")) == 1
    assert all(seen.all(tag) for tag in ("header", "nav", "footer", "title"))
    levels = [int(tag[1]) for tag, _ in seen.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and all(later - before <= 1 for before, later in zip(levels, levels[1:], strict=False))
    assert all(image.get("alt") for image in seen.all("img"))
    assert all(head.get("scope") for head in seen.all("th"))
    assert seen.elements[[tag for tag, _ in seen.elements].index("body") + 1] == (
        "a",
        {"class": "skip", "href": "#main"},
    )


def test_nothing_outside_is_asked_for(plain, parsed):
    seen = parsed(plain)
    assert seen.all("link") == [{"rel": "icon", "href": "data:,"}]
    sources = [
        value
        for _, given in seen.elements
        for name, value in given.items()
        if name in ("src", "srcset", "data", "action", "poster")
    ]
    assert sources and all(source.startswith("data:") for source in sources)
    assert all(given["href"].startswith(("#", "data:")) for _, given in seen.elements if "href" in given)
    styles = "".join(re.findall(r"<style>(.*?)</style>", plain, re.DOTALL))
    assert "@import" not in styles and not re.search(r"url\((?!['\"]?data:)", styles)
    own = seen.scripts["module"]
    assert not re.search(r"fetch\(|XMLHttpRequest|https?:|WebSocket|sendBeacon", own)


def test_the_same_contents_are_the_same_page(plain):
    assert page_html(contents()) == plain


def test_no_text_from_the_data_becomes_an_element_or_ends_a_script(plain, parsed):
    usual, attacked = parsed(plain), parsed(page_html(contents(EVIL)))
    assert [tag for tag, _ in attacked.elements] == [tag for tag, _ in usual.elements]
    assert not any(name.startswith("on") for _, given in attacked.elements for name in given)
    assert (
        attacked.scripts["module"] == usual.scripts["module"]
        and attacked.scripts["itables"] == usual.scripts["itables"]
    )
    # The text itself arrives whole, in the page and in its data.
    assert ("dd", EVIL) in attacked.texts
    data = json.loads(attacked.scripts["data"])
    assert data["files"][0]["again"] == f"snakemake -f {EVIL}" and data["sets"][0]["model"] == EVIL
    assert EVIL in data["values"][data["files"][0]["spec"][EVIL]]


def test_equal_values_of_records_are_written_once():
    same = [
        File(f"results/{n}", "train", "ab", "", spec={"network": {"channels": [1, 2, 3]}}, versions={"torch": "2"})
        for n in range(9)
    ]
    data = json.loads(page_html(contents(files=tuple(same), tables=())).split('id="data">')[1].split("</script>")[0])
    assert data["values"].count({"channels": [1, 2, 3]}) == data["values"].count({"torch": "2"}) == 1


def test_a_cell_says_by_which_number_it_is_sorted_and_a_column_whether_it_is_extra(plain, parsed):
    seen = parsed(plain)
    assert {"class": "number", "data-order": "3.5"} in seen.all("td") and {
        "class": "number",
        "data-order": "",
    } in seen.all("td")
    heads = [head for head in seen.all("th") if head["scope"] == "col" and head.get("data-key") == "kid"]
    assert heads and all("extra" in head["class"] and head["data-searchable"] == "false" for head in heads)


def test_what_is_missing_is_named_in_its_place(plain, parsed):
    texts = parsed(plain).texts
    assert ("p", "no ddpm") in texts and ("p", "missing ddpm") in texts
    empty = contents(
        tables=(),
        figures=(),
        files=(),
        grids=Grids(missing="No sample sets are here."),
        cost=(),
        models=Table("models", "Models", "", missing="None."),
    )
    bare = parsed(page_html(empty))
    assert ("p", "No sample sets are here.") in bare.texts and bare.open in ([], ["!doctype"])
    assert any("no figures here" in text for _, text in bare.texts)


def test_figures_of_a_group_are_folded_together(parsed):
    figures = [
        Figure(name, name, "", name, (), Image("image/png", b"png"), group=group)
        for name, group in (("a", ""), ("b", "Samples"), ("c", "Samples"))
    ]
    seen = parsed(page_html(contents(figures=tuple(figures))))
    assert ("summary", "Samples (2)") in seen.texts and len(seen.all("figure")) == 3
    names = [tag for tag, given in seen.elements if tag == "figure" or given.get("class") == "group"]
    assert names == ["figure", "details", "figure", "figure"]


def test_drawings_and_the_bundle_are_packed_and_come_out_as_they_were(parsed):
    svg = Image("image/svg+xml", b"<svg><text>100 %</text></svg>" * 99)
    page = page_html(contents(figures=(Figure("a", "a", "", "a drawing", (), svg),)))
    seen = parsed(page)
    (drawing,) = (given for given in seen.all("img") if "data-packed" in given)
    assert gzip.decompress(base64.b64decode(drawing["data-packed"])) == svg.data and drawing["alt"] == "a drawing"
    assert len(drawing["data-packed"]) == length_of(svg) < len(svg.data) / 4
    bundle = itables_bundle.bundle()
    assert gzip.decompress(base64.b64decode(seen.scripts["itables"])).decode() == bundle.script
    assert "export{" in bundle.script and " as ITable" in bundle.script
    assert page.count(seen.scripts["itables"]) == page.count(bundle.styles) == 1


def test_without_itables_one_line_names_the_extra(monkeypatch):
    monkeypatch.setattr(itables_bundle, "find_spec", lambda name: None)
    assert not itables_bundle.is_installed()
    with pytest.raises(UserError, match=r"^[^\n]*pip install 'diffbench\[report\]'$"):
        page_html(contents())


def test_an_older_itables_without_a_bundle_is_named_too(monkeypatch, tmp_path):
    import importlib.util

    found = importlib.util.spec_from_file_location("itables", tmp_path / "__init__.py")
    monkeypatch.setattr(itables_bundle, "find_spec", lambda name: found)
    with pytest.raises(UserError, match="too old"):
        itables_bundle.bundle()


def test_images_keep_their_bytes_in_a_row():
    import io

    from PIL import Image as Pillow

    for channels in (1, 3):
        images = np.random.default_rng(0).integers(0, 255, (3, 4, 5, channels), dtype=np.uint8)
        row = np.asarray(Pillow.open(io.BytesIO(sprite(images).data))).reshape(4, 15, channels)
        assert all((row[:, 5 * n : 5 * n + 5] == images[n]).all() for n in range(3))
    with pytest.raises(ValueError, match="2 channels"):
        sprite(np.zeros((1, 2, 2, 2), np.uint8))

"""The page of results as one HTML file: it needs no network, and nothing in it runs that comes from the data."""

import base64
import gzip
import hashlib
import json
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from diffbench.page.contents import Contents, File, Image, Shown
from diffbench.page.flow import BOX, flow
from diffbench.page.itables_bundle import bundle

FOLDER = Path(__file__).parent

TEMPLATES = ("page.html", "page.css", "page.js")

ARROWS = {"up": ("↑", "higher is better"), "down": ("↓", "lower is better")}
"""The sign of a column's direction, and its meaning."""

SVG = "image/svg+xml"
"""The media type of drawings, which are packed; pixels are packed already."""

CELL = 56
"""The pixels of the screen across an image of a grid, about: small images are enlarged by a whole number."""


def page_html(contents: Contents) -> str:
    """Return the page. Equal contents give an equal page. Raises: UserError if itables is not installed."""
    found = bundle()
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"uri": uri, "packed": packed}
    return environment.get_template("page.html").render(
        contents=contents,
        arrows=ARROWS,
        figures=[(group, list(found)) for group, found in groupby(contents.figures, key=lambda one: one.group)],
        flow=flow(contents.files),
        box=BOX,
        script=packed(found.script.encode()),
        styles=Markup(found.styles),
        css=Markup(_text("page.css")),
        js=Markup(_text("page.js")),
        data=Markup(_json(_data(contents))),
    )


def look() -> str:
    """Return a digest of what decides how contents are shown, so that a run makes the page again if that changes."""
    files = sorted([*FOLDER.glob("*.py"), *map(FOLDER.joinpath, TEMPLATES)])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def uri(image: Image) -> str:
    """Return an image as a URI that holds its bytes."""
    return f"data:{image.kind};base64,{base64.b64encode(image.data).decode()}"


def packed(data: bytes) -> str:
    """Return bytes as text of a quarter or a third of their length, which the page's script unpacks."""
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def length_of(image: Image) -> int:
    """Return how many letters an image takes in the page."""
    return len(packed(image.data)) if image.kind == SVG else len(uri(image))


@cache
def _text(name: str) -> str:
    return FOLDER.joinpath(name).read_text(encoding="utf-8")


def _json(value: Any) -> str:
    """Return a value as JSON that may be inside a script element, whatever its texts hold."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _data(contents: Contents) -> dict[str, Any]:
    """Return what the page's script shows on demand: the records of files, and the images of sample sets."""
    values = _Values()
    files = [_file(file, values) for file in contents.files]
    return {
        "files": files,
        "values": values.held,
        "protocols": dict(contents.protocols),
        "verify": contents.verify,
        "sets": [_shown(one) for one in contents.grids.sets],
        "real": [_shown(one) for one in contents.grids.real],
    }


class _Values:
    """Values that are written once, however many files have them."""

    def __init__(self) -> None:
        self.held: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the place of a value in the list."""
        text = json.dumps(value, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.held)
            self.held.append(value)
        return self._places[text]


def _file(file: File, values: _Values) -> dict[str, Any]:
    return {
        "place": file.place,
        "stage": file.stage,
        "sha256": file.sha256,
        "again": file.again,
        "inputs": [list(one) for one in file.inputs],
        "spec": {key: values.place(value) for key, value in file.spec.items()},
        "facts": {key: values.place(value) for key, value in file.facts.items()},
        "versions": values.place(dict(file.versions)),
        "threads": file.threads,
        "numbers": [[*number[:5], values.place(number[5])] for number in file.numbers],
    }


def _shown(one: Shown) -> dict[str, Any]:
    height, width = one.size
    factor = max(1, round(CELL / width))
    return {
        "model": one.model,
        "sampler": one.sampler,
        "steps": one.steps,
        "train": one.train_seed,
        "sample": one.sample_seed,
        "place": one.place,
        "count": one.count,
        "of": one.of,
        "size": [height, width],
        "cell": [height * factor, width * factor],
        "labels": list(one.labels),
        "src": uri(one.image),
    }

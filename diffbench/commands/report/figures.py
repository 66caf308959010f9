"""The figures of the page: those of the folder of results, as many as the page has room for."""

import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from PIL import Image as Pillow

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.paths import FIGURE_ENDINGS
from diffbench.commands.report.records import Tree
from diffbench.commands.report.tables import said_of
from diffbench.page.contents import Figure, Image
from diffbench.page.html import SVG, length_of

ROOM = 1_600_000
"""The letters that all figures may take together in the page."""

FOLDER = f"{RESULTS}/figures"

ORDER = (
    *("published", "fid_vs_steps", "fid_vs_nfe", "differences", "precision_recall", "guidance_tradeoff"),
    "rate_distortion",
)
"""Kinds of figures that come first. Others follow, first those that exist once, then those of each model."""

LENGTHS = re.compile(r' (?:d|x|y)="[^"]*"|translate\([^)]*\)')
PATH = re.compile(r' d="[^"]*"')
FRACTION = re.compile(r"(\.\d\d)\d+")
HEAD = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<metadata>.*?</metadata>|<!--.*?-->", re.DOTALL)


def read_figures(tree: Tree) -> list[Figure]:
    """Return the figures of a tree. Raises: UserError if one is damaged."""
    folder = tree.path(FOLDER)
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.glob("*")):
        if path.suffix in FIGURE_ENDINGS:
            places[path.stem].append(tree.place(path))
    kinds = {name: _kind(tree, found) for name, found in places.items()}
    several = [kind for kind in kinds.values() if list(kinds.values()).count(kind) > 1]
    ordered = sorted(places, key=lambda name: (_rank(kinds[name]), kinds[name] in several, kinds[name], name))
    left, figures = ROOM, []
    for name in ordered:
        group = _words(kinds[name]) if kinds[name] in several else ""
        figure = replace(_figure(tree, name, kinds[name], places[name], left), group=group)
        left -= length_of(figure.image) if figure.image else 0
        figures.append(figure)
    return figures


def figure_places(tree: Tree, figures: Iterable[Figure]) -> list[str]:
    """Return one place of each figure that has a record."""
    found = (next((place for place in one.places if tree.recorded(place)), None) for one in figures)
    return [place for place in found if place is not None]


def _kind(tree: Tree, places: list[str]) -> str:
    """Return the name of the part that drew a figure."""
    return str(_chosen(tree, places).get("name", PurePath(places[0]).stem))


def _chosen(tree: Tree, places: list[str]) -> dict[str, Any]:
    """Return the part that drew a figure, as its record has it; nothing if it has no record."""
    recorded = next((found for place in places if (found := tree.recorded(place))), None)
    found = None if recorded is None else recorded["spec"].get("figure")
    return found if isinstance(found, dict) else {}


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else len(ORDER)


def _figure(tree: Tree, name: str, kind: str, places: list[str], left: int) -> Figure:
    title = str(_chosen(tree, places).get("title") or _words(name))
    caption = said_of("figures", kind)
    files = [place for place in places if PurePath(place).suffix in (".svg", ".png")]
    image = _image(tree, files)
    missing = "" if files else "There is neither an SVG nor a PNG of it here."
    if image is not None and length_of(image) > left:
        missing = f"It is not in this page, which would become too large ({length_of(image) / 1000:,.0f} kB more)."
        image = None
    return Figure(name, title, caption, f"{title}. {caption}".strip(), tuple(places), image, missing)


def _words(name: str) -> str:
    text = name.replace("_", " ").replace("fid", "FID").replace("nfe", "NFE").replace(" vs ", " against ")
    return text[:1].upper() + text[1:]


def _image(tree: Tree, places: list[str]) -> Image | None:
    """Return a figure as its SVG, which is sharp at each size, or otherwise as pixels."""
    for place in places:
        tree.whole(place)
    for place in sorted(places, reverse=True):  # The SVG comes first.
        data = tree.path(place).read_bytes()
        if place.endswith(".svg"):
            return _without_ballast(data, place)
        return min(Image("image/png", data), _packed(data, place), key=lambda image: len(image.data))
    return None


def _without_ballast(svg: bytes, place: str) -> Image:
    """Return an SVG without its head and metadata, whose lines are exact to a hundredth of a point."""
    try:
        text = HEAD.sub("", svg.decode("utf-8"))
    except UnicodeDecodeError:
        raise UserError(f"{place}: not an SVG: it is not text in UTF-8") from None
    text = LENGTHS.sub(lambda found: FRACTION.sub(r"\1", found[0]), re.sub(r"\s+", " ", text))
    text = PATH.sub(lambda found: re.sub(r" ?([MLHVCQz]) ?", r"\1", found[0]), text)
    return Image(SVG, text.replace("> <", "><").encode())


def _packed(png: bytes, place: str) -> Image:
    """Return the same pixels as WebP, which takes about half the bytes of a PNG of a figure."""
    try:
        with Pillow.open(io.BytesIO(png)) as picture:
            opaque = picture.mode != "RGBA" or picture.getchannel("A").getextrema() == (255, 255)
            held = io.BytesIO()
            # More effort takes longer and saves little.
            (picture.convert("RGB") if opaque else picture).save(held, "webp", lossless=True, quality=0, method=1)
    except (OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{place}: not a PNG that can be read ({error})") from None
    return Image("image/webp", held.getvalue())

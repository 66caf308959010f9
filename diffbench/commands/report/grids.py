"""The sample grids of the page: the first images of each sample set, as many as the page has room for."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from diffbench.base.arrays import member_names, read_header, read_member
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.commands.report.records import Tree
from diffbench.commands.reporting.words import model_in_words
from diffbench.page.contents import Grids, Shown
from diffbench.page.sprites import sprite

ROOM = 330_000
"""The bytes of all sample sets together, before they are written as text, which takes a third more."""

COUNTS = (32, 16, 8, 4)
"""How many images of a set are shown: the first number for which all sets fit, or the last."""

SAMPLES = f"{RESULTS}/samples/"

DEPTH = 5
"""The parts of a place that name a sample set: model, seeds, sampler and steps."""

DATA = f"{RESULTS}/data/"


def read_grids(tree: Tree, places: Sequence[str], order: Sequence[str] = ()) -> Grids:
    """Return the sample sets among the places of a tree, with real images of their sizes.

    order: places of scores; models and samplers come as these name them, and others after them.
    Raises: UserError if a set is damaged.
    """
    named = [place for place in places if place.startswith(SAMPLES)]
    sets = [place for place in _in_order(named, order) if tree.has(place)]
    gone = len(named) - len(sets)
    if not sets:
        why = "they are named in records, but were removed" if gone else "no table or figure here was made from any"
        return Grids(missing=f"No sample sets are here: {why}.")
    size = sum(_bytes_of_image(tree.path(place)) for place in sets)
    # Images of noise cannot be compressed, so what they take uncompressed is what there must be room for.
    count = next((number for number in COUNTS if number * size <= ROOM), COUNTS[-1])
    shown, left = [], ROOM
    for place in sets:
        one = _shown(tree, place, count)
        if len(one.image.data) > left:
            break
        left -= len(one.image.data)
        shown.append(one)
    sizes = dict.fromkeys(one.size for one in shown)
    real = [_shown(tree, found, count) for wanted in sizes if (found := _real(tree, places, wanted)) is not None]
    rule = f"The first {count} images of each set; none was chosen by hand."
    if count < COUNTS[0]:
        rule += f" Images of this size leave room for {count} instead of {COUNTS[0]}."
    notes = []
    if len(shown) < len(sets):
        notes.append(
            f"{len(sets) - len(shown)} of {len(sets)} sets are left out, since this page would become too large"
        )
    if gone:
        notes.append(f"{gone} sets are named in records, but were removed")
    return Grids(tuple(shown), tuple(real), rule, missing=f"{'; '.join(notes)}." if notes else "")


def _in_order(places: Sequence[str], order: Sequence[str]) -> list[str]:
    """Return the places of sample sets with models and samplers in an order, and ascending steps."""
    seen: dict[str, int] = {}
    for place in (*(one for one in order if len(PurePath(one).parts) > DEPTH), *places):
        for name in (_coordinates(place)["model"], _coordinates(place)["sampler"]):
            seen.setdefault(name, len(seen))

    def key(place: str) -> tuple[Any, ...]:
        found = _coordinates(place)
        return seen[found["model"]], seen[found["sampler"]], int(found["steps"]), found["train"], found["sample"]

    return sorted(places, key=key)


def _coordinates(place: str) -> Mapping[str, str]:
    """Return model, sampler, steps and seeds of a sample set from its place."""
    model, train, sampler, sample, file = PurePath(place).parts[-DEPTH:]
    seeds = {"train": train.removeprefix("train"), "sample": sample.removeprefix("sample")}
    return {"model": model, "sampler": sampler, "steps": PurePath(file).stem, **seeds}


def _bytes_of_image(path: Any) -> int:
    shape = read_header(path, "arr_0").shape
    return int(np.prod(shape[1:]))


def _shown(tree: Tree, place: str, count: int) -> Shown:
    path = tree.path(place)
    images = read_member(path, "arr_0")
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise UserError(f"{path}: arr_0 is {images.dtype}{images.shape}, wanted uint8 images, channels last")
    names = member_names(path)
    labels = read_member(path, "arr_1")[:count].tolist() if "arr_1" in names else []
    first = np.asarray(images[:count])
    where = (
        _coordinates(place)
        if place.startswith(SAMPLES)
        else dict.fromkeys(("model", "sampler", "steps", "train", "sample"), "")
    )
    return Shown(
        model=model_in_words(where["model"]),
        sampler=where["sampler"],
        steps="adaptive" if where["steps"] == "0" else where["steps"],
        train_seed=where["train"],
        sample_seed=where["sample"],
        place=place,
        count=len(first),
        of=len(images),
        size=(first.shape[1], first.shape[2]),
        image=sprite(first),
        labels=tuple(int(label) for label in labels) if all(isinstance(label, int) for label in labels) else (),
    )


def _real(tree: Tree, places: Sequence[str], size: tuple[int, int]) -> str | None:
    """Return the place of held-out real images of a size, or of those that were trained on; None if none are here."""
    found = [place for place in places if place.startswith(DATA) and tree.has(place)]
    fitting = [place for place in found if tuple(read_header(tree.path(place), "arr_0").shape[1:3]) == size]
    return min(fitting, key=lambda place: ("/test" not in place, place), default=None)

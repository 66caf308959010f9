"""The published numbers of the same model, sampling and protocol as a score, field by field, or the nearest ones."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from diffbench.comparison.published.recorded import (
    ALL_STEPS,
    AS_PUBLISHED,
    BOUND,
    OWN_SETTINGS,
    PRECISION,
    WHOLE_SET,
    Ours,
)
from diffbench.published.numbers import EXTRACTOR, NEARLY, Number

NEAR_ENOUGH = 0.1
"""The largest relative difference from a number of parameters that is only nearly known."""

MOST = 3
"""The most published numbers that are listed for a score with which none is comparable."""

UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}

SAME_FID = ("ddpm", "adm")
"""Protocols whose FID is one calculation, with one network, one resize and the same splits. A reference without the
last 80 of 50,000 images is the same split here."""


@dataclass(frozen=True)
class Difference:
    """A field in which a score and a published number differ. ours, theirs: "" is not recorded, or not stated."""

    field: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        ours = self.ours or "not recorded"
        return f"{WORDS.get(self.field, self.field.replace('_', ' '))} ({ours} against {self.theirs or 'not stated'})"


WORDS = {"num_images": "n", "clip_x_0": "clip_x_0", "size": "image size"}
"""Fields that messages do not call by their columns."""

Alike = Callable[[str, str], bool]


def _equal(ours: str, theirs: str) -> bool:
    return bool(ours) and ours == theirs


def _variance(ours: str, theirs: str) -> bool:
    """Return whether variances agree. "fixed" stands for both fixed ones, where the sampler takes neither."""
    return _equal(ours, theirs) or (theirs == "fixed" and ours.startswith("fixed"))


def same_parameters(ours: str, theirs: str) -> bool:
    """Return whether a count is what a paper prints as 35.7M, rounded or cut off, or near what it calls ~120M."""
    found = re.fullmatch(rf"({NEARLY}?)(\d+)(?:\.(\d+))?([KMB])", theirs)
    if not ours or found is None:
        return False
    nearly, whole, decimals, unit = found.groups(default="")
    count, printed = float(ours), float(f"{whole}.{decimals or 0}") * UNITS[unit]
    allowed = NEAR_ENOUGH * printed if nearly else UNITS[unit] * 10.0 ** -len(decimals)
    return abs(count - printed) < allowed


MODEL: Mapping[str, Alike] = {
    "conditional": _equal,
    "parameterization": _equal,
    "objective": _equal,
    "variance": _variance,
    "schedule": _equal,
    "timesteps": _equal,
    "parameters": same_parameters,
    "dropout": _equal,
    "training_steps": _equal,
    "batch_size": _equal,
    "weights": _equal,
}
"""The fields of a model, in the order in which they are compared."""

TRAINED = ("objective", "parameters", "dropout", "training_steps", "batch_size", "weights")
"""The fields that released weights settle: the file that a paper's numbers are of, whatever its record lacks."""

SAMPLING = ("sampler", "eta", "steps", "spacing", "guidance", "guidance_scale", "clip_x_0")


def differences(ours: Ours, number: Number) -> list[Difference]:
    """Return the fields in which a score and a published number differ, in the order in which they are compared."""
    return [*_of_data(ours, number), *_of_model(ours, number), *_of_sampling(ours, number), *_of_protocol(ours, number)]


def _of_data(ours: Ours, number: Number) -> list[Difference]:
    wanted = {"dataset": number.dataset, "size": number.size, "pixels": AS_PUBLISHED, "images": WHOLE_SET}
    return _unequal(ours, wanted)


def _of_model(ours: Ours, number: Number) -> list[Difference]:
    released = bool(number.checkpoint) and ours.facts.get("checkpoint") == number.checkpoint
    found = []
    for field, alike in MODEL.items():
        one, other = ours.facts.get(field, ""), str(getattr(number, field))
        if not alike(one, other) and not (released and field in TRAINED):
            found.append(Difference(field, _million(one) if field == "parameters" else one, other))
    return found


def _million(count: str) -> str:
    return f"{int(count) / 1e6:.2f}M" if count else ""


def _of_sampling(ours: Ours, number: Number) -> list[Difference]:
    wanted = {field: str(getattr(number, field)) for field in SAMPLING}
    if not wanted["steps"] and number.nfe:
        wanted = {"nfe" if field == "steps" else field: value for field, value in wanted.items()}
        wanted["nfe"] = number.nfe
    # A sampler without the option eta has none to agree on, and another sampler's is of no interest.
    if (not wanted["eta"] and not ours.facts.get("eta")) or ours.facts.get("sampler") != number.sampler:
        del wanted["eta"]
    found = _unequal(ours, wanted)
    # A chain of all timesteps has no spacing, so that another number of steps says it all.
    whole = ALL_STEPS in (ours.facts.get("spacing"), number.spacing)
    if whole and any(item.field == "steps" for item in found):
        found = [item for item in found if item.field != "spacing"]
    return found


def _of_protocol(ours: Ours, number: Number) -> list[Difference]:
    if ours.facts.get("protocol") == BOUND:
        # The mean over some images of a split, and over some timesteps, is an estimate of the same number, and its
        # interval says how good.
        return [*_of_precision(ours), *_unequal(ours, {"protocol": number.protocol, "reference": number.reference})]
    found = _of_precision(ours)
    pair = ours.facts.get("protocol", ""), number.protocol
    if not (_equal(*pair) or (ours.metric == "fid" and set(pair) <= set(SAME_FID))):
        found.append(Difference("protocol", *pair))
    found += _unequal(ours, {"extractor": EXTRACTOR, "settings": OWN_SETTINGS, "num_images": number.num_images})
    file = ours.facts.get("reference_file")
    if file:
        same = _equal(file, number.reference_file)
        return found if same else [*found, Difference("reference", file, number.reference_file or number.reference)]
    return [*found, *_unequal(ours, {"reference": number.reference})]


def _of_precision(ours: Ours) -> list[Difference]:
    """Return the difference in how features or a bound were computed, if there is one. Samples are what is scored."""
    own = ours.facts.get(PRECISION)
    return [Difference(PRECISION, own, "float32")] if own else []


def _unequal(ours: Ours, wanted: Mapping[str, str]) -> list[Difference]:
    pairs = {field: (ours.facts.get(field, ""), theirs) for field, theirs in wanted.items()}
    return [Difference(field, *pair) for field, pair in pairs.items() if not _equal(*pair)]


@dataclass(frozen=True)
class Published:
    """A published number beside a score. numbers: the same number, in each place where it was printed."""

    numbers: tuple[Number, ...]
    differs: tuple[Difference, ...]

    @property
    def comparable(self) -> bool:
        """Whether the two are of the same model, sampling and protocol."""
        return not self.differs


def nearest(ours: Ours, numbers: Sequence[Number]) -> list[Published]:
    """Return all published numbers that are comparable with a score; if there is none, the few that nearly are.

    A number that one paper prints in several tables is listed once.
    """
    judged: dict[tuple[object, ...], list[Number]] = {}
    for number in numbers:
        if number.metric == ours.metric:
            differs = tuple(differences(ours, number))
            judged.setdefault((differs, number.arxiv, number.value, number.spread), []).append(number)
    every = [Published(tuple(same), tuple(differs)) for (differs, *_), same in judged.items()]  # type: ignore[arg-type]
    comparable = [one for one in every if one.comparable]
    return comparable or sorted(every, key=_distance)[:MOST]


ORDER = ("dataset", "size", "pixels", "images", *MODEL, *SAMPLING)
"""The fields from the most to the least telling; those of protocols come after them."""


def _distance(one: Published) -> tuple[int, int]:
    """Return how far a published number is: how many fields differ, and then how telling the first of them is."""
    first = one.differs[0].field
    return len(one.differs), -(ORDER.index(first) if first in ORDER else len(ORDER))

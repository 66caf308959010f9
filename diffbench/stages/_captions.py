"""The caption and the notes of a sheet: what was measured, on how many images, under which protocol."""

import itertools
import string
from collections.abc import Mapping, Sequence

import pandas

from diffbench.base.names import REAL
from diffbench.base.protocol_ids import fields_of
from diffbench.base.sheets import Column, View
from diffbench.stages._wide import sampled, values_of

SAID_ELSEWHERE = ("n",)
"""Fields of a protocol that the caption says in other words."""


def letters_of(frame: pandas.DataFrame) -> dict[str, str]:
    """Return a letter for each protocol of a table, in the order of its rows."""
    protocols = values_of(frame, "protocol")
    words = (itertools.product(string.ascii_lowercase, repeat=length) for length in itertools.count(1))
    letters = ("".join(word) for group in words for word in group)
    return dict(zip(protocols, letters, strict=False))


def caption_of(frame: pandas.DataFrame, view: View, columns: Sequence[Column]) -> str:
    """Return the caption: what the table shows, of which benchmark, on how many images, and how it was measured."""
    protocols = list(letters_of(frame))
    models = sampled(frame)
    facts = [
        _same(models, "benchmark", "benchmark {}"),
        _scale(models),
        _numbers(models, "num_images", "n = {} images", "n = {} images"),
        _numbers(models, "train_seed", "training seed {}", "training seeds {}"),
        _numbers(models, "sample_seed", "sampling seed {}", "sampling seeds {}"),
        f"protocol {_protocol(protocols[0])}" if len(protocols) == 1 else "",
    ]
    told = "; ".join(filter(None, facts))
    parts = [f"{view.title}." if view.title else "", f"{told[:1].upper()}{told[1:]}." if told else ""]
    return " ".join([*filter(None, parts), *_reading(frame, view, columns)])


def _reading(frame: pandas.DataFrame, view: View, columns: Sequence[Column]) -> list[str]:
    """Return the sentences that say how to read intervals and marks."""
    intervals = any(len(column.names) > 1 for column in columns)
    said = [f"Intervals are 95 %{f', {view.covers}' if view.covers else ''}."] if intervals else []
    if any(column.direction for column in columns):
        protocols = " with the same protocol" if len(letters_of(frame)) > 1 else ""
        real = f", without {REAL}" if "model" in frame and (frame["model"] == REAL).any() else ""
        said.append(f"Bold: the best value of a column{protocols}{real}; underlined: the second.")
    return said


def notes_of(frame: pandas.DataFrame, columns: Sequence[Column], *, gaps: bool) -> tuple[str, ...]:
    """Return the notes below a table: its protocols, if there are several, and what is meant by an empty cell."""
    letters = letters_of(frame)
    notes = []
    if len(letters) > 1:
        differing = _differing([fields_of(name) for name in letters])
        notes += [f"Protocol {letter}: {_protocol(name, differing)}." for name, letter in letters.items()]
    elif any("protocol" in column.names for column in columns):
        notes += [f"Protocol {letter}: {name}." for name, letter in letters.items()]
    if gaps:
        notes.append("An empty cell was not measured, or is not a number.")
    return tuple(notes)


def _same(frame: pandas.DataFrame, name: str, words: str) -> str:
    held = values_of(frame, name)
    return words.format(held[0]) if len(held) == 1 else ""


def _scale(frame: pandas.DataFrame) -> str:
    """Return words about the guidance scale if all rows have the same one. Views leave its column out then."""
    held = values_of(frame, "guidance_scale")
    everywhere = len(held) == 1 and not bool(frame["guidance_scale"].isna().any())
    return f"guidance scale {held[0]:g}" if everywhere else ""


def _numbers(frame: pandas.DataFrame, name: str, one: str, several: str) -> str:
    """Return words about the numbers of a column: all of a few, and the ends of many."""
    held = sorted(values_of(frame, name))
    texts = [f"{number:g}" if isinstance(number, float) else str(number) for number in held]
    if len(texts) > 4:
        texts = [f"{texts[0]} to {texts[-1]} ({len(texts)} of them)"]
    return (one if len(held) == 1 else several).format(", ".join(texts)) if texts else ""


def _protocol(protocol: str, differing: Sequence[str] = ()) -> str:
    """Return a protocol in words: its name and, in parentheses, its own fields and those settings that differ."""
    fields = fields_of(protocol)
    name = fields.pop("protocol", "")
    own = [key for key in fields if "." not in key and key not in SAID_ELSEWHERE]
    shown = {key: value for key, value in fields.items() if key in own or key in differing}
    if not name or not shown:
        return protocol
    return f"{name} ({', '.join(f'{key} {value}' for key, value in shown.items())})"


def _differing(fields: Sequence[Mapping[str, str]]) -> list[str]:
    every = dict.fromkeys(key for one in fields for key in one)
    return [key for key in every if len({one.get(key) for one in fields}) > 1]

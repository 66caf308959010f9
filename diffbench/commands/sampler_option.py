"""Samplers as they are named on the command line: `ddim`, `my_module.MySampler` or, with options, `ddim eta=0.5`."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from diffbench.base import plugins
from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.benchmark.yaml_file import parse_yaml
from diffbench.samplers._contract import Sampler

LONGEST = 64
"""The most letters of a name that becomes a folder."""


@dataclass(frozen=True)
class Entry:
    """A sampler and the text that named it."""

    name: str
    sampler: Sampler


def entry_of(text: str) -> Entry:
    """Return the sampler that a text names.

    Raises: UserError if there is no such sampler, or an option is wrong.
    """
    name, options = parsed(text, "--sampler")
    part = plugins.load("samplers", name, "--sampler")
    sampler = plugins.configure(part, options, f"--sampler {name}")
    return Entry(text, sampler)


def parsed(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options in a text. Raises: UserError if it has not the form `ddim eta=0.5`."""
    if not text.split():
        raise UserError(f"{where}: an empty name; write a sampler's name or dotted path")
    name, *pairs = text.split()
    options: dict[str, Any] = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found or not key.isidentifier() or key == "name":
            raise UserError(f"{where} '{text}': '{pair}' is not an option; write eta=0.5")
        if key in options:
            raise UserError(f"{where} '{text}': '{key}' is given twice")
        try:
            options[key] = parsed_value(value)
        except UserError as error:
            raise UserError(f"{where} '{text}': '{value}' is not a value ({error}); write eta=0.5") from None
    return name, options


def parsed_value(text: str) -> Any:
    """Return the value of a text in YAML: a number, true, a list, or otherwise the text. Raises: UserError."""
    return parse_yaml(text, "value")


def as_entry(text: str, known: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """Return a name that can be a folder, and the entry for a benchmark's `samplers`, of a sampler that a text names.

    known: the benchmark's own entries. The name of one of these gives that entry; options after it are laid over it.
    Raises: UserError if neither an entry nor a sampler has that name.
    """
    word, options = parsed(text, where)
    if word in known and not options:
        return word, dict(known[word] or {})
    parts = plugins.names("samplers")
    if word not in known and word not in parts and not set(".:") & set(word):
        raise UserError(f"{where} '{text}': no sampler '{word}'; {nearest(word, {*known, *parts})}")
    entry = {"name": word, **(known.get(word) or {}), **options}
    return _folder_name(word, options, known), entry


def _folder_name(word: str, options: Mapping[str, Any], known: Collection[str]) -> str:
    """Return a folder's name for a sampler with options: `ddim+eta-0.5`. Different options give different names."""
    written = {key: value if isinstance(value, str) else json.dumps(value) for key, value in options.items()}
    name = "+".join([word, *(f"{key}-{written[key]}" for key in sorted(written))])
    plain = re.sub(r"[^A-Za-z0-9_.+-]", "-", name)
    # If letters were replaced or cut, other options could give the same name; so could a text that reads as a number.
    ambiguous = plain != name or len(name) > LONGEST or "+" in "".join(written.values()) or name in known
    ambiguous = ambiguous or any(parsed_value(text) != options[key] for key, text in written.items())
    if not ambiguous:
        return name
    mark = digest([word, {key: [type(value).__name__, value] for key, value in options.items()}])[:8]
    return f"{plain[: LONGEST - 9]}-{mark}"

"""The one reader of YAML, for benchmarks, flags of imports and values on the command line, and its writer.

ruamel.yaml splits a text into events, and this module decides what they mean, so that all YAML is read in one way:
YAML 1.2, with merge keys (`<<`) and aliases, without repeated keys and tags. A number that readers of YAML 1.1 and
1.2 understand differently (010, 1:40, 0x10) is refused. Depth, size and the expansion of aliases are bounded.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.representer import SafeRepresenter

from diffbench.base.errors import UserError
from diffbench.base.plugins import WHOLE_LIMIT
from diffbench.benchmark.bounded_file import read_bounded

LARGEST = 2**18
"""The most bytes of a file, and the most values and letters in it after its aliases are written out."""
DEEPEST = 40
"""The most lists and maps inside each other."""

NULLS = ("", "~", "null", "Null", "NULL")
TRUTHS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*)")
"""Whole numbers of YAML 1.2 and, from YAML 1.1, underscores between digits: 800_000."""
FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
AMBIGUOUS = re.compile(
    r"[-+]?(0[0-9_]+|0[box][0-9a-fA-F_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?|[0-9.]*_[0-9_.eE+-]*)"
)
"""Octal, binary, hexadecimal and base 60, and other numbers with underscores."""
RUNS_CODE = "__use_yte__"
"""If a file has this key, Snakemake's reader runs Python that is in the file."""


def read_yaml(path: Path | str) -> Any:
    """Return the content of a YAML file. Raises: UserError naming the file and the line that cannot be read."""
    return parse_yaml(_text_of(Path(path)), str(path))


def parse_yaml(text: str, source: str) -> Any:
    """Return the content of a YAML text. source: its name in messages. Raises: UserError."""
    if len(text) > LARGEST:
        raise UserError(f"{source}: longer than {LARGEST} characters, the most that is read")
    reading = _Reading()
    try:
        for event in YAML(typ="safe", pure=True).parse(StringIO(text)):
            reading.take(event)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    except YAMLError as error:
        raise UserError(f"{source}: not YAML: {_spoken(error)}") from None
    except (ValueError, OverflowError, LookupError, TypeError, AttributeError, AssertionError) as error:
        # ruamel.yaml raises such errors for some malformed escapes and directives.
        raise UserError(f"{source}: not YAML ({error})") from None
    return reading.value


def read_layers(
    files: Sequence[Path | str],
    settings: Iterable[str] = (),
    placed: Callable[[Any, Path | str], Any] = lambda content, file: content,
) -> Any:
    """Return the content of YAML files, each laid over the one before, with settings KEY=VALUE laid over all of them.

    Maps merge by key; lists and scalars replace. placed: a function that first changes the content of each file, given
    its path; for settings it is given the last file's path. Raises: UserError.
    """
    content: Any = {}
    for path in files:
        own = read_yaml(path)
        try:
            content = laid_over(content, placed(own, path))
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    for setting in settings:
        key, found, text = setting.partition("=")
        if not found:
            raise UserError(f"--config: '{setting}' is not of the form KEY=VALUE")
        value = parse_yaml(text, f"--config {key}")
        if key == RUNS_CODE:
            raise UserError(f"--config: {_refusal_of_code()}")
        content = laid_over(content, placed({key: value}, files[-1]) if files else {key: value})
    return content


def laid_over(base: Any, over: Any) -> Any:
    """Return `over` laid over `base`: maps merge by key, everything else replaces."""
    if not (isinstance(base, Mapping) and isinstance(over, Mapping)):
        return over
    return {**base, **{key: laid_over(base.get(key), value) for key, value in over.items()}}


def write_yaml(content: Any) -> str:
    """Return plain data as YAML that `read_yaml` reads as the same values."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.width = 2**16
    target = StringIO()
    writer.dump(content, target)
    return target.getvalue()


class _Representer(SafeRepresenter):
    """A representer that writes values as readers of YAML 1.1 and 1.2 both understand them, without aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> Any:
        try:
            plain = scalar(data) == data and data.lower() not in ("yes", "no", "on", "off")
        except UserError:
            plain = False
        # Texts that begin with a digit are quoted, because some readers take them for dates.
        plain = plain and data != "<<" and not data[0].isdigit()
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else "'")

    def represent_number(self, data: float) -> Any:
        text = repr(data)
        return self.represent_scalar("tag:yaml.org,2002:float", text if "." in text else text.replace("e", ".0e"))


_Representer.add_representer(str, _Representer.represent_text)
_Representer.add_representer(float, _Representer.represent_number)


def scalar(text: str) -> Any:
    """Return the value of a text without quotes: null, true, false, a number, or otherwise the text itself.

    Raises: UserError for a number that is not finite, too large, or read differently by other readers.
    """
    if text in NULLS:
        return None
    if text in TRUTHS:
        return TRUTHS[text]
    if WHOLE.fullmatch(text):
        if len(text) > 20 or abs(int(text)) >= WHOLE_LIMIT:
            raise UserError(f"{_short(text)} is too large; whole numbers are below 2^63")
        return int(text)
    if AMBIGUOUS.fullmatch(text):
        raise UserError(
            f"{_short(text)} is one number to some readers of YAML and another, or a text, to others; "
            f"write the number in plain decimal digits, or '{_short(text)}' in quotes"
        )
    if NOT_FINITE.fullmatch(text) or (FRACTION.fullmatch(text) and not math.isfinite(float(text))):
        raise UserError(f"{_short(text)} is not a finite number")
    return float(text) if FRACTION.fullmatch(text) else text


@dataclass
class _Open:
    """A list or map that has not ended yet. weight: its values and letters. waiting: a key without a value."""

    line: int
    anchor: str | None
    is_map: bool
    items: list[Any] = field(default_factory=list)
    own: dict[Any, Any] = field(default_factory=dict)
    merged: dict[Any, Any] = field(default_factory=dict)
    waiting: list[Any] = field(default_factory=list)
    merges: bool = False
    weight: int = 1

    def value(self) -> Any:
        return {**self.merged, **self.own} if self.is_map else self.items


@dataclass
class _Reading:
    """A document that is built from events, one by one and without recursion."""

    value: Any = None
    documents: int = 0
    stack: list[_Open] = field(default_factory=list)
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        line = event.start_mark.line + 1
        try:
            self._take(event, line)
        except UserError as error:
            raise UserError(f"line {line}: {error}") from None

    def _take(self, event: Event, line: int) -> None:
        if isinstance(event, DocumentStartEvent):
            self._start(event)
        elif isinstance(event, (SequenceStartEvent, MappingStartEvent)):
            _refuse_tag(event.tag)
            if len(self.stack) == DEEPEST:
                raise UserError(f"more than {DEEPEST} lists and maps inside each other")
            self._forget(event.anchor)
            self.stack.append(_Open(line, event.anchor, isinstance(event, MappingStartEvent)))
        elif isinstance(event, (SequenceEndEvent, MappingEndEvent)):
            done = self.stack.pop()
            self._add(done.value(), done.weight, done.anchor)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self.anchors:
                raise UserError(f"*{event.anchor} is not the anchor of a value that ends before it")
            self._add(*self.anchors[event.anchor], None)
        elif isinstance(event, ScalarEvent):
            self._scalar(event)

    def _start(self, event: DocumentStartEvent) -> None:
        self.documents += 1
        if self.documents > 1:
            raise UserError("a second document begins here; a file must have only one")
        if event.version not in (None, (1, 2)):
            raise UserError(f"%YAML {'.'.join(map(str, event.version))}: this is read as YAML 1.2; leave it out")

    def _scalar(self, event: ScalarEvent) -> None:
        _refuse_tag(event.tag)
        quoted = event.style is not None or not event.implicit[0]
        top = self.stack[-1] if self.stack else None
        if not quoted and event.value == "<<" and top is not None and top.is_map and not top.waiting:
            if top.merges:
                raise UserError("'<<' is written twice; give it a list")
            top.merges = True
            top.waiting.append(_MERGE)
            return
        self._forget(event.anchor)
        value = event.value if quoted else scalar(event.value)
        self._add(value, 1 + len(event.value), event.anchor)

    def _forget(self, anchor: str | None) -> None:
        # An anchor must not be used inside its own value, and an older anchor of that name ends here.
        if anchor is not None:
            self.anchors.pop(anchor, None)

    def _add(self, value: Any, weight: int, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = (value, weight)
        if not self.stack:
            self.value = value
            return
        top = self.stack[-1]
        top.weight += weight
        if top.weight > LARGEST:
            raise UserError(f"with its aliases written out it says more than {LARGEST} values and letters")
        if not top.is_map:
            top.items.append(value)
        elif not top.waiting:
            top.waiting.append(_key(value, top.own))
        elif (key := top.waiting.pop()) is _MERGE:
            top.merged = _merged(value)
        else:
            top.own[key] = value


_MERGE = object()
"""This object stands for the key `<<`."""


def _key(value: Any, known: Mapping[Any, Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise UserError("a key must be a name")
    if value == RUNS_CODE:
        raise UserError(_refusal_of_code())
    if value in known:
        raise UserError(f"key '{_short(str(value))}' is written twice")
    return value


def _merged(value: Any) -> dict[Any, Any]:
    """Return the merged content of a `<<`, which is a map or a list of maps. The first map that has a key counts."""
    maps = value if isinstance(value, list) else [value]
    if not all(isinstance(item, dict) for item in maps):
        raise UserError("'<<' takes a map, or a list of maps")
    found: dict[Any, Any] = {}
    for item in maps:
        found |= {key: item[key] for key in item if key not in found}
    return found


def _refuse_tag(tag: Any) -> None:
    if tag is not None:
        raise UserError(f"tag {_short(str(tag))}: tags mean nothing here; leave it out, and put a text in quotes")


def _refusal_of_code() -> str:
    return f"the key {RUNS_CODE} makes Snakemake run Python that the file holds; refused, take it out"


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} characters)"


def _text_of(path: Path) -> str:
    if "\0" in str(path):
        raise UserError(f"{str(path)!r}: cannot be read: a name has no zero byte")
    content = read_bounded(path, LARGEST)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not YAML: it is not text in UTF-8") from None


def _spoken(error: YAMLError) -> str:
    """Return the place and the text of an error of ruamel.yaml in one line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "context", None) or str(error)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return place + _short_line(what)


def _short_line(text: str) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= 200 else f"{line[:200]}..."

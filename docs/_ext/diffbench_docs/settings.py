"""The keys of a benchmark's file as Markdown, from the dataclasses that hold them."""

from diffbench.benchmark.reference import Key, Section, sections


def text() -> str:
    """Return a section for each place in a benchmark's file and for each part, with every key."""
    said: list[str] = []
    folder = ""
    for section in sections():
        kind, _, part = section.title.partition(": ")
        if part and kind != folder:
            said.append(f"## Options of {kind}")
            folder = kind
        said.append(_section(section, level="###" if part else "##"))
    return "\n\n".join(said)


def _section(section: Section, *, level: str) -> str:
    title = "The file" if section.title == "the file" else f"`{section.title}`"
    keys = [*map(_key, section.keys)] or ["It has no options."]
    return "\n\n".join([f"{level} {title}", _prose(section.summary), *keys])


def _key(key: Key) -> str:
    place = "" if key.section == "the file" else f"{key.section.replace(': ', '.').removesuffix('[]')}."
    default = "none, it must be given" if key.default is None else key.default and f"`{key.default}`"
    options = [f":type: {_prose(key.type)}", *([f":default: {default}"] if default else [])]
    said = _prose(key.description)
    return "\n".join([f"::::{{confval}} {place}{key.key}", *options, "", f"{said[:1].upper()}{said[1:]}", "::::"])


def _prose(text: str) -> str:
    """Return a text of a docstring as Markdown: everything outside of backticks means itself."""
    pieces = text.split("`")
    return "`".join(piece if i % 2 else _plain(piece) for i, piece in enumerate(pieces))


def _plain(text: str) -> str:
    for sign in "*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text

"""The fenced blocks of a page, by sybil, and what is checked of each: see "Documentation" in CONTRIBUTING.md."""

import contextlib
import io
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import typer
from sybil import Document, Example, Region, Sybil
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

from diffbench.base.errors import UserError
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.yaml_file import parse_yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")])
LANGUAGES = ("console", "bash", "yaml", "python", "text", "json", "latex", "html", "markdown", "bibtex")
INFO = re.compile(r"(?P<language>[^\s`]*)[^\n]*\n")
MARK = re.compile(r"<!-- (?P<mark>run|slow|tree|file|base|skip)(?:: (?P<said>[^>]*?))? -->\s*\Z")
OUR = re.compile(r"(?:^|[|;&] *|\$ )(?:uv run )?(?:DIFFBENCH_CONFIG=\S+ )?(diffbench [^|;&#>\n]*)")
ADDED = re.compile(r"^\{.*\}$")
"""Directives of MyST, such as {toctree}, which the build of the site checks."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the mark in the comment above it."""

    language: str
    text: str
    mark: str = ""
    said: str = ""


def found(document: Document):
    """Yield a region for each fenced block of a page."""
    for region in RawFencedCodeBlockLexer(INFO)(document):
        if ADDED.match(region.lexemes["language"]):
            continue
        above = MARK.search(document.text[: region.start].rstrip(" "))
        mark, said = (above["mark"], above["said"] or "") if above else ("", "")
        block = Block(region.lexemes["language"], region.lexemes["source"], mark, said)
        yield Region(region.start, region.end, block, evaluate)


def evaluate(example: Example) -> None:
    """Check a block. Raises: AssertionError with what is wrong; what a Python block raises."""
    block: Block = example.parsed
    wanted = example.namespace["slow"]
    assert block.language in LANGUAGES, f"the language '{block.language}' is none of {', '.join(LANGUAGES)}"
    assert (block.mark in ("file", "base", "skip")) == bool(block.said), (
        f"<!-- {block.mark}: {block.said} --> is no mark"
    )
    if block.mark == "skip" or (block.mark in ("slow", "tree") and not wanted):
        return
    if block.mark == "file":
        Path(block.said).write_text(block.text)
    if block.language in CHECKS:
        CHECKS[block.language](example, block)


def python(example: Example, block: Block) -> None:
    """Run a block in the page's namespace. Raises: what the block raises."""
    example.parsed = block.text
    with contextlib.redirect_stdout(io.StringIO()):
        PythonEvaluator()(example)
    example.parsed = block


def yaml(example: Example, block: Block) -> None:
    """Load a whole benchmark; lay a fragment over another one (smoke, or that of the mark base), and load that.

    Dots stand for what is left out, so nothing is loaded then. Lines that all begin with one key are alternatives.
    """
    if "..." in block.text:
        return
    lines = [line for line in block.text.splitlines() if re.match(r"\w+:", line)]
    several = len(lines) > 1 and len({line.partition(":")[0] for line in lines}) == 1
    for text in lines if several else [block.text]:
        content: Any = parse_yaml(text, "the block")
        if isinstance(content, dict) and set(content) & TOP:  # otherwise a part of an entry, or a file of another kind
            require_loaded(content, ROOT / (block.said if block.mark == "base" else "workflow/config/smoke.yaml"))


def require_loaded(content: dict[str, Any], base_file: Path) -> None:
    """Raise AssertionError if a benchmark, or a fragment laid over a base, is refused; files that it names may be missing."""
    base: Any = parse_yaml(base_file.read_text(), base_file.name)
    whole = {"benchmark", "runs", "models"} <= set(content)
    laid = content if whole else {**base, **{key: laid_over(base.get(key), value) for key, value in content.items()}}
    try:
        # Some libraries look for their files from the folder in which Python was started.
        with contextlib.chdir(ROOT):
            parse_benchmark(laid, "the block")
    except UserError as error:
        assert "no such file" in str(error), str(error)


TOP = {
    "benchmark",
    "dataset",
    "models",
    "samplers",
    "protocols",
    "extractors",
    "runs",
    "classifiers",
    "grids",
    "sampling",
    "numerics",
}


def bash(example: Example, block: Block) -> None:
    """Parse the arguments of each diffbench command, and run the block if its mark says so."""
    for line in joined(block.text):
        for command in OUR.findall(line):
            require_parsed(command)
            if block.mark in ("run", "slow"):
                done = example.namespace["run_diffbench"](*shlex.split(command)[1:], cwd=Path.cwd())
                assert done.returncode == 0, f"`{command}`: {done.stderr}"


def console(example: Example, block: Block) -> None:
    """Parse the commands after `$`; with the mark run or slow, run them and compare what they print."""
    shown = re.split(r"^\$ ", "\n".join(joined(block.text)), flags=re.MULTILINE)
    assert not shown[0].strip(), "a console block begins with a command after `$ `"
    for part in shown[1:]:
        line, _, output = part.partition("\n")
        for command in OUR.findall(line):
            require_parsed(command)
        if block.mark in ("run", "slow"):
            done = example.namespace["run_diffbench"](*shlex.split(line)[1:], cwd=Path.cwd())
            require_alike(done.stdout + done.stderr, output)


def laid_over(base: Any, over: Any) -> Any:
    """Return a fragment's value with the entries of the base beside its own."""
    entries = isinstance(base, dict) and isinstance(over, dict) and "name" not in over
    return {**base, **{key: laid_over(base.get(key), value) for key, value in over.items()}} if entries else over


def require_alike(printed: str, shown: str) -> None:
    """Raise AssertionError unless what is shown is what was printed; `...` stands for anything."""
    pattern = ".*".join(map(re.escape, shown.rstrip().split("...")))
    assert re.fullmatch(pattern, printed.rstrip(), re.DOTALL), f"printed:\n{printed}\nshown:\n{shown}"


def joined(text: str) -> list[str]:
    """Return the lines of a block, those that end with a backslash joined with the next."""
    return text.replace("\\\n", " ").splitlines()


def require_parsed(command: str) -> None:
    """Raise AssertionError if a command or one of its options does not exist, or an argument is missing."""
    from diffbench.cli import app

    words = [word for word in shlex.split(command, comments=True)[1:] if word != "..."]
    group: Any = typer.main.get_command(app)
    if not words or words[0].startswith("-"):
        return
    own = group.get_command(click.Context(group), words[0])
    assert own is not None, f"`{command}`: there is no command {words[0]}"
    if own.context_settings.get("ignore_unknown_options") or "..." in command or "COMMAND" in words:
        return
    try:
        own.make_context(words[0], words[1:], parent=click.Context(group))
    except click.exceptions.Exit:
        return
    except Exception as error:
        said = error.format_message() if isinstance(error, click.ClickException) else str(error)
        raise AssertionError(f"`{command}`: {said}") from None


def json_(example: Example, block: Block) -> None:
    """Parse a block that leaves nothing out."""
    if "..." not in block.text:
        json.loads(block.text)


CHECKS = {"python": python, "yaml": yaml, "bash": bash, "console": console, "json": json_}

SYBIL = Sybil([found])


def examples_of(page: Path) -> list[Example]:
    """Return the blocks of a page, in order."""
    return list(SYBIL.parse(page).examples())

"""What help and usage lines show: commands by purpose, the kinds of values in words, and what each stage makes."""

import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from diffbench.base.stage_names import STAGES

GROUPS = {
    "A benchmark, from its file to its results": (
        "new",
        "check",
        "schema",
        "plan",
        "bench",
        "costs",
        "report",
        "verify",
        "adopt",
    ),
    "Trainings": ("time-to-quality", "tensorboard"),
    "Measure and compare": (
        "table",
        "measure",
        "copies",
        "compare",
        "compare-samplers",
        "claims",
        "published",
        "protocols",
    ),
    "Share": (
        "publish",
        "merge",
    ),
    "Your own parts and published code": ("contract", "oracle", "conform", "import"),
    "Stages, one by one; a run calls them": STAGES,
}
"""The commands by what a person does with them, in the order in which help lists them."""

MAKES = {
    "prepare": "Write a data set's images into one file for each split.",
    "shrink": "Write the images of a prepared split at a smaller size.",
    "fit": "Train a data set's own extractor on its training split.",
    "train": "Train a model or a noisy classifier.",
    "convert": "Write weights by others in the form of trained ones.",
    "sample": "Draw a sample set from a model.",
    "extract": "Write an extractor's features of a set of images.",
    "bound": "Write the terms of the likelihood bound on real images.",
    "trace": "Write samples on their way from noise to image.",
    "score": "Write scores of features, bounds or upsampled images.",
    "tabulate": "Write a table from files of scores.",
    "plot": "Draw a figure of a table, of samples or of bounds.",
}
"""What each stage makes."""

DEFAULT_IN_WORDS = re.compile(r"  \[default: (.*)\]$")
"""The end of a help text that says a default in words."""

KINDS: dict[type, str] = {bool: "", Path: "FILE", int: "NUMBER", float: "NUMBER"}
"""The kind of a value by its annotation, for options that do not name theirs; a text is a NAME."""


class Program(TyperGroup):
    """The group of all commands, which lists them by purpose and shows the kinds of their values in words."""

    def get_params(self, ctx: typer.Context) -> list[Any]:
        """Return the parameters of the program itself."""
        return _in_words(super().get_params(ctx), self.callback)

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """Return the names of the commands, in the order of their groups."""
        names = super().list_commands(ctx)
        return [name for group in GROUPS.values() for name in group if name in names]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:
        """Return a command by its name; None if there is none."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            parameters = _in_words(command.get_params(ctx), command.callback)
            needed = [f"{one.opts[0]} {one.metavar}" for one in parameters if one.required and one.opts[0][:2] == "--"]
            command.options_metavar = " ".join([*needed, "[OPTIONS]"])
            command.help = _unwrapped(command.help or "")
            if isinstance(command, TyperCommand):
                command.rich_help_panel = next(group for group, names in GROUPS.items() if cmd_name in names)
        return command


def usage_of(error: Exception) -> str:
    """Return the usage of the command whose arguments an error is about, and "" if it is about no command's."""
    context = getattr(error, "ctx", None)
    return "" if context is None or context.parent is None else f"{context.get_usage()}\n"


def _in_words(parameters: list[Any], command: Any) -> list[Any]:
    """Return parameters that show kinds instead of the names of Python's types.

    command: the function whose annotations say the kinds. typer's own record of them is not in its interface.
    """
    kinds = {name: _kind(annotation) for name, annotation in get_type_hints(command).items()}
    for one in parameters:
        if one.param_type_name == "argument":
            # The name in capitals says the kind, so the column of types is empty.
            one.metavar = one.metavar or one.name.upper()
            one.display_type_rich = _nothing
        elif one.metavar is None:
            one.metavar = kinds.get(one.name, "")
        if "--help" in one.opts:
            one.help = "show this message and exit"
        # Text in brackets would be taken for markup, and left out.
        if found := DEFAULT_IN_WORDS.search(one.help or ""):
            one.help, one.show_default = one.help[: found.start()], found[1]
    return parameters


def _kind(annotation: Any) -> str:
    """Return the kind of a value from its type, which may be in a list, or beside None."""
    inner = [one for one in get_args(annotation) if one is not type(None)]
    return _kind(inner[0]) if inner else KINDS.get(annotation, "NAME")


def _nothing(ctx: typer.Context) -> str:
    return ""


def _unwrapped(text: str) -> str:
    """Return text with one line a paragraph, because typer keeps the line breaks of all paragraphs but the first."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))

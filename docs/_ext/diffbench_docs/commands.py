"""The commands of `diffbench` as Markdown, from the objects that parse them."""

import contextlib
import importlib
import io
import os
from typing import Any
from unittest import mock

import typer

from diffbench.base.stage_names import STAGES
from diffbench.cli import app
from diffbench.commands.help_text import GROUPS


def text() -> str:
    """Return a section for each group of commands, with every command and option."""
    program: Any = typer.main.get_command(app)
    context = typer.Context(program, info_name="diffbench")
    return "\n\n".join(
        "\n\n".join([f"## {title}", *(_command(program.get_command(context, name), name) for name in held)])
        for title, held in GROUPS.items()
    )


def _command(command: Any, name: str) -> str:
    said = [f"(command-{name})=\n### diffbench {name}", _prose(command.help or "")]
    if name in STAGES:
        return "\n\n".join([*said, f"```text\n{_stage_help(name)}```"])
    given = [one for one in command.get_params(typer.Context(command)) if "--help" not in one.opts]
    usage = " ".join(filter(None, ["diffbench", name, command.options_metavar, *map(_place, given)]))
    return "\n\n".join(
        [*said, f"```text\n{usage}\n```", f":::{{program}} diffbench {name}\n:::", *map(_parameter, given)]
    )


def _place(parameter: Any) -> str:
    """Return an argument as a usage line shows it; "" for an option."""
    if parameter.param_type_name != "argument":
        return ""
    shown = parameter.metavar + ("..." if parameter.nargs == -1 else "")
    return shown if parameter.required else f"[{shown}]"


def _parameter(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    head = parameter.metavar if argument else f"{parameter.opts[0]} {parameter.metavar}".strip()
    said = _prose(parameter.help or "")
    notes = " ".join(filter(None, [f"{said[:1].upper()}{said[1:]}.", _default(parameter)]))
    return f"::::{{option}} {head}\n{notes}\n::::"


def _default(parameter: Any) -> str:
    """Return what holds if a parameter is left out, as a sentence; "" if nothing needs saying."""
    if parameter.required:
        return "It must be given."
    if isinstance(parameter.show_default, str):
        return f"Default: {parameter.show_default}."
    if parameter.default in (None, False, "", []):
        return ""
    value = ", ".join(parameter.default) if isinstance(parameter.default, list) else parameter.default
    return f"Default: `{value}`."


def _prose(text: str) -> str:
    """Return a help text as Markdown."""
    return text.replace("*", r"\*").replace("<", r"\<")


def _stage_help(name: str) -> str:
    """Return what `diffbench <stage> --help` prints in 100 columns."""
    stage = importlib.import_module(f"diffbench.stages.{name}")
    said = io.StringIO()
    with mock.patch.dict(os.environ, COLUMNS="100"), mock.patch("sys.argv", [f"diffbench {name}"]):
        with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
            stage.main(["--help"])
    return said.getvalue()

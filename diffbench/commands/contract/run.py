"""The command `diffbench contract`: what a part must keep, one line a check."""

import importlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.commands.contract.check import BrokenError, Check, NotJudgedError
from diffbench.commands.sampler_option import parsed
from diffbench.diffusion.schedules import schedule_of

FOLDERS = {
    "sampler": "samplers",
    "metric": "metrics",
    "dataset": "datasets",
    "network": "networks",
    "objective": "objectives",
    "guidance": "guidance",
    "extractor": "extractors",
}
"""The folders of the package with parts of each kind; a schedule is a function, and has none."""

KINDS = (*FOLDERS, "schedule")

WIDTH = 11


@dataclass(frozen=True)
class Report:
    """What was printed of a part, and whether it broke a check."""

    text: str
    bad: bool


def contract(kind: str, text: str, say: Callable[[str], object]) -> Report:
    """Say one line for each check of a part, and return the summary.

    text: the part's name or dotted path, with options after it as in 'my_module.Mine size=8'. Raises: UserError if
    there is no such part.
    """
    if kind not in KINDS:
        raise UserError(f"contract: no kind '{kind}'; {nearest(kind, KINDS)}")
    part = part_of(kind, text)
    checks = importlib.import_module(f"diffbench.commands.contract.{kind}").checks(part)
    verdicts = []
    for check in checks:
        word, reason = judged(check, part)
        verdicts.append(word)
        say(_line(word, check, reason))
    bad, unknown = verdicts.count("WRONG"), verdicts.count("not judged")
    beside = f", {unknown} not judged" if unknown else ""
    return Report(f"{kind} {text}: {verdicts.count('ok')} of {len(verdicts)} checks are good{beside}", bool(bad))


def part_of(kind: str, text: str) -> Any:
    """Return the part that a text names, with the options after its name. Raises: UserError."""
    name, options = parsed(text, f"contract {kind}")
    if kind == "schedule":
        if options:
            raise UserError(f"contract schedule: {name} is a function of T alone and takes no options")
        return schedule_of(name)
    return plugins.configure(plugins.load(FOLDERS[kind], name, f"contract {kind}"), options, f"{kind} {name}")


def judged(check: Check, part: Any) -> tuple[str, str]:
    """Return the verdict of a check in a word, and the reason if it is not ok. What a part raises is its fault."""
    try:
        check(part)
    except BrokenError as wrong:
        return "WRONG", str(wrong)
    except NotJudgedError as reason:
        return "not judged", str(reason)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return "WRONG", f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"
    return "ok", ""


def _line(word: str, check: Check, reason: str) -> str:
    promise = (check.__doc__ or "").split("\n")[0].removesuffix(".")
    reason = " ".join(reason.split())
    return f"{word:{WIDTH}}{promise}" + (f": {reason}" if reason else "")

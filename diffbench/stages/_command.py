"""The command line that all stages share: a spec in JSON, paths, and exit code 2 with one line for a user's mistake."""

import argparse
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_recorded


class _KindsInWords(argparse.HelpFormatter):
    """Help in which an option shows the kind of its value instead of its own name again."""

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return {"cache": "FOLDER", "path": "PATH", "pictures": "PATH"}.get(action.dest) or (
            "NUMBER" if action.type is int else "FILE"
        )


def stage_parser(
    module_doc: str | None, read: Callable[[dict[str, Any]], Any] = lambda spec: spec
) -> argparse.ArgumentParser:
    """Return a parser with the options of all stages: --spec and --run-record.

    read: turns the JSON object into the stage's job; without it `spec` is the object itself.
    """

    class Read(argparse.Action):
        # This is an action because argparse would replace the message of an error in a `type` by "invalid value".
        def __call__(self, parser: Any, given: argparse.Namespace, text: Any, option: str | None = None) -> None:
            given.spec = read(_object(text))

    description = (module_doc or "").strip().splitlines()[0]
    parser = argparse.ArgumentParser(description=description, formatter_class=_KindsInWords)
    parser.add_argument(
        "--spec", required=True, action=Read, help="the settings: JSON, a file of it, or an artifact's .json"
    )
    parser.add_argument("--run-record", help="where to write what the run cost (time, memory, machine)")
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device, for stages that run a network."""
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="auto: CUDA when there is one"
    )


def _object(text: str) -> dict[str, Any]:
    """Return a spec from JSON text, from a file of JSON, or from the provenance of an artifact to be made again.

    Raises: UserError if it is not a JSON object.
    """
    path = None if text.lstrip().startswith("{") or not Path(text).is_file() else Path(text)
    try:
        value = json.loads(text if path is None else path.read_text())
    except ValueError as error:
        raise UserError(f"--spec: not JSON ({error})") from None
    except RecursionError:
        raise UserError("--spec: not JSON that can be read: too many lists and maps inside each other") from None
    if path is not None and isinstance(value, dict) and "spec" in value:
        value = read_recorded(path)["spec"]
    if not isinstance(value, dict):
        raise UserError("--spec: must be a JSON object")
    return cast(dict[str, Any], value)


def _end_with_parent() -> None:
    """End this process when the run that started it dies, so that it cannot write to the files of the next run.

    torchrun is between the run and this process, and may be killed alone.
    """
    run, _, machine = os.environ.get("DIFFBENCH_PARENT", "").partition("@")
    if machine != platform.node():
        run = ""  # The run is on another machine, whose processes cannot be seen here.
    torchrun = os.getppid() if "TORCHELASTIC_RUN_ID" in os.environ else 0
    if not run.isdigit() and not torchrun:
        return

    def watch() -> None:
        while (not run.isdigit() or Path(f"/proc/{run}").exists()) and torchrun in (0, os.getppid()):
            time.sleep(1)
        os._exit(1)

    if Path("/proc/self").exists():
        threading.Thread(target=watch, daemon=True).start()


def run_stage(main: Callable[[Sequence[str] | None], None], arguments: Sequence[str] | None = None) -> None:
    """Run a stage of one process; a UserError or a full disk is one line on stderr and exit code 2."""

    def work() -> None:
        if os.environ.get("WORLD_SIZE", "1") != "1":
            raise UserError("WORLD_SIZE is set, and this stage runs in one process; start it without torchrun")
        main(arguments)

    reported(work)


def reported(work: Callable[[], None], speaks: Callable[[], bool] = lambda: True) -> None:
    """Do the work of a process, and end it with exit code 2 and one line on stderr for a UserError or a full disk.

    speaks: whether this process writes the line. Of the processes of one job, only one does.
    """
    _end_with_parent()
    try:
        work()
    except UserError as error:
        _end(" ".join(str(error).split()), 2, speaks)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        _end(f"{error.filename or 'a file'}: {reason}", 2, speaks)
    except KeyboardInterrupt:
        _end("interrupted; the same command goes on from the last checkpoint", 130, speaks)


def _end(line: str, code: int, speaks: Callable[[], bool]) -> None:
    if speaks():
        sys.stderr.write(f"diffbench: {line}\n")
    sys.exit(code)

"""How a stage is called: a spec in JSON, paths, and one line with exit code 2 when something asked for cannot be."""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_recorded


class Spec(dict[str, Any]):
    """A job's settings; one that is asked for and not there is an error a person can act on."""

    def __missing__(self, key: str) -> Any:
        raise UserError(f"--spec: '{key}' is missing; take the spec from an artifact's .json or from the workflow")


def stage_parser(module_doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with what all stages share: --spec and --run-record."""
    parser = argparse.ArgumentParser(description=(module_doc or "").strip().splitlines()[0])
    parser.add_argument(
        "--spec", required=True, type=_json, help="the settings: JSON, a file of it, or an artifact's .json"
    )
    parser.add_argument("--run-record", metavar="PATH", help="where to write what the run cost (time, memory, machine)")
    return parser


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add --device, for stages that run a network."""
    parser.add_argument(
        "--device", default="auto", choices=["auto", "cpu", "cuda"], help="auto: CUDA when there is one"
    )


def _json(text: str) -> dict[str, Any]:
    """Return a spec: JSON itself, a file of it, or the spec inside the provenance of an artifact to be made again."""
    try:
        if not text.lstrip().startswith("{") and Path(text).is_file():
            content = json.loads(Path(text).read_text(), object_hook=Spec)
            if "spec" in content:
                read_recorded(Path(text))
            value = content["spec"] if "spec" in content else content
        else:
            value = json.loads(text, object_hook=Spec)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON ({error})") from None
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except RecursionError:
        raise argparse.ArgumentTypeError(
            "not JSON that can be read: too many lists and maps inside each other"
        ) from None
    if not isinstance(value, Spec):
        raise argparse.ArgumentTypeError("must be a JSON object")
    return value


def _end_with_parent() -> None:
    """End this process when the run that asked for it dies, so that no orphan writes where the next run works."""
    parent = os.environ.get("DIFFBENCH_PARENT", "")
    if not parent.isdigit():
        return

    def watch() -> None:
        while Path(f"/proc/{parent}").exists():
            time.sleep(1)
        os._exit(1)

    if Path("/proc/self").exists():
        threading.Thread(target=watch, daemon=True).start()


def run_stage(main: Callable[[Sequence[str] | None], None], arguments: Sequence[str] | None = None) -> None:
    """Run a command's main function; a UserError or a full disk is one line on stderr and exit code 2."""
    _end_with_parent()
    try:
        main(arguments)
    except UserError as error:
        sys.stderr.write(f"diffbench: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        sys.stderr.write(f"diffbench: {error.filename or 'a file'}: {reason}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("diffbench: interrupted; the same command goes on from the last checkpoint\n")
        sys.exit(130)

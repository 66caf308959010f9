"""The command: a comparison with recorded outputs of the published code.

A reference file holds a small network (weights, inputs and output), one diffusion process that was evaluated with a
formula instead of a network, or (.json) lists of kept timesteps.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.commands.conform.closeness import Comparison, compare
from diffbench.commands.conform.network import conform_network
from diffbench.commands.conform.process import conform_mathematics
from diffbench.diffusion.spacings import respaced


def conform_all(paths: list[Path], say: Callable[[str], object]) -> int:
    """Return the exit code: 1 if an array differs too much, otherwise 2 if a file cannot be read, otherwise 0.

    paths: files, or folders of them. say: called with one line for each file. Errors of reading go to stderr.
    """
    failed = unreadable = 0
    for path in reference_files(paths):
        try:
            results = conform(path)
        except UserError as error:
            unreadable += 1
            sys.stderr.write(f"diffbench: {error}\n")
            continue
        failed += not all(result.passed for result in results)
        say(_line(path, results))
    return 1 if failed else 2 if unreadable else 0


def _line(path: Path, results: list[Comparison]) -> str:
    limit = max(result.tolerance for result in results)
    verdict = f"ok, within {limit:.0e}" if all(result.passed for result in results) else "FAILED"
    return f"{path.name}: {verdict}; " + "; ".join(map(str, results))


def conform(path: Path) -> list[Comparison]:
    """Return the comparison of every array in a file.

    Raises: UserError if it is not a reference file, or holds nothing to compare, since it would then always pass.
    """
    found = _comparisons(path)
    if not found:
        raise UserError(f"{path}: holds nothing to compare")
    return found


def _comparisons(path: Path) -> list[Comparison]:
    if path.suffix == ".json":
        return conform_respacing(path)
    if "config" not in member_names(path):
        raise UserError(f"{path}: not a reference file, it has no array 'config'")
    try:
        config = json.loads(str(read_member(path, "config")[()]))
        if "kind" in config:
            return conform_network(path, config)
        return list(conform_mathematics(path, config))
    except UserError:
        raise
    except KeyError as error:
        raise UserError(f"{path}: the reference file lacks {error}") from None
    except (ValueError, TypeError, IndexError, AttributeError, ZeroDivisionError, RuntimeError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{path}: not a file of the format ({reason})") from None


def reference_files(paths: list[Path]) -> list[Path]:
    """Return the files to compare: the given files, and the .npz and .json files in the given folders."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted([*path.glob("*.npz"), *path.glob("*.json")])
            if not inside:
                raise UserError(f"{path}: no .npz or .json file in this folder")
            found += inside
        elif path.suffix not in (".npz", ".json"):
            kind = "neither .npz nor .json" if path.exists() else "no such file or folder"
            raise UserError(f"{path}: {kind}")
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"{path}: no such file or folder")
    return found


def conform_respacing(path: Path) -> list[Comparison]:
    """Return the comparison of kept timesteps. The file is a JSON map from "T|spacing" to a list."""
    results = []
    try:
        content = dict(json.loads(path.read_text()))
        recorded = [(key, *key.split("|"), kept) for key, kept in content.items()]
        named = [(key, int(timesteps), spacing, kept) for key, timesteps, spacing, kept in recorded]
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: not a map of 'T|spacing' to the timesteps kept ({error})") from None
    for key, timesteps, spacing, kept in named:
        results.append(compare(key, np.array(respaced(timesteps, spacing)), np.array(kept), 0.0))
    return results

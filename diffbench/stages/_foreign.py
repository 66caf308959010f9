"""A reader of weights that others saved. It runs no code that a file may contain."""

import pickle
import stat
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diffbench.base.errors import UserError

WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that DistributedDataParallel and torch.compile put before every name."""


def read_state(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file by name, as `read_held`."""
    return read_held(path, key)[1]


def read_held(path: Path, key: str | None = None) -> tuple[str | None, dict[str, Tensor]]:
    """Return the key under which a file holds its tensors, and the tensors by name.

    The file is safetensors, or PyTorch's format, which the restricted unpickler reads. key: the entry that holds the
    tensors, or the first part of their names (before a dot). Without a key, the file must hold one map of tensors only.
    Raises: UserError for a file that is truncated, wants to run code, or holds no tensors by name.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path}: not a file")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    return (key, _under(content, key, path)) if key is not None else _only_map(content, path)


def _under(content: Any, key: str, path: Path) -> dict[str, Tensor]:
    """Return the tensors of the entry `key`, or those whose names begin with `key` and a dot."""
    if isinstance(content, Mapping) and key in content:
        if not _is_state(content[key]):
            raise UserError(f"{path}: holds no tensors by name under '{key}'; {_held(content)}")
        return dict(content[key])
    maps = [content, *content.values()] if isinstance(content, Mapping) else []
    found = [
        {name.removeprefix(f"{key}."): tensor for name, tensor in held.items() if name.startswith(f"{key}.")}
        for held in maps
        if _is_state(held)
    ]
    if len(found := [held for held in found if held]) != 1:
        raise UserError(f"{path}: nothing under '{key}'; {_held(content)}")
    return found[0]


def _only_map(content: Any, path: Path) -> tuple[str | None, dict[str, Tensor]]:
    if _is_state(content):
        return None, dict(content)
    maps = [key for key, value in content.items() if _is_state(value)] if isinstance(content, Mapping) else []
    if len(maps) == 1:
        return str(maps[0]), dict(content[maps[0]])
    if maps:
        raise UserError(f"{path}: holds {len(maps)} maps of tensors; {_held(content)}")
    raise UserError(f"{path}: holds no tensors by name; {_held(content)}")


def _is_state(value: Any) -> bool:
    """Return whether a value is a map of tensors by name."""
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def unwrapped(state: Mapping[str, Tensor], own: Collection[str]) -> dict[str, Tensor]:
    """Return weights without the prefix that all their names share, if without it they are the network's names.

    own: the network's names. Otherwise the names stay as they are, except that the prefixes of torch's wrappers go.
    """
    found = dict(state)
    while not any(name.startswith(WRAPPERS) for name in own):
        wrapper = next((item for item in WRAPPERS if all(name.startswith(item) for name in found)), None)
        if wrapper is None or not found:
            break
        found = {name.removeprefix(wrapper): tensor for name, tensor in found.items()}
    words = next(iter(found), "").split(".")
    for count in range(1, len(words)):
        before = ".".join(words[:count]) + "."
        if {f"{before}{name}" for name in own} == found.keys():
            return {name.removeprefix(before): tensor for name, tensor in found.items()}
    return found


def _held(content: Any) -> str:
    """Return the end of a message, which says under which keys a file holds tensors."""
    if not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}"
    maps = [str(key)[:80] for key, value in content.items() if _is_state(value)]
    if maps:
        return f"say which with 'key': {', '.join(maps)}"
    keys = [str(key)[:80] for key in content]
    return f"it has {', '.join(keys[:5])}{', ...' if len(keys) > 5 else ''}" if keys else "it is empty"


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except MemoryError:
        raise UserError(f"{path}: asks for more memory than there is") from None
    # torch checks the types and shapes in the header, and raises different errors for different faults.
    except (SafetensorError, OSError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({' '.join(str(error).split())[:200]})") from None


def _pickled(path: Path) -> Any:
    _refuse_compression(path)
    try:
        # An unusual pickle causes a warning as well as the error.
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's text is long and explains how to switch the protection off; its one useful word is the name.
        found = str(error).split("GLOBAL ")[-1].split(" ")[0] if "GLOBAL " in str(error) else None
        if found is None:
            raise UserError(f"{path}: not a file of tensors, or a truncated one; nothing of it was executed") from None
        raise UserError(f"{path}: wants to run {found}; refused, nothing of it was executed") from None
    except MemoryError:
        raise UserError(f"{path}: asks for more memory than there is; nothing of it was executed") from None
    except Exception:  # Given bytes that are no pickle, the unpickler may raise any error.
        raise UserError(f"{path}: not a whole PyTorch file; copy or download it again") from None


def _refuse_compression(path: Path) -> None:
    """Raise UserError if a zip is compressed: torch never compresses, and a small compressed file may fill memory."""
    try:
        # A damaged end of an archive may raise an error here already.
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            compressed = any(item.compress_type != zipfile.ZIP_STORED for item in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, LookupError):
        raise UserError(f"{path}: not a whole PyTorch file; copy or download it again") from None
    if compressed:
        raise UserError(f"{path}: a compressed zip; PyTorch's own files are not compressed")

"""Weights that others saved, read without running anything that a file may ask to be run."""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diffbench.base.errors import UserError


def read_state(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file by name: safetensors, or PyTorch's format through its restricted unpickler.

    key: where they stand in a file that holds more. Raises: UserError for a file that is truncated, wants code to be
    run, or holds no tensors by name.
    """
    content = _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    if key is not None:
        if not isinstance(content, Mapping) or key not in content:
            raise UserError(f"{path}: nothing under '{key}'; {_held(content)}")
        content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise UserError(f"{path}: holds no tensors by name{'' if key is None else f' under {key!r}'}")
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, Tensor):
            raise UserError(f"{path}: holds more than tensors by name; {_held(content)}")
    return dict(content)


def _held(content: Any) -> str:
    """Return where tensors stand in a file, as the end of a message."""
    if not isinstance(content, Mapping):
        return f"it holds a {type(content).__name__}"
    maps = [str(key) for key, value in content.items() if isinstance(value, Mapping) and value]
    return f"say which with 'key': {', '.join(maps)}" if maps else "it holds no map of tensors"


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file ({error})") from None


def _pickled(path: Path) -> Any:
    try:
        # An unusual pickle brings a warning besides the error.
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's text is long and explains how to switch the protection off; its one useful word is the name.
        found = str(error).split("GLOBAL ")[-1].split(" ")[0] if "GLOBAL " in str(error) else None
        if found is None:
            raise UserError(f"{path}: not a file of tensors, or a truncated one; nothing of it was executed") from None
        raise UserError(f"{path}: wants to run {found}; refused, nothing of it was executed") from None
    except (EOFError, RuntimeError, ValueError, KeyError, IndexError, AttributeError, TypeError, zipfile.BadZipFile):
        raise UserError(f"{path}: not a whole PyTorch file; copy or download it again") from None

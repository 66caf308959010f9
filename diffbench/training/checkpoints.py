"""Checkpoints of a run in progress, in a folder named by the hash of everything that determines the run."""

import io
import shutil
from pathlib import Path
from typing import Any

import torch

from diffbench.base.artifacts import replacing


class Checkpoints:
    """The newest checkpoint of one run. A killed process leaves the old one or the whole new one."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._path = folder / "checkpoint.pt"

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint."""
        # By way of memory: on a full disk torch's own writer raises an error that does not say so.
        content = io.BytesIO()
        torch.save(state, content)
        with replacing(self._path) as temporary:
            temporary.write_bytes(content.getbuffer())

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the newest checkpoint, or None at the start of a run."""
        if not self._path.is_file():
            return None
        return torch.load(self._path, map_location=device, weights_only=True)

    def remove(self) -> None:
        """Remove the folder; to be called when the run's results are on disk."""
        shutil.rmtree(self._folder, ignore_errors=True)

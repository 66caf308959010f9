"""Checkpoints of a run in progress, in a folder whose name is the hash of everything that determines the run."""

import hashlib
import io
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from diffbench.base.digests import sha256
from diffbench.base.writing import replacing

KEPT = 2
"""How many checkpoints a run keeps: the newest, and the one before it in case the newest is damaged."""


class Checkpoints:
    """The newest checkpoints of one run. If the process is killed, all of them are complete.

    The name of a file has its step and the SHA-256 of its content: `000000500-<sha256>.pt`.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    def save(self, state: dict[str, Any]) -> None:
        """Write the checkpoint of step `state["step"]`, and remove those that are no longer needed."""
        # It is first written to memory, because on a full disk torch's own writer raises an error that does not say so.
        content = io.BytesIO()
        torch.save(state, content)
        name = f"{state['step']:09d}-{hashlib.sha256(content.getbuffer()).hexdigest()}.pt"
        with replacing(self.folder / name) as temporary:
            temporary.write_bytes(content.getbuffer())
        for path in self._newest_first()[KEPT:]:
            path.unlink()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return the newest checkpoint that is not damaged; None if there is none.

        A damaged one is renamed, with a line on stderr, and training goes on from the one before it.
        """
        found = self._newest_first()
        for path in found:
            if sha256(path) == path.stem.partition("-")[2]:
                return torch.load(path, map_location=device, weights_only=True)
            aside = path.with_suffix(".damaged")
            path.replace(aside)
            way_on = "start" if path == found[-1] else "checkpoint before"
            sys.stderr.write(
                f"diffbench: {aside}: a damaged checkpoint, set aside; training goes on from the {way_on}\n"
            )
        return None

    def remove(self) -> None:
        """Remove the folder. Call this when the results of the run are on disk."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("*-*.pt"), reverse=True)

"""Which stage made an artifact, told by its path and by what its spec holds."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

TOLD_BY = {"row": "score", "spacings": "sample", "bound": "bound", "training": "train", "size": "shrink"}
"""A key of a spec, and the stage whose specs alone have it; the first that is there counts."""


def stage_of(path: PurePath, spec: Mapping[str, Any]) -> str:
    """Return the name of the stage that made an artifact. spec: as its record holds it."""
    if path.suffix in (".csv", ".png") and path.name != "log.csv":
        return "tabulate" if path.suffix == ".csv" else "plot"
    known = [stage for key, stage in TOLD_BY.items() if key in spec]
    if known:
        return known[0]
    if "extractor" in spec:
        return "fit" if path.suffix == ".safetensors" else "extract"
    return "prepare" if "dataset" in spec else "convert"

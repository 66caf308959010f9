"""The stage that made an artifact, by the artifact's path and spec."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from diffbench.benchmark.paths import FIGURE_ENDINGS, TABLE_ENDINGS

TOLD_BY = {
    "row": "score",
    "spacings": "sample",
    "bound": "bound",
    "interpolation": "trace",
    "training": "train",
    "size": "shrink",
}
"""The stage for a key of a spec. The first of these keys that a spec has decides."""


def stage_of(path: PurePath, spec: Mapping[str, Any]) -> str:
    """Return the name of the stage that made an artifact. spec: the one in its record."""
    if path.suffix in FIGURE_ENDINGS:
        return "plot"
    if path.suffix in TABLE_ENDINGS and path.name != "log.csv":
        return "tabulate"
    known = [stage for key, stage in TOLD_BY.items() if key in spec]
    if known:
        return known[0]
    if "extractor" in spec:
        return "fit" if path.suffix == ".safetensors" else "extract"
    return "prepare" if "dataset" in spec else "convert"

"""Which files of a tree of results are published."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from diffbench.base.provenance_file import RESULTS, provenance_path
from diffbench.benchmark.paths import FIGURE_ENDINGS, METRICS, TABLE_ENDINGS

LARGE = (".npz", ".safetensors")
"""The endings of arrays and weights, which are published only if they are asked for. Their records always are."""

OF_A_RUN = ("cost.csv", "report.html")
"""Files that say what a run cost and where it ran, beside the folder of logs."""


@dataclass(frozen=True)
class Wanted:
    """What is published beside records, scores, tables and figures."""

    weights: bool = False
    samples: bool = False
    logs: bool = False


def chosen(results: Path, wanted: Wanted) -> Iterator[Path]:
    """Yield the files of a tree that are published, relative to the folder of results."""
    for path in sorted(path for path in results.rglob("*") if path.is_file()):
        place = path.relative_to(results)
        if not any(part.startswith(".") for part in place.parts) and _is_wanted(path, place, wanted):
            yield place


def _is_wanted(path: Path, place: PurePath, wanted: Wanted) -> bool:
    if "logs" in place.parts[:-1] or place.name in OF_A_RUN or place.name.endswith((".log", ".run.json")):
        return wanted.logs
    if place.suffix == ".safetensors":
        return wanted.weights
    if place.suffix == ".npz":
        return wanted.samples and "samples" in place.parts
    if f"{RESULTS}/{place.as_posix()}" == METRICS or place.suffix == ".json":
        return True
    # What has no record may be a file of the user.
    return place.suffix in (*TABLE_ENDINGS, *FIGURE_ENDINGS) and provenance_path(path).is_file()

"""Where the time of a finished run went, by stage."""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from diffbench.base.command import run_stage
from diffbench.base.errors import UserError

STAGES = ("prepare", "fit", "train", "convert", "sample", "extract", "bound", "score", "tabulate", "plot")


def costs(logs: Path) -> str:
    """Return a small table from the run records below a folder: jobs, seconds of work and of start-up, by stage.

    Raises: UserError where there are none, or one is not a run record.
    """
    rows: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for path in sorted(logs.rglob("*.run.json")):
        try:
            record = json.loads(path.read_text())
            stage, *numbers = (record[key] for key in ("stage", "seconds", "startup_cpu_seconds", "peak_memory_mib"))
            seconds, startup, memory = map(float, numbers)
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{path}: not a run record; remove it") from None
        row = rows[str(stage)]
        row[0] += 1
        row[1] += seconds
        row[2] += startup
        row[3] = max(row[3], memory)
    if not rows:
        raise UserError(f"{logs}: no run records below it; name a folder of results' logs, such as results/logs")
    lines = [f"{'stage':<10}{'jobs':>6}{'work s':>10}{'start-up s':>12}{'peak MiB':>10}"]
    for stage in sorted(rows, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES)):
        jobs, work, startup, memory = rows[stage]
        lines.append(f"{stage:<10}{int(jobs):>6}{work:>10.1f}{startup:>12.1f}{memory:>10.0f}")
    total = [sum(row[i] for row in rows.values()) for i in range(3)]
    lines.append(
        f"{'all':<10}{int(total[0]):>6}{total[1]:>10.1f}{total[2]:>12.1f}{max(r[3] for r in rows.values()):>10.0f}"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the costs of the run whose records lie in the folder given."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.stderr.write(costs(Path(given[0] if given else "results/logs")) + "\n")


if __name__ == "__main__":
    run_stage(main)

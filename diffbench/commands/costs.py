"""Where the time of a finished run went, by stage."""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

STAGES = ("prepare", "fit", "train", "convert", "sample", "extract", "bound", "score", "tabulate", "plot")


def costs(logs: Path) -> str:
    """Return a small table from the run records below a folder: jobs, seconds of work and of start-up, by stage."""
    rows: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0.0])
    for path in sorted(logs.rglob("*.run.json")):
        record = json.loads(path.read_text())
        row = rows[record["stage"]]
        row[0] += 1
        row[1] += record["seconds"]
        row[2] += record["startup_cpu_seconds"]
        row[3] = max(row[3], record["peak_memory_mib"])
    if not rows:
        return f"{logs}: no run records"
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
    main()

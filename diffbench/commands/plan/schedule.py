"""How many jobs of a run are side by side, and when the last one is done."""

import heapq
import os
from collections.abc import Mapping, Sequence

from diffbench.base.devices import chosen_device
from diffbench.commands.plan.work import Work


def side_by_side(device: str, threads: int) -> int:
    """Return how many jobs run at the same time: as many as there are cores for, or one on a GPU, as in the profile.

    device: "auto", "cpu" or "cuda". threads: those of each job.
    """
    return 1 if chosen_device(device).type == "cuda" else max(1, (os.cpu_count() or 1) // threads)


def makespan(works: Sequence[Work], seconds: Mapping[str, float], workers: int) -> float:
    """Return the time at which the last job is done.

    A job starts as soon as a place is free and the jobs before it are done; trainings go first, as in the workflow.
    """
    by_path = {work.path: work for work in works}
    waiting = {work.path: sum(path in by_path for path in set(work.after)) for work in works}
    followers: dict[str, list[str]] = {}
    for work in works:
        for path in set(work.after):
            followers.setdefault(path, []).append(work.path)
    order = {work.path: (0 if "train" in work.stages else 1, number) for number, work in enumerate(works)}
    ready = [(order[path], path) for path, count in waiting.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < workers:
            _, path = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[path], path))
        now, done = heapq.heappop(running)
        for path in followers.get(done, ()):
            waiting[path] -= 1
            if not waiting[path]:
                heapq.heappush(ready, (order[path], path))
    return now

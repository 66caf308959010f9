"""The expected time until a run ends, from the jobs that are done and from how far the running ones are.

A training is not a score, so jobs are weighted. A job that evaluates a network is expected to take as many seconds per
evaluation as others of its stage and model took; if there are none, as others of its stage, or of any stage. A job of
another stage is expected to take as long as others of its stage.
"""

import json
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from diffbench.commands.reporting.progress import Job, Progress, seen_in

FORWARD_AND_BACKWARD = 3
"""The cost of a training step in evaluations: one forward pass, and a backward pass that takes about two."""

ENOUGH = 0.03
"""The share of a running job from which on its speed counts; before, most of its time is start-up."""

UNKNOWN_IMAGES = 10_000
"""The assumed number of images of a bound on a whole split, whose size its spec does not say."""


@dataclass(frozen=True)
class Observed:
    """A job, the share of it that was done, and the seconds that this took."""

    job: Job
    share: float
    seconds: float


def work_of(stage: str, spec: str, wildcards: Mapping[str, str]) -> float | None:
    """Return how many network evaluations a job needs; None if other work takes its time, or it is not known.

    spec: the job as JSON. wildcards: those of its rule; an adaptive sampler has 0 steps.
    """
    try:
        job: Mapping[str, Any] = json.loads(spec)
        if stage == "train":
            return float(FORWARD_AND_BACKWARD * job["training"]["steps"] * job["training"]["batch_size"])
        if stage == "sample":
            return float(job["num_images"] * max(1, int(wildcards["steps"])))
        if stage == "bound":
            timesteps = job["bound"]["timesteps"] or job["diffusion"]["timesteps"]
            return float(timesteps * (job["bound"]["num_images"] or UNKNOWN_IMAGES))
        if stage == "trace":
            on_the_way, between = job["generation"], job["interpolation"]
            rows = between["rows"] * between["columns"] * between["steps"]
            return float(on_the_way["num_images"] * on_the_way["steps"] + rows)
    except (ValueError, KeyError, TypeError):
        pass
    return None


def seconds_left(progress: Progress) -> float | None:
    """Return the expected seconds until a run ends; None if too little is known.

    As many jobs as ran side by side so far are expected to do so until the end.
    """
    with progress.lock:
        jobs, since, seconds = dict(progress.jobs), dict(progress.running), dict(progress.seconds)
        gone, beside = {*progress.failed, *seconds, *since}, progress.side_by_side
    now = time.monotonic()
    done = [Observed(jobs[number], 1.0, spent) for number, spent in seconds.items() if number in jobs]
    partly = [Observed(jobs[number], _share(jobs[number]), now - start) for number, start in since.items()]
    speeds = Speeds([*done, *(item for item in partly if item.share >= ENOUGH)])
    left = [_left(item, speeds) for item in partly]
    waiting = [speeds.expected(job) for number, job in jobs.items() if number not in gone]
    known = [item for item in (*left, *waiting) if item is not None]
    if len(known) < len(left) + len(waiting):
        return None
    longest = max((item for item in left if item is not None), default=0.0)
    return max(longest, sum(known) / beside)


def _share(job: Job) -> float:
    seen = seen_in(job)
    return 0.0 if seen is None else seen.share


def _left(running: Observed, speeds: "Speeds") -> float | None:
    """Return the expected seconds until a running job ends."""
    if running.share >= ENOUGH:
        return running.seconds * (1 - running.share) / running.share
    whole = speeds.expected(running.job)
    return None if whole is None else max(0.0, whole - running.seconds)


class Speeds:
    """The seconds that jobs take: by stage and model, by stage, and in all.

    Of jobs that evaluate networks they are per evaluation, of others per job.
    """

    def __init__(self, seen: Iterable[Observed]) -> None:
        self._spent: dict[Hashable, float] = {}
        self._done: dict[Hashable, float] = {}
        for item in seen:
            for key in _alike(item.job):
                self._spent[key] = self._spent.get(key, 0.0) + item.seconds
                self._done[key] = self._done.get(key, 0.0) + item.share * _units(item.job)

    def expected(self, job: Job) -> float | None:
        """Return the seconds that a job is expected to take; None if nothing like it has been seen."""
        for key in _alike(job):
            if self._done.get(key):
                return _units(job) * self._spent[key] / self._done[key]
        # Scores, features and figures take seconds. They must not keep the time of a training from being said.
        return 0.0 if job.work is None else None


def _units(job: Job) -> float:
    return 1.0 if job.work is None else job.work


def _alike(job: Job) -> tuple[Hashable, ...]:
    """Return the groups of jobs that a job is compared with, the most alike first."""
    networks = job.work is not None
    return (networks, job.stage, job.model), (networks, job.stage), (networks,)

"""The end of a stage that may run in several processes, and torchrun as the workflow's rules start it.

`python -m diffbench.stages._ranks --standalone --nproc-per-node 2 -m diffbench.stages.train ...` is torchrun with those
arguments, except that it ends as its processes did: with their one line and their exit code.
"""

import argparse
import logging
import math
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.progress import patient
from diffbench.base.world import LostError, World, joined, left, speaks_first
from diffbench.stages._command import reported
from diffbench.stages._run_record import run_record

GONE = "another process of this job ended before its work was done; the same command goes on from what is finished"


def run_ranks(main: Callable[[Sequence[str] | None], None], arguments: Sequence[str] | None = None) -> None:
    """Run a stage in one process or in each that torchrun started; the first that fails says why in one line."""

    def work() -> None:
        try:
            # Of all the processes, the first shows how far the work is.
            with patient(0 if joined().leads else math.inf):
                main(arguments)
        except LostError:
            raise UserError(GONE) from None

    reported(work, speaks_first)
    left()


def run_of(world: World, given: argparse.Namespace, stage: str) -> AbstractContextManager[dict[str, Any]]:
    """Return a context whose dictionary becomes the run record of all processes, which the first one writes.

    given: the stage's options, `run_record` and `out` among them.
    """
    path = given.run_record if world.leads else None
    return run_record(path, gathered=world.gathered, stage=stage, out=str(given.out))


def torchrun(arguments: Sequence[str]) -> None:
    """Start processes as torchrun does, and end with the exit code of one that failed."""
    # It would set it too, but with three lines on stderr; the number of threads is in a job's spec.
    os.environ["OMP_NUM_THREADS"] = "1"
    # Torch's own lines on a connection that is gone would hide ours.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        run(parse_args(list(arguments)))
    except ChildFailedError as error:
        sys.exit(max([1, *(failed.exitcode for failed in error.failures.values())]))


if __name__ == "__main__":
    reported(lambda: torchrun(sys.argv[1:]))

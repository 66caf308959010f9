"""Stages in several processes, forked from one that has imported them, with the variables that torchrun sets."""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path


def free_port() -> str:
    """Return a port of this machine on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def ranks(size: int, said: Path, work: Callable[[int], object], *, killed: int | None = None) -> list[int]:
    """Return the exit codes of `size` processes that do some work, each with its rank.

    said: a folder for what each writes to stderr. killed: the rank of a process that ends itself before the work.
    """
    port, children = free_port(), []
    said.mkdir(parents=True, exist_ok=True)
    for rank in range(size):
        child = os.fork()
        if not child:
            _do(rank, size, port, said, work, killed)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _do(rank: int, size: int, port: str, said: Path, work: Callable[[int], object], killed: int | None) -> None:
    os.dup2(os.open(said / f"{rank}.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    if size > 1:
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    from diffbench.base.world import joined

    # The parent may have asked already, and was alone.
    joined.cache_clear()
    # pytest may have put a file of its own in the place of stderr.
    sys.stderr = sys.__stderr__
    code = 0
    try:
        if rank == killed:
            joined().barrier()
            # It learns what is to be done, as the others do, so that they are at work when it ends.
            joined().told(None)
            time.sleep(2)
            os.kill(os.getpid(), signal.SIGKILL)
        work(rank)
    except SystemExit as error:
        code = int(error.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def stage(main: Callable[[Sequence[str] | None], None], arguments: Sequence[object]) -> Callable[[int], object]:
    """Return the work of a rank that runs a stage."""
    from diffbench.stages._ranks import run_ranks

    return lambda rank: run_ranks(main, [str(argument) for argument in arguments])

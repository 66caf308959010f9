"""The speed of this machine, from a few steps of training and sampling with a benchmark's own networks.

On a CPU the steps run in as many processes as there will be jobs, because these compete for memory.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import torch

from diffbench.base.devices import chosen_device, prepare
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.speed import START_UP_SECONDS, Rates, Speed
from diffbench.commands.plan.timed import candidates, convolution, timed_all

MOST_PROCESSES = 8


@dataclass(frozen=True)
class _Found:
    """The speeds that a process found by network, and the share of the time in which it had a core."""

    rates: dict[str, Rates]
    share: float


def measured_speed(
    benchmark: Benchmark, known: Known, *, workers: int = 1, device: str = "auto", start_up: float = START_UP_SECONDS
) -> Speed:
    """Return the speed of a job on this machine while `workers` of them run side by side. It takes about two seconds.

    start_up: seconds in which a process starts, which cannot be measured in a process that has started.
    """
    threads = benchmark.execution.threads
    chosen = chosen_device(device)
    named = candidates(benchmark, known)
    count = min(workers, max(1, (os.cpu_count() or 1) // threads), MOST_PROCESSES)

    def task() -> _Found:
        prepare(DEFAULT_NUMERICS, threads, chosen)
        began, used = time.perf_counter(), time.process_time()
        rates = timed_all(benchmark, known, named, chosen)
        return _Found(rates, (time.process_time() - used) / (time.perf_counter() - began))

    # A fork has neither this process's CUDA nor its pool of threads, so those are timed here.
    forked = chosen.type == "cpu" and threads == 1 and hasattr(os, "fork")
    found = _side_by_side(task, count) if forked else [task()]
    timed = dict.fromkeys(key for one in found for key in one.rates)
    own = {key: _mean([one.rates[key] for one in found if key in one.rates]) for key in timed}
    where = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else "this CPU"
    if not own:
        rate = convolution(chosen)
        source = f"measured on {where} with a 3x3 convolution of 256 channels, since the networks are too large to try"
        return Speed(source, Rates(rate, rate), start_up=start_up)
    measured = [candidate for candidate in named if candidate.counted.key in own]
    general = _average([(candidate.flops, own[candidate.counted.key]) for candidate in measured])
    beside = f", {len(found)} processes side by side" if len(found) > 1 else ""
    source = f"measured on {where} with {', '.join(candidate.name for candidate in measured)}{beside}"
    share = sum(one.share for one in found) / len(found) if forked else 1.0
    return Speed(source, general, own, start_up=start_up, share=share)


def _side_by_side(task: Callable[[], _Found], count: int) -> list[_Found]:
    """Return what a task returns in each of several forks of this process at the same time."""
    context = multiprocessing.get_context("fork")

    def run(end: Connection) -> None:
        end.send(task())

    begun = []
    for _ in range(count):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(sending,))
        process.start()
        sending.close()
        begun.append((process, receiving))
    found = []
    for process, receiving in begun:
        try:
            found.append(receiving.recv())
        except EOFError:  # It was killed, for want of memory as a rule.
            pass
        process.join()
    return found or [_Found({}, 1.0)]


def _mean(rates: list[Rates]) -> Rates:
    """Return the speed at which several processes do equal work, each with its own speed."""
    sampling = len(rates) / sum(1 / rate.sampling for rate in rates)
    return Rates(sampling, len(rates) / sum(1 / rate.training for rate in rates))


def _average(found: list[tuple[int, Rates]]) -> Rates:
    """Return the speed of work of several kinds. found: the operations of each kind, and its speed."""
    whole = sum(max(1, flops) for flops, _ in found)
    sampling = sum(max(1, flops) / rates.sampling for flops, rates in found)
    return Rates(whole / sampling, whole / sum(max(1, flops) / rates.training for flops, rates in found))

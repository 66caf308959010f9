"""The table of hours, memory and device hours of benchmarks on several numbers of named devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.numerics import Precision
from diffbench.base.plugins import nearest
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan.data import Known, known_data
from diffbench.commands.plan.devices import DEVICES, HERE, Published, device_speed, published, with_precision
from diffbench.commands.plan.history import measured_before
from diffbench.commands.plan.memory import USABLE, Training, Way, largest_training, sampling_needs
from diffbench.commands.plan.scaling import LINK, OVERLAP, require_shares, seconds_in_all_on
from diffbench.commands.plan.speed import Speed
from diffbench.commands.plan.words import sized
from diffbench.commands.plan.work import works_of

HEADS = ("devices", "training h", "sampling h", "others h", "in all h", "device hours", "kept", "memory", "fits")


@dataclass(frozen=True)
class Question:
    """What a table is asked for. devices: names. counts: numbers of them. history: measurements of them, if any."""

    devices: tuple[str, ...]
    counts: tuple[int, ...]
    precision: Precision | None = None
    history: Path | None = None

    def speed(self, device: str, benchmark: Benchmark) -> Speed:
        """Return how fast a device is for a benchmark."""
        assumed = device_speed(device, benchmark.numerics)
        return assumed if self.history is None else measured_before(self.history, device, benchmark, assumed)


def asked(devices: str, counts: str | None, precision: Precision | None, history: Path | None) -> Question:
    """Return the question of a command line. Raises: UserError for an unknown device or a bad number of them."""
    names = tuple(dict.fromkeys(name.strip() for name in devices.split(",")))
    for name in names:
        if name in HERE:
            raise UserError(f"--device {name}: a table needs a device by its name; {nearest(name, DEVICES)}")
        published(name)
    return Question(names, _counts(counts or "1"), precision, history)


def _counts(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not word.isdecimal() or not 1 <= int(word) <= 65_536:
            raise UserError(f"--devices {text}: '{word}' is not a number of devices; write it as in --devices 1,8,64")
    return tuple(sorted({int(word) for word in words}))


def scaled_plans(configs: Sequence[Path], question: Question) -> str:
    """Return the table of several benchmarks' files. Raises: UserError naming a file with a mistake."""
    loaded = []
    for config in configs:
        benchmark = with_precision(load_benchmark(config), question.precision)
        try:
            require_shares(benchmark, question.counts)
            loaded.append((benchmark, known_data(benchmark)))
        except UserError as error:
            raise UserError(f"{config}: {error}") from None
    blocks = [_of_device(device, loaded, question) for device in question.devices]
    return "\n\n".join(blocks)


def _of_device(device: str, loaded: list[tuple[Benchmark, Known]], question: Question) -> str:
    found, sources, lines, notes = published(device), {}, [], []
    width = max(12, *(len(benchmark.name) + 2 for benchmark, _ in loaded))
    for benchmark, known in loaded:
        speed = question.speed(device, benchmark)
        sources.setdefault(speed.source, []).append(benchmark.name)
        rows, said = _rows(benchmark, known, speed, found, question.counts)
        lines += [f"{benchmark.name:<{width}}{row}" for row in rows]
        notes += said
    heads = f"{'benchmark':<{width}}" + _cells(HEADS)
    return "\n".join([*_assumptions(found, sources), "", heads, *lines, *([""] if notes else []), *notes])


def _assumptions(device: Published, sources: dict[str, list[str]]) -> list[str]:
    lines = [source if len(sources) == 1 else f"{', '.join(names)}: {source}" for source, names in sources.items()]
    return [
        *lines,
        f"links, assumed: {LINK:.0%} of {device.within:g} GB/s a device within a machine of 8, and of "
        f"{device.beyond:g} GB/s a machine beyond; {OVERLAP:.0%} of the exchange is hidden behind the backward pass",
        f"memory: {device.memory:g} GB a device, of which {USABLE:.0%} are counted on",
    ]


def _rows(
    benchmark: Benchmark, known: Known, speed: Speed, device: Published, counts: Sequence[int]
) -> tuple[list[str], list[str]]:
    """Return the rows of a benchmark, and notes on what does not fit."""
    works, memory, rows, notes = works_of(benchmark, known), device.memory * 1e9, [], []
    alone = sum(seconds_in_all_on(works, speed, device, 1).values())
    for count in counts:
        seconds = seconds_in_all_on(works, speed, device, count)
        whole, trained, sampled = sum(seconds.values()), seconds.get("train", 0.0), seconds.get("sample", 0.0)
        hours = [each / 3600 for each in (trained, sampled, whole - trained - sampled, whole, count * whole)]
        training = largest_training(benchmark, known, count)
        needed = max(sampling_needs(benchmark, known), 0.0 if training is None else training.needs(Way()))
        cells = [f"{count}", *map(_hours, hours), f"{alone / whole / count:.0%}", sized(needed)]
        rows.append(_cells([*cells, "yes" if needed <= USABLE * memory else "no"]))
        notes += _notes(benchmark, known, training, memory, count)
    return rows, notes


def _notes(benchmark: Benchmark, known: Known, training: Training | None, memory: float, count: int) -> list[str]:
    on = f"{benchmark.name} on {count}"
    found = []
    if training is not None and training.needs(Way()) > USABLE * memory:
        found.append(f"{on}: {training.said(memory)}")
    if (needed := sampling_needs(benchmark, known)) > USABLE * memory:
        found.append(f"{on}: sampling needs {sized(needed)}; a smaller sampling.micro_batch needs less")
    return found


def _cells(cells: Sequence[str]) -> str:
    widths = (8, 13, 13, 11, 11, 14, 7, 11, 6)
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _hours(number: float) -> str:
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"

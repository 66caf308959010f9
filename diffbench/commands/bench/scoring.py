"""The features of images, and the metrics of features, by the protocols of a benchmark."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.numerics import Numerics
from diffbench.base.plugins import configure, load
from diffbench.benchmark import paths
from diffbench.benchmark.jobs import extract_job
from diffbench.benchmark.places import home_of
from diffbench.commands.bench.measured import Measured, Skipped
from diffbench.commands.bench.networks import Bench
from diffbench.commands.plan.extractors import extractor_network
from diffbench.extractors._microbatches import MICRO_BATCH
from diffbench.stages.extract import computing

FeatureSet = dict[str, np.ndarray]
"""Features of images by name, and their labels."""


def measured_extraction(bench: Bench) -> Iterator[Measured | Skipped]:
    """Yield the time of a micro-batch of each extractor that the runs use."""
    if "extract" not in bench.asked.parts:
        return
    for name in dict.fromkeys(bench.benchmark.extractor_of(protocol) for protocol in _protocols(bench)):
        extractor, numerics = bench.benchmark.extractors[name][1], _numerics(bench)
        try:
            bench.place.prepare(numerics)
            weights = _weights(bench, name)
            job = replace(extract_job(bench.benchmark, name), numerics=numerics)
            network = computing(extractor.network(weights, bench.place.device), job, bench.place.device)
        except UserError as error:
            yield Skipped("extract", name, str(error))
            continue
        batch = bench.asked.batch or extractor.micro_batch or MICRO_BATCH
        channels, height, width = bench.known.shape
        images = np.random.default_rng(0).integers(0, 256, (batch, height, width, channels), np.uint8)
        ceiling, peak = bench.place.ceiling(numerics), bench.place.peak()
        times = bench.place.timed(bench.place.clock.round_of(lambda x=images, network=network: network(x)))
        flop = extractor_network(bench.benchmark, name, bench.known).flops
        size = f"{height}x{width}"
        yield Measured("extract", name, size, numerics, batch, times, flop, ceiling, peak.mib())


def _numerics(bench: Bench) -> Numerics:
    return bench.asked.choices.over(bench.benchmark.numerics.extract)


def _weights(bench: Bench, name: str) -> Path | None:
    """Return the file of weights that an extractor needs; None if it has its own. Raises: UserError if it is absent."""
    extractor = bench.benchmark.extractors[name][1]
    if bench.benchmark.needs_weights(name):
        file = home_of(bench.benchmark.name) / paths.extractor(name)
        if not file.is_file():
            raise UserError(f"{file} is not here yet; the stage fit writes it")
        return file
    absent = extractor.absent()
    if absent is not None:
        raise UserError(f"{absent} is not here; give the extractor's `path`, or measure something once to download it")
    return None


def measured_metrics(bench: Bench) -> Iterator[Measured | Skipped]:
    """Yield the time of each metric of the protocols, on random features."""
    if "score" not in bench.asked.parts:
        return
    for name, num_images in _protocols(bench).items():
        protocol = bench.benchmark.protocols[name][1]
        widths = bench.benchmark.extractors[protocol.extractor][1].widths()
        if not widths:
            yield Skipped("score", name, f"{protocol.extractor} does not say how many features it has")
            continue
        split = "test" if protocol.reference == "test" else "train"
        own, other = (min(n, bench.asked.images) for n in (num_images, bench.known.num_images[split]))
        classes = bench.known.num_classes or 1
        sets = tuple(_features(widths, count, classes, seed) for seed, count in enumerate((own, other, other)))
        for metric in protocol.metrics:
            yield _measured_metric(bench, name, metric, sets)


def _protocols(bench: Bench) -> dict[str, int]:
    """Return the protocols of the table, and the most images that are scored under each."""
    found: dict[str, int] = {}
    for row in bench.benchmark.sample_sets():
        for name in row.protocols:
            found[name] = max(row.num_images, found.get(name, 0))
    return found


def _features(widths: Mapping[str, int], count: int, classes: int, seed: int) -> FeatureSet:
    """Return features of so many images, with a label for each."""
    draws = np.random.default_rng(seed)
    found = {name: draws.standard_normal((count, width), np.float32) for name, width in widths.items()}
    return found | {"labels": np.arange(count) % classes}


def _measured_metric(bench: Bench, protocol: str, name: str, sets: tuple[FeatureSet, ...]) -> Measured | Skipped:
    """Return the time of a metric. sets: features of generated, reference and held-out images."""
    settings = bench.benchmark.protocols[protocol][1].metric_settings(name)
    metric: Any = configure(load("metrics", name), settings, f"protocol metric {name}")
    given = sets if metric.needs_held_out else sets[:2]
    try:
        metric(*given)
    except UserError as error:
        return Skipped("score", name, str(error))
    peak = bench.place.peak()

    def round_() -> float:
        began = bench.place.clock.now()
        metric(*given)
        return bench.place.clock.now() - began

    times = bench.place.timed(round_, fewest=1)
    own, other = (len(one["labels"]) for one in sets[:2])
    width = f" x {sets[0][metric.features].shape[1]}" if metric.features in sets[0] else ""
    return Measured("score", name, f"{own} to {other}{width}", Numerics(), own, times, memory=peak.mib())

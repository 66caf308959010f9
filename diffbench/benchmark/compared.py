"""Sample sets that are compared: where their files are, and the table of differences to a baseline."""

from collections.abc import Callable

from diffbench.benchmark import paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.jobs import protocol_part
from diffbench.benchmark.reported import Reported
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.differences import Baselines, DifferencesJob, NamedProtocol
from diffbench.jobs.tabulate import ComparedSet

Files = Callable[[str, SampleSet], tuple[str, str, str]]
"""What gives the paths of a sample set under a protocol: its scores, its features and its reference."""


def compared_set(graph: Graph, protocol: str, row: SampleSet) -> ComparedSet:
    """Return a sample set under a protocol, with the paths of its files."""
    return _set(protocol, row, _files_of(graph))


def differences(graph: Graph) -> Reported | None:
    """Return the table of differences to the first sampler and the first model; None if no two sets can be compared."""
    benchmark = graph.benchmark
    job = _job(benchmark, _files_of(graph))
    if job is None:
        return None
    scores = [graph.scores(*pair) for pair in _asked(benchmark)]
    return Reported.of(paths.table("differences"), job, graph, {"scores": scores})


def comparable(benchmark: Benchmark) -> bool:
    """Return whether two sets of a benchmark can be compared, so that it has a table of differences."""
    return _job(benchmark, lambda protocol, row: ("", "", "")) is not None


def _job(benchmark: Benchmark, files: Files) -> DifferencesJob | None:
    asked = _asked(benchmark)
    if not asked:
        return None
    samplers, models = list(benchmark.samplers), list(benchmark.models)
    job = DifferencesJob(
        benchmark=benchmark.name,
        baselines=Baselines(
            sampler=min((row.sampler for _, row in asked), key=samplers.index),
            model=min((row for _, row in asked), key=lambda row: models.index(row.entry)).model,
        ),
        protocols=tuple(
            NamedProtocol(name, protocol_part(benchmark, name)) for name in dict.fromkeys(name for name, _ in asked)
        ),
        sets=tuple(_set(protocol, row, files) for protocol, row in asked),
    )
    return None if next(job.asked(), None) is None else job


def _asked(benchmark: Benchmark) -> list[tuple[str, SampleSet]]:
    return [(protocol, row) for row in benchmark.sample_sets() for protocol in row.protocols]


def _set(protocol: str, row: SampleSet, files: Files) -> ComparedSet:
    scores, features, reference = files(protocol, row)
    return ComparedSet(
        model=row.model,
        sampler=row.sampler,
        steps=row.steps,
        train_seed=row.train_seed,
        sample_seed=row.sample_seed,
        protocol=protocol,
        scores=scores,
        features=features,
        reference=reference,
    )


def _files_of(graph: Graph) -> Files:
    def files(protocol: str, row: SampleSet) -> tuple[str, str, str]:
        features = graph.features(graph.benchmark.extractor_of(protocol), row)
        return graph.scores(protocol, row).path, features.path, graph.reference(protocol).path

    return files

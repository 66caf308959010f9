"""Sample sets that are compared: where their files are, and the table of differences to a baseline."""

from diffbench.benchmark import paths
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.jobs import protocol_part
from diffbench.benchmark.reported import Reported
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.differences import Baselines, DifferencesJob, NamedProtocol
from diffbench.jobs.tabulate import ComparedSet


def compared_set(graph: Graph, protocol: str, row: SampleSet) -> ComparedSet:
    """Return a sample set under a protocol, with the paths of its files."""
    return ComparedSet(
        model=row.model,
        sampler=row.sampler,
        steps=row.steps,
        train_seed=row.train_seed,
        sample_seed=row.sample_seed,
        protocol=protocol,
        scores=graph.scores(protocol, row).path,
        features=graph.features(graph.benchmark.extractor_of(protocol), row).path,
        reference=graph.reference(protocol).path,
    )


def differences(graph: Graph) -> Reported | None:
    """Return the table of differences to the first sampler and the first model; None if no two sets can be compared."""
    benchmark = graph.benchmark
    asked = [(protocol, row) for row in benchmark.sample_sets() for protocol in row.protocols]
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
        sets=tuple(compared_set(graph, protocol, row) for protocol, row in asked),
    )
    if next(job.asked(), None) is None:
        return None
    scores = [graph.scores(protocol, row) for protocol, row in asked]
    return Reported.of(paths.table("differences"), job, graph, {"scores": scores})

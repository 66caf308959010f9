"""The table of claims: the scores, traces and files from which they are decided."""

from diffbench.benchmark import paths
from diffbench.benchmark.graph import Artifact, Graph
from diffbench.benchmark.reported import Reported
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.claims import ClaimsJob


def claims(graph: Graph, rows: list[SampleSet]) -> Reported:
    """Return the table of claims on a benchmark's rows and bounds."""
    scores = [*graph.scores_of(rows), *graph.bounds()]
    traces = [graph.traces(name) for name in graph.benchmark.traced_models()]
    job = ClaimsJob(benchmark=graph.benchmark.name, scores=tuple(made.path for made in scores))
    return Reported.of(paths.table("claims"), job, graph, {"scores": scores, "traces": traces})


def behind_scores(graph: Graph, rows: list[SampleSet]) -> list[Artifact]:
    """Return what scores were made from and claims may read: samples, features, and terms of bounds."""
    of = graph.benchmark.extractor_of
    found = [graph.samples(row) for row in rows]
    found += [graph.features(of(name), row) for row in rows for name in row.protocols]
    found += [
        graph.terms(*pair, split) for pair in graph.benchmark.bounded_models() for split in graph.benchmark.bound.splits
    ]
    return list({made.path: made for made in found}.values())

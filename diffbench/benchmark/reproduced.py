"""The table of a benchmark's scores beside published numbers: which scores, and the records that say of what."""

from diffbench.benchmark import paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.graph import Artifact, Graph
from diffbench.benchmark.jobs import prepare_job, protocol_part
from diffbench.benchmark.reported import Reported
from diffbench.jobs.differences import NamedProtocol
from diffbench.jobs.published import PublishedJob, Reproduced
from diffbench.published.numbers import PIXELS, data_name, numbers_of

TABLE = "published"


def has_published(benchmark: Benchmark) -> bool:
    """Return whether papers published numbers on a benchmark's data set at its size, and it has such scores."""
    shape = benchmark.dataset.shape
    if not shape or not (benchmark.sample_sets() or benchmark.bounded_models()):
        return False
    name = data_name(benchmark.dataset_name, vars(benchmark.dataset).get("category"))
    return bool(numbers_of(name, str(shape[0])))


def published(graph: Graph) -> Reported | None:
    """Return the table beside published numbers; None if no paper published numbers on the data set."""
    benchmark = graph.benchmark
    if not has_published(benchmark):
        return None
    scores: list[Artifact] = []
    weights: dict[str, Artifact] = {}
    samples: dict[str, Artifact] = {}
    rows: list[Reproduced] = []
    for row in benchmark.sample_sets():
        model, sampled = graph.model(row.model, row.train_seed), graph.samples(row)
        weights[model.path], samples[sampled.path] = model, sampled
        for name in row.protocols:
            scores.append(graph.scores(name, row))
            rows.append(Reproduced(scores[-1].path, model.record, sampled.record, name))
    for name, seed in benchmark.bounded_models():
        model = graph.model(name, seed)
        weights[model.path] = model
        scores.append(graph.bound_scores(name, seed))
        rows.append(Reproduced(scores[-1].path, model.record))
    data, is_pixels = graph.data("train"), benchmark.dataset_name in PIXELS
    named = dict.fromkeys(row.protocol for row in rows if row.protocol is not None)
    job = PublishedJob(
        benchmark=benchmark.name,
        dataset=prepare_job(benchmark).dataset,
        data=data.record,
        images=data.path if is_pixels else None,
        protocols=tuple(NamedProtocol(name, protocol_part(benchmark, name)) for name in named),
        reproduced=tuple(rows),
    )
    sources = {"scores": scores, "weights": list(weights.values()), "samples": list(samples.values()), "data": [data]}
    return Reported.of(paths.table(TABLE), job, graph, sources | ({"images": [data]} if is_pixels else {}))

"""The jobs of a benchmark's tables as work: what each evaluates, and the jobs that must be done before it.

A job has the name of its first artifact, a path of benchmark/paths.py. The jobs are those of the workflow's target
`all`.
"""

from dataclasses import dataclass

from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark import paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.compared import comparable
from diffbench.benchmark.entries import Model, NoisyClassifier
from diffbench.benchmark.graph import OWN_REFERENCE
from diffbench.benchmark.known_data import SPLITS
from diffbench.benchmark.paths import place_of
from diffbench.benchmark.reproduced import has_published
from diffbench.benchmark.resources import BACKWARD
from diffbench.benchmark.sample_set import SampleSet
from diffbench.commands.plan.counts import bound_calls, bound_images, sample_calls, trace_calls, validation_calls
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.extractors import extractor_network, fitted_steps
from diffbench.commands.plan.networks import Counted, classifier_network, model_network
from diffbench.extractors._microbatches import MICRO_BATCH


@dataclass(frozen=True)
class Evaluations:
    """Calls of one network. rows, flops, kernels: of a call. training: whether a call is a training step.

    parameters: of the network. batches: the micro-batches that the calls are for, which devices can share; 1 if they
    cannot.
    """

    network: str
    calls: int
    rows: int
    flops: int
    kernels: int
    training: bool = False
    parameters: int = 0
    batches: int = 1


@dataclass(frozen=True)
class Work:
    """A job. stages: those that it runs, one after the other. after: the paths of the jobs before it.

    subject: the model, classifier or extractor whose settings decide how long it takes; "" if there is none. pictures:
    the picture files that it decodes.
    """

    path: str
    stages: tuple[str, ...]
    after: tuple[str, ...] = ()
    evaluations: tuple[Evaluations, ...] = ()
    subject: str = ""
    pictures: int = 0

    @property
    def flops(self) -> int:
        """The floating-point operations of its networks."""
        return sum(item.calls * item.flops for item in self.evaluations)


def works_of(benchmark: Benchmark, known: Known) -> list[Work]:
    """Return every job of a benchmark's tables, those with others before them after these."""
    made = _Made(benchmark, known)
    found = [made.prepared(), *made.shrunk(), *made.fitted(), *made.trained(), *made.bounds(), *made.traced()]
    found += [*made.sampled(), *made.extracted(), *made.scored(), *made.drawn()]
    return found


class _Made:
    """The jobs of a benchmark, kind by kind."""

    def __init__(self, benchmark: Benchmark, known: Known):
        self.benchmark, self.known = benchmark, known
        self.rows = benchmark.sample_sets()

    # -- data and weights

    def prepared(self) -> Work:
        pictures = sum(self.known.num_images.values()) if self.benchmark.dataset.has_pictures else 0
        return Work(_data("train"), ("prepare",), pictures=pictures)

    def shrunk(self) -> list[Work]:
        sizes = self.benchmark.shrunk_sizes()
        return [Work(_data(split, size), ("shrink",), (_data("train"),)) for split in SPLITS for size in sizes]

    def fitted(self) -> list[Work]:
        found = []
        for name in self.benchmark.extractors:
            if self.benchmark.needs_weights(name):
                counted = extractor_network(self.benchmark, name, self.known)
                training = (_training(counted, *fitted_steps(self.benchmark, name)),)
                found.append(Work(paths.extractor(name), ("fit",), (_data("train"),), training, name))
        return found

    def trained(self) -> list[Work]:
        found = []
        for name, seed in self.benchmark.used_models():
            model = self.benchmark.models[name]
            counted = model_network(self.benchmark, name, self.known)
            measured = self._validated(model, counted)
            found += self._weights(model, paths.weights(name, seed), counted, measured)
        for name, seed in self.benchmark.used_classifiers():
            classifier = self.benchmark.classifiers[name]
            counted = classifier_network(self.benchmark, name, self.known)
            found += self._weights(classifier, paths.classifier(name, seed), counted)
        return found

    def _validated(self, model: Model, counted: Counted) -> tuple[Evaluations, ...]:
        """Return the validation losses of a training, if they are measured."""
        calls, rows = validation_calls(self.benchmark, model, self.known)
        return (_forward(counted, calls, rows),) if calls else ()

    def _weights(
        self,
        entry: Model | NoisyClassifier,
        path: str,
        counted: Counted,
        measured: tuple[Evaluations, ...] = (),
    ) -> list[Work]:
        after = (_data("train", entry.size),)
        if entry.checkpoint is not None:
            foreign = isinstance(entry, Model) and entry.checkpoint.facts is None
            return [Work(path, ("convert",), after, subject=entry.name)] if foreign else []
        training = (_training(counted, entry.training.steps, entry.training.batch_size),)
        return [Work(path, ("train",), after, (*training, *measured), entry.name)]

    def bounds(self) -> list[Work]:
        found, batch = [], self.benchmark.bound.micro_batch
        for name, seed in self.benchmark.bounded_models():
            counted = model_network(self.benchmark, name, self.known)
            for split in self.benchmark.bound.splits:
                calls = bound_calls(self.benchmark, name, split, self.known)
                after = (paths.weights(name, seed), _data("train"))
                batches = -(-bound_images(self.benchmark, split, self.known) // batch)
                evaluated = (_forward(counted, calls, batch, batches),)
                found.append(Work(paths.terms(name, seed, split), ("bound",), after, evaluated, name))
        return found

    def traced(self) -> list[Work]:
        found = []
        for name, (seed, _) in self.benchmark.traced_models().items():
            model = self.benchmark.variant(name).of
            counted = model_network(self.benchmark, model, self.known)
            evaluated = tuple(_forward(counted, calls, rows) for calls, rows in trace_calls(self.benchmark, name))
            found.append(Work(paths.traces(name, seed), ("trace",), (paths.weights(model, seed),), evaluated, name))
        return found

    # -- samples, features and scores

    def sampled(self) -> list[Work]:
        return [self._sample(row) for row in self.benchmark.sampled_sets()]

    def _sample(self, row: SampleSet) -> Work:
        benchmark, batch = self.benchmark, self.benchmark.sampling.micro_batch
        model = benchmark.variant(row.model)
        own, classified = sample_calls(benchmark, row)
        after = [paths.weights(model.of, row.train_seed)]
        batches = -(-row.num_images // batch)
        evaluated = [_forward(model_network(benchmark, model.of, self.known), own, batch, batches)]
        if model.guidance is not None and model.guidance.classifier is not None:
            counted = classifier_network(benchmark, model.guidance.classifier, self.known)
            after.append(paths.classifier(model.guidance.classifier, row.train_seed))
            flops, kernels = batch * counted.with_gradient, BACKWARD * counted.kernels
            gradient = Evaluations(counted.key, classified, batch, flops, kernels, batches=batches)
            evaluated.append(gradient)
        if model.low_res is not None:
            below = benchmark.low_res_set(row)
            after.append(_data("test", model.low_size) if below is None else _samples(below))
        if benchmark.samplers[row.sampler].needs_error:
            after.append(paths.terms(model.of, row.train_seed, "train"))
        return Work(_samples(row), ("sample",), tuple(after), tuple(evaluated), row.entry)

    def extracted(self) -> list[Work]:
        found: dict[str, Work] = {}
        for row in self.rows:
            for name in row.protocols:
                extractor = self.benchmark.extractor_of(name)
                path = paths.features(RESULTS, extractor, place_of(row), row.steps)
                found[path] = self._extract(path, extractor, row.num_images, _samples(row))
                for split in self._real_splits(name):
                    path = paths.real_features(extractor, split)
                    images = self.known.num_images["test" if split == "test" else "train"]
                    found[path] = self._extract(path, extractor, images, _data("train"))
        return list(found.values())

    def _extract(self, path: str, extractor: str, num_images: int, images: str) -> Work:
        fitted = (paths.extractor(extractor),) if self.benchmark.needs_weights(extractor) else ()
        counted = extractor_network(self.benchmark, extractor, self.known)
        batch = self.benchmark.extractors[extractor][1].micro_batch or MICRO_BATCH
        batches = -(-num_images // batch)
        evaluated = (_forward(counted, batches, batch, batches),)
        return Work(path, ("extract",), (images, *fitted), evaluated, extractor)

    def _real_splits(self, protocol: str) -> tuple[str, str]:
        """Return the protocol's reference and the split that it holds out, as graph.py names them."""
        part = self.benchmark.protocols[protocol][1]
        own = f"{OWN_REFERENCE}{protocol}" if part.reference_file else part.reference
        return own, "train" if own == "test" else "test"

    def scored(self) -> list[Work]:
        found: dict[str, Work] = {}
        for row in self.rows:
            for name in row.protocols:
                features = paths.features(RESULTS, self.benchmark.extractor_of(name), place_of(row), row.steps)
                reference, held_out = self._real_features(name)
                real, path = paths.real_scores(name), paths.scores(RESULTS, name, place_of(row), row.steps)
                found[real] = Work(real, ("score",), (held_out, reference))
                found[path] = Work(path, ("score",), (features, reference))
            if self.benchmark.upsamples_real(row):
                path = paths.pair_scores(RESULTS, place_of(row), row.steps)
                found[path] = Work(path, ("score",), (_samples(row),))
        for name, seed in self.benchmark.bounded_models():
            terms = tuple(paths.terms(name, seed, split) for split in self.benchmark.bound.splits)
            path = paths.bound_scores(name, seed)
            found[path] = Work(path, ("score",), terms)
        return list(found.values())

    def _real_features(self, protocol: str) -> tuple[str, str]:
        extractor = self.benchmark.extractor_of(protocol)
        reference, held_out = self._real_splits(protocol)
        return paths.real_features(extractor, reference), paths.real_features(extractor, held_out)

    # -- tables and figures

    def drawn(self) -> list[Work]:
        scores = tuple(work.path for work in self.scored())
        bounded = self.benchmark.bounded_models()
        found = [
            Work(paths.figure(f"samples_{entry}"), ("plot",), self._shown(entry))
            for entry in dict.fromkeys(row.entry for row in self.rows)
        ]
        terms = tuple(paths.terms(name, seed, "test") for name, seed in bounded)
        classifiers = self.benchmark.used_classifiers()
        weights = [paths.weights(*pair) for pair in self.benchmark.trained_models()]
        weights += [
            paths.classifier(*pair) for pair in classifiers if not self.benchmark.classifiers[pair[0]].checkpoint
        ]
        found.append(Work(paths.figure("schedules"), ("plot",), (*terms, *weights)))
        if bounded:
            found.append(Work(paths.table("rate_distortion"), ("tabulate",), terms))
        if comparable(self.benchmark):
            found.append(Work(paths.table("differences"), ("tabulate", "plot"), scores))
        if has_published(self.benchmark):
            found.append(Work(paths.table("published"), ("tabulate", "plot"), scores))
        if any(self.benchmark.variant(row.model).guidance for row in self.rows):
            found.append(Work(paths.table("table4"), ("tabulate", "plot"), scores))
        if upsampled := self.benchmark.upsampling_rows():
            figure = Work(paths.figure("upsampling"), ("plot",), tuple(map(_samples, upsampled)))
            found += [figure, Work(paths.table("table5"), ("tabulate",), (*scores, figure.path))]
        found.append(Work(paths.table("table1"), ("tabulate",), scores))
        beside = tuple(work.path for work in found)
        traces = tuple(paths.traces(name, seed) for name, (seed, _) in self.benchmark.traced_models().items())
        found.append(Work(paths.table("claims"), ("tabulate",), (*scores, *traces)))
        return [*found, Work(paths.table("table2"), ("tabulate", "plot"), (*scores, *beside))]

    def _shown(self, entry: str) -> tuple[str, ...]:
        """Return what the figures of a model are drawn from."""
        rows = [row for row in self.rows if row.entry == entry]
        found = [_samples(row) for row in rows]
        for row in rows:
            for name in row.protocols:
                extractor = self.benchmark.extractor_of(name)
                found += [paths.features(RESULTS, extractor, place_of(row), row.steps), *self._real_features(name)]
        found += [paths.terms(entry, seed, "test") for name, seed in self.benchmark.bounded_models() if name == entry]
        traced = self.benchmark.traced_models().get(entry)
        return (*dict.fromkeys(found), *([paths.traces(entry, traced[0])] if traced else []))


def _data(split: str, size: int | None = None) -> str:
    """Return the path of prepared images. One job makes both splits of the full size, and has the name of `train`."""
    return paths.data("train") if size is None else paths.data(split, size)


def _samples(row: SampleSet) -> str:
    return paths.samples(RESULTS, place_of(row), row.steps)


def _forward(counted: Counted, calls: int, rows: int, batches: int = 1) -> Evaluations:
    return Evaluations(counted.key, calls, rows, rows * counted.flops, counted.kernels, batches=batches)


def _training(counted: Counted, steps: int, batch: int) -> Evaluations:
    """Return the steps of a training. The backward pass starts about two operations for each of the forward pass."""
    flops, kernels = BACKWARD * batch * counted.flops, BACKWARD * counted.kernels
    return Evaluations(counted.key, steps, batch, flops, kernels, training=True, parameters=counted.parameters)

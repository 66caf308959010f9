"""A benchmark as a graph of artifacts: the path of each, and everything on which its content depends.

The `spec` of an artifact is what its record holds and what the workflow compares. It is the artifact's job as JSON,
with the hash of the job's code, and under `upstream` the digest of the spec of every artifact that it is made from.
A digest therefore depends on everything upstream. An artifact that was made from other weights or samples than the
configuration's is seen to be out of date by its own spec, even if the files in between are gone.
"""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diffbench.base.digests import sha256, spec_digest
from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark import jobs, paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.codehash import PACKAGE_ROOT, code_hash
from diffbench.benchmark.foreign import Foreign, Spec
from diffbench.benchmark.paths import place_of
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.job import Job

OWN_REFERENCE = "reference_"
"""The beginning of the name of a protocol's own reference; other protocols name a split."""


@dataclass(frozen=True)
class Artifact:
    """A file and the digest of what it is made from.

    path: relative to the benchmark's home. spec: None if no job makes the file.
    """

    path: str
    digest: str
    spec: Spec | None = None

    @property
    def record(self) -> str:
        """The path of the artifact's record."""
        return paths.record(self.path)

    @property
    def params(self) -> str:
        """The artifact's spec as the parameter of its rule."""
        return spec_text(self.spec or {})


def spec_text(spec: Spec) -> str:
    """Return a spec as one text with sorted keys, since Snakemake compares parameters as a set of values.

    It holds the digests of everything upstream. Snakemake runs nothing because an intermediate file is gone, so the
    parameter alone must show that the files made from it are out of date.
    """
    return json.dumps(spec, sort_keys=True)


def files_of(artifacts: Artifact | Iterable[Artifact] | None) -> list[str]:
    """Return the paths of artifacts, given one, several or None."""
    return [made.path for made in _several(artifacts)]


def records_of(artifacts: Artifact | Iterable[Artifact] | None) -> list[str]:
    """Return the paths of the records of artifacts; a file that no job made has none."""
    return [made.record for made in _several(artifacts) if made.spec is not None]


def _several(artifacts: Artifact | Iterable[Artifact] | None) -> list[Artifact]:
    if artifacts is None:
        return []
    return [artifacts] if isinstance(artifacts, Artifact) else list(artifacts)


class Graph:
    """Every artifact of a benchmark. Most methods take the names of an artifact and return it.

    home: the folder that holds the benchmark's `results`. root: the project's folder. notice: called with a message for
    each file by others that is missing although artifacts made from it exist.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        home: Path,
        root: Path = PACKAGE_ROOT,
        notice: Callable[[str], object] = lambda line: None,
    ):
        self.benchmark, self.home, self.root = benchmark, home, root
        self.foreign = Foreign(home, root, notice)
        self._made: dict[Any, Any] = {}
        self._codes: dict[tuple[str, ...], str] = {}

    # -- data and weights

    def data(self, split: str, size: int | None = None) -> Artifact:
        """Return a split of the data set. size: its height in pixels; None for the data set's own."""
        if size is None:
            return self._artifact(paths.data(split), self.prepare_spec | {"split": split})
        spec = self._spec(jobs.shrink_job(size), data=self.data(split))
        return self._artifact(paths.data(split, size), spec)

    @cached_property
    def prepare_spec(self) -> Spec:
        """The spec that prepares both splits: the data set's options, and the hash of its source files."""
        path, job = self.benchmark.data_path, jobs.prepare_job(self.benchmark)
        if path is not None:
            source = self.foreign.source(self.benchmark.dataset, path, paths.data("train"))
            job = dataclasses.replace(job, source=source)
        return self._spec(job)

    def read_foreign(self) -> None:
        """Hash all files by others. Raises: UserError naming the file or folder that cannot be read."""
        self.data("train")
        for name in self.benchmark.extractors:
            self.extractor(name)
        for name in self.benchmark.protocols:
            self.real_images(self.reference_split(name))
        for pair in self.benchmark.used_models():
            self.model(*pair)
        for pair in self.benchmark.used_classifiers():
            self.classifier(*pair)

    def extractor(self, name: str) -> Artifact | None:
        """Return the weights of an extractor: fitted here, or the file that its entry names; None if it has neither."""
        part = self.benchmark.extractors[name][1]
        if self.benchmark.needs_weights(name):
            spec = self._spec(jobs.fit_job(self.benchmark, name), data=self.data("train"), held_out=self.data("test"))
            return self._artifact(paths.extractor(name), spec)
        path, made = part.path, paths.real_features(name, "train")
        return None if path is None else self._foreign(Path(path), f"extractors.{name}.path", made, "weights")

    def model(self, name: str, seed: int) -> Artifact:
        """Return the weights that a model is sampled with: trained, converted, or imported with their record."""
        entry = self.benchmark.models[self.benchmark.variant(name).of]
        path, given = paths.weights(entry.name, seed), entry.checkpoint
        if given is None:
            job, sources = jobs.train_job(self.benchmark, entry.name, seed), {"data": self.data("train", entry.size)}
            if self.benchmark.validation is not None:
                sources["held_out"] = self.data("test", entry.size)
            return self._artifact(path, self._spec(job, **sources))
        checkpoint = self._foreign(Path(given.file), f"models.{entry.name}.checkpoint")
        if given.facts is not None:
            return checkpoint
        sources = {"checkpoint": checkpoint, "data": self.data("train", entry.size)}
        return self._artifact(path, self._spec(jobs.convert_job(self.benchmark, entry.name), **sources))

    def classifier(self, name: str, seed: int) -> Artifact:
        """Return the weights of a classifier of noisy images."""
        entry = self.benchmark.classifiers[name]
        if entry.checkpoint is not None:
            return self._foreign(Path(entry.checkpoint.file), f"classifiers.{name}.checkpoint")
        sources = {"data": self.data("train", entry.size), "held_out": self.data("test", entry.size)}
        job = jobs.train_classifier_job(self.benchmark, name, seed)
        return self._artifact(paths.classifier(name, seed), self._spec(job, **sources))

    def terms(self, model: str, seed: int, split: SplitName) -> Artifact:
        """Return the terms of a model's bound on a split."""
        job = jobs.bound_job(self.benchmark, model, split)
        spec = self._spec(job, weights=self.model(model, seed), data=self.data(split))
        return self._artifact(paths.terms(model, seed, split), spec)

    def traces(self, model: str) -> Artifact:
        """Return samples of a model on their way from noise to image, with its first seeds."""
        train_seed, sample_seed = self.benchmark.traced_models()[model]
        spec = self._spec(jobs.trace_job(self.benchmark, model, sample_seed), weights=self.model(model, train_seed))
        return self._artifact(paths.traces(model, train_seed), spec)

    # -- sample sets and their features

    @cached_property
    def _in_table(self) -> frozenset[tuple]:
        """The keys of the tables' sample sets, and of those that their upsamplers start from."""
        return frozenset(row.key for row in self.benchmark.sampled_sets())

    def tree_of(self, row: SampleSet) -> str:
        """Return the folder for a sample set, its features and its scores: the tables' or a comparison's.

        Comparisons have other folders because they may use another number of images, which is not in the paths.
        """
        return RESULTS if row.key in self._in_table else paths.compared_tree(row.num_images)

    @cached_property
    def _rows(self) -> dict[str, SampleSet]:
        return {self._place_of_samples(row): row for row in self.benchmark.all_sets()}

    def _place_of_samples(self, row: SampleSet) -> str:
        return paths.samples(self.tree_of(row), place_of(row), row.steps)

    def row_at(self, tree: str, place: str, steps: paths.Number) -> SampleSet:
        """Return the sample set at a place in a tree. Raises: UserError if no run asks for such a set."""
        path = paths.samples(tree, place, steps)
        if path not in self._rows:
            raise UserError(f"{path}: no run of this benchmark asks for this sample set; add one to the configuration")
        return self._rows[path]

    def low_res(self, row: SampleSet) -> Artifact | None:
        """Return the images that an upsampler's sample set starts from; None for other models."""
        model = self.benchmark.variant(row.model)
        if model.low_res is None:
            return None
        below = self.benchmark.low_res_set(row)
        return self.data("test", model.low_size) if below is None else self.samples(below)

    def sources_of(self, row: SampleSet) -> dict[str, Artifact]:
        """Return what a sample set is made from: weights and, if they are used, a classifier, images and a bound."""
        model, seed = self.benchmark.variant(row.model), row.train_seed
        sources: dict[str, Artifact | None] = {"weights": self.model(row.model, seed), "low_res": self.low_res(row)}
        if model.guidance is not None and model.guidance.classifier is not None:
            sources["classifier"] = self.classifier(model.guidance.classifier, seed)
        if self.benchmark.samplers[row.sampler].needs_error:
            sources["terms"] = self.terms(model.of, seed, "train")
        return {name: source for name, source in sources.items() if source is not None}

    def sample_spec(self, row: SampleSet) -> Spec:
        """Return the spec of the job that makes a sample set."""
        return self._spec(jobs.sample_job(self.benchmark, row), **self.sources_of(row))

    def samples(self, row: SampleSet) -> Artifact:
        """Return a sample set."""
        path = self._place_of_samples(row)
        return self._once(("samples", path), lambda: self._artifact(path, self.sample_spec(row)))

    def extract_spec(self, extractor: str, images: Artifact) -> Spec:
        """Return the spec of the job that extracts the features of a set of images."""
        job = jobs.extract_job(self.benchmark, extractor)
        return self._spec(job, images=images, weights=self.extractor(extractor))

    def features(self, extractor: str, row: SampleSet) -> Artifact:
        """Return the features of a sample set."""
        path = paths.features(self.tree_of(row), extractor, place_of(row), row.steps)
        return self._once(
            ("features", path), lambda: self._artifact(path, self.extract_spec(extractor, self.samples(row)))
        )

    def real_images(self, split: str) -> Artifact:
        """Return the images of a split, or of a protocol's own reference (see `reference_split`)."""
        if split in ("train", "test"):
            return self.data(split)
        protocol = split.removeprefix(OWN_REFERENCE)
        file = self.benchmark.protocols[protocol][1].reference_file
        made = paths.real_features(self.benchmark.extractor_of(protocol), split)
        return self._foreign(file, f"protocols.{protocol}.reference", made, "images")

    def real_features(self, extractor: str, split: str) -> Artifact:
        """Return the features of a split's images, or of a protocol's own reference."""
        path = paths.real_features(extractor, split)
        return self._once(
            ("features", path), lambda: self._artifact(path, self.extract_spec(extractor, self.real_images(split)))
        )

    # -- scores

    def reference_split(self, protocol: str) -> str:
        """Return the split that a protocol compares with, or "reference_" and its name if it has its own reference."""
        part = self.benchmark.protocols[protocol][1]
        return f"{OWN_REFERENCE}{protocol}" if part.reference_file else part.reference

    def other_split(self, protocol: str) -> str:
        """Return the split that a protocol holds out. Its images are scored as if they had been sampled."""
        return next(split for split in ("test", "train") if split != self.reference_split(protocol))

    def reference(self, protocol: str) -> Artifact:
        """Return the features that a protocol compares with."""
        return self.real_features(self.benchmark.extractor_of(protocol), self.reference_split(protocol))

    def held_out(self, protocol: str) -> Artifact:
        """Return the features of the split that a protocol holds out."""
        return self.real_features(self.benchmark.extractor_of(protocol), self.other_split(protocol))

    def scores(self, protocol: str, row: SampleSet) -> Artifact:
        """Return the scores of a sample set under a protocol."""
        sources = {
            "features": self.features(self.benchmark.extractor_of(protocol), row),
            "reference": self.reference(protocol),
            "samples_provenance": self.samples(row),
        }
        if self.benchmark.needs_held_out(protocol):
            sources["held_out"] = self.held_out(protocol)
        job = jobs.score_job(self.benchmark, protocol, jobs.row_of_set(self.benchmark, row))
        path = paths.scores(self.tree_of(row), protocol, place_of(row), row.steps)
        return self._once(("scores", path), lambda: self._artifact(path, self._spec(job, **sources)))

    def real_scores(self, protocol: str) -> Artifact:
        """Return the scores of held-out real images. Their number is that of the protocol's largest sample set."""
        held = [row.num_images for row in self.benchmark.sample_sets() if protocol in row.protocols]
        sources = {"features": self.held_out(protocol), "reference": self.reference(protocol)}
        job = jobs.score_job(self.benchmark, protocol, jobs.row_of_real(self.benchmark, max(held)))
        return self._artifact(paths.real_scores(protocol), self._spec(job, **sources))

    def pair_sources(self, row: SampleSet) -> dict[str, Artifact]:
        """Return the sets by which upsampled real images are scored: they, the true and the low-resolution ones."""
        model = self.benchmark.variant(row.model)
        truth, low_res = self.data("test", model.size), self.data("test", model.low_size)
        return {"images": self.samples(row), "truth": truth, "low_res": low_res}

    def pair_scores(self, row: SampleSet) -> Artifact:
        """Return the scores of upsampled real images, image by image."""
        path = paths.pair_scores(self.tree_of(row), place_of(row), row.steps)
        job = jobs.pairs_job(self.benchmark, jobs.row_of_set(self.benchmark, row))
        return self._artifact(path, self._spec(job, **self.pair_sources(row)))

    def bound_scores(self, model: str, seed: int) -> Artifact:
        """Return the scores of a model itself: its bound on every split of the settings."""
        terms = [self.terms(model, seed, split) for split in self.benchmark.bound.splits]
        job = jobs.bound_score_job(self.benchmark, model, seed)
        return self._artifact(paths.bound_scores(model, seed), self._spec(job, terms=terms))

    def scores_of(self, rows: Sequence[SampleSet]) -> list[Artifact]:
        """Return the scores of sample sets and, before them, those of real images under the tables' protocols."""
        held = {protocol for row in self.benchmark.sample_sets() for protocol in row.protocols}
        named = dict.fromkeys(protocol for row in rows for protocol in row.protocols if protocol in held)
        real = [self.real_scores(protocol) for protocol in named]
        sampled = [self.scores(protocol, row) for row in rows for protocol in row.protocols]
        return [*real, *sampled, *(self.pair_scores(row) for row in rows if self.benchmark.upsamples_real(row))]

    def bounds(self) -> list[Artifact]:
        """Return the scores of all bounds."""
        return [self.bound_scores(*pair) for pair in self.benchmark.bounded_models()]

    def everything(self) -> list[Artifact]:
        """Return every artifact except tables and figures, including those of upsamplers and comparisons."""
        benchmark = self.benchmark
        rows = benchmark.all_sets()
        found = [self.data(split, size) for split in ("train", "test") for size in (None, *benchmark.shrunk_sizes())]
        found += [made for name in benchmark.extractors if (made := self.extractor(name)) is not None]
        found += [self.model(*pair) for pair in benchmark.used_models()]
        found += [self.classifier(*pair) for pair in benchmark.used_classifiers()]
        found += [self.terms(*pair, split) for pair in benchmark.bounded_models() for split in benchmark.bound.splits]
        found += [self.traces(name) for name in benchmark.traced_models()]
        found += [self.samples(row) for row in rows]
        for row in rows:
            found += [self.features(benchmark.extractor_of(name), row) for name in row.protocols]
        found += [self.reference(name) for row in rows for name in row.protocols]
        found += [*self.scores_of(rows), *self.bounds()]
        return [made for made in {made.path: made for made in found}.values() if made.spec is not None]

    def made_from(self, job: Job, sources: Mapping[str, Artifact | Sequence[Artifact]]) -> Spec:
        """Return the spec of a table's or figure's job. sources: what it is made from, by the argument's name."""
        return self._spec(job, **sources)

    # -- how specs are made

    def _spec(self, job: Job, **sources: Artifact | Sequence[Artifact] | None) -> Spec:
        upstream = {name: _digests(source) for name, source in sources.items() if source}
        return dataclasses.replace(job, code=self._code_of(job.modules()), upstream=upstream).as_json()

    def _artifact(self, path: str, spec: Spec) -> Artifact:
        return Artifact(path, spec_digest(spec), spec)

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _code_of(self, modules: tuple[str, ...]) -> str:
        """Return the hash of modules, and of weights or numbers that ship beside a module under its name."""
        if modules not in self._codes:
            stems = [self.root / module.replace(".", "/") for module in modules]
            beside = [stem.with_suffix(ending) for stem in stems for ending in (".safetensors", ".csv")]
            shipped = [sha256(path)[:16] for path in beside if path.is_file()]
            self._codes[modules] = "+".join([code_hash(modules, self.root), *shipped])
        return self._codes[modules]

    def _foreign(self, path: Path, where: str, made: str | None = None, source: str = "") -> Artifact:
        """Return a file that no job makes; the arguments are those of Foreign.digest. Raises: UserError."""
        return Artifact(self.foreign.place(path), self.foreign.digest(path, where, made, source))


def _digests(source: Artifact | Sequence[Artifact]) -> str | tuple[str, ...]:
    return source.digest if isinstance(source, Artifact) else tuple(item.digest for item in source)

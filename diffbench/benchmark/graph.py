"""A benchmark as a graph of artifacts: where each lies, and all that its content depends on.

The `spec` of an artifact is what its record holds and what the workflow compares: the settings of its job, the hash of
the job's code, and under `upstream` the digest of the spec of every artifact that it is made from. A digest therefore
names everything upstream, however far. What rests on other weights or samples than the configuration's is out of date
by itself, and no file in between has to be there to find out.
"""

import ast
import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diffbench.base.artifacts import (
    foreign_digest,
    provenance_path,
    read_provenance,
    sha256,
    spec_digest,
)
from diffbench.base.codehash import PACKAGE_ROOT, code_hash
from diffbench.base.contents import ABSENT, content_of, source_of
from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.records import ROW_KEYS
from diffbench.benchmark.benchmark import Benchmark, Job, SampleSet

Spec = dict[str, Any]


def place_of(row: SampleSet) -> str:
    """Return the folder of a sample set, below samples/, features/<extractor>/ and scores/<protocol>/."""
    return f"{row.model}/train{row.train_seed}/{row.sampler}/sample{row.sample_seed}"


def row_of(model: str, **known: Any) -> dict[str, Any]:
    """Return what identifies a row of the tables, null where a coordinate does not apply."""
    return {key: None for key in ROW_KEYS if key != "benchmark"} | {"model": model} | known


def glanced(record: Path) -> dict[str, Any]:
    """Return what a record says, nothing where it is missing or no map: the stage that reads it will say what is wrong.

    Its digest is not looked at, so that a start of the workflow reads hundreds of them in no time.
    """
    with suppress(OSError, ValueError, RecursionError):
        held = json.loads(record.read_text())
        if isinstance(held, dict):
            return held
    return {}


def snakemake_specs(home: Path, path: str) -> list[Spec]:
    """Return the specs that Snakemake's own record of a file holds: one, or none where it has no record of it.

    Its name is the path in base64, cut into folders where it is longer than a name may be.
    """
    name = base64.urlsafe_b64encode(path.encode()).decode()
    pieces = [name[start : start + 254] for start in range(0, len(name), 254)]
    folders = [f"@{piece}" for piece in pieces[:-1]]
    try:
        texts = json.loads((home / ".snakemake/metadata").joinpath(*folders, pieces[-1]).read_text())["params"]
        return [json.loads(ast.literal_eval(text)) for text in texts]
    except (OSError, ValueError, LookupError, TypeError, SyntaxError):
        return []


@dataclass(frozen=True)
class Artifact:
    """A file, relative to the benchmark's home, and the digest of what it comes from. spec: None if no job made it."""

    path: str
    digest: str
    spec: Spec | None = None

    @property
    def record(self) -> str:
        """The path of its record."""
        return f"{self.path}.json"


class Graph:
    """Every artifact of a benchmark. Methods take what names one and return it.

    home: the folder that holds the benchmark's `results`. root: the project's. notice: told, once each, of foreign
    files that are not here while what was made from them is.
    """

    def __init__(
        self,
        benchmark: Benchmark,
        home: Path,
        root: Path = PACKAGE_ROOT,
        notice: Callable[[str], object] = lambda line: None,
    ):
        self.benchmark, self.home, self.root = benchmark, home, root
        self._notice = notice
        self._made: dict[Any, Any] = {}
        self._codes: dict[tuple[str, ...], str] = {}

    # -- data and weights

    def data(self, split: str, size: int | None = None) -> Artifact:
        """Return a split of the data set, at a height of so many pixels or its own."""
        if size is None:
            return self._artifact(f"results/data/{split}.npz", self.prepare_spec | {"split": split})
        job = self.benchmark.shrink_job(size)
        return self._artifact(f"results/data/{split}_{size}.npz", self._spec(job, "shrink", data=self.data(split)))

    @cached_property
    def prepare_spec(self) -> Spec:
        """What both splits are prepared by: the data set's options, and the content of what they are read from."""
        spec = self._spec(self.benchmark.prepare_job(), "prepare")
        source, made = self.benchmark.data_path, "results/data/train.npz"
        if source is None:
            return spec
        found = source_of(self.benchmark.dataset)
        if found is not None and found == self._read_then(made):
            # At the first start a download was not here yet: what it brought is what the spec of then is of.
            found = self._recorded_source(made)
        elif found is None:
            found = self._remembered(source, made, lambda held: held["source"])
        return spec | {"source": found or ABSENT}

    def _recorded_source(self, made: str) -> str | None:
        with suppress(StopIteration, LookupError, TypeError):
            return next(self._recorded_specs(self.home / made))["source"]
        return None

    def _read_then(self, made: str) -> str | None:
        """Return the hash of what a preparation found when it had read it, as its record holds it."""
        facts = glanced(self.home / f"{made}.json").get("facts")
        return facts.get("source") if isinstance(facts, dict) else None

    def read_foreign(self) -> None:
        """Hash what others made. Raises: UserError naming the file or folder that cannot be read."""
        self.data("train")
        for name in self.benchmark.extractors:
            self.extractor(name)
        for name in self.benchmark.protocols:
            self.reference_images(name, self.reference_split(name))
        for pair in self.benchmark.used_models():
            self.model(*pair)
        for pair in self.benchmark.used_classifiers():
            self.classifier(*pair)

    def extractor(self, name: str) -> Artifact | None:
        """Return the weights of an extractor: fitted here, or the file that its entry names; None if it has neither."""
        part = self.benchmark.extractors[name][1]
        if self.benchmark.needs_weights(name):
            job = self.benchmark.fit_job(name)
            spec = self._spec(job, "fit", data=self.data("train"), held_out=self.data("test"))
            return self._artifact(f"results/extractors/{name}.safetensors", spec)
        path = part.path
        made = f"results/features/{name}/real/train.npz"
        return None if path is None else self._foreign(Path(path), f"extractors.{name}.path", made, "weights")

    def model(self, name: str, seed: int) -> Artifact:
        """Return the weights that a model is sampled with: trained, converted, or imported with their record."""
        entry = self.benchmark.models[self.benchmark.variant(name).of]
        path, given = f"results/models/{entry.name}/train{seed}/weights.safetensors", entry.checkpoint
        if given is None:
            job = self.benchmark.train_job(entry.name, seed)
            return self._artifact(path, self._spec(job, "train", data=self.data("train", entry.size)))
        if given.facts is not None:
            return self._foreign(Path(given.file), f"models.{entry.name}.checkpoint")
        checkpoint = self._foreign(Path(given.file), f"models.{entry.name}.checkpoint")
        sources = {"checkpoint": checkpoint, "data": self.data("train", entry.size)}
        return self._artifact(path, self._spec(self.benchmark.convert_job(entry.name), "convert", **sources))

    def classifier(self, name: str, seed: int) -> Artifact:
        """Return the weights of a classifier of noisy images."""
        entry = self.benchmark.classifiers[name]
        if entry.checkpoint is not None:
            return self._foreign(Path(entry.checkpoint.file), f"classifiers.{name}.checkpoint")
        sources = {"data": self.data("train", entry.size), "held_out": self.data("test", entry.size)}
        spec = self._spec(self.benchmark.train_classifier_job(name, seed), "train", **sources)
        return self._artifact(f"results/classifiers/{name}/train{seed}/weights.safetensors", spec)

    def terms(self, model: str, seed: int, split: str) -> Artifact:
        """Return the terms of a model's bound on a split."""
        job = self.benchmark.bound_job(model, split)
        spec = self._spec(job, "bound", weights=self.model(model, seed), data=self.data(split))
        return self._artifact(f"results/terms/{model}/train{seed}/{split}.npz", spec)

    # -- sample sets and their features

    @cached_property
    def in_table(self) -> frozenset[tuple[str, int, int]]:
        """The sample sets of the tables, and those that their upsamplers start from, as `_key` names them."""
        return frozenset(map(_key, self.benchmark.sampled_sets()))

    def tree_of(self, row: SampleSet) -> str:
        """Return where a sample set, its features and its scores lie: with the table's, or, of a comparison, apart.

        A comparison may ask for another number of images, which paths of the table's sets do not name.
        """
        return "results" if _key(row) in self.in_table else f"results/compared/n{row.num_images}"

    def low_res(self, row: SampleSet) -> Artifact | None:
        """Return the images that an upsampler's sample set starts from, None for other models."""
        model = self.benchmark.variant(row.model)
        if model.low_res is None:
            return None
        below = self.benchmark.low_res_set(row)
        return self.data("test", model.low_size) if below is None else self.samples(below)

    def sources_of(self, row: SampleSet) -> dict[str, Artifact]:
        """Return what a sample set is made from: weights, and a classifier, images and a bound where they are used."""
        model, seed = self.benchmark.variant(row.model), row.train_seed
        sources: dict[str, Artifact | None] = {"weights": self.model(row.model, seed), "low_res": self.low_res(row)}
        if model.guidance is not None and model.guidance.classifier is not None:
            sources["classifier"] = self.classifier(model.guidance.classifier, seed)
        if self.benchmark.samplers[row.sampler].needs_error:
            sources["terms"] = self.terms(model.of, seed, "train")
        return {name: source for name, source in sources.items() if source is not None}

    def sample_spec(self, row: SampleSet, steps: Sequence[int]) -> Spec:
        """Return the spec of the job that makes a sample set at several numbers of steps; row: any of them."""
        job = self.benchmark.sample_job(row.model, row.sampler, steps, row.sample_seed, row.num_images)
        return self._spec(job, "sample", **self.sources_of(row))

    def samples(self, row: SampleSet) -> Artifact:
        """Return a sample set."""
        path = f"{self.tree_of(row)}/samples/{place_of(row)}/{row.steps}.npz"
        return self._once(("samples", path), lambda: self._artifact(path, self.sample_spec(row, [row.steps])))

    def extract_spec(self, extractor: str, images: Artifact | Sequence[Artifact]) -> Spec:
        """Return the spec of the job that extracts the features of one or several sets of images."""
        job = self.benchmark.extract_job(extractor)
        return self._spec(job, "extract", images=images, weights=self.extractor(extractor))

    def features(self, extractor: str, row: SampleSet) -> Artifact:
        """Return the features of a sample set."""
        path = f"{self.tree_of(row)}/features/{extractor}/{place_of(row)}/{row.steps}.npz"
        return self._once(
            ("features", path), lambda: self._artifact(path, self.extract_spec(extractor, self.samples(row)))
        )

    def reference_images(self, protocol: str, split: str) -> Artifact:
        """Return the images of a split, or of the reference that a protocol brings itself."""
        if split in ("train", "test"):
            return self.data(split)
        file = self.benchmark.protocols[protocol][1].reference_file
        made = f"results/features/{self.benchmark.extractor_of(protocol)}/real/{split}.npz"
        return self._foreign(file, f"protocols.{protocol}.reference", made, "images")

    def real_features(self, protocol: str, split: str) -> Artifact:
        """Return the features of a split's images, or of a protocol's own reference, by a protocol's extractor."""
        extractor = self.benchmark.extractor_of(protocol)
        images = self.reference_images(protocol, split)
        path = f"results/features/{extractor}/real/{split}.npz"
        return self._once(("features", path), lambda: self._artifact(path, self.extract_spec(extractor, images)))

    # -- scores

    def reference_split(self, protocol: str) -> str:
        """Return the split that a protocol compares with, or its name where it brings a reference of its own."""
        part = self.benchmark.protocols[protocol][1]
        return f"reference_{protocol}" if part.reference_file else part.reference

    def other_split(self, protocol: str) -> str:
        """Return the split that a protocol holds out, scored as if it had been sampled."""
        return next(split for split in ("test", "train") if split != self.reference_split(protocol))

    def reference(self, protocol: str) -> Artifact:
        """Return the features that a protocol compares with."""
        return self.real_features(protocol, self.reference_split(protocol))

    def scores(self, protocol: str, row: SampleSet) -> Artifact:
        """Return the scores of a sample set under a protocol."""
        sources = {
            "features": self.features(self.benchmark.extractor_of(protocol), row),
            "reference": self.reference(protocol),
            "samples_provenance": self.samples(row),
        }
        job = self.benchmark.score_job(protocol, self._sampled(row))
        path = f"{self.tree_of(row)}/scores/{protocol}/{place_of(row)}/{row.steps}.json"
        return self._once(("scores", path), lambda: self._artifact(path, self._spec(job, "score", **sources)))

    def real_scores(self, protocol: str) -> Artifact:
        """Return the scores of held-out real images, as many as a protocol's largest sample set has."""
        held = [row.num_images for row in self.benchmark.sample_sets() if protocol in row.protocols]
        sources = {
            "features": self.real_features(protocol, self.other_split(protocol)),
            "reference": self.reference(protocol),
        }
        job = self.benchmark.score_job(protocol, row_of(REAL, num_images=max(held)))
        return self._artifact(f"results/scores/{protocol}/real.json", self._spec(job, "score", **sources))

    def pair_sources(self, row: SampleSet) -> dict[str, Artifact]:
        """Return what upsampled real images are compared by: they, the true ones, and those that they started from."""
        model = self.benchmark.variant(row.model)
        truth, low_res = self.data("test", model.size), self.data("test", model.low_size)
        return {"images": self.samples(row), "truth": truth, "low_res": low_res}

    def pair_scores(self, row: SampleSet) -> Artifact:
        """Return the scores of upsampled real images, image by image."""
        path = f"{self.tree_of(row)}/scores/pairs/{place_of(row)}/{row.steps}.psnr.json"
        job = self.benchmark.pairs_job(self._sampled(row))
        return self._artifact(path, self._spec(job, "score", **self.pair_sources(row)))

    def bound_scores(self, model: str, seed: int) -> Artifact:
        """Return the scores of a model itself: its bound, on every split that is coded."""
        terms = [self.terms(model, seed, split) for split in self.benchmark.bound.splits]
        job = Job({"row": {"benchmark": self.benchmark.name, **row_of(model, train_seed=seed)}})
        path = f"results/scores/bound/{model}/train{seed}.json"
        return self._artifact(path, self._spec(job, "score", terms=terms))

    def scores_of(self, rows: Sequence[SampleSet]) -> list[Artifact]:
        """Return the scores of sample sets and, before them, those of real images under the protocols of the tables."""
        held = {protocol for row in self.benchmark.sample_sets() for protocol in row.protocols}
        named = dict.fromkeys(protocol for row in rows for protocol in row.protocols if protocol in held)
        real = [self.real_scores(protocol) for protocol in named]
        sampled = [self.scores(protocol, row) for row in rows for protocol in row.protocols]
        return [*real, *sampled, *(self.pair_scores(row) for row in rows if self.benchmark.upsamples_real(row))]

    def bounds(self) -> list[Artifact]:
        """Return the scores of all models themselves."""
        return [self.bound_scores(*pair) for pair in self.benchmark.bounded_models()]

    def everything(self) -> list[Artifact]:
        """Return every artifact but tables and figures; those of upsamplers and comparisons are included."""
        benchmark = self.benchmark
        rows = benchmark.all_sets()
        found = [self.data(split, size) for split in ("train", "test") for size in (None, *benchmark.shrunk_sizes())]
        found += [made for name in benchmark.extractors if (made := self.extractor(name)) is not None]
        found += [self.model(*pair) for pair in benchmark.used_models()]
        found += [self.classifier(*pair) for pair in benchmark.used_classifiers()]
        found += [self.terms(*pair, split) for pair in benchmark.bounded_models() for split in benchmark.bound.splits]
        found += [self.samples(row) for row in rows]
        for row in rows:
            found += [self.features(benchmark.extractor_of(name), row) for name in row.protocols]
        found += [self.reference(name) for row in rows for name in row.protocols]
        found += [*self.scores_of(rows), *self.bounds()]
        return [made for made in {made.path: made for made in found}.values() if made.spec is not None]

    def made_from(self, spec: Mapping[str, Any], stages: Sequence[str], modules: Sequence[str], **sources: Any) -> Spec:
        """Return the spec of a table or a figure; sources: the artifacts that it is made from, by their argument."""
        return self._spec(Job(dict(spec), tuple(modules)), *stages, **sources)

    # -- how specs are made

    def _sampled(self, row: SampleSet) -> dict[str, Any]:
        guidance = self.benchmark.variant(row.model).guidance
        keys = ("sampler", "steps", "train_seed", "sample_seed")
        scale = None if guidance is None else guidance.part.scale
        return row_of(row.model.partition("@")[0], guidance_scale=scale, **{key: getattr(row, key) for key in keys})

    def _spec(self, job: Job, *stages: str, **sources: Artifact | Sequence[Artifact] | None) -> Spec:
        modules = (*(f"diffbench.stages.{stage}" for stage in stages), *job.modules)
        # As a record holds it, which is JSON: a tuple is a list there.
        spec = json.loads(json.dumps({**job.spec, "code": self._code_of(modules)}))
        upstream = {name: _digests(source) for name, source in sources.items() if source}
        return spec | ({"upstream": upstream} if upstream else {})

    def _artifact(self, path: str, spec: Spec) -> Artifact:
        return Artifact(path, spec_digest(spec), spec)

    def _once(self, key: Any, make: Callable[[], Any]) -> Any:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _code_of(self, modules: tuple[str, ...]) -> str:
        """Return the hash of modules and of the weights that ship beside them under their name."""
        if modules not in self._codes:
            beside = [(self.root / module.replace(".", "/")).with_suffix(".safetensors") for module in modules]
            shipped = [sha256(path)[:16] for path in beside if path.is_file()]
            self._codes[modules] = "+".join([code_hash(modules, self.root), *shipped])
        return self._codes[modules]

    def _foreign(self, path: Path, where: str, made: str | None = None, source: str = "") -> Artifact:
        """Return a file that no job makes. made, source: an artifact whose record remembers its content, and as what.

        where: its place in the configuration. Raises: UserError where it is neither here nor remembered.
        """
        found = self._once(("foreign", path), lambda: self._digest_of(path))
        if found is None and made is not None:
            found = self._remembered(path, made, lambda spec: spec["upstream"][source])
        if found is None:
            raise UserError(f"{where}: {path}: no such file")
        return Artifact(self.place(path), found)

    def _digest_of(self, path: Path) -> str | None:
        content = content_of(path)
        if content is None:
            return None
        return foreign_digest(content, read_provenance(path) if provenance_path(path).is_file() else None)

    def place(self, path: Path) -> str:
        """Return a foreign path as the workflow names it: relative inside the project, which may be moved."""
        inside = any(path.is_relative_to(folder) for folder in (self.home, self.root))
        return os.path.relpath(path, self.home) if inside else str(path)

    def _remembered(self, path: Path, made: str, recorded: Callable[[Mapping[str, Any]], str]) -> str | None:
        """Return what the record of an artifact remembers of a foreign path that is not here, None if nothing."""
        for spec in self._recorded_specs(self.home / made):
            try:
                held = recorded(spec)
            except (LookupError, TypeError):
                continue
            if isinstance(held, str) and held != ABSENT:
                self._notice(f"{path} is not here; what was made from it stands, by the hash that was recorded then")
                return held
        return None

    def _recorded_specs(self, made: Path) -> Iterator[Any]:
        """Yield the spec in an artifact's record and, for a clone without the artifact, the one in Snakemake's own."""
        if "spec" in (record := glanced(provenance_path(made))):
            yield record["spec"]
        yield from snakemake_specs(self.home, str(made.relative_to(self.home)))


def _key(row: SampleSet) -> tuple[str, int, int]:
    return place_of(row), row.steps, row.num_images


def _digests(source: Artifact | Sequence[Artifact]) -> Any:
    return source.digest if isinstance(source, Artifact) else [item.digest for item in source]

"""What a tree of results records of its sample sets, models and samplers, found by paths and read when it is needed.

Records tell how each set was really made, also in a tree that was pulled or copied without its YAML.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from diffbench.base.arrays import read_header
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked
from diffbench.base.plugins import nearest
from diffbench.base.provenance_file import RESULTS, Recorded, provenance_path, read_provenance
from diffbench.benchmark import paths
from diffbench.benchmark.places import DEFAULT_NAME, RUNS, configured_by
from diffbench.jobs.convert import ConvertJob
from diffbench.jobs.model import Trained
from diffbench.jobs.sample import SampleJob, SamplerPart, Sampling
from diffbench.jobs.train import TrainJob

PLACE = re.compile(
    r"samples/(?P<model>[^/]+)/train(?P<train_seed>\d+)/(?P<sampler>[^/]+)/sample(?P<sample_seed>\d+)/(?P<steps>\d+)\.npz"
)


@dataclass(frozen=True)
class RecordedSet:
    """A sample set of a tree. model: its folder, an entry's name that may have "@" and a guidance scale at its end."""

    file: Path
    model: str
    sampler: str
    steps: int
    train_seed: int
    sample_seed: int

    @property
    def entry(self) -> str:
        """The name of the model's entry."""
        return self.model.partition("@")[0]

    @cached_property
    def record(self) -> Recorded:
        """The record of the set. Raises: UserError if it is missing or damaged."""
        return read_provenance(self.file)

    @cached_property
    def job(self) -> SampleJob:
        """The job that made the set."""
        return SampleJob.read(self.record["spec"], str(self.record.source))


@dataclass(frozen=True)
class Way:
    """How a model is sampled. job: that of one of its sets, or one made from its weights' record.

    files: the inputs of that job by name, as paths in the tree. own_scale: whether the job's guidance has the scale of
    the model's entry; not if the tree has sets at other scales alone.
    """

    job: SampleJob
    files: Mapping[str, Path] = field(default_factory=dict)
    own_scale: bool = True


@dataclass(frozen=True)
class Tree:
    """A folder of results."""

    root: Path

    @cached_property
    def sets(self) -> list[RecordedSet]:
        """All sample sets that have a record: those of the tables, and after them those of comparisons."""
        found = []
        for folder in (self.root, *sorted((self.root / "compared").glob("n*"))):
            records = [str(path.relative_to(folder)) for path in sorted((folder / "samples").rglob("*.npz.json"))]
            for place in (record.removesuffix(".json") for record in records):
                if named := PLACE.fullmatch(place):
                    seeds = int(named["train_seed"]), int(named["sample_seed"])
                    found.append(
                        RecordedSet(folder / place, named["model"], named["sampler"], int(named["steps"]), *seeds)
                    )
        return found

    @cached_property
    def models(self) -> list[str]:
        """The names of all models that have samples or weights here."""
        trained = [path.parents[1].name for path in sorted((self.root / "models").glob("*/train*/*.safetensors.json"))]
        return list(dict.fromkeys([*sorted({item.entry for item in self.sets}), *trained]))

    @cached_property
    def samplers(self) -> dict[str, dict[str, Any]]:
        """The entry of each sampler that made a set, as a benchmark's file would have it, by its name."""
        first = {item.sampler: item for item in reversed(self.sets)}
        return {name: _entry(first[name]) for name in sorted(first)}

    @property
    def guided_models(self) -> list[str]:
        """The models whose samples are guided."""
        first = {item.entry: item for item in reversed(self.sets)}
        return sorted(name for name, item in first.items() if item.job.guidance is not None)

    def sets_of(self, model: str, train_seed: int | None = None) -> list[RecordedSet]:
        """Return the sets of a model's entry. train_seed: of that training alone."""
        return [item for item in self.sets if item.entry == model and train_seed in (None, item.train_seed)]

    def require_model(self, model: str) -> None:
        """Raise UserError if there is no such model."""
        if model not in self.models:
            raise UserError(f"{self.root}: no model '{model}'; {nearest(model, self.models)}")

    def way_of(self, model: str, train_seed: int) -> Way:
        """Return how a model is sampled. Raises: UserError if it has neither samples nor weights with this seed."""
        own = self.sets_of(model, train_seed)
        if own:
            # An entry's own scale of guidance is that of the folder without "@".
            first = next((item for item in own if item.model == model), own[0])
            places: Mapping[str, str] = first.record.get("places", {})
            files = {name: self.file(place) for name, place in places.items()}
            return Way(first.job, self._elsewhere(first, files) | files, own_scale=first.model == model)
        weights = self.file(paths.weights(model, train_seed))
        if not provenance_path(weights).is_file():
            seeds = sorted({str(item.train_seed) for item in self.sets_of(model)} | set(self._trained_seeds(model)))
            raise UserError(
                f"{self.root}: no {model} of train_seed {train_seed}; there is {', '.join(seeds) or 'none'}"
            )
        # All sets of a benchmark share these settings, so those of any other set are this model's too.
        sampling = self.sets[0].job.sampling if self.sets else Sampling()
        return Way(_job_of_weights(read_provenance(weights), sampling), {"weights": weights})

    def models_with(self, weights_sha256: str) -> list[str]:
        """Return the models whose samples were made with weights of a hash."""
        first = {item.entry: item for item in reversed(self.sets)}
        return sorted(name for name, item in first.items() if item.record["inputs"].get("weights") == weights_sha256)

    def samples(
        self, model: str, sampler: str, steps: int, train_seed: int, sample_seed: int, *, num_images: int
    ) -> Path | None:
        """Return the file of a set that holds so many images; None if there is none."""
        wanted = (model, sampler, steps, train_seed, sample_seed)
        for item in self.sets:
            found = (item.model, item.sampler, item.steps, item.train_seed, item.sample_seed)
            if found == wanted and item.file.is_file() and read_header(item.file, "arr_0").shape[0] >= num_images:
                return item.file
        return None

    def terms(self, model: str, train_seed: int) -> Inputs:
        """Return a model's bound on training images, from which some samplers take the error of x_0.

        Raises: UserError if it is not here, or is damaged.
        """
        file = self.file(paths.terms(model, train_seed, "train"))
        if not provenance_path(file).is_file():
            raise UserError(f"{file}: is not here, and this sampler takes the error of x_0 from the bound in it")
        return checked({"terms": file})

    def file(self, place: str) -> Path:
        """Return the path of an artifact that records name by its place (`results/...`), wherever this tree is."""
        return self.root / Path(place).relative_to(RESULTS)

    def _elsewhere(self, item: RecordedSet, known: Mapping[str, Path]) -> dict[str, Path]:
        """Return the files of weights outside this tree, which only the benchmark's file names."""
        lacking = {"weights", "classifier"} & set(item.record["inputs"]) - set(known)
        if not lacking:
            return {}
        home = self.root.parent
        file = configured_by(home, home.name if home.parent.name == RUNS else DEFAULT_NAME)
        if file is None or not file.is_file():
            raise UserError(
                f"{item.record.source}: was made from weights outside of {self.root}, and no benchmark's file says "
                "where they are; open the results in the project that made them"
            )
        from diffbench.benchmark.load import load_benchmark  # slow to import, and few trees need it

        benchmark = load_benchmark(file)
        model = benchmark.variant(item.model)
        given = {"weights": benchmark.models[model.of].checkpoint}
        if model.guidance is not None and model.guidance.classifier is not None:
            given["classifier"] = benchmark.classifiers[model.guidance.classifier].checkpoint
        return {name: Path(held.file) for name in lacking if (held := given.get(name)) is not None}

    def _trained_seeds(self, model: str) -> Iterator[str]:
        return (path.name.removeprefix("train") for path in (self.root / "models" / model).glob("train*"))


def _entry(item: RecordedSet) -> dict[str, Any]:
    job = item.job
    entry = {"name": job.sampler.name, **job.sampler.options, "off_grid": job.off_grid}
    return entry | ({"spacing": grid_of(job.spacing, item.steps)} if job.spacing else {})


def grid_of(spacing: str, steps: int) -> str:
    """Return the time grid of a spacing with a number of steps: "karras25 rho=7" is "karras rho=7", "25" is "uniform".

    This is the reverse of SamplerEntry.spacing.
    """
    named = re.fullmatch(rf"([a-z_]*){steps}( .*)?", spacing)
    return spacing if named is None else f"{named[1] or 'uniform'}{named[2] or ''}"


def _job_of_weights(record: Recorded, sampling: Sampling) -> SampleJob:
    """Return a job that samples weights of which there is no set: the averaged ones, if both kinds were trained."""
    kind = ConvertJob if "objective" not in record["spec"] else TrainJob
    made = kind.read(record["spec"], str(record.source))
    labelled = made.network.configured().class_conditional
    return SampleJob(
        network=made.network,
        diffusion=made.diffusion,
        weights=made.weights if isinstance(made, Trained) else "ema",
        labels="iid" if labelled else None,
        sampler=SamplerPart("ddim"),
        spacings=("25",),
        sampling=sampling,
        num_images=1,
        seed=0,
        threads=record["threads"],
    )

"""A validated benchmark: its entries as parts, its table's rows, and what each job of a stage is asked."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import described, module_of
from diffbench.benchmark.entries import Bound, Execution, Guidance, Model, NoisyClassifier, Run, SamplerEntry, Sampling


@dataclass(frozen=True)
class Job:
    """What one job is asked: its spec, and the modules of parts chosen by name, whose code belongs to it."""

    spec: dict[str, Any]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True)
class SampleSet:
    """One row of the table: the coordinates of a sample set.

    model: an entry's name, with "@" and the scale where a sweep replaces its own.
    """

    model: str
    sampler: str
    steps: int
    train_seed: int
    sample_seed: int
    num_images: int
    protocols: tuple[str, ...]


@dataclass(frozen=True)
class Benchmark:
    """A validated benchmark. Methods named *_job return what a job of a stage is asked.

    left_out: combinations of a grid that mean nothing, and why.
    """

    name: str
    dataset: Any
    dataset_name: str
    models: dict[str, Model]
    samplers: dict[str, SamplerEntry]
    protocols: dict[str, tuple[str, Any]]
    runs: tuple[Run, ...]
    sampling: Sampling = field(default_factory=Sampling)
    bound: Bound = field(default_factory=Bound)
    execution: Execution = field(default_factory=Execution)
    extractors: dict[str, tuple[str, Any]] = field(default_factory=dict)
    classifiers: dict[str, NoisyClassifier] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def variant(self, name: str) -> Model:
        """Return the model that a sample set names: an entry, or one at a scale of a sweep ("adm_g@0.5")."""
        entry, _, scale = name.partition("@")
        return self.models[entry].scaled(float(scale)) if scale else self.models[entry]

    def _variants(self, run: Run) -> list[str]:
        """Return the names of a run's models, guided ones at every scale of its sweep."""
        found: list[str] = []
        for name in run.models:
            model = self.models[name]
            if model.guidance is None or not run.guidance_scales:
                found.append(name)
            else:
                found += [model.scaled(scale).name for scale in run.guidance_scales]
        return found

    def _keys_of(self, run: Run) -> list[tuple[str, str, int, int, int]]:
        """Return what tells a run's sample sets apart; an adaptive sampler has one where others have one per steps."""
        found = product(self._variants(run), run.samplers, run.steps, run.train_seeds, run.sample_seeds)
        return list(
            dict.fromkeys(
                (model, sampler, 0 if self.samplers[sampler].adaptive else steps, *seeds)
                for model, sampler, steps, *seeds in found
            )
        )

    def sample_sets(self) -> list[SampleSet]:
        """Return the table's rows in the order of the file. Raises: UserError where two runs disagree on one row."""
        return self._rows([run for run in self.runs if run.in_table])

    def compared_sets(self) -> list[SampleSet]:
        """Return the rows of runs that stand in no table. Raises: UserError where two runs disagree on one row."""
        return self._rows([run for run in self.runs if not run.in_table])

    def _rows(self, runs: Sequence[Run]) -> list[SampleSet]:
        found: dict[tuple, SampleSet] = {}
        for run in runs:
            for key in self._keys_of(run):
                known = found.setdefault(key, SampleSet(*key, run.num_images, run.protocols))
                if known.num_images != run.num_images:
                    raise UserError(
                        f"runs: {key[0]} with {key[1]} at {key[2]} steps is asked for {known.num_images} "
                        f"and for {run.num_images} images; give one number"
                    )
                protocols = tuple(dict.fromkeys(known.protocols + run.protocols))
                found[key] = dataclasses.replace(known, protocols=protocols)
        return list(found.values())

    def low_res_set(self, row: SampleSet) -> SampleSet | None:
        """Return the sample set that an upsampler's is made from; None for other models and for real images."""
        source = self.variant(row.model).low_res
        if source is None or source.sampler is None or source.steps is None:
            return None
        seeds = (row.train_seed, row.sample_seed)
        steps = 0 if self.samplers[source.sampler].adaptive else source.steps
        return SampleSet(source.model, source.sampler, steps, *seeds, row.num_images, protocols=())

    def sampled_sets(self) -> list[SampleSet]:
        """Return the table's rows and, after them, the sample sets that their upsamplers start from.

        Raises: UserError where such a set is asked for in two numbers of images.
        """
        return self._with_sources(self.sample_sets())

    def sets_apart(self) -> list[SampleSet]:
        """Return the sample sets, sources of upsamplers included, of runs in no table that the table's do not hold.

        Of equal coordinates, those of another number of images are another set.
        """
        held = {(_coordinates(row), row.num_images) for row in self.sampled_sets()}
        asked = self._with_sources(self.compared_sets())
        return [row for row in asked if (_coordinates(row), row.num_images) not in held]

    def all_sets(self) -> list[SampleSet]:
        """Return every sample set that a run needs, in a table or not."""
        return self.sampled_sets() + self.sets_apart()

    def _with_sources(self, found: list[SampleSet]) -> list[SampleSet]:
        for row in found:  # grows: a cascade may have more than two stages
            needed = self.low_res_set(row)
            if needed is None:
                continue
            known = next((other for other in found if _coordinates(other) == _coordinates(needed)), None)
            if known is None:
                found.append(needed)
            elif known.num_images != needed.num_images:
                raise UserError(
                    f"runs: {row.model} needs {needed.num_images} images of {needed.model} with {needed.sampler} at "
                    f"{needed.steps} steps, of which there are {known.num_images}; give one number"
                )
        return found

    def upsampling_rows(self) -> list[SampleSet]:
        """Return the rows of those runs that have an upsampler among their models, beside what it is compared with."""
        compared = {
            key
            for run in self.runs
            if run.in_table and any(self.models[name].low_size is not None for name in run.models)
            for key in self._keys_of(run)
        }
        return [row for row in self.sample_sets() if _coordinates(row) in compared]

    def labelled(self, model: str) -> bool:
        """Return whether a model's samples have labels; those of an upsampler are its low-resolution images'."""
        entry = self.variant(model)
        if entry.low_res is None:
            return entry.labels is not None
        if entry.low_res.model == REAL:
            try:
                return self.dataset.num_classes is not None
            except UserError:
                return True  # a folder that is not here yet; the stage that needs its labels will say
        return self.labelled(entry.low_res.model)

    def shrunk_sizes(self) -> list[int]:
        """Return the heights at which jobs need the data set beside its own."""
        used = [self.variant(row.model) for row in self.all_sets()]
        sizes = [self.models[name].size for name, _ in self.used_models()]
        sizes += [self.classifiers[name].size for name, _ in self.trained_classifiers()]
        sizes += [model.low_size for model in used if model.low_res is not None and model.low_res.model == REAL]
        return sorted({size for size in sizes if size is not None})

    def used_models(self) -> list[tuple[str, int]]:
        """Return the (model, train seed) pairs whose weights the runs need."""
        return list(dict.fromkeys((self.variant(row.model).of, row.train_seed) for row in self.all_sets()))

    def trained_models(self) -> list[tuple[str, int]]:
        """Return those of them that are trained here."""
        return [(name, seed) for name, seed in self.used_models() if self.models[name].checkpoint is None]

    def converted_models(self) -> list[str]:
        """Return the models whose checkpoint has no record and becomes an artifact first."""
        found = dict.fromkeys(name for name, _ in self.used_models())
        checkpoints = {name: self.models[name].checkpoint for name in found}
        return [name for name, checkpoint in checkpoints.items() if checkpoint and checkpoint.facts is None]

    def bounded_models(self) -> list[tuple[str, int]]:
        """Return the (model, train seed) pairs that have a bound: those that are sampled as they were trained.

        Guidance changes the distribution, and its likelihood is not what the network's bound says. An upsampler's would
        be that of an image given a smaller one, and a smaller model's that of other images: they do not compare.
        """
        rows = [(self.variant(row.model), row.train_seed) for row in self.sample_sets()]
        own = [(model, seed) for model, seed in rows if model.size is None and model.low_size is None]
        return list(dict.fromkeys((model.name, seed) for model, seed in own if model.guidance is None))

    def ablations(self) -> dict[str, dict[str, str]]:
        """Return what tells apart the models that have a bound, as the columns of table3 say it."""
        models = [self.models[name] for name in dict.fromkeys(name for name, _ in self.bounded_models())]
        return {
            model.name: {
                "parameterization": model.diffusion.parameterization,
                "objective": model.objective_name or UNKNOWN,
                "t_drawn": _t_drawn(model.objective),
                "variance": model.diffusion.variance,
                "schedule": model.diffusion.schedule,
                "timesteps": str(model.diffusion.timesteps),
            }
            for model in models
        }

    def trained_classifiers(self) -> list[tuple[str, int]]:
        """Return those of the classifiers that are trained here."""
        return [(name, seed) for name, seed in self.used_classifiers() if self.classifiers[name].checkpoint is None]

    def used_classifiers(self) -> list[tuple[str, int]]:
        """Return the (classifier, train seed) pairs that the runs need."""
        rows = [(self.variant(row.model).guidance, row.train_seed) for row in self.all_sets()]
        named = [(guidance.classifier, seed) for guidance, seed in rows if guidance is not None]
        return list(dict.fromkeys((name, seed) for name, seed in named if name is not None))

    def extractor_of(self, protocol: str) -> str:
        """Return the name of a protocol's extractor entry."""
        return self.protocols[protocol][1].extractor

    def prepare_job(self) -> Job:
        """Return the job that prepares the data set."""
        spec = {"dataset": _without_path(described(self.dataset, self.dataset_name))}
        return Job(spec, (module_of("datasets", self.dataset_name),))

    @property
    def data_path(self) -> Path | None:
        """Where the data set is read from, None where it ships with a package."""
        path = getattr(self.dataset, "path", None)
        return Path(path) if isinstance(path, str) else None

    def shrink_job(self, size: int) -> Job:
        """Return the job that makes a split of the data set smaller."""
        return Job({"size": size})

    def train_job(self, model: str, seed: int) -> Job:
        """Return the job that trains a model."""
        entry = self.models[model]
        spec = {
            "network": described(entry.network, entry.network_name),
            "diffusion": dataclasses.asdict(entry.diffusion),
            "objective": described(entry.objective, entry.objective_name),
            "training": dataclasses.asdict(entry.training),
            "seed": seed,
            "threads": self.execution.threads,
        }
        if entry.low_size is not None:
            spec["low_size"] = entry.low_size
        modules = (module_of("networks", entry.network_name), module_of("objectives", entry.objective_name))
        return self._with_pictures(Job(spec, modules))

    def convert_job(self, model: str) -> Job:
        """Return the job that makes an artifact of a checkpoint that has no record."""
        entry = self.models[model]
        spec = self._model_spec(model)
        if entry.low_size is not None:
            spec["low_size"] = entry.low_size
        if entry.checkpoint is not None and entry.checkpoint.key is not None:
            spec["key"] = entry.checkpoint.key
        return Job(spec, (module_of("networks", entry.network_name),))

    def train_classifier_job(self, classifier: str, seed: int) -> Job:
        """Return the job that trains a classifier of noisy images."""
        entry = self.classifiers[classifier]
        spec = {
            "network": described(entry.network, entry.network_name),
            "diffusion": dataclasses.asdict(entry.diffusion),
            "training": dataclasses.asdict(entry.training),
            "seed": seed,
            "threads": self.execution.threads,
        }
        return self._with_pictures(Job(spec, (module_of("networks", entry.network_name),)))

    def _with_pictures(self, training: Job) -> Job:
        """Return a job of training, told where its pictures are if it cuts them itself."""
        if not training.spec["training"]["random_crop"]:
            return training
        pictures = self.prepare_job()
        return Job(training.spec | pictures.spec, training.modules + pictures.modules)

    def _model_spec(self, model: str) -> dict[str, Any]:
        entry = self.variant(model)
        return {
            "network": described(entry.network, entry.network_name),
            "diffusion": dataclasses.asdict(entry.diffusion),
            "weights": entry.weights,
        }

    def sample_job(self, model: str, sampler: str, steps: Sequence[int], sample_seed: int, num_images: int) -> Job:
        """Return the job that samples a model with a sampler at several numbers of steps."""
        walker = self.samplers[sampler]
        entry = self.variant(model)
        guided, classifier, guiding_modules = self._guidance_spec(entry.guidance)
        spec = {
            **self._model_spec(model),
            "labels": entry.labels,
            "guidance": guided,
            "classifier": classifier,
            "sampler": described(walker.part, walker.name),
            "spacings": [walker.spacing(count) for count in steps],
            "off_grid": walker.off_grid,
            "sampling": dataclasses.asdict(self.sampling),
            "num_images": num_images,
            "seed": sample_seed,
            "threads": self.execution.threads,
        }
        if entry.low_res is not None:
            spec["low_res"] = dataclasses.asdict(entry.low_res)
        modules = (module_of("networks", entry.network_name), module_of("samplers", walker.name))
        return Job(spec, modules + guiding_modules)

    def _guidance_spec(self, guidance: Guidance | None) -> tuple[Any, Any, tuple[str, ...]]:
        """Return what a sampling job is told of guidance and of its classifier, and their modules."""
        if guidance is None:
            return None, None, ()
        guided, modules = described(guidance.part, guidance.name), (module_of("guidance", guidance.name),)
        if guidance.classifier is None:
            return guided, None, modules
        entry = self.classifiers[guidance.classifier]
        classifier = {
            "network": described(entry.network, entry.network_name),
            "diffusion": dataclasses.asdict(entry.diffusion),
            "weights": entry.weights,
        }
        return guided, classifier, (*modules, module_of("networks", entry.network_name))

    def bound_job(self, model: str, split: str) -> Job:
        """Return the job that evaluates a model's variational bound on a split; reconstructions are of test images."""
        settings = {key: value for key, value in dataclasses.asdict(self.bound).items() if key != "splits"}
        spec = {
            **self._model_spec(model),
            "bound": settings | ({} if split == "test" else {"reconstructions": 0}),
            "split": split,
            "threads": self.execution.threads,
        }
        return Job(spec, (module_of("networks", self.models[model].network_name),))

    def fit_job(self, extractor: str) -> Job:
        """Return the job that trains a data set's own extractor."""
        name, part = self.extractors[extractor]
        spec = {"extractor": _without_path(described(part, name)), "threads": self.execution.threads}
        return Job(spec, (module_of("extractors", name),))

    def extract_job(self, extractor: str) -> Job:
        """Return the job that extracts features of sample sets."""
        return self.fit_job(extractor)

    def needs_weights(self, extractor: str) -> bool:
        """Return whether an extractor is trained by the workflow."""
        return bool(type(self.extractors[extractor][1]).needs_weights)

    def pairs_job(self, row: Mapping[str, Any]) -> Job:
        """Return the job that compares upsampled real images with the true ones; row: as for score_job."""
        return Job({"rounding": self.sampling.rounding, "row": {"benchmark": self.name, **row}})

    def upsamples_real(self, row: SampleSet) -> bool:
        """Return whether a sample set is of real images, upsampled."""
        source = self.variant(row.model).low_res
        return source is not None and source.model == REAL

    def score_job(self, protocol: str, row: Mapping[str, Any]) -> Job:
        """Return the job that scores features under a protocol; row: what identifies the table's row."""
        name, part = self.protocols[protocol]
        # Where a reference lies is not what it is: its content is among what the features are made from.
        reference = part.reference_file.name if part.reference_file else part.reference
        spec = {
            "protocol": described(part, name) | {"reference": reference},
            "rounding": self.sampling.rounding,
            "row": {"benchmark": self.name, **row},
        }
        modules = (module_of("protocols", name), *(module_of("metrics", metric) for metric in part.metrics))
        return Job(spec, modules)


UNKNOWN = "unknown"
"""In the place of what a checkpoint does not record."""


def _without_path(described: dict[str, Any]) -> dict[str, Any]:
    """Return a described part without where its files lie, for the same files elsewhere are the same job."""
    return {key: value for key, value in described.items() if key != "path"}


def _t_drawn(objective: Any) -> str:
    if objective is None:
        return UNKNOWN
    return "uniform" if objective.loss_aware is None else "loss_aware"


def _coordinates(row: SampleSet) -> tuple[str, str, int, int, int]:
    return (row.model, row.sampler, row.steps, row.train_seed, row.sample_seed)

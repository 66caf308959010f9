"""A validated benchmark: its entries as parts, and lists of the sample sets and weights that its runs need."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import load
from diffbench.benchmark.entries import Bound, Execution, Model, NoisyClassifier, Run, SamplerEntry
from diffbench.benchmark.numerics import StageNumerics
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.sample import Sampling
from diffbench.training.settings import Validation


@dataclass(frozen=True)
class Benchmark:
    """A validated benchmark, from whose entries jobs.py makes the jobs of the stages.

    left_out: combinations of a grid that have no meaning, each with the reason. validation: how the validation loss of
    models in training is measured; None if it is not. numerics: how the networks of each stage compute.
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
    validation: Validation | None = None
    numerics: StageNumerics = field(default_factory=StageNumerics)

    def variant(self, name: str) -> Model:
        """Return the model that a sample set names: an entry, or an entry at another guidance scale ("adm_g@0.5")."""
        entry, _, scale = name.partition("@")
        return self.models[entry].scaled(float(scale)) if scale else self.models[entry]

    def _variants(self, run: Run) -> list[str]:
        """Return the names of a run's models; a guided one has a name for each of the run's guidance scales."""
        found: list[str] = []
        for name in run.models:
            model = self.models[name]
            if model.guidance is None or not run.guidance_scales:
                found.append(name)
            else:
                found += [model.scaled(scale).name for scale in run.guidance_scales]
        return found

    def _keys_of(self, run: Run) -> list[tuple[str, str, int, int, int]]:
        """Return the coordinates of a run's sample sets. An adaptive sampler has one set for all numbers of steps."""
        found = product(self._variants(run), run.samplers, run.steps, run.train_seeds, run.sample_seeds)
        return list(
            dict.fromkeys(
                (model, sampler, 0 if self.samplers[sampler].adaptive else steps, train_seed, sample_seed)
                for model, sampler, steps, train_seed, sample_seed in found
            )
        )

    def sample_sets(self) -> list[SampleSet]:
        """Return the table's rows in the order of the file. Raises: UserError if two runs disagree on one row."""
        return self._rows([run for run in self.runs if run.in_table])

    def compared_sets(self) -> list[SampleSet]:
        """Return the rows of runs that are in no table. Raises: UserError if two runs disagree on one row."""
        return self._rows([run for run in self.runs if not run.in_table])

    @property
    def compares_fid(self) -> bool:
        """Whether a set of a comparison is scored by FID, which the comparison's figure shows."""
        names = {name for row in self.compared_sets() for name in row.protocols}
        return any("fid" in self.protocols[name][1].metrics for name in names)

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
        """Return the sample set that an upsampler starts from; None for other models and for real images."""
        source = self.variant(row.model).low_res
        if source is None or source.sampler is None or source.steps is None:
            return None
        seeds = (row.train_seed, row.sample_seed)
        steps = 0 if self.samplers[source.sampler].adaptive else source.steps
        return SampleSet(source.model, source.sampler, steps, *seeds, row.num_images, protocols=())

    def sampled_sets(self) -> list[SampleSet]:
        """Return the table's rows and, after them, the sample sets that their upsamplers start from.

        Raises: UserError if such a set is needed with two numbers of images.
        """
        return self._with_sources(self.sample_sets())

    def sets_apart(self) -> list[SampleSet]:
        """Return the sample sets of runs that are in no table, except those that the table has too.

        The sets that upsamplers start from are included. A set that is asked for with two numbers of images is two
        sets.
        """
        held = {row.key for row in self.sampled_sets()}
        asked = self._with_sources(self.compared_sets())
        return [row for row in asked if row.key not in held]

    def all_sets(self) -> list[SampleSet]:
        """Return every sample set that the runs need, in a table or not."""
        return self.sampled_sets() + self.sets_apart()

    def _with_sources(self, found: list[SampleSet]) -> list[SampleSet]:
        for row in found:  # The list grows in the loop, since a cascade may have more than two stages.
            needed = self.low_res_set(row)
            if needed is None:
                continue
            known = next((other for other in found if other.coordinates == needed.coordinates), None)
            if known is None:
                found.append(needed)
            elif known.num_images != needed.num_images:
                raise UserError(
                    f"runs: {row.model} needs {needed.num_images} images of {needed.model} with {needed.sampler} at "
                    f"{needed.steps} steps, of which there are {known.num_images}; give one number"
                )
        return found

    def upsampling_rows(self) -> list[SampleSet]:
        """Return all rows of the runs that have an upsampler, which is compared with the run's other models."""
        compared = {
            key
            for run in self.runs
            if run.in_table and any(self.models[name].low_size is not None for name in run.models)
            for key in self._keys_of(run)
        }
        return [row for row in self.sample_sets() if row.coordinates in compared]

    def labelled(self, model: str) -> bool:
        """Return whether a model's samples have labels. An upsampler's have those of its low-resolution images."""
        entry = self.variant(model)
        if entry.low_res is None:
            return entry.labels is not None
        if entry.low_res.model == REAL:
            try:
                return self.dataset.num_classes is not None
            except UserError:
                return True  # The data are not here yet. The stage that needs labels will report if there are none.
        return self.labelled(entry.low_res.model)

    def shrunk_sizes(self) -> list[int]:
        """Return the heights, other than the data set's own, at which jobs need the data set."""
        used = [self.variant(row.model) for row in self.all_sets()]
        sizes = [self.models[name].size for name, _ in self.used_models()]
        sizes += [self.classifiers[name].size for name, _ in self.trained_classifiers()]
        sizes += [model.low_size for model in used if model.low_res is not None and model.low_res.model == REAL]
        return sorted({size for size in sizes if size is not None})

    def used_models(self) -> list[tuple[str, int]]:
        """Return the (model, train seed) pairs whose weights the runs need."""
        return list(dict.fromkeys((self.variant(row.model).of, row.train_seed) for row in self.all_sets()))

    def trained_models(self) -> list[tuple[str, int]]:
        """Return the used models that are trained here, as (model, train seed) pairs."""
        return [(name, seed) for name, seed in self.used_models() if self.models[name].checkpoint is None]

    def converted_models(self) -> list[str]:
        """Return the used models whose checkpoint has no record, so that it is first converted to an artifact."""
        found = dict.fromkeys(name for name, _ in self.used_models())
        checkpoints = {name: self.models[name].checkpoint for name in found}
        return [name for name, checkpoint in checkpoints.items() if checkpoint and checkpoint.facts is None]

    def bounded_models(self) -> list[tuple[str, int]]:
        """Return the (model, train seed) pairs with a bound: models at full size, without guidance, and no upsamplers.

        Guidance changes the distribution, so the network's bound would not be that of its samples. An upsampler's bound
        is of an image given a smaller one, and a smaller model's is of other images, so they cannot be compared.
        """
        rows = [(self.variant(row.model), row.train_seed) for row in self.sample_sets()]
        own = [(model, seed) for model, seed in rows if model.size is None and model.low_size is None]
        return list(dict.fromkeys((model.name, seed) for model, seed in own if model.guidance is None))

    def traced_models(self) -> dict[str, tuple[int, int]]:
        """Return the first training seed and sample seed of models whose samples are followed from noise to image.

        They are those of the table that start from noise alone and are not pushed towards labels.
        """
        found: dict[str, tuple[int, int]] = {}
        for row in self.sample_sets():
            model = self.variant(row.model)
            if model.guidance is None and model.low_size is None:
                found.setdefault(model.name, (row.train_seed, row.sample_seed))
        return found

    def ablations(self) -> dict[str, dict[str, str]]:
        """Return the choices in which models with a bound differ, by model and by the column of table3."""
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
        """Return the used classifiers that are trained here, as (classifier, train seed) pairs."""
        return [(name, seed) for name, seed in self.used_classifiers() if self.classifiers[name].checkpoint is None]

    def used_classifiers(self) -> list[tuple[str, int]]:
        """Return the (classifier, train seed) pairs that the runs need."""
        rows = [(self.variant(row.model).guidance, row.train_seed) for row in self.all_sets()]
        named = [(guidance.classifier, seed) for guidance, seed in rows if guidance is not None]
        return list(dict.fromkeys((name, seed) for name, seed in named if name is not None))

    def extractor_of(self, protocol: str) -> str:
        """Return the name of a protocol's extractor entry."""
        return self.protocols[protocol][1].extractor

    def needs_held_out(self, protocol: str) -> bool:
        """Return whether a metric of a protocol needs features of images that no model was trained on."""
        return any(load("metrics", metric).needs_held_out for metric in self.protocols[protocol][1].metrics)

    @property
    def data_path(self) -> Path | None:
        """The path of the data set; None if it ships with a package."""
        path = self.dataset.path
        return Path(path) if isinstance(path, str) else None

    def needs_weights(self, extractor: str) -> bool:
        """Return whether the workflow trains an extractor."""
        return bool(type(self.extractors[extractor][1]).needs_weights)

    def upsamples_real(self, row: SampleSet) -> bool:
        """Return whether a sample set consists of upsampled real images."""
        source = self.variant(row.model).low_res
        return source is not None and source.model == REAL


UNKNOWN = "unknown"
"""The value of a column that a checkpoint does not record."""


def _t_drawn(objective: Any) -> str:
    if objective is None:
        return UNKNOWN
    return "uniform" if objective.loss_aware is None else "loss_aware"

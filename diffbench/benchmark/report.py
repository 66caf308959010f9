"""The tables and figures of a benchmark as artifacts: what each is made from, and its job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from diffbench.base.digests import spec_digest
from diffbench.base.names import REAL
from diffbench.benchmark import paths
from diffbench.benchmark.graph import Artifact, Graph, files_of, records_of
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.job import Job
from diffbench.jobs.plot import FigurePart, PlotJob
from diffbench.jobs.tabulate import ComparedSet, ModelRow, TableJob, TablePart

UPSAMPLING = "What each upsampler was given, the same enlarged, and what it made"
"""The title of the figure of upsamplers."""

Sources = Mapping[str, Artifact | Sequence[Artifact]]


@dataclass(frozen=True)
class Reported(Artifact):
    """A table or a figure. sources: what it is made from, by the name of the stage's argument.

    The source `beside_it` lists figures and other tables that are always made together with this one. It is not
    computed from them, but its spec names them. If one of them is out of date, its job runs again, so that a folder
    never holds tables of different settings.
    """

    sources: Sources = field(default_factory=dict)

    def files(self, name: str) -> list[str]:
        """Return the paths of the sources of a name."""
        return files_of(self.sources.get(name))

    def records(self, *names: str) -> list[str]:
        """Return the paths of the records of the sources of some names."""
        return [record for name in names for record in records_of(self.sources.get(name))]


class Report:
    """Every table and figure of a benchmark."""

    def __init__(self, graph: Graph):
        self.graph, self.benchmark = graph, graph.benchmark

    # -- tables

    @cached_property
    def table2(self) -> Reported:
        """The table of every row, with the bound of its model. All other tables and figures are made with it."""
        scores = [*self.graph.scores_of(self._rows), *self.graph.bounds()]
        return self._table("table2", {"scores": scores, "beside_it": self._beside_table2}, figure="fid_vs_steps")

    @cached_property
    def table3(self) -> Reported:
        """The table of ablations: the effect of each choice in a model."""
        unguided = [row for row in self._rows if row not in self.guided]
        scores = [*self.graph.scores_of(unguided), *self.graph.bounds()]
        job = TableJob(benchmark=self.benchmark.name, table=TablePart("table3", {"models": self.benchmark.ablations()}))
        return self._made(paths.table("table3"), job, {"scores": scores})

    @cached_property
    def table4(self) -> Reported:
        """The table of guidance: its effect at each scale."""
        return self._table("table4", {"scores": self.graph.scores_of(self.guided)}, figure="guidance_tradeoff")

    @cached_property
    def table5(self) -> Reported:
        """The table of upsampling, of real images and of other models' samples."""
        sources = {"scores": self.graph.scores_of(self.upsampling), "beside_it": [self.upsampling_figure]}
        return self._table("table5", sources)

    @cached_property
    def rate_distortion_table(self) -> Reported:
        """The table of the rate-distortion curves of all models that have a bound."""
        bounded = self.benchmark.bounded_models()
        job = TableJob(
            benchmark=self.benchmark.name,
            table=TablePart("rate_distortion"),
            rows=tuple(ModelRow(self.benchmark.name, *pair) for pair in bounded),
        )
        terms = [self.graph.terms(*pair, "test") for pair in bounded]
        return self._made(paths.table("rate_distortion"), job, {"terms": terms})

    @cached_property
    def _beside_table2(self) -> list[Artifact]:
        found: list[Artifact] = [self.samples_figure(name) for name in dict.fromkeys(row.entry for row in self._rows)]
        if self._first_terms:
            found += [self.progressive_figure(model) for model in self._first_terms]
            found += [self.rate_distortion_figure, self.rate_distortion_table]
        found += [self.table4] if self.guided else []
        found += [self.table5] if self.upsampling else []
        return found

    # -- figures that are not drawn from a table (the jobs of table2 and table4 also draw theirs)

    def samples_figure(self, model: str) -> Reported:
        """Return the figure of a model's samples, below real images."""
        shown = self.shown_rows(model)
        sources = {
            "real": self.graph.data("test", self.benchmark.models[model].size),
            "images": [self.graph.samples(row) for row in shown],
        }
        labels, title = [self._label(row) for row in shown], f"Samples of {model}, by sampler and steps"
        return self._figure("samples", sources, labels=labels, title=title, file=f"samples_{model}")

    def progressive_figure(self, model: str) -> Reported:
        """Return the figure of a model's progressive reconstructions."""
        title = f"{model}: test images as their bits arrive"
        sources = {"terms": [self._first_terms[model]]}
        return self._figure("progressive", sources, title=title, file=f"progressive_{model}")

    @cached_property
    def rate_distortion_figure(self) -> Reported:
        """The figure of the rate-distortion curves of all models, each with its first training seed."""
        terms = self._first_terms
        return self._figure("rate_distortion", {"terms": list(terms.values())}, labels=list(terms))

    @cached_property
    def upsampling_figure(self) -> Reported:
        """The figure of each upsampler's low-resolution images, its samples and, for real images, the true ones."""
        shown = self._before_and_after()
        return self._figure("upsampling", {"images": list(shown.values())}, labels=list(shown), title=UPSAMPLING)

    # -- a comparison, whose name is a wildcard

    @cached_property
    def comparison(self) -> Reported:
        """The table of the sets that a comparison asks for."""
        sets = tuple(self._compared_set(name, row) for row in self.compared for name in row.protocols)
        job = TableJob(benchmark=self.benchmark.name, table=TablePart("table2"), sets=sets)
        return self._made(paths.comparison_table("{comparison}"), job, {"scores": self.graph.scores_of(self.compared)})

    @cached_property
    def comparison_figure(self) -> Reported:
        """The figure of a comparison's table."""
        path = paths.comparison_figure("{comparison}")
        return self._made(path, PlotJob(figure=FigurePart("fid_vs_nfe")), {"table": self.comparison})

    @property
    def compared_features(self) -> list[Artifact]:
        """The features of the sets that a comparison asks for."""
        of = self.benchmark.extractor_of
        found = [self.graph.features(of(name), row) for row in self.compared for name in row.protocols]
        return list({made.path: made for made in found}.values())

    # -- all of them

    def everything(self) -> list[Artifact]:
        """Return every table and figure that has a record, except those of comparisons."""
        drawn = [Artifact(paths.figure("fid_vs_steps"), self.table2.digest, self.table2.spec)]
        if self.guided:
            drawn.append(Artifact(paths.figure("guidance_tradeoff"), self.table4.digest, self.table4.spec))
        if self.upsampling:
            drawn.append(self.upsampling_figure)
        return [self.table2, self.table3, *self._beside_table2, *drawn]

    def tables(self) -> list[Artifact]:
        """Return every table, except those of comparisons."""
        return [made for made in self.everything() if made.path.endswith(".csv")]

    # -- the rows of each table and figure

    @cached_property
    def _rows(self) -> list[SampleSet]:
        return self.benchmark.sample_sets()

    @cached_property
    def guided(self) -> list[SampleSet]:
        """The rows of table 4."""
        return [row for row in self._rows if self.benchmark.variant(row.model).guidance is not None]

    @cached_property
    def upsampling(self) -> list[SampleSet]:
        """The rows of table 5."""
        return self.benchmark.upsampling_rows()

    @cached_property
    def compared(self) -> list[SampleSet]:
        """The rows of a comparison."""
        return self.benchmark.compared_sets()

    @cached_property
    def _first_terms(self) -> dict[str, Artifact]:
        """The terms of every model's bound on test images, each with its first training seed."""
        found: dict[str, Artifact] = {}
        for model, seed in self.benchmark.bounded_models():
            found.setdefault(model, self.graph.terms(model, seed, "test"))
        return found

    def shown_rows(self, model: str) -> list[SampleSet]:
        """Return the rows in a model's figure: each sampler, number of steps and scale, with the first seeds."""
        own = [row for row in self._rows if row.entry == model]
        seeds = own[0].train_seed, own[0].sample_seed
        order = list(self.benchmark.samplers)
        return sorted(
            (row for row in own if (row.train_seed, row.sample_seed) == seeds),
            key=lambda row: (order.index(row.sampler), row.steps, self._scale(row) or 0),
        )

    def _label(self, row: SampleSet) -> str:
        scale = self._scale(row)
        below = self.benchmark.low_res_set(row)
        steps = f"{row.steps} steps" if row.steps else "adaptive"
        if below is not None:
            steps = f"{below.steps or 'adaptive'} + {steps}"
        return f"{row.sampler}, {steps}" + ("" if scale is None else f", scale {scale:g}")

    def _scale(self, row: SampleSet) -> float | None:
        guidance = self.benchmark.variant(row.model).guidance
        return None if guidance is None else guidance.part.scale

    def _before_and_after(self) -> dict[str, Artifact]:
        """Return {label: images}: for every upsampler, the images that it started from and its first sample set."""
        found: dict[str, Artifact] = {}
        for row in self.upsampling:
            given, model = self.graph.low_res(row), self.benchmark.variant(row.model)
            if given is None or model.low_res is None or f"{row.model}, given" in found:
                continue
            found[f"{row.model}, given"] = given
            found[f"{row.model}, upsampled"] = self.graph.samples(row)
            if model.low_res.model == REAL:
                found[f"{row.model}, true"] = self.graph.data("test", model.size)
        return found

    def _compared_set(self, protocol: str, row: SampleSet) -> ComparedSet:
        return ComparedSet(
            model=row.model,
            sampler=row.sampler,
            steps=row.steps,
            train_seed=row.train_seed,
            sample_seed=row.sample_seed,
            protocol=protocol,
            scores=self.graph.scores(protocol, row).path,
            features=self.graph.features(self.benchmark.extractor_of(protocol), row).path,
            reference=self.graph.reference(protocol).path,
        )

    # -- how they are made

    def _table(self, name: str, sources: Sources, *, figure: str | None = None) -> Reported:
        """Return a table. figure: the name of the figure that the same job draws from it."""
        drawn = None if figure is None else FigurePart(figure)
        job = TableJob(benchmark=self.benchmark.name, table=TablePart(name), figure=drawn)
        return self._made(paths.table(name), job, sources)

    def _figure(
        self, name: str, sources: Sources, *, labels: Sequence[str] = (), title: str = "", file: str = ""
    ) -> Reported:
        """Return a figure. title, file: given only if they are not the figure's own title and name."""
        job = PlotJob(figure=FigurePart(name, {"title": title} if title else {}), labels=tuple(labels))
        return self._made(paths.figure(file or name), job, sources)

    def _made(self, path: str, job: Job, sources: Sources) -> Reported:
        spec = self.graph.made_from(job, sources)
        return Reported(path, spec_digest(spec), spec, sources)

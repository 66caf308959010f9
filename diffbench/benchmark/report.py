"""The tables and figures of a benchmark as artifacts: what each is made from, and its job."""

from functools import cached_property

from diffbench.benchmark import paths
from diffbench.benchmark.claimed import behind_scores, claims
from diffbench.benchmark.compared import compared_set, differences
from diffbench.benchmark.drawn import Drawn
from diffbench.benchmark.graph import Artifact, Graph
from diffbench.benchmark.reported import Drawing, FigureGroup, Reported, Sources, Tabulated
from diffbench.benchmark.reproduced import published
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.plot import FigurePart
from diffbench.jobs.tabulate import ModelRow, TableJob, TablePart


class Report:
    """Every table and figure of a benchmark."""

    def __init__(self, graph: Graph):
        self.graph, self.benchmark = graph, graph.benchmark
        self.drawn = Drawn(graph)

    # -- tables

    @cached_property
    def table1(self) -> Tabulated:
        """The table of models, with what is known of their weights. Each has the cost of its first sample set."""
        first: dict[tuple[str, int], SampleSet] = {}
        for row in self._rows:
            first.setdefault((row.entry, row.train_seed), row)
        of = self.benchmark.variant
        rows = [ModelRow(self.benchmark.name, *pair, weights=of(row.model).of) for pair, row in first.items()]
        job = TableJob(benchmark=self.benchmark.name, table=TablePart("table1"), rows=tuple(rows))
        sources: Sources = {
            "scores": [*self.graph.scores_of(self._rows), *self.graph.bounds()],
            "weights": [self.graph.model(row.model, row.train_seed) for row in first.values()],
            "samples": [self.graph.samples(row) for row in first.values()],
        }
        return Tabulated.of(paths.table("table1"), job, self.graph, sources)

    @cached_property
    def table2(self) -> Tabulated:
        """The table of every row, with the bound of its model. All other tables and figures are made with it."""
        scores = [*self.graph.scores_of(self._rows), *self.graph.bounds()]
        return self._table("table2", {"scores": scores, "beside_it": self._beside_table2})

    @cached_property
    def table3(self) -> Tabulated:
        """The table of ablations: the effect of each choice in a model."""
        unguided = [row for row in self._rows if row not in self.guided]
        scores = [*self.graph.scores_of(unguided), *self.graph.bounds()]
        job = TableJob(benchmark=self.benchmark.name, table=TablePart("table3", {"models": self.benchmark.ablations()}))
        return Tabulated.of(paths.table("table3"), job, self.graph, {"scores": scores})

    @cached_property
    def table4(self) -> Tabulated:
        """The table of guidance: its effect at each scale."""
        return self._table("table4", {"scores": self.graph.scores_of(self.guided)})

    @cached_property
    def table5(self) -> Tabulated:
        """The table of upsampling, of real images and of other models' samples."""
        sources: Sources = {
            "scores": self.graph.scores_of(self.upsampling),
            "beside_it": self.drawn.of_upsamplers,
        }
        return self._table("table5", sources)

    @cached_property
    def rate_distortion_table(self) -> Tabulated:
        """The table of the rate-distortion curves of all models that have a bound."""
        bounded = self.benchmark.bounded_models()
        job = TableJob(
            benchmark=self.benchmark.name,
            table=TablePart("rate_distortion"),
            rows=tuple(ModelRow(self.benchmark.name, *pair) for pair in bounded),
        )
        terms = [self.graph.terms(*pair, "test") for pair in bounded]
        return Tabulated.of(paths.table("rate_distortion"), job, self.graph, {"terms": terms})

    @cached_property
    def differences(self) -> Reported | None:
        """The table of differences to the first sampler and the first model; None if no two sets can be compared."""
        return differences(self.graph)

    @cached_property
    def claims(self) -> Reported:
        """The table of papers' claims: which of them hold on this benchmark."""
        return claims(self.graph, self._rows)

    @cached_property
    def published(self) -> Reported | None:
        """The table beside published numbers; None if no paper published numbers on the data set."""
        return published(self.graph)

    @property
    def _without_formats(self) -> list[Reported]:
        """The tables that are CSV alone, in one file each."""
        return [made for made in (self.differences, self.published) if made is not None]

    @cached_property
    def _beside_table2(self) -> list[Artifact]:
        return [*self.drawn.figures, *self._tables_beside_table2, *self._without_formats]

    @cached_property
    def _tables_beside_table2(self) -> list[Tabulated]:
        found = [self.table1]
        found += [self.rate_distortion_table] if self.benchmark.bounded_models() else []
        found += [self.table4] if self.guided else []
        found += [self.table5] if self.upsampling else []
        return found

    # -- figures that the job of a table draws from it

    @cached_property
    def figures_of_table2(self) -> FigureGroup:
        """The figures that are drawn from table 2."""
        names = ("fid_vs_steps", "fid_vs_nfe", "precision_recall")
        return FigureGroup("table2", [self._of_table(name, self.table2) for name in names])

    @cached_property
    def figures_of_table4(self) -> FigureGroup:
        """The figures that are drawn from table 4."""
        return FigureGroup("table4", [self._of_table("guidance_tradeoff", self.table4)])

    @cached_property
    def figures_of_differences(self) -> FigureGroup:
        """The figures that are drawn from the table of differences."""
        return FigureGroup("differences", [self._of_table("differences", self.differences)] if self.differences else [])

    @cached_property
    def figures_of_published(self) -> FigureGroup:
        """The figures that are drawn from the table beside published numbers."""
        return FigureGroup("published", [self._of_table("published", self.published)] if self.published else [])

    # -- a comparison, whose name is a wildcard

    @cached_property
    def comparison(self) -> Reported:
        """The table of the sets that a comparison asks for."""
        sets = tuple(compared_set(self.graph, name, row) for row in self.compared for name in row.protocols)
        job = TableJob(benchmark=self.benchmark.name, table=TablePart("table2"), sets=sets)
        sources: Sources = {"scores": self.graph.scores_of(self.compared)}
        return Reported.of(paths.comparison_table("{comparison}"), job, self.graph, sources)

    @cached_property
    def comparison_figures(self) -> FigureGroup:
        """The figure of a comparison's table."""
        path, part = paths.comparison_figure("{comparison}"), FigurePart("fid_vs_nfe")
        return FigureGroup("comparison", [Drawing.drawn(path, part, self.graph, {"table": self.comparison})])

    @property
    def compared_features(self) -> list[Artifact]:
        """The features of the sets that a comparison asks for."""
        return self._features_of(self.compared)

    @property
    def features_of_differences(self) -> list[Artifact]:
        """The features of the sets in the table of differences."""
        return self._features_of(self._rows)

    @property
    def behind_claims(self) -> list[Artifact]:
        """The samples, features and terms that the table of claims is made from, beside scores and traces."""
        return behind_scores(self.graph, self._rows)

    def _features_of(self, rows: list[SampleSet]) -> list[Artifact]:
        of = self.benchmark.extractor_of
        found = [self.graph.features(of(name), row) for row in rows for name in row.protocols]
        return list({made.path: made for made in found}.values())

    # -- all of them

    def groups(self) -> list[FigureGroup]:
        """Return all figures except those of comparisons, in the groups that one job each draws."""
        of_tables = [self.figures_of_table2, *([self.figures_of_table4] if self.guided else [])]
        of_tables += [group for group in (self.figures_of_differences, self.figures_of_published) if group.drawings]
        return [*self.drawn.groups, *of_tables]

    def tables(self) -> list[Artifact]:
        """Return every table in each of its formats, except those of comparisons."""
        made = [self.table2, self.table3, *self._tables_beside_table2]
        found: list[Artifact] = [one for tabulated in made for one in tabulated.formats]
        return [*found, *self._without_formats, self.claims]

    def everything(self) -> list[Artifact]:
        """Return every table and figure, each in all of its formats, except those of comparisons."""
        figures = [made for group in self.groups() for drawing in group.drawings for made in drawing.formats]
        return [*self.tables(), *figures]

    # -- the rows of each table

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

    # -- how they are made

    def _table(self, name: str, sources: Sources) -> Tabulated:
        job = TableJob(benchmark=self.benchmark.name, table=TablePart(name))
        return Tabulated.of(paths.table(name), job, self.graph, sources)

    def _of_table(self, figure: str, table: Reported) -> Drawing:
        return Drawing.drawn(paths.figure(figure), FigurePart(figure), self.graph, {"table": table})

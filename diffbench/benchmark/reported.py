"""Tables and figures as artifacts: what each is made from, and the files of a figure and of a group of figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from diffbench.base.digests import spec_digest
from diffbench.benchmark import paths
from diffbench.benchmark.graph import Artifact, Graph, files_of, records_of, spec_text
from diffbench.jobs.job import Job
from diffbench.jobs.plot import FIGURES, FigurePart, PlotJob

Sources = Mapping[str, Artifact | Sequence[Artifact]]


@dataclass(frozen=True)
class Reported(Artifact):
    """A table or a figure. sources: what it is made from, by the name of the stage's argument.

    The source `beside_it` lists figures and other tables that are always made together with this one. It is not
    computed from them, but its spec names them. If one of them is out of date, its job runs again, so that a folder
    never holds tables of different settings.
    """

    sources: Sources = field(default_factory=dict)

    @classmethod
    def of(cls, path: str, job: Job, graph: Graph, sources: Sources) -> "Reported":
        """Return the artifact that a job makes from the sources."""
        spec = graph.made_from(job, sources)
        return cls(path, spec_digest(spec), spec, sources)

    def files(self, name: str) -> list[str]:
        """Return the paths of the sources of a name."""
        return files_of(self.sources.get(name))

    def records(self, *names: str) -> list[str]:
        """Return the paths of the records of the sources of some names."""
        return [record for name in names for record in records_of(self.sources.get(name))]

    def paths_of_records(self, name: str) -> list[str]:
        """Return the path of the record of each source of a name, also of a file that no job made."""
        return [paths.record(path) for path in self.files(name)]


@dataclass(frozen=True)
class Tabulated(Reported):
    """A table, which is written in several formats. path: that of its CSV."""

    @classmethod
    def of(cls, path: str, job: Job, graph: Graph, sources: Sources) -> "Tabulated":
        """Return the table that a job makes from the sources."""
        spec = graph.made_from(job, sources)
        return cls(path, spec_digest(spec), spec, sources)

    @property
    def formats(self) -> list[Artifact]:
        """The table as an artifact in each format."""
        return [Artifact(path, self.digest, self.spec) for path in paths.table_formats(self.path)]

    @property
    def made(self) -> list[str]:
        """The paths of the table, in all formats."""
        return [made.path for made in self.formats]

    @property
    def made_records(self) -> list[str]:
        """The paths of the table's records."""
        return [made.record for made in self.formats]


@dataclass(frozen=True)
class Drawing(Reported):
    """A figure, which is written in several formats. path: that of its PNG."""

    @classmethod
    def drawn(
        cls, path: str, part: FigurePart, graph: Graph, sources: Sources, labels: Sequence[str] = ()
    ) -> "Drawing":
        """Return a figure that is drawn from the sources. labels: one for each file that it compares."""
        named = {kind: tuple(files_of(made)) for kind, made in sources.items()}
        spec = graph.made_from(PlotJob(figure=part, sources=named, labels=tuple(labels)), sources)
        return cls(path, spec_digest(spec), spec, sources)

    @property
    def kind(self) -> str:
        """The name of the figure in diffbench/figures."""
        return (self.spec or {})["figure"]["name"]

    @property
    def formats(self) -> list[Artifact]:
        """The figure as an artifact in each format."""
        return [Artifact(path, self.digest, self.spec) for path in paths.formats(self.path)]


@dataclass(frozen=True)
class FigureGroup:
    """Figures that one job draws. name: that of the group's log and rule."""

    name: str
    drawings: Sequence[Drawing]

    @property
    def files(self) -> list[str]:
        """The paths of all that the figures are drawn from."""
        return list(dict.fromkeys(path for made in self.drawings for kind in made.sources for path in made.files(kind)))

    @property
    def records(self) -> list[str]:
        """The paths of the records of all that the figures are drawn from."""
        return list(dict.fromkeys(path for made in self.drawings for path in made.records(*made.sources)))

    @property
    def made(self) -> list[str]:
        """The paths of the figures, in all formats."""
        return [made.path for drawing in self.drawings for made in drawing.formats]

    @property
    def made_records(self) -> list[str]:
        """The paths of the figures' records."""
        return [made.record for drawing in self.drawings for made in drawing.formats]

    @property
    def params(self) -> str:
        """The specs of the figures as the parameter of their rule."""
        return spec_text({FIGURES: [made.spec for made in self.drawings]})

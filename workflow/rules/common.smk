"""Names that several rules use: the patterns of their files, and the row and model of wildcards."""

from diffbench.benchmark.graph import OWN_REFERENCE, files_of, records_of, spec_text
from diffbench.benchmark.paths import COST, LOGS, PLACE
from diffbench.benchmark.processes import bound_processes, extraction_processes, sampling_processes
from diffbench.benchmark.shell_line import call, chained
from diffbench.jobs.claims import MODULE as CLAIMS
from diffbench.jobs.differences import MODULE as DIFFERENCES
from diffbench.jobs.published import MODULE as PUBLISHED

WEIGHTS = paths.weights("{model}", "{train_seed}")
CLASSIFIER = paths.classifier("{classifier}", "{train_seed}")
TERMS = paths.terms("{model}", "{train_seed}", "{split}")
SAMPLES = paths.samples("{tree}", PLACE, "{steps}")
FEATURES = paths.features("{tree}", "{extractor}", PLACE, "{steps}")
REAL_FEATURES = paths.real_features("{extractor}", "{split}")
SCORES = paths.scores("{tree}", "{protocol}", PLACE, "{steps}")


wildcard_constraints:
    extractor="[^/]+",
    classifier="[^/]+",
    protocol="[^/]+",
    model="[^/]+",
    sampler="[^/]+",
    split="test|train",
    tree=paths.TREES,
    steps=r"\d+",
    train_seed=r"-?\d+",
    sample_seed=r"-?\d+",


def row_of(w):
    """Return the row whose sample set the wildcards name."""
    return graph.row_at(w.tree, PLACE.format(**dict(w.items())), w.steps)


def model_of(w):
    """Return the weights of the model that the wildcards name."""
    return graph.model(w.model, int(w.train_seed))


IN_REPORT = {".csv": "CSV", ".html": "HTML", ".png": "PNG"}
"""The formats that `snakemake --report` shows: of a figure that is in three formats, the one that every browser has."""


def tables_in_report(table, *numbers):
    """Return the files of a table, those marked that a report shows, and after them its numbers."""
    name = Path(table.path).stem
    formats = {path: IN_REPORT.get(Path(path).suffix, "") for path in table.made}
    return [*(marked(path, "Tables", name, table=name, format=of) for path, of in formats.items()), *numbers]


def figures_in_report(group):
    """Return the files of a group of figures, those marked that a report shows."""
    return [
        marked(made.path, "Figures", drawing.kind, figure=Path(made.path).stem.replace("_", " "))
        for drawing in group.drawings
        for made in drawing.formats
    ]


def marked(path, category, caption, **labels):
    """Return a path that `snakemake --report` shows with a caption of workflow/captions, if it is of a format for it."""
    if Path(path).suffix not in IN_REPORT:
        return path
    return report(path, caption=f"../captions/{caption}.rst", category=category, labels=labels)

"""Names that several rules use: the patterns of their files, and the row and model of wildcards."""

from diffbench.benchmark.graph import OWN_REFERENCE, files_of, records_of, spec_text
from diffbench.benchmark.paths import COST, LOGS, PLACE
from diffbench.benchmark.shell_line import call, chained
from diffbench.jobs.differences import MODULE as DIFFERENCES

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

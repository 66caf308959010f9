"""The path of each artifact, relative to the benchmark's home.

Every path is built here. Rules of the workflow give names of wildcards instead of values: `samples("{tree}", PLACE,
"{steps}")` is the pattern of all sample sets.
"""

import re
from collections.abc import Iterable
from pathlib import PurePath

from diffbench.base.provenance_file import RESULTS, provenance_path
from diffbench.benchmark.sample_set import SampleSet

COMPARED = f"{RESULTS}/compared"
"""The folder of comparisons and of their sample sets that the tables do not have."""

PLACE = "{model}/train{train_seed}/{sampler}/sample{sample_seed}"
"""The folder of a sample set in samples/, features/<extractor>/ and scores/<protocol>/."""

METRICS = f"{RESULTS}/metrics.json"
"""The numbers of table 2 for `dvc metrics show`."""

LOGS = f"{RESULTS}/logs"
"""The folder of files that differ from run to run: the output of jobs, and their run records."""

COST = f"{RESULTS}/cost.csv"
"""The cost of the jobs of a table."""

FIGURE_ENDINGS = (".png", ".svg", ".pdf")
"""The formats in which every figure is written."""

TABLE_ENDINGS = (".csv", ".md", ".html")
"""The ends of the paths of a table: for programs first, then for people."""

PAGE = f"{RESULTS}/report.html"
"""The page of all results, which no hash covers because it shows the cost of the run."""

Number = int | str
"""A number, or the name of a wildcard."""


def one_of(names: Iterable[str]) -> str:
    """Return the regular expression of a wildcard that must be one of some names."""
    return "|".join(map(re.escape, names))


def place_of(row: SampleSet) -> str:
    """Return the folder of a sample set, by the pattern PLACE."""
    return PLACE.format(model=row.model, train_seed=row.train_seed, sampler=row.sampler, sample_seed=row.sample_seed)


def subject_of(path: str) -> str:
    """Return the model or classifier of an artifact; if its path names none, the file's name without its endings."""
    found = re.search(r"/([^/]+)/train\d+\b", path)
    return found[1] if found else PurePath(path).name.partition(".")[0]


def row_of(scores: str) -> str:
    """Return the row of a table that a file of scores is for: model/sampler/steps, and the seeds that are not 0."""
    groups = {name: rf"(?P<{name}>[^/]+)" for name in ("model", "train_seed", "sampler", "sample_seed")}
    found = re.search(rf"/{PLACE.format(**groups)}/(?P<steps>[^/.]+)\.", scores)
    if found is None:
        return subject_of(scores)
    seeds = [f"/{name}={found[name]}" for name in ("train_seed", "sample_seed") if found[name] != "0"]
    return f"{found['model']}/{found['sampler']}/{found['steps']}{''.join(seeds)}"


def compared_tree(num_images: Number) -> str:
    """Return the folder of the comparisons' sample sets with this number of images that the tables do not have."""
    return f"{COMPARED}/n{num_images}"


TREES = f"{RESULTS}|" + compared_tree(r"\d+")
"""The constraint of a wildcard that it be a tree with sample sets, of the tables or of comparisons."""


def data(split: str, size: Number | None = None) -> str:
    """Return the path of a prepared split. size: its height in pixels; None for the data set's own."""
    return f"{RESULTS}/data/{split}.npz" if size is None else f"{RESULTS}/data/{split}_{size}.npz"


def extractor(name: str) -> str:
    """Return the path of the weights of an extractor that is trained here."""
    return f"{RESULTS}/extractors/{name}.safetensors"


def weights(model: str, train_seed: Number) -> str:
    """Return the path of a model's weights."""
    return f"{RESULTS}/models/{model}/train{train_seed}/weights.safetensors"


def classifier(name: str, train_seed: Number) -> str:
    """Return the path of the weights of a classifier of noisy images."""
    return f"{RESULTS}/classifiers/{name}/train{train_seed}/weights.safetensors"


def training_log(weights: str) -> str:
    """Return the path of the training log of weights."""
    return f"{weights.rpartition('/')[0]}/log.csv"


def validation(weights: str) -> str:
    """Return the path of the validation losses that were measured while weights were trained."""
    return f"{weights.rpartition('/')[0]}/validation.npz"


def terms(model: str, train_seed: Number, split: str) -> str:
    """Return the path of the terms of a model's bound on a split."""
    return f"{RESULTS}/terms/{model}/train{train_seed}/{split}.npz"


def traces(model: str, train_seed: Number) -> str:
    """Return the path of a model's samples on their way from noise to image."""
    return f"{RESULTS}/traces/{model}/train{train_seed}.npz"


def samples(tree: str, place: str, steps: Number) -> str:
    """Return the path of a sample set."""
    return f"{tree}/samples/{place}/{steps}.npz"


def features(tree: str, extractor: str, place: str, steps: Number) -> str:
    """Return the path of the features of a sample set."""
    return f"{tree}/features/{extractor}/{place}/{steps}.npz"


def real_features(extractor: str, split: str) -> str:
    """Return the path of the features of a split's images, or of a protocol's own reference."""
    return f"{RESULTS}/features/{extractor}/real/{split}.npz"


def scores(tree: str, protocol: str, place: str, steps: Number) -> str:
    """Return the path of the scores of a sample set."""
    return f"{tree}/scores/{protocol}/{place}/{steps}.json"


def pair_scores(tree: str, place: str, steps: Number) -> str:
    """Return the path of the scores of upsampled real images, image by image."""
    return f"{tree}/scores/pairs/{place}/{steps}.psnr.json"


def real_scores(protocol: str) -> str:
    """Return the path of the scores of held-out real images."""
    return f"{RESULTS}/scores/{protocol}/real.json"


def bound_scores(model: str, train_seed: Number) -> str:
    """Return the path of the scores of a model itself."""
    return f"{RESULTS}/scores/bound/{model}/train{train_seed}.json"


def comparison(name: str, file: str) -> str:
    """Return the path of a file of a comparison."""
    return f"{COMPARED}/{name}/{file}"


def comparison_table(name: str) -> str:
    """Return the path of the table of a comparison."""
    return comparison(name, "table.csv")


def comparison_figure(name: str) -> str:
    """Return the path of the figure of a comparison."""
    return comparison(name, "fid_vs_nfe.png")


def log(stage: str, name: str, tree: str = RESULTS) -> str:
    """Return the path of a job's output on stderr. The job's run record is beside it."""
    return f"{tree}/logs/{stage}/{name}.log"


def table(name: str) -> str:
    """Return the path of a table."""
    return f"{RESULTS}/{name}.csv"


def table_formats(path: str) -> list[str]:
    """Return the paths of a table in every format. path: that of its CSV."""
    return [f"{path.removesuffix('.csv')}{ending}" for ending in TABLE_ENDINGS]


def figure(name: str) -> str:
    """Return the path of a figure as PNG."""
    return f"{RESULTS}/figures/{name}.png"


def formats(figure: str) -> list[str]:
    """Return the paths of a figure in every format. figure: the path of its PNG."""
    return [f"{figure.removesuffix('.png')}{ending}" for ending in FIGURE_ENDINGS]


def record(path: str) -> str:
    """Return the path of an artifact's record."""
    return str(provenance_path(path))

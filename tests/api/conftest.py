"""A small finished tree of results of every kind of model, made by the stages themselves, without Snakemake."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def reduced(content: dict[str, Any]) -> None:
    """Make the smoke benchmark smaller, with more kinds of samplers."""
    content["bound"] |= {"timesteps": 2, "num_images": 10, "reconstructions": 1}
    for entry in (*content["models"].values(), *content["classifiers"].values()):
        if "training" in entry:
            entry["training"] |= {"steps": 4, "batch_size": 16, "warmup_steps": 0, "learning_rate": 5.0e-3}
    content["models"]["ddpm"]["network"]["channels"] = 8
    content["classifiers"]["noisy"]["network"]["encoder"]["channels"] = 8
    content["samplers"] |= {
        "edm": {"name": "heun", "spacing": "karras rho=5", "off_grid": "interpolate"},
        "analytic": {"name": "analytic_ancestral"},
    }
    content["sampling"]["micro_batch"] = 20
    of_all = {"steps": [3], "num_images": 30, "protocols": ["digits"]}
    content["runs"] = [
        of_all | {"models": ["ddpm"], "samplers": ["ancestral", "analytic"], "sample_seeds": [0, 1]},
        of_all | {"models": ["iddpm"], "samplers": ["ddim", "edm"]},
        of_all | {"models": ["adm", "adm_g"], "samplers": ["ancestral"], "guidance_scales": [1, 4]},
        of_all | {"models": ["adm_u", "upsampled_real"], "samplers": ["ancestral"]},
    ]


class Making:
    """The stages, run one after another in the folder that holds `results`."""

    def __init__(self, benchmark: Any, home: Path):
        from diffbench.benchmark.graph import Graph

        self.benchmark, self.graph, self.cache = benchmark, Graph(benchmark, home), home / ".cache"

    def data_and_weights(self) -> None:
        from diffbench.jobs.prepare import PrepareJob
        from diffbench.jobs.shrink import ShrinkJob
        from diffbench.jobs.train import TrainJob
        from diffbench.stages.prepare import prepare
        from diffbench.stages.shrink import shrink
        from diffbench.stages.train import train

        graph, benchmark = self.graph, self.benchmark
        train_data, test_data = (Path(graph.data(split).path) for split in ("train", "test"))
        prepare(PrepareJob.read(graph.prepare_spec), out_train=train_data, out_test=test_data)
        for size in benchmark.shrunk_sizes():
            for split, whole in (("train", train_data), ("test", test_data)):
                small = graph.data(split, size)
                shrink(ShrinkJob.read(small.spec), whole, Path(small.path))
        weights = [(graph.model(*pair), benchmark.models[pair[0]].size) for pair in benchmark.used_models()]
        weights += [(graph.classifier(*pair), None) for pair in benchmark.used_classifiers()]
        for made, size in weights:
            data, out = Path(graph.data("train", size).path), Path(made.path)
            train(TrainJob.read(made.spec), data, out, out.with_name("log.csv"), device="cpu", cache=self.cache)

    def bounds(self) -> None:
        from diffbench.jobs.bound import BoundJob
        from diffbench.jobs.score import BoundScoreJob
        from diffbench.stages.bound import bound
        from diffbench.stages.score import score_terms

        graph, splits = self.graph, self.benchmark.bound.splits
        for pair in self.benchmark.bounded_models():
            for split in splits:
                made, own, data = graph.terms(*pair, split), graph.model(*pair), graph.data(split)
                bound(BoundJob.read(made.spec), Path(own.path), Path(data.path), Path(made.path), device="cpu")
            scores = graph.bound_scores(*pair)
            terms = [Path(graph.terms(*pair, split).path) for split in splits]
            score_terms(BoundScoreJob.read(scores.spec), terms, Path(scores.path))

    def samples(self) -> None:
        from diffbench.jobs.sample import SampleJob
        from diffbench.stages.sample import sample_set

        for row in reversed(self.benchmark.all_sets()):  # those that upsamplers start from are at the end
            made = self.graph.samples(row)
            sources = {name: Path(source.path) for name, source in self.graph.sources_of(row).items()}
            sample_set(SampleJob.read(made.spec), out=Path(made.path), device="cpu", cache=self.cache, **sources)

    def scores(self) -> None:
        from diffbench.jobs.extract import ExtractJob
        from diffbench.jobs.score import PairsJob, ScoreJob
        from diffbench.stages.extract import extract
        from diffbench.stages.score import score_features, score_pairs

        graph, rows = self.graph, self.benchmark.sample_sets()
        (extractor,) = self.benchmark.extractors
        sets = [(graph.features(extractor, row), graph.samples(row)) for row in rows]
        sets += [(graph.real_features(extractor, split), graph.data(split)) for split in ("train", "test")]
        for made, images in sets:
            extract(ExtractJob.read(made.spec), Path(images.path), Path(made.path), device="cpu")
        reference, real = Path(graph.reference("digits").path), graph.real_scores("digits")
        score_features(ScoreJob.read(real.spec), Path(graph.held_out("digits").path), reference, Path(real.path))
        for row in rows:
            made, features = graph.scores("digits", row), Path(graph.features(extractor, row).path)
            record = Path(graph.samples(row).record)
            score_features(ScoreJob.read(made.spec), features, reference, Path(made.path), samples_provenance=record)
            if self.benchmark.upsamples_real(row):
                pairs = graph.pair_scores(row)
                given = {name: Path(source.path) for name, source in graph.pair_sources(row).items()}
                score_pairs(PairsJob.read(pairs.spec), out=Path(pairs.path), **given)

    def table(self) -> None:
        from diffbench.benchmark.report import Report
        from diffbench.jobs.plot import PlotJob
        from diffbench.jobs.tabulate import TableJob
        from diffbench.stages.plot import plot
        from diffbench.stages.tabulate import tabulate

        report = Report(self.graph)
        table, scores = report.table2, [Path(path) for path in report.table2.files("scores")]
        tabulate(TableJob.read(table.spec), out_table=Path(table.path), scores=scores)
        (drawing,) = (made for made in report.figures_of_table2.drawings if Path(made.path).stem == "fid_vs_steps")
        plot(PlotJob.read(drawing.spec), out=[Path(drawing.path)])


@pytest.fixture(scope="session")
def making() -> type[Making]:
    """The class that makes artifacts of a benchmark in the working directory."""
    return Making


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished tree of results, for reading only."""
    from diffbench.benchmark.load import parse_benchmark

    folder = tmp_path_factory.mktemp("made")
    content = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    del content["validation"]
    reduced(content)
    benchmark = parse_benchmark(content, "reduced")
    with contextlib.chdir(folder):
        making = Making(benchmark, folder)
        for make in (making.data_and_weights, making.bounds, making.samples, making.scores, making.table):
            make()
    shutil.rmtree(making.cache, ignore_errors=True)
    return folder


@pytest.fixture(scope="session")
def results(home: Path) -> Any:
    """The opened results of that tree."""
    import diffbench

    return diffbench.open(home)


@pytest.fixture
def copy(home, tmp_path):
    """A copy of the tree, to be changed."""
    shutil.copytree(home, tmp_path / "copy")
    return tmp_path / "copy/results"

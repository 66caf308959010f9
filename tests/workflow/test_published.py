"""The papers' benchmarks: a workflow that could start, on a machine that has none of their data."""

import pytest

from diffbench.benchmark.load import load_benchmark

from .conftest import ROOT

NAMES = (
    *("cifar10", "imagenet64", "imagenet128", "imagenet256", "imagenet512", "lsun_bedroom"),
    *("cifar10_upsampling", "imagenet256_upsampling", "imagenet512_upsampling"),
)


@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in NAMES[1:])])
def test_every_row_has_its_jobs(fresh, name):
    config = f"workflow/config/{name}.yaml"
    jobs = fresh.count(fresh.plan("results/table2.csv", "--configfile", config))
    benchmark = load_benchmark(ROOT / config)
    rows = benchmark.sample_sets()
    assert jobs["train"] == len(benchmark.trained_models())
    assert jobs["train_classifier"] == len(benchmark.trained_classifiers())
    assert jobs["sample"] == len(benchmark.sampled_sets()), "on a GPU every set is a job of its own"
    assert jobs["score_samples"] == sum(len(row.protocols) for row in rows)


def test_a_file_of_weights_that_an_extractor_names_is_an_input(fresh):
    def named(config):
        config["extractors"] = {"inception": {"path": "weights.pth"}}
        config["protocols"] = {"labelled": {"name": "adm", "extractor": "inception", "metrics": ["fid"]}}
        config["runs"] = [run | {"protocols": ["labelled"]} for run in config["runs"]]

    fresh.configure(named)
    missing = fresh.snakemake("-n", "table2", expect=2)
    (line,) = [line for line in missing.stderr.splitlines() if line.startswith("diffbench: ")]
    assert line == f"diffbench: extractors.inception.path: {fresh.root / 'weights.pth'}: no such file"
    fresh.write("weights.pth", "weights")
    text = fresh.snakemake("-n", "table2").stdout
    inputs = [line for line in text.splitlines() if line.startswith("    input: ") and "results/data/train.npz" in line]
    assert any(line.endswith(", weights.pth") for line in inputs)

"""What a run knows of its data at its start, and that it refuses data that do not suit the benchmark."""

import dataclasses
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.known_data import KnownData, data_at_start
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.start import Started, check_data
from diffbench.benchmark.suited import require_suited
from diffbench.commands.check import pictures
from diffbench.commands.check.notes import of_files
from diffbench.datasets._split import Pictures, Split
from diffbench.jobs.data_facts import DataFacts

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"
DIGITS = KnownData((8, 8, 1), 10, {"train": 1297, "test": 500})


@pytest.fixture(scope="module")
def smoke():
    return load_benchmark(SMOKE)


def prepared(graph, shape=(8, 8, 1), **changes):
    """Write records of prepared data, without the data."""
    facts = DataFacts(num_images=40, shape=shape, levels=17, flip=False, num_classes=10, images_sha256="0" * 64)
    for split in ("train", "test"):
        made = graph.data(split)
        (graph.home / made.path).parent.mkdir(parents=True, exist_ok=True)
        (graph.home / made.path).write_bytes(b"")
        write_provenance(graph.home / made.path, spec=made.spec | changes, facts=facts.as_json())


def test_a_run_takes_the_records_of_data_that_are_up_to_date_and_otherwise_the_data(smoke, tmp_path):
    graph = Graph(smoke, tmp_path)
    assert data_at_start(graph) == DIGITS
    prepared(graph)
    assert data_at_start(graph) == KnownData((8, 8, 1), 10, {"train": 40, "test": 40})
    prepared(graph, code="of an older version")
    assert data_at_start(graph) == DIGITS


def test_a_run_refuses_what_a_job_would_fail_at_and_a_single_job_is_not_asked(smoke, tmp_path):
    graph = Graph(smoke, tmp_path)
    start = Started(smoke, tmp_path, SMOKE, SMOKE)
    check_data(start, graph, ["snakemake"])
    prepared(graph)  # the benchmark upsamples 100 test images, of which there are 40 now
    with pytest.raises(UserError, match=r"smoke.yaml: runs: upsampled_real is to upsample 100 held-out images"):
        check_data(start, graph, ["snakemake", "-n"])
    check_data(start, graph, ["snakemake", "--mode", "subprocess"])


def test_what_is_not_known_of_data_is_not_asked_for(smoke):
    require_suited(smoke, KnownData((8, 8, 1), 10, {}))
    with pytest.raises(UserError, match="needs a data set with labels"):
        require_suited(smoke, KnownData((8, 8, 1), None, {}))
    with pytest.raises(
        UserError, match="bound.splits: a bound needs at least 2 images, and training images are only 1"
    ):
        require_suited(_unscored(smoke), KnownData((8, 8, 1), 10, {"train": 1, "test": 500}))


def _unscored(benchmark):
    """Return the benchmark with metrics that need no reference."""
    protocols = {
        name: (kind, dataclasses.replace(part, metrics=("inception_score",)))
        for name, (kind, part) in benchmark.protocols.items()
    }
    return dataclasses.replace(benchmark, protocols=protocols)


def test_networks_of_classifiers_and_of_low_resolutions_are_checked_too(smoke):
    name, classifier = next(iter(smoke.classifiers.items()))
    wrong = {**smoke.classifiers, name: dataclasses.replace(classifier, size=3)}
    with pytest.raises(UserError, match=rf"^classifiers.{name}.network: "):
        require_suited(dataclasses.replace(smoke, classifiers=wrong), DIGITS)
    upsampler = next(model for model in smoke.models.values() if model.low_size is not None)
    models = {**smoke.models, upsampler.name: dataclasses.replace(upsampler, low_size=3)}
    with pytest.raises(UserError, match=rf"^models.{upsampler.name}.network: "):
        require_suited(dataclasses.replace(smoke, models=models), DIGITS)


def test_a_metric_of_labels_needs_data_with_labels(smoke):
    plain = {
        name: dataclasses.replace(
            model, network=dataclasses.replace(model.network, class_conditional=False, null_label=False)
        )
        for name, model in smoke.models.items()
    }
    labelled = {
        name: (kind, dataclasses.replace(part, metrics=("classification_accuracy",)))
        for name, (kind, part) in smoke.protocols.items()
    }
    unlabelled = dataclasses.replace(smoke, protocols=labelled, models=plain, classifiers={})
    with pytest.raises(UserError, match="metrics: classification_accuracy needs labels, and the data set has none"):
        require_suited(unlabelled, KnownData((8, 8, 1), None, {}))


def test_a_reference_that_is_not_here_yet_is_a_note(smoke, tmp_path):
    file = tmp_path / "reference.npz"
    protocols = {
        name: (kind, dataclasses.replace(part, reference=str(file))) for name, (kind, part) in smoke.protocols.items()
    }
    notes = list(of_files(dataclasses.replace(smoke, protocols=protocols)))
    assert notes[0] == f"protocols.{next(iter(protocols))}.reference: {file} is not here yet"


def test_pictures_that_the_time_did_not_reach_are_counted(monkeypatch):
    monkeypatch.setattr(pictures, "DECODING_SECONDS", 0)
    seen = []
    look = Pictures(across=None, where=str, size=lambda k: (8, 8), decode=seen.append)
    split = Split(num_images=20, shape=(8, 8, 1), labels=None, chunks=iter(()), pictures=look)
    assert list(pictures.looked_at(split)) == [
        "of 20 pictures, the headers of 20 and the pixels of 1 were read; a run reads all of them first"
    ]
    assert len(seen) == 1

"""Features and scores of arrays: the numbers of the stages and of `diffbench measure`, without files by hand."""

import re

import numpy as np
import pytest

import diffbench
from diffbench.base.errors import UserError
from diffbench.metrics._pairs import influence_on_fid, paired_difference
from diffbench.metrics.fid import Fid

RNG = np.random.default_rng(0)


def test_features_are_those_of_the_workflow(results):
    stored = np.load(results.path / "features/digits_features/real/test.npz")
    found = diffbench.features(results.real("test"), "digits_features")
    assert set(found) == {"pool", "logits"}
    assert all(np.array_equal(found[name], stored[name]) for name in found)
    few = diffbench.features(results.real("test")[:7], "digits_features")
    assert np.array_equal(few["pool"], stored["pool"][:7])


def test_scores_are_those_of_the_table(results, tmp_path):
    """The table's protocol has its options from the benchmark, and the numbers are the same."""
    found = diffbench.score(
        results.samples("ddpm/ancestral/3"), results.real(), protocol="classifier", cache=tmp_path / "cache"
    )
    row = results.table().query("model == 'ddpm' and sampler == 'ancestral' and sample_seed == 0").iloc[0]
    for metric in ("fid", "inception_score", "precision"):
        for end, column in (("", "value"), ("_low", "low"), ("_high", "high")):
            assert f"{found.loc[metric, column]:.6g}" == f"{row[metric + end]:.6g}"
    assert (found["num_images"] == 30).all() and (found["low"] <= found["high"]).all()


def test_arrays_score_as_their_files(results, tmp_path):
    """A protocol's id must not name a place that differs from run to run."""
    cache = tmp_path / "cache"
    samples, real = results.samples("adm/ancestral/3"), results.real()
    arrays = diffbench.score(samples, real, protocol="classifier", metrics=["fid", "kid"], cache=cache)
    again = diffbench.score(samples, real, protocol="classifier", metrics=["fid", "kid"], cache=cache)
    assert arrays.equals(again)
    np.savez(tmp_path / "own.npz", arr_0=samples)
    files = diffbench.score(
        tmp_path / "own.npz",
        results.path / "data/train.npz",
        protocol="classifier",
        metrics=["fid", "kid"],
        cache=cache,
    )
    assert arrays.drop(columns="protocol").equals(files.drop(columns="protocol"))
    of_commands = diffbench.measure(
        tmp_path / "own.npz",
        results.path / "data/train.npz",
        protocol="classifier",
        metrics=["fid", "kid"],
        cache=cache,
    )
    assert {item["metric"]: item["value"] for item in of_commands} == dict(files["value"])


def test_labels_and_settings_reach_the_metrics(results, tmp_path):
    model = results.model("adm")
    found = diffbench.score(
        results.samples("adm/ancestral/3"),
        results.real(),
        protocol="classifier",
        labels=model.labels(30),
        reference_labels=results.real_labels(),
        metrics=["classification_accuracy", "precision"],
        settings={"precision": {"k": 5}},
        cache=tmp_path,
    )
    assert 0 <= found.loc["classification_accuracy", "value"] <= 1 and "precision.k=5" in found["protocol"].iloc[0]


BYTES = RNG.integers(0, 256, (40, 8, 8, 1), np.uint8)


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        (BYTES, {"extractor": "digit_features"}, "no extractor 'digit_features'; did you mean 'digits_features'?"),
        (BYTES, {"extractor": "digits_features size=3"}, "unknown key 'size'"),
        (BYTES, {"extractor": "classifier"}, "weights: classifier has none of its own"),
        (BYTES, {"extractor": "digits_features", "device": "tpu"}, "device tpu: is not allowed"),
        (BYTES.repeat(2, axis=1), {"extractor": "digits_features"}, "digits_features takes grey images of 8x8"),
        ([BYTES[0], BYTES[0, :4]], {"extractor": "digits_features"}, "images: of several sizes"),
        (BYTES / 255, {"extractor": "digits_features"}, "images: float64 in [0, 1]"),
    ],
)
def test_features_that_cannot_be_are_one_line(images, options, said):
    with pytest.raises(UserError) as caught:
        diffbench.features(images, **options)
    assert said in str(caught.value) and "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("images", "reference", "options", "said"),
    [
        (BYTES, None, {"protocol": "classifier"}, r"^reference: say what the samples are compared with"),
        (BYTES, BYTES, {"protocol": "clasifier"}, r"^protocol: no protocol 'clasifier'; did you mean 'classifier'"),
        (BYTES, BYTES, {"protocol": "classifier", "metrics": ["fidd"]}, "no metric 'fidd'"),
        (BYTES, BYTES / 255, {"protocol": "classifier"}, r"^reference: float64 in \[0, 1\]"),
        (BYTES, BYTES, {"protocol": "classifier", "labels": [1]}, r"^labels: \(1,\) of int64 for 40 images"),
        ("a.npz", BYTES, {"protocol": "classifier", "labels": [1]}, "is a file, which has labels of its own"),
        ("a.npz", BYTES, {"protocol": "classifier"}, "a.npz: no such file"),
        (BYTES, BYTES, {"protocol": "classifier", "metrics": "kid", "settings": {"kid": {"subsets": 9}}}, r"settings="),
    ],
)
def test_scores_that_cannot_be_are_one_line(images, reference, options, said, tmp_path):
    with pytest.raises(UserError) as caught:
        diffbench.score(images, reference, cache=tmp_path, **options)
    assert re.search(said, str(caught.value)), caught.value
    assert "--" not in str(caught.value)


def test_a_verdict_on_arrays_is_that_of_their_scores(results, tmp_path):
    ways = {"protocol": "classifier", "cache": tmp_path}
    a, b, real = results.samples("iddpm/ddim/3"), results.samples("iddpm/edm/3"), results.real()
    verdict = diffbench.compare(a, b, real, names=("ddim", "edm"), **ways)
    expected = results.compare("iddpm/ddim/3", "iddpm/edm/3")
    assert (verdict.difference, verdict.a, verdict.b) == (expected.difference, expected.a, expected.b)
    assert str(verdict).startswith("fid (lower is better): ddim ")
    scores = diffbench.score(a, real, **ways)
    assert verdict.a.value == scores.loc["fid", "value"] and verdict.a.high == scores.loc["fid", "high"]


def test_pairs_have_the_interval_of_compare_samplers(results, tmp_path):
    """As stages/compare-samplers has it: by the influences of the images on the two distances."""
    rows = ("iddpm/ddim/3", "iddpm/edm/3")
    sets, real = [results.samples(row) for row in rows], results.real()
    verdict = diffbench.compare(*sets, real, pairs=True, protocol="classifier", cache=tmp_path)
    reference = diffbench.features(real, "digits_features")
    influences = [influence_on_fid(Fid(), diffbench.features(made, "digits_features"), reference) for made in sets]
    expected = paired_difference(verdict.a.value - verdict.b.value, *influences)
    assert (verdict.difference.low, verdict.difference.high) == pytest.approx((expected.low, expected.high))
    plain = diffbench.compare(*sets, real, protocol="classifier", cache=tmp_path).difference
    assert verdict.difference.high - verdict.difference.low < plain.high - plain.low
    assert "paired image by image" in str(verdict)
    with pytest.raises(UserError, match="sets of 30 and 20 images have no pairs"):
        diffbench.compare(sets[0], sets[1][:20], real, pairs=True, protocol="classifier", cache=tmp_path)
    with pytest.raises(UserError, match="^pairs: an interval of pairs is known for Frechet distances, not for kid"):
        diffbench.compare(*sets, real, metric="kid", pairs=True, protocol="classifier", cache=tmp_path)

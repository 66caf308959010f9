"""`diffbench measure` on files in the formats that people have, and `diffbench protocols`."""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench import cli
from diffbench.base.arrays import read_member, save_npz
from diffbench.base.digests import sha256
from diffbench.base.provenance import write_provenance
from diffbench.base.records import read_records
from diffbench.commands.measure import image_sets
from diffbench.commands.measure import run as measure
from diffbench.commands.measure.image_sets import Wanted, image_file
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.prepare import PrepareJob
from diffbench.metrics.fid import frechet_distance, moments
from diffbench.stages import extract as stage
from diffbench.stages.prepare import prepare
from diffbench.tables.table2 import COLUMNS


def run(monkeypatch, capsys, *arguments, expect=0):
    monkeypatch.setattr("sys.argv", ["diffbench", *map(str, arguments)])
    code = 0
    try:
        cli.main()
    except SystemExit as leaving:
        code = leaving.code or 0
    said = capsys.readouterr()
    assert code == expect, said.err
    return said.out if not expect else said.err


@pytest.fixture
def digits(tmp_path):
    """Samples and reference of the size that digits_features measures."""
    draws = np.random.default_rng(0)
    for name, n in (("samples", 90), ("reference", 120)):
        save_npz(tmp_path / f"{name}.npz", {"arr_0": draws.integers(0, 256, (n, 8, 8, 1), dtype=np.uint8)})
    return tmp_path


def test_scores_two_files_once_and_again_from_the_cache(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    said = run(monkeypatch, capsys, *given)
    assert "fid " in said and "95 % interval" in said and "written to samples.npz.classifier.json" in said
    first = (digits / "samples.npz.classifier.json").read_bytes()
    found = {item["metric"]: item for item in read_records([digits / "samples.npz.classifier.json"])}
    assert found["precision"]["num_images"] == 90 and "rounding=unknown;n=90;reference=file:120@" in said
    cached = {path: path.stat().st_mtime_ns for path in (digits / ".cache/features").glob("*.npz")}
    assert len(cached) == 2
    run(monkeypatch, capsys, *given)
    assert cached == {path: path.stat().st_mtime_ns for path in (digits / ".cache/features").glob("*.npz")}
    assert (digits / "samples.npz.classifier.json").read_bytes() == first


def test_the_cache_knows_its_code_and_the_size_that_images_are_enlarged_to(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    run(monkeypatch, capsys, *given)
    before = set((digits / ".cache/features").glob("*.npz"))
    with monkeypatch.context() as patched:
        patched.setattr("diffbench.commands.measure.run.code_hash", lambda modules: "another")
        run(patched, capsys, *given)
    after = set((digits / ".cache/features").glob("*.npz"))
    assert len(before) == 2 and before < after and len(after) == 4
    # The same bytes, of a smaller copy of a data set now: their features are of the enlarged images.
    small = np.random.default_rng(1).integers(0, 256, (90, 4, 4, 1), dtype=np.uint8)
    save_npz(digits / "samples.npz", {"arr_0": small})
    assert "(4, 4, 1)" in run(monkeypatch, capsys, *given, expect=2)
    write_provenance(digits / "samples.npz", spec={}, facts={"full_size": [8, 8]})
    run(monkeypatch, capsys, *given)
    (digits / "samples.npz.json").unlink()
    assert "(4, 4, 1)" in run(monkeypatch, capsys, *given, expect=2)


def test_adms_batches_are_scored_against_what_they_store(tmp_path, inception_weights, monkeypatch, capsys):
    """A reference batch as ADM publishes them: images for the neighbours, moments of a larger set for FID and sFID."""
    from diffbench.extractors.inception import Inception

    monkeypatch.chdir(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    found = Inception(path=str(inception_weights), micro_batch=6).network()(images)
    pool, spatial = (found[name].astype(np.float64) for name in ("pool", "spatial"))
    stored = dict(zip(("mu", "sigma"), moments(pool[5:]), strict=True))
    stored |= dict(zip(("mu_s", "sigma_s"), moments(spatial[5:]), strict=True))
    save_npz(tmp_path / "samples.npz", {"arr_0": images[:5], "arr_1": np.arange(5)})
    np.savez(tmp_path / "VIRTUAL.npz", arr_0=images[5:10], **stored)
    run(
        *(monkeypatch, capsys, "measure", "samples.npz", "--reference", "VIRTUAL.npz"),
        *("--weights", inception_weights, "--out", "scores.json"),
    )
    scores = {item["metric"]: item["value"] for item in read_records([tmp_path / "scores.json"])}
    # The extractor's micro-batch differs from the one above, and with it the features' last bits.
    expected = frechet_distance(*moments(pool[:5]), stored["mu"], stored["sigma"])
    assert scores["fid"] == pytest.approx(expected, rel=1e-4)
    expected = frechet_distance(*moments(spatial[:5]), stored["mu_s"], stored["sigma_s"])
    assert scores["sfid"] == pytest.approx(expected, rel=1e-4)
    assert set(scores) == {"fid", "sfid", "inception_score", "precision", "recall"}
    (identity,) = {item["protocol"] for item in read_records([tmp_path / "scores.json"])}
    assert ";fid.moments=stored@" in identity and ";sfid.moments=stored@" in identity


def test_protocols_are_printed_with_what_they_fix(monkeypatch, capsys):
    said = run(monkeypatch, capsys, "protocols")
    for word in ("adm (version 2)", "ddpm", "clean_fid", "torch_fidelity", "classifier", "50000", "never as bytes"):
        assert word in said
    said = run(monkeypatch, capsys, "protocols", "adm")
    assert "inception_score (chunk = 5000)" in said and "ddpm" not in said


# -- pictures, and data sets by name


def write_pictures(folder, images, mode=None, suffix="png"):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        picture.convert(mode or picture.mode).save(folder / f"{number:03d}.{suffix}")


def scores_of(path):
    return {item["metric"]: item["value"] for item in read_records([path])}


def test_a_folder_or_zip_of_pictures_scores_as_the_npz_of_the_same_images(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    images = read_member("samples.npz", "arr_0")
    write_pictures(digits / "grey", images)
    write_pictures(digits / "colour/a", images[:50], "RGB")  # class folders, in the order of their names
    write_pictures(digits / "colour/b", images[50:], "RGB")
    write_pictures(digits / "against", read_member("reference.npz", "arr_0"))
    shutil.make_archive("grey", "zip", digits / "grey")
    given = ("--protocol", "classifier", "--threads", 1, "--out")
    run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "reference.npz", *given, "npz.json")
    expected = scores_of("npz.json")
    for samples, reference in (
        *(("grey", "reference.npz"), ("grey.zip", "reference.npz"), ("colour", "reference.npz")),
        *(("samples.npz", "against"), ("grey", "./against")),
    ):
        run(monkeypatch, capsys, "measure", samples, "--reference", reference, *given, "pictures.json")
        assert scores_of("pictures.json") == expected
    assert json.loads(Path("pictures.json").read_text())["records"][0]["model"] == "grey"


def test_pictures_that_do_not_fit_are_named(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    write_pictures(digits / "mixed", read_member("samples.npz", "arr_0")[:5])
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    Image.new("L", (9, 8)).save(digits / "mixed/b.png")
    assert "mixed/b.png: is 9x8" in run(monkeypatch, capsys, "measure", "mixed", *given, expect=2)
    (digits / "mixed/b.png").write_text("no picture")
    assert "mixed/b.png: cannot be read as an image" in run(monkeypatch, capsys, "measure", "mixed", *given, expect=2)
    (digits / "broken.zip").write_text("no archive")
    assert "neither a folder nor a zip" in run(monkeypatch, capsys, "measure", "broken.zip", *given, expect=2)


def test_a_data_set_by_name_gives_the_id_that_the_benchmarks_own_rows_have(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("--protocol", "classifier", "--rounding", "truncate", "--threads", 1)
    said = run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "digits", *given)
    prepare(PrepareJob(dataset=DatasetPart("digits")), out_train=Path("train.npz"), out_test=Path("test.npz"))
    assert f"reference=train:1297@{sha256('train.npz')[:8]};" in said
    said = run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "digits", "--split", "test", *given)
    assert f"reference=test:500@{sha256('test.npz')[:8]};" in said


def test_a_data_set_at_a_path_is_read_with_its_options(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    for split, n in (("train", 30), ("test", 20)):
        write_pictures(digits / "photos" / split, np.random.default_rng(n).integers(0, 256, (n, 8, 8, 1), np.uint8))
    given = ("--protocol", "classifier", "--threads", 1)
    said = run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "folder:photos channels=1", *given)
    assert "reference=train:30@" in said
    named = ("--reference", "folder channels=1", "--data", "photos", "--split", "test")
    assert "reference=test:20@" in run(monkeypatch, capsys, "measure", "samples.npz", *named, *given)


def test_the_row_of_table2_is_printed(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    lines = run(monkeypatch, capsys, "measure", "samples.npz", *given).splitlines()
    start = lines.index("as a row of table2.csv:")
    (row,) = csv.DictReader(lines[start + 1 : start + 3])
    assert tuple(row) == COLUMNS and row["model"] == "samples.npz" and row["num_images"] == "90"
    assert float(row["fid"]) == pytest.approx(scores_of("samples.npz.classifier.json")["fid"], rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("protocols", "admm"), "did you mean 'adm'?"),
        (("measure", "none.npz", "--reference", "reference.npz", "--protocol", "classifier"), "none.npz: no such file"),
        (("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "fid"), "allowed: adm"),
        (("measure", "samples.npz", "--reference", "pictures"), "pictures: neither an .npz, a folder or a zip"),
        (("measure", "samples.npz", "--reference", "digit"), "did you mean 'digits'? allowed: cifar10"),
        (("measure", "samples.npz", "--reference", "digits:here"), "digits brings its own images"),
        (("measure", "samples.npz", "--reference", "mnist"), "mnist: say where the data are"),
        (("measure", "samples.npz", "--reference", "mnist:"), "give the path of the data once"),
        (("measure", "samples.npz", "--reference", "mnist:a", "--data", "b"), "give the path of the data once"),
        (("measure", "samples.npz", "--reference", "mnist:nowhere"), "nowhere: no such folder"),
        (("measure", "samples.npz", "--reference", "mnist:nowhere sise=3"), "unknown key 'sise'"),
        (("measure", "samples.npz", "--reference", "digits", "--split", "val"), "allowed: train, test"),
        (("measure", "samples.npz", "--reference", "reference.npz", "--data", "b"), "--data: goes with a data set"),
        (
            ("measure", "samples.npz", "--reference", "reference.npz", "--split", "test"),
            "--split: goes with a data set",
        ),
        (("measure", "samples.npz", "--reference", "reference.npz", "--out", "samples.npz"), "samples.npz is an input"),
        (
            ("measure", "samples.npz", "--reference", "reference.npz", "--out", "samples.npz.json"),
            "choose another name",
        ),
        (
            ("measure", "samples.npz", "--reference", "reference.npz", "--out", "reference.npz.json"),
            "provenance of one",
        ),
        (("score", "--samples", "samples.npz", "--reference", "mnist"), "`diffbench measure SAMPLES --reference ...`"),
        (("measure", "samples.npz", "--reference", "reference.npz", "--rounding", "up"), "allowed: truncate, round"),
        (("measure", ".", "--reference", "reference.npz", "--protocol", "classifier"), ".: no pictures below it"),
        (("measure", "samples.npz", "--reference", "reference.npz", "--device", "gpu"), "allowed: auto, cpu, cuda"),
        (("measure", "floats.npz", "--reference", "reference.npz", "--protocol", "classifier"), "wanted uint8 images"),
    ],
)
def test_mistakes_are_one_line(digits, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(digits)
    save_npz(digits / "floats.npz", {"arr_0": np.zeros((9, 8, 8, 1))})
    said = run(monkeypatch, capsys, *arguments, expect=2)
    last = said.splitlines()[-1]
    assert not (digits / "samples.npz.json").exists()
    assert message in last and last.startswith("diffbench: ") and "Traceback" not in said


# -- what is refused before the extraction, and options that change a measurement


@pytest.fixture
def no_extraction(monkeypatch):
    def called(*arguments, **options):
        raise AssertionError("the extraction began")

    monkeypatch.setattr("diffbench.commands.measure.run.extract", called)


@pytest.mark.parametrize(
    ("protocol", "n", "said"),
    [
        ("torch_fidelity", 60, "kid needs at least 1000 of each: leave out by --metrics inception_score,fid, or lower"),
        ("torch_fidelity", 8, "inception_score needs at least 20 samples; kid needs at least 1000 of each"),
        ("torch_fidelity", 8, "--metrics fid, or lower by --set inception_score.splits=N --set kid.subset_size=N"),
        ("adm", 5001, "5001 images leave one for the last chunk of 5000"),
        ("adm", 4, "precision needs at least 5 of each; recall needs at least 5 of each"),
        ("pytorch_fid", 1, "fid needs at least 2 of each: give more images"),
    ],
)
def test_too_few_images_are_refused_before_the_extraction(
    tmp_path, monkeypatch, capsys, no_extraction, inception_weights, protocol, n, said
):
    monkeypatch.chdir(tmp_path)
    np.savez_compressed("few.npz", arr_0=np.random.default_rng(0).integers(0, 256, (n, 4, 4, 3), dtype=np.uint8))
    given = ("few.npz", "--reference", "few.npz", "--protocol", protocol, "--weights", inception_weights)
    line = run(monkeypatch, capsys, "measure", *given, expect=2)
    assert said in line and line.count("\n") == 1


def test_too_few_reference_images_are_refused_before_the_extraction(digits, monkeypatch, capsys, no_extraction):
    monkeypatch.chdir(digits)
    save_npz(digits / "four.npz", {"arr_0": read_member("reference.npz", "arr_0")[:4]})
    given = ("measure", "samples.npz", "--reference", "four.npz", "--protocol", "classifier")
    said = run(monkeypatch, capsys, *given, expect=2)
    assert "90 samples, 4 reference images: precision needs at least 5 of each" in said
    assert "--metrics fid,kid,inception_score,classified" in said


def test_metrics_may_be_left_out_and_set_and_the_id_says_so(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    run(monkeypatch, capsys, *given)
    every = scores_of("samples.npz.classifier.json")
    said = run(monkeypatch, capsys, *given, "--metrics", "fid,inception_score", "--out", "two.json")
    assert scores_of("two.json") == {name: every[name] for name in ("fid", "inception_score")} and "\nkid" not in said
    changed = ("--metrics", "kid", "--set", "kid.subset_size=20", "--set", "kid.subsets=7", "--out", "kid.json")
    said = run(monkeypatch, capsys, *given, *changed)
    assert "kid.subsets=7;kid.subset_size=20" in said and scores_of("kid.json")["kid"] != every["kid"]
    # Another feature is another ruler.
    said = run(monkeypatch, capsys, *given, "--metrics", "fid", "--set", "fid.features=logits", "--out", "logits.json")
    assert "fid.features=logits" in said and scores_of("logits.json")["fid"] != every["fid"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--metrics", "fdi"), "no metric 'fdi'; did you mean 'fid'"),
        (("--metrics", "sfid"), "sfid needs features 'spatial', the extractor has pool, logits"),
        (("--metrics", "fid", "--set", "kid.subset_size=20"), "'kid' is not among the metrics fid"),
        (("--set", "kid.subset=20"), "unknown key 'subset'; did you mean 'subset"),
        (("--set", "kid.subset_size=many"), "'many' is not a whole number"),
        (("--set", "kid.subset_size=50"), "has no effect with subsets = 0"),
        (("--set", "subset_size=50"), "write METRIC.KEY=VALUE"),
        (("--set", "kid.subsets"), "write METRIC.KEY=VALUE"),
        (("--set", "kid.subsets=2", "--set", "kid.subsets=3"), "is given twice"),
        (("--name", "a/b"), "--name 'a/b': must be a word"),
        (("--name", ""), "must be a word"),
    ],
)
def test_options_that_mean_nothing_are_one_line(digits, monkeypatch, capsys, no_extraction, options, said):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier")
    line = run(monkeypatch, capsys, *given, *options, expect=2)
    assert said in line and line.count("\n") == 1


def test_a_label_stands_in_the_place_of_a_models_name(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--metrics", "fid", "--threads", 1)
    run(monkeypatch, capsys, "measure", "samples.npz", *given, "--name", "first", "--out", "a.json")
    save_npz("other.npz", {"arr_0": read_member("reference.npz", "arr_0")[:90]})
    run(monkeypatch, capsys, "measure", "other.npz", *given, "--name", "second", "--out", "b.json")
    assert "first is worse than second" in run(monkeypatch, capsys, "compare", "first", "second", "--results", ".")
    assert "a.json is worse than b.json" in run(monkeypatch, capsys, "compare", "a.json", "b.json")


def test_the_rounding_is_what_the_record_of_our_own_samples_says(digits, monkeypatch, capsys):
    from diffbench.base.provenance import write_provenance

    monkeypatch.chdir(digits)
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--metrics", "fid", "--threads", 1)
    write_provenance(Path("samples.npz"), spec={"sampling": {"rounding": "round"}})
    assert ";rounding=round;" in run(monkeypatch, capsys, "measure", "samples.npz", *given)
    said = run(monkeypatch, capsys, "measure", "samples.npz", *given, "--rounding", "truncate", expect=2)
    assert "samples.npz.json says 'round'" in said


# -- files as people have them


def test_names_in_another_encoding_are_read(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    images = read_member("samples.npz", "arr_0")[:30]
    write_pictures(digits / "plain", images)
    os.mkdir(os.fsencode(digits) + b"/Stra\xdfe")
    for path in sorted((digits / "plain").iterdir()):
        shutil.copy(path, os.fsencode(digits) + b"/Stra\xdfe/\xdf" + path.name.encode())
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--threads", 1, "--out")
    run(monkeypatch, capsys, "measure", "plain", *given, "a.json")
    latin = os.fsdecode(b"Stra\xdfe")
    said = run(monkeypatch, capsys, "measure", latin, *given, "b.json")
    assert (
        scores_of("b.json") == scores_of("a.json")
        and "samples: Stra\\xdfe: 30 pictures (30 images of 8x8, 1 channel)" in said
    )
    assert read_records([Path("b.json")])[0]["model"] == "Stra\\xdfe"


def test_what_is_not_read_is_counted_and_said(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    write_pictures(digits / "folder", read_member("samples.npz", "arr_0")[:30])
    (digits / "folder/notes.txt").write_text("words")
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--metrics", "fid", "--threads", 1)
    said = run(monkeypatch, capsys, "measure", "folder", *given)
    assert "samples: folder: 30 pictures; left out: 1 of .txt (30 images of 8x8, 1 channel)" in said
    assert "reference: reference.npz (120 images of 8x8, 1 channel)" in said
    again = run(monkeypatch, capsys, "measure", "folder", *given)  # from the cache
    assert again == said


def test_one_set_of_images_has_one_id_in_every_container(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    images = read_member("reference.npz", "arr_0")
    np.savez("stored.npz", arr_0=images)
    np.savez_compressed("compressed.npz", arr_0=images)
    os.rename("compressed.npz", "COMPRESSED.NPZ")
    np.savez("labelled.npz", arr_0=images, arr_1=np.arange(len(images)) % 10)
    np.save("plain.npy", images)
    write_pictures(digits / "grey", images)
    write_pictures(digits / "colour", images, "RGB")
    shutil.move(shutil.make_archive("packed", "zip", digits / "grey"), "PACKED.ZIP")
    given = ("--protocol", "classifier", "--metrics", "fid", "--threads", 1, "--out", "a.json")
    found = set()
    for name in ("stored.npz", "COMPRESSED.NPZ", "labelled.npz", "plain.npy", "grey", "colour", "PACKED.ZIP"):
        run(monkeypatch, capsys, "measure", "samples.npz", "--reference", name, *given)
        found.add((read_records([Path("a.json")])[0]["protocol"], scores_of("a.json")["fid"]))
    assert len(found) == 1 and "reference=file:120@" in found.pop()[0]
    np.savez("other.npz", arr_0=images ^ (np.arange(images.size).reshape(images.shape) == 7).astype(np.uint8))
    run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "other.npz", *given)
    assert read_records([Path("a.json")])[0]["protocol"] not in {identity for identity, _ in found}


def test_an_npy_scores_as_the_npz_of_the_same_images(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    np.save("samples.npy", read_member("samples.npz", "arr_0"))
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--threads", 1, "--out")
    for name in ("samples.npz", "samples.npy"):
        run(monkeypatch, capsys, "measure", name, *given, f"of_{name}.json")
    assert scores_of("of_samples.npz.json") == scores_of("of_samples.npy.json")


GIVEN = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"arr_0": GIVEN.transpose(0, 3, 1, 2)}, "channels first; save images.transpose(0, 2, 3, 1)"),
        ({"arr_0": GIVEN.astype(np.int64)}, "convert them to bytes, 0 to 255, first"),
        ({"arr_0": np.asfortranarray(GIVEN.repeat(2, 3))}, "Fortran order; save np.ascontiguousarray(images)"),
        ({"arr_0": GIVEN, "arr_1": GIVEN}, "save each set of images in a file of its own"),
        ({"arr_0": GIVEN, "arr_1": np.arange(8)}, "one for each of the 9 images"),
        ({"images": GIVEN}, "no array 'arr_0', which holds the images, but images; rename it"),
        ({"mu": np.zeros(64), "sigma": np.eye(64)}, "statistics without images, so their protocol is unknown"),
        ({"arr_0": GIVEN.repeat(4, 3)}, "images of 4 channels, and the protocol's extractor takes 1"),
        ({"arr_0": GIVEN[:0]}, "holds no images"),
    ],
    ids=["nchw", "int64", "fortran", "two sets", "labels", "named", "statistics", "rgba", "none"],
)
@pytest.mark.parametrize("side", ["samples", "reference"])
def test_what_are_no_images_is_one_line_before_the_extraction(
    digits, monkeypatch, capsys, no_extraction, side, arrays, said
):
    monkeypatch.chdir(digits)
    np.savez(f"{side}.npz", **arrays)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier")
    line = run(monkeypatch, capsys, *given, expect=2)
    assert f"{side}.npz" in line and said in line and line.count("\n") == 1


def test_samples_that_are_the_reference_are_told(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    np.savez_compressed("again.npz", arr_0=read_member("samples.npz", "arr_0"))
    given = ("--protocol", "classifier", "--metrics", "fid", "--threads", 1)
    word = "samples and reference are the same images"
    assert word in run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "again.npz", *given)
    assert word not in run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "reference.npz", *given)


def test_colour_is_reduced_to_grey_only_where_the_extractor_takes_nothing_else(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    write_pictures(tmp_path / "colour", images)
    write_pictures(tmp_path / "grey", images[..., :1])
    found = image_file(tmp_path / "colour", tmp_path / "cache", Wanted())
    assert np.array_equal(read_member(found.file, "arr_0"), images) and "luma" not in found.read
    found = image_file(tmp_path / "colour", tmp_path / "cache", Wanted(channels=1))
    assert read_member(found.file, "arr_0").shape == (5, 8, 8, 1)
    assert "5 in colour, reduced to their luma, for the extractor takes grey only" in found.read
    found = image_file(tmp_path / "grey", tmp_path / "cache", Wanted())
    assert np.array_equal(read_member(found.file, "arr_0"), images[..., :1])


@pytest.mark.slow
def test_colour_and_grey_meet_as_pytorch_fid_takes_them(tmp_path, inception_weights, monkeypatch, capsys):
    """pytorch-fid 0.3.0 takes all pictures as RGB: 377.83999825 on these pictures and weights."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    for name, channels in (("colour", 3), ("grey", 1)):
        small = draws.integers(0, 256, (40, 4, 4, channels), dtype=np.uint8)
        pictures = [Image.fromarray(x[..., 0] if channels == 1 else x) for x in small]
        large = [np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC)) for picture in pictures]
        write_pictures(tmp_path / name, np.stack(large).reshape(40, 32, 32, channels))
        np.savez(tmp_path / f"{name}.npz", arr_0=np.stack(large).reshape(40, 32, 32, channels))
    given = ("--protocol", "pytorch_fid", "--weights", inception_weights, "--out", "a.json")
    for samples, reference in (("colour", "grey"), ("colour.npz", "grey"), ("grey", "colour"), ("colour", "grey.npz")):
        run(monkeypatch, capsys, "measure", samples, "--reference", reference, *given)
        assert scores_of("a.json")["fid"] == pytest.approx(377.83999825, rel=1e-5)


def test_pictures_of_several_sizes_are_refused_where_each_is_not_resized_by_itself(
    tmp_path, monkeypatch, capsys, no_extraction, inception_weights
):
    monkeypatch.chdir(tmp_path)
    for k, size in enumerate([(20, 30), (31, 22), (20, 30)]):
        (tmp_path / "real").mkdir(exist_ok=True)
        Image.new("RGB", size).save(tmp_path / f"real/{k}.png")
    given = ("measure", "real", "--reference", "real", "--weights", inception_weights, "--protocol")
    said = run(monkeypatch, capsys, *given, "pytorch_fid", expect=2)
    assert "real/1.png: is 31x22, but real/0.png is 20x30" in said and "clean_fid does" in said
    with pytest.raises(AssertionError, match="the extraction began"):
        run(monkeypatch, capsys, *given, "clean_fid", "--metrics", "fid")


# -- the cache, and places that cannot be written


def features_in(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / ".cache/features").glob("*.npz")}


def test_a_changed_file_at_the_same_path_is_measured_anew(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    run(monkeypatch, capsys, "measure", "samples.npz", *given)
    before = scores_of("samples.npz.classifier.json")
    state = os.stat("samples.npz")
    images = np.array(read_member("samples.npz", "arr_0"))
    save_npz("samples.npz", {"arr_0": images[::-1] // 2})
    os.utime("samples.npz", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert os.stat("samples.npz").st_size == state.st_size
    run(monkeypatch, capsys, "measure", "samples.npz", *given)
    assert scores_of("samples.npz.classifier.json")["fid"] != before["fid"]


@pytest.mark.parametrize("when", ["before", "within"])
def test_a_file_that_changes_while_it_is_read_leaves_no_features(digits, monkeypatch, capsys, when):
    """Between the hash that names the features and the extraction, or between the extraction's own hash and its end."""
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    whole, images = Path("samples.npz").read_bytes(), np.array(read_member("samples.npz", "arr_0"))
    owner, name = (measure, "extract") if when == "before" else (stage, "write_features")
    original = getattr(owner, name)

    def changed(*arguments, **options):
        save_npz("samples.npz", {"arr_0": images // 2})
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, changed)
    said = run(monkeypatch, capsys, *given, expect=2)
    (line,) = [line for line in said.splitlines() if line.startswith("diffbench: ")]
    assert line == "diffbench: samples.npz: changed while it was read; measure again once nothing writes it"
    assert not list(digits.glob(".cache/features/*.npz*")) and not list(digits.glob("*.classifier.json"))
    monkeypatch.setattr(owner, name, original)
    Path("samples.npz").write_bytes(whole)
    run(monkeypatch, capsys, *given)


def test_pictures_that_change_while_they_are_read_are_not_kept(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    images = np.array(read_member("samples.npz", "arr_0"))
    write_pictures(digits / "pictures", images)
    given = ("measure", "pictures", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    original = image_sets.writing_npz

    def changed(path):
        write_pictures(digits / "pictures", images // 2)
        return original(path)

    monkeypatch.setattr(image_sets, "writing_npz", changed)
    said = run(monkeypatch, capsys, *given, expect=2)
    (line,) = [line for line in said.splitlines() if line.startswith("diffbench: pictures: its pictures changed")]
    assert "measure again once nothing writes them" in line and not list(digits.glob(".cache/*/*.npz*"))


def test_features_of_other_images_in_the_cache_are_not_taken(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    run(monkeypatch, capsys, *given)
    first = Path("samples.npz.classifier.json").read_bytes()
    one, other = sorted(features_in(digits))
    for end in ("", ".json"):
        shutil.copy(f"{one}{end}", f"{other}{end}")
    run(monkeypatch, capsys, *given)
    assert Path("samples.npz.classifier.json").read_bytes() == first


@pytest.mark.parametrize("kind", ["features", "pictures"])
@pytest.mark.parametrize("part", ["file", "record"])
def test_a_damaged_file_in_the_cache_is_made_again(digits, monkeypatch, capsys, kind, part):
    monkeypatch.chdir(digits)
    write_pictures(digits / "pictures", read_member("samples.npz", "arr_0"))
    given = ("measure", "pictures", "--reference", "reference.npz", "--protocol", "classifier", "--threads", 1)
    run(monkeypatch, capsys, *given)
    first = Path("pictures.classifier.json").read_bytes()
    for path in (digits / ".cache" / kind).glob("*.npz" if part == "file" else "*.npz.json"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2 if part == "file" else 0] ^= 1
        path.write_bytes(content)
    monkeypatch.setattr("sys.argv", ["diffbench", *map(str, given)])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert not leaving.value.code
    assert "was damaged, and is made again" in capsys.readouterr().err
    assert Path("pictures.classifier.json").read_bytes() == first
    # Whole again: the third time nothing is made.
    before = features_in(digits)
    run(monkeypatch, capsys, *given)
    assert features_in(digits) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--out", "/proc/no/a.json"], "/proc/no/a.json: cannot be written"),
        (["--cache", "/proc/no"], "choose another place by --cache"),
        (["--out", "reference.npz/a.json"], "choose another place by --out"),
        (["--out", "."], ".: cannot be written (Is a directory); choose another place by --out"),
    ],
)
def test_places_that_cannot_be_written_are_named_before_the_work(
    digits, monkeypatch, capsys, no_extraction, options, said
):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier")
    line = run(monkeypatch, capsys, *given, *options, expect=2)
    assert said in line and line.count("\n") == 1


def small_files():
    """What a process of its own does first, so that its disk is full after 16 kB a file."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**14, 2**14))


def test_a_full_disk_is_named_before_the_work(digits):
    command = [Path(sys.executable).with_name("diffbench"), "measure", "samples.npz", "--reference", "reference.npz"]
    given = {"cwd": digits, "capture_output": True, "text": True, "preexec_fn": small_files}
    done = subprocess.run([*command, "--protocol", "classifier"], **given)
    said = "samples.npz.classifier.json: cannot be written (File too large); choose another place by --out\n"
    assert done.returncode == 2 and done.stderr == f"diffbench: {said}"
    assert not (digits / ".cache").exists() and not list(digits.glob("*.json"))


def test_a_disk_that_fills_up_during_the_work_names_the_file_and_the_option(digits, monkeypatch, capsys):
    import errno

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.chdir(digits)
    monkeypatch.setattr("diffbench.stages.extract._waiting_features", full)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier")
    said = run(monkeypatch, capsys, *given, expect=2)
    assert ".cache/features/" in said and "(No space left on device)" in said and "by --cache" in said


# -- a classifier that a benchmark trained, and a benchmark's own protocol

PHOTOS = """
benchmark: photos
dataset: {name: folder, path: photos, channels: 1}
models:
  ddpm: {network: {channels: 8, channel_multipliers: [1, 2], residual_blocks: 1, attention_resolutions: [4], heads: 2, norm_groups: 4}, timesteps: 1000, training: {steps: 2, batch_size: 16}}
samplers: {ancestral: {}, ddim: {}}
bound: {timesteps: 2, num_images: 8}
extractors: {strokes: {name: classifier, width: 8, dimensions: 8, steps: 20, batch: 16}}
protocols:
  own: {extractor: strokes, metrics: [fid, kid, inception_score, precision, recall, classified], settings: {kid: {subsets: 3, subset_size: 10}}}
runs: [{models: [ddpm], samplers: [ancestral], steps: [2], num_images: 30, protocols: [own]}]
execution: {threads: 1}
"""  # noqa: E501


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A benchmark of class folders, whose tree lies beside it, with samples as the workflow makes them and scores them."""
    from diffbench.base.records import Row
    from diffbench.benchmark import jobs, paths
    from diffbench.benchmark.load import load_benchmark
    from diffbench.stages.extract import extract
    from diffbench.stages.fit import fit
    from diffbench.stages.score import score_features

    draws = np.random.default_rng(0)
    for split, n in (("train", 40), ("test", 20)):
        for name in ("a", "b"):
            low, high = (0, 150) if name == "a" else (100, 256)
            images = draws.integers(low, high, (n, 8, 8, 1), dtype=np.uint8)
            write_pictures(tmp_path / "photos" / split / name, images)
    (tmp_path / "photos.yaml").write_text(PHOTOS)
    monkeypatch.chdir(tmp_path)
    for module in ("ruler", "image_sets"):
        monkeypatch.setattr(f"diffbench.commands.measure.{module}.home_of", lambda name: tmp_path / "runs" / name)
    home = tmp_path / "runs/photos"
    benchmark = load_benchmark("photos.yaml")
    at = {name: home / paths.data(name) for name in ("train", "test")}
    prepare(jobs.prepare_job(benchmark), out_train=at["train"], out_test=at["test"], path=tmp_path / "photos")
    weights = home / paths.extractor("strokes")
    fit(jobs.fit_job(benchmark, "strokes"), at["train"], at["test"], weights)
    samples = home / paths.samples("results", "ddpm/train0/ancestral/sample0", 2)
    samples.parent.mkdir(parents=True)
    save_npz(samples, {"arr_0": draws.integers(0, 256, (30, 8, 8, 1), dtype=np.uint8)})
    write_provenance(samples, spec={"sampling": {"rounding": "truncate"}})
    features = [home / paths.features("results", "strokes", "ddpm", 2), home / paths.real_features("strokes", "train")]
    job = jobs.extract_job(benchmark, "strokes")
    for images, out in zip((samples, at["train"]), features, strict=True):
        extract(job, images, out, weights=weights, device="cpu")
    row = Row("photos", "ddpm", "ancestral", 2, train_seed=0, sample_seed=0)
    score_features(jobs.score_job(benchmark, "own", row), *features, home / "results/scores/own/ddpm/2.json")
    return home


def numbers_of(path):
    return {
        item["metric"]: tuple(item[key] for key in ("protocol", "value", "low", "high"))
        for item in read_records([path])
    }


def test_a_benchmarks_own_protocol_gives_its_scores_and_ids(photos, monkeypatch, capsys):
    samples = photos / "results/samples/ddpm/train0/ancestral/sample0/2.npz"
    given = ("measure", samples, "--protocol", "photos.yaml:own", "--threads", 1, "--device", "cpu", "--out", "a.json")
    said = run(monkeypatch, capsys, *given)
    expected = numbers_of(photos / "results/scores/own/ddpm/2.json")
    assert numbers_of("a.json") == expected and f"split train of photos ({photos}/results/data/train.npz)" in said
    assert all("extractor=strokes@" in identity for identity, *_ in expected.values())
    # Without the tree's data, the pictures themselves are prepared, which gives the same id.
    for path in (photos / "results/data").iterdir():
        path.unlink()
    run(monkeypatch, capsys, *given)
    assert numbers_of("a.json") == expected
    # A row of the tree and the measured file are comparable, and equal.
    told = run(monkeypatch, capsys, "compare", "ddpm", "a.json", "--results", photos / "results", "--metric", "FID,kid")
    assert told.count("is not resolved") == 2
    run(monkeypatch, capsys, *given[:-1], "b.json", "--split", "test")
    said = run(monkeypatch, capsys, "compare", "a.json", "b.json", expect=2)
    assert "not comparable: reference (train:80@" in said
    # Python has the same.
    import diffbench

    found = diffbench.measure(samples, protocol="photos.yaml:own", metrics=["FID"], device="cpu")
    assert [(item["metric"], item["value"]) for item in found] == [("fid", expected["fid"][1])]


def test_scores_of_samples_in_results_are_written_outside_them(photos, monkeypatch, capsys):
    """The tree stays what the workflow made; the user's own folder called results is no such tree."""
    samples = photos / "results/samples/ddpm/train0/ancestral/sample0/2.npz"
    before = sorted((photos / "results").rglob("*"))
    given = ("--protocol", "photos.yaml:own", "--threads", 1, "--device", "cpu")
    said = run(monkeypatch, capsys, "measure", samples, *given)
    written = "measured/samples/ddpm/train0/ancestral/sample0/2.npz.own.json"
    assert f"written to runs/photos/{written}\n" in said and sorted((photos / "results").rglob("*")) == before
    assert numbers_of(photos / written) == numbers_of(photos / "results/scores/own/ddpm/2.json")
    Path("results").mkdir()
    shutil.copy(samples, "results/mine.npz")
    run(monkeypatch, capsys, "measure", "results/mine.npz", *given)
    assert Path("results/mine.npz.own.json").is_file()


def test_a_trained_classifier_is_an_extractor(photos, monkeypatch, capsys):
    samples = photos / "results/samples/ddpm/train0/ancestral/sample0/2.npz"
    weights = photos / "results/extractors/strokes.safetensors"
    given = ("--threads", 1, "--device", "cpu", "--set", "KID.subsets=3", "--set", "kid.subset_size=10")
    named = ("--reference", "folder:photos channels=1", "--extractor", weights, "--out", "a.json")
    run(monkeypatch, capsys, "measure", samples, *named, *given)
    assert numbers_of("a.json") == numbers_of(photos / "results/scores/own/ddpm/2.json")
    # A copy without its record, and pictures against pictures.
    shutil.copy(weights, "strokes.safetensors")
    named = ("--reference", "photos/test", "--extractor", "strokes.safetensors", "--out", "b.json")
    said = run(monkeypatch, capsys, "measure", "photos/train/a", *named, *given)
    assert "extractor=strokes@" in said and "reference=file:40@" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--extractor", "none.safetensors"), "none.safetensors: no such file; the run of a benchmark whose protocol"),
        (("--extractor", "samples.npz"), "not a classifier that a benchmark trained"),
        (("--extractor", "samples.npz", "--weights", "w.pth"), "--extractor brings its own; give one"),
        (
            ("--extractor", "none.safetensors", "--protocol", "adm"),
            "is for its own extractor, inception; with --extractor",
        ),
        (("--protocol", "none.yaml:own"), "none.yaml: cannot be read"),
        (("--protocol", "photos.yaml"), "write photos.yaml:NAME with the name of one of its protocols"),
        (("--protocol", "photos.yaml:onw"), "no such protocol in photos.yaml; did you mean 'own'? allowed: own"),
        (
            ("--protocol", "photos.yaml:own"),
            "results/extractors/strokes.safetensors: missing, the weights of extractor 'strokes'; make them by: snakemake "
            "--cores all results/extractors/strokes.safetensors --configfile photos.yaml",
        ),
        (("--protocol", "photos.yaml:own", "--extractor", "x.safetensors"), "has an extractor of its own; leave"),
        (
            ("--protocol", "classifier", "--weights", "samples.npz"),
            "leave out --weights samples.npz, or give a classifier",
        ),
        (("--protocol", "adm", "--weights", "none.pth"), "--weights none.pth: no such file"),
        (("--protocol", "classifier", "--append"), "--append: adds a row to the file of --csv"),
        (("--protocol", "classifier", "--label", "x"), "--label is now called --name"),
        (("--protocol", "classifier", "--metrics", "IS"), "no metric 'IS'; did you mean 'inception_score'?"),
    ],
)
def test_rulers_that_do_not_exist_are_one_line(digits, monkeypatch, capsys, no_extraction, options, said):
    monkeypatch.chdir(digits)
    (digits / "photos.yaml").write_text(PHOTOS)
    line = run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "reference.npz", *options, expect=2)
    assert said in line and line.count("\n") == 1


def test_without_a_reference_the_message_says_what_may_be_one(digits, monkeypatch, capsys, no_extraction):
    monkeypatch.chdir(digits)
    line = run(monkeypatch, capsys, "measure", "samples.npz", "--protocol", "classifier", expect=2)
    assert "--reference: say what the samples are compared with" in line and line.count("\n") == 1


def test_an_extractor_of_other_settings_than_the_benchmarks_is_not_taken(photos, monkeypatch, capsys):
    Path("photos.yaml").write_text(PHOTOS.replace("steps: 20, batch: 16}}", "steps: 30, batch: 16}}"))
    samples = photos / "results/samples/ddpm/train0/ancestral/sample0/2.npz"
    line = run(monkeypatch, capsys, "measure", samples, "--protocol", "photos.yaml:own", expect=2)
    assert "was trained with other settings than photos.yaml has; make it again by: snakemake" in line


def test_images_of_another_shape_than_the_classifiers_are_named(photos, monkeypatch, capsys):
    np.savez("large.npz", arr_0=np.zeros((30, 9, 9, 1), np.uint8))
    given = ("--protocol", "photos.yaml:own", "--device", "cpu", "--threads", 1)
    said = run(monkeypatch, capsys, "measure", "large.npz", *given, expect=2).splitlines()[-1]
    assert "large.npz: images of shape (9, 9, 1), but the classifier was trained on (8, 8, 1)" in said
    np.savez("colour.npz", arr_0=np.zeros((30, 8, 8, 3), np.uint8))
    said = run(monkeypatch, capsys, "measure", "colour.npz", *given, expect=2).splitlines()[-1]
    assert "images of 3 channels, and the protocol's extractor takes 1; give a folder of pictures" in said


def test_without_a_network_the_message_says_what_works(digits, monkeypatch, capsys):
    import torch

    def offline(*arguments, **options):
        raise OSError("Name or service not known")

    monkeypatch.chdir(digits)
    monkeypatch.setenv("TORCH_HOME", str(digits / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    said = run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "reference.npz", expect=2).splitlines()[-1]
    for word in ("weights-inception-2015-12-05-6726825d.pth", "--weights", "--extractor FILE", "--protocol classifier"):
        assert word in said
    # What the message names works.
    assert "fid" in run(monkeypatch, capsys, "measure", "samples.npz", "--reference", "reference.npz", "--protocol",
                        "classifier", "--threads", 1)  # fmt: skip


# -- a file of rows


def test_checkpoints_in_a_loop_fill_one_file(digits, monkeypatch, capsys):
    monkeypatch.chdir(digits)
    images = np.array(read_member("samples.npz", "arr_0"))
    given = ("--reference", "reference.npz", "--protocol", "classifier", "--metrics", "fid,kid", "--threads", 1)
    rows = ("--csv", "all.csv", "--append")
    for number in range(3):
        (digits / f"step{number}").mkdir()
        save_npz(digits / f"step{number}/samples.npz", {"arr_0": images // (number + 1)})
        said = run(
            monkeypatch, capsys, "measure", f"step{number}/samples.npz", *given, *rows, "--name", f"step{number}"
        )
        assert said.endswith(f"and as row {number + 1} of all.csv\n")
    content = Path("all.csv").read_text()
    table = list(csv.DictReader(content.splitlines()))
    assert [row["model"] for row in table] == ["step0", "step1", "step2"] and content.count("model") == 1
    for number, row in enumerate(table):
        scores = numbers_of(f"step{number}/samples.npz.classifier.json")
        assert tuple(float(row[f"kid{end}"]) for end in ("", "_low", "_high")) == scores["kid"][1:]
        assert row["protocol"] == scores["fid"][0] and row["num_images"] == "90"
    # The file is a table for `compare`, and a loop that runs again adds nothing.
    assert "step2 is worse than step0" in run(monkeypatch, capsys, "compare", "step2", "step0", "--results", "all.csv")
    said = run(monkeypatch, capsys, "measure", "step1/samples.npz", *given, *rows, "--name", "step1")
    assert said.endswith("and not again to all.csv, which has this row\n") and Path("all.csv").read_text() == content
    for options, word in (
        (
            ("step1/samples.npz", *rows, "--name", "step0"),
            "has a row 'step0' with other scores; give these another --name",
        ),
        (("step1/samples.npz", "--csv", "all.csv"), "all.csv: exists; add a row to it by --append"),
        (
            ("step1/samples.npz", *rows, "--metrics", "recall"),
            "its rows have the metrics fid,kid; give these by --metrics",
        ),
        (("few.npz", *rows), "its rows have another protocol, n (90, and 80 here); write these scores to another file"),
    ):
        save_npz(digits / "few.npz", {"arr_0": images[:80]})
        said = run(monkeypatch, capsys, "measure", options[0], *given, *options[1:], expect=2).splitlines()[-1]
        assert word in said and Path("all.csv").read_text() == content
    # The line of an editor that leaves out the last line break is not glued to the next.
    Path("all.csv").write_text(content.rstrip("\n"))
    run(monkeypatch, capsys, "measure", "step1/samples.npz", *given, *rows, "--name", "again")
    assert Path("all.csv").read_text().startswith(content) and len(Path("all.csv").read_text().splitlines()) == 5


def test_a_file_that_measure_did_not_write_is_not_added_to(digits, monkeypatch, capsys, no_extraction):
    monkeypatch.chdir(digits)
    given = ("measure", "samples.npz", "--reference", "reference.npz", "--protocol", "classifier", "--append", "--csv")
    for name, content in (("mine.csv", b"name,fid\na,1\n"), ("bytes.csv", b"\xff\xfe\x00"), ("blank.csv", b"\n\n")):
        (digits / name).write_bytes(content)
        line = run(monkeypatch, capsys, *given, name, expect=2)
        assert f"--csv {name}: " in line and "to another file by --csv" in line and line.count("\n") == 1
        assert (digits / name).read_bytes() == content

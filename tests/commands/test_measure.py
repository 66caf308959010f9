"""`diffbench measure` on files in the formats that people have, and `diffbench protocols`."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench import cli
from diffbench.base.arrays import read_member, save_npz
from diffbench.base.artifacts import sha256, write_provenance
from diffbench.base.records import read_records
from diffbench.metrics.fid import frechet_distance, moments
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
        patched.setattr("diffbench.commands.measure.code_hash", lambda modules: "another")
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


def test_protocols_are_printed_with_what_they_fix(monkeypatch, capsys):
    said = run(monkeypatch, capsys, "protocols")
    for word in ("adm (version 1)", "ddpm", "clean_fid", "torch_fidelity", "classifier", "50000", "never as bytes"):
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
    prepare({"dataset": {"name": "digits"}}, out_train=Path("train.npz"), out_test=Path("test.npz"))
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
        (("measure", "samples.npz", "--reference", "digits:here"), "digits: brings its own images"),
        (("measure", "samples.npz", "--reference", "mnist"), "mnist: say where the data are"),
        (("measure", "samples.npz", "--reference", "mnist:"), "give the path of the data once"),
        (("measure", "samples.npz", "--reference", "mnist:a", "--data", "b"), "give the path of the data once"),
        (("measure", "samples.npz", "--reference", "mnist:nowhere"), "nowhere: no such folder"),
        (("measure", "samples.npz", "--reference", "mnist:nowhere sise=3"), "unknown key 'sise'"),
        (("measure", "samples.npz", "--reference", "digits", "--split", "val"), "allowed: train, test"),
        (("measure", "samples.npz", "--reference", "reference.npz", "--data", "b"), "--data: goes with a data set"),
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

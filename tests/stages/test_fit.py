"""fit: a data set's own extractor, and its use afterwards."""

import json

import numpy as np

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.fit import FitJob
from diffbench.stages.extract import extract
from diffbench.stages.fit import fit, main

SPEC = {
    "extractor": {"name": "classifier", "width": 4, "dimensions": 8, "steps": 3, "batch": 16},
    "threads": 1,
}


def test_weights_with_provenance_that_extract_uses(data, tmp_path):
    out = tmp_path / "w.safetensors"
    facts = fit(FitJob.read(SPEC), data / "train.npz", data / "test.npz", out)
    provenance = read_provenance(out)
    assert provenance["facts"] == facts and 0 <= facts["held_out_accuracy"] <= 1
    assert facts["trained_on"] == sha256(data / "train.npz")
    assert provenance["inputs"] == {"data": sha256(data / "train.npz"), "held_out": sha256(data / "test.npz")}
    extract(ExtractJob.read(SPEC), data / "test.npz", tmp_path / "f.npz", weights=out, device="cpu")
    assert read_provenance(tmp_path / "f.npz")["facts"]["weights_sha256"] == sha256(out)
    with np.load(tmp_path / "f.npz") as content, np.load(data / "test.npz") as images:
        predicted = content["logits"].argmax(axis=1)
        assert np.mean(predicted == images["arr_1"]) == facts["held_out_accuracy"]
    main(
        ["--spec", json.dumps(SPEC), "--data", str(data / "train.npz"), "--held-out", str(data / "test.npz")]
        + ["--out", str(tmp_path / "again.safetensors"), "--run-record", str(tmp_path / "r.json")]
    )
    assert sha256(tmp_path / "again.safetensors") == sha256(out)
    assert json.loads((tmp_path / "r.json").read_text())["held_out_accuracy"] == facts["held_out_accuracy"]


def test_mistakes_are_one_line(data, tmp_path, failing):
    def call(spec=SPEC, source=data / "train.npz"):
        return ["--spec", json.dumps(spec), "--data", source, "--held-out", data / "test.npz", "--out", tmp_path / "w"]

    assert "no.npz: no such file" in failing(main, call(source=tmp_path / "no.npz"))
    own = {"extractor": {"name": "digits_features"}, "threads": 1}
    assert "extractor digits_features brings its own weights" in failing(main, call(own))
    with np.load(data / "train.npz") as content:
        save_npz(tmp_path / "unlabelled.npz", {"arr_0": content["arr_0"]})
    write_provenance(tmp_path / "unlabelled.npz", spec={})
    assert "the data set has no labels" in failing(main, call(source=tmp_path / "unlabelled.npz"))
    assert not (tmp_path / "w").exists()

"""score: records of metrics with their intervals and ids, without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import provenance_path, read_provenance, write_recorded
from diffbench.base.records import read_records
from diffbench.metrics.ct import Ct
from diffbench.metrics.fid import Fid
from diffbench.stages.score import main

PROTOCOL = {"name": "classifier", "extractor": "digits_features", "k": 3, "splits": 1}
ROW = {
    "benchmark": "smoke",
    "model": "ddpm",
    "sampler": "ddim",
    "steps": 4,
    "guidance_scale": None,
    "train_seed": 0,
    "sample_seed": 0,
}
SPEC = {"protocol": PROTOCOL, "rounding": "truncate", "row": ROW}


def features(path, seed, num_images=80, sha="a" * 64, resize="none"):
    draw = np.random.default_rng(seed)
    pool, logits = draw.normal(size=(num_images, 6)), draw.normal(size=(num_images, 10))
    save_npz(path, {"pool": pool.astype(np.float32), "logits": logits.astype(np.float32)})
    facts = {"weights_sha256": sha, "num_images": num_images, "resize": resize, "pixels_sha256": "b" * 64}
    write_provenance(path, spec={}, inputs=checked({"images": __file__}, foreign=["images"]), facts=facts)
    return path


def terms(path, num_images=9, split="test", seed=0, weights="w" * 64, data="d" * 64):
    draw = np.random.default_rng(seed)
    vlb, width = draw.random((num_images, 3)), np.array([1, 3, 6])
    prior, mse = np.full(num_images, 0.01), draw.random((num_images, 3)) / 100
    save_npz(path, {"vlb": vlb, "width": width, "prior": prior, "x_0_mse": mse, "bits_per_dim": prior + vlb @ width})
    facts = {"num_images": num_images, "of": 50, "levels": 17, "split": split}
    write_provenance(path, spec={}, facts=facts | ({"uniform_bits_per_dim": 4.0} if split == "test" else {}))
    write_recorded(provenance_path(path), read_provenance(path) | {"inputs": {"weights": weights, "data": data}})
    return vlb, width, prior, mse


def call(*more, spec=SPEC, out):
    return [str(a) for a in ("--spec", json.dumps(spec), *more, "--out", out)]


def test_a_reference_file_is_named_by_its_images_and_each_frechet_distance_by_the_moments_it_takes(tmp_path):
    own, other = features(tmp_path / "f.npz", 0), features(tmp_path / "ref.npz", 1, 90)
    facts = {"weights_sha256": "a" * 64, "num_images": 90, "resize": "none", "pixels_sha256": "1234567890" + "0" * 54}
    spec = {**SPEC, "protocol": {**PROTOCOL, "reference": "batch.npz", "metrics": ["fid", "precision"]}}
    found = {}
    for name, moments in (("own", {}), ("stored", {"pool": "f" * 64}), ("others", {"spatial": "e" * 64})):
        images = checked({"images": __file__}, foreign=["images"])
        write_provenance(other, spec={}, inputs=images, facts=facts | {"moments": moments})
        main(call("--features", own, "--reference", other, spec=spec, out=tmp_path / "scores.json"))
        found[name] = read_records([tmp_path / "scores.json"])[0]["protocol"]
    assert ";reference=file:90@12345678;" in found["own"] and "moments" not in found["own"]
    assert found["stored"] == found["own"] + ";fid.moments=stored@ffffffff" and found["others"] == found["own"]


def test_every_metric_of_the_protocol_with_interval_id_and_cost(tmp_path):
    own, other = features(tmp_path / "f.npz", 0), features(tmp_path / "ref.npz", 1, 90)
    samples = tmp_path / "s.npz.json"
    cost = {"nfe": 4.0, "flops_per_evaluation": 1000}
    write_recorded(samples, {"sha256": sha256(__file__), "facts": cost})
    out = tmp_path / "scores.json"
    main(call("--features", own, "--reference", other, "--samples-provenance", samples, out=out))
    found = {item["metric"]: item for item in read_records([out])}
    assert {"fid", "kid", "inception_score", "precision", "recall"} <= set(found)
    for item in found.values():
        assert {key: item[key] for key in ROW} == ROW and item["num_images"] == 80
        assert item["low"] <= item["value"] <= item["high"]
        fields = dict(field.split("=") for field in item["protocol"].split(";"))
        images = sha256(__file__)[:8]
        assert fields.pop("reference") == f"train:90@{images}" and "seed" not in fields
        assert fields == {
            "protocol": "classifier@2",
            "extractor": "digits_features@aaaaaaaa",
            "resize": "none",
            "rounding": "truncate",
            "n": "80",
            "kid.subsets": "0",
            "kid.subset_size": "1000",
            "inception_score.splits": "1",
            "precision.k": "3",
            "precision.num_reference": "90",
            "recall.k": "3",
            "recall.num_reference": "90",
            "classified.confidence": "0.9",
        }
    assert found["nfe"]["value"] == 4 and found["flops_per_image"]["value"] == 4000
    with np.load(own) as a, np.load(other) as b:
        assert found["fid"]["value"] == Fid()(a, b).value
    provenance = read_provenance(out)
    assert provenance["inputs"] == {
        "features": sha256(own),
        "reference": sha256(other),
        "samples_provenance": sha256(samples),
    }
    first = sha256(out)
    main(call("--features", own, "--reference", other, "--samples-provenance", samples, out=out))
    assert sha256(out) == first


def test_a_metric_that_needs_held_out_images_gets_them_and_names_them_in_its_id(tmp_path):
    own, other, unseen = (features(tmp_path / f"{i}.npz", i, n) for i, n in enumerate((80, 90, 70)))
    spec = {**SPEC, "protocol": {**PROTOCOL, "metrics": ["precision", "ct"], "settings": {"ct": {"min_generated": 3}}}}
    out = tmp_path / "scores.json"
    given = ("--features", own, "--reference", other)
    main(call(*given, "--held-out", unseen, spec=spec, out=out))
    found = {item["metric"]: item for item in read_records([out])}
    with np.load(own) as a, np.load(other) as b, np.load(unseen) as c:
        assert found["ct"]["value"] == Ct(min_generated=3)(a, b, c).value
    assert found["ct"]["protocol"].endswith(f";ct.held_out=70@{sha256(__file__)[:8]}")
    assert read_provenance(out)["inputs"]["held_out"] == sha256(unseen)
    with pytest.raises(UserError, match="ct: needs real images that the model was not trained on; give --held-out"):
        main(call(*given, spec=spec, out=out))
    with pytest.raises(UserError, match="--held-out: none of .* needs it; leave it out"):
        main(call(*given, "--held-out", unseen, out=out))
    with pytest.raises(UserError, match="come from different extractors"):
        main(call(*given, "--held-out", features(tmp_path / "x.npz", 3, 70, sha="c" * 64), spec=spec, out=out))
    # Held-out real images are the ones that are scored in the row `real`, so they have no such metric, but one id.
    real = {**spec, "row": {**ROW, "model": "real", "num_images": 60}}
    main(call("--features", unseen, "--reference", other, spec=real, out=out))
    (record,) = read_records([out])
    assert record["metric"] == "precision"
    assert record["protocol"] == found["ct"]["protocol"].replace("n=80", "n=60")


def test_the_bound_with_rate_and_distortion(tmp_path):
    vlb, width, prior, mse = terms(tmp_path / "t.npz")
    main(call("--terms", tmp_path / "t.npz", spec={"row": ROW}, out=tmp_path / "b.json"))
    found = {item["metric"]: item for item in read_records([tmp_path / "b.json"])}
    total = prior + vlb @ width
    assert np.isclose(found["nll_bits_per_dim"]["value"], total.mean())
    margin = found["nll_bits_per_dim"]["high"] - found["nll_bits_per_dim"]["value"]
    assert np.isclose(margin / 1.959964, total.std(ddof=1) / 3)
    assert np.isclose(found["distortion_bits_per_dim"]["value"], vlb[:, 0].mean())
    assert np.isclose(found["rate_bits_per_dim"]["value"] + found["distortion_bits_per_dim"]["value"], total.mean())
    assert np.isclose(found["distortion_rmse"]["value"], 127.5 * np.sqrt(mse[:, 0].mean()))
    protocol = "bound;split=test@dddddddd;n=9;of=50;flip=false;levels=17;strata=3;clip=true;version=2"
    assert found["nll_bits_per_dim"]["protocol"] == protocol
    difference = vlb[:, 1] * 3 - vlb[:, 2] * 6
    assert np.isclose(found["nll_subset_se"]["value"], difference.std(ddof=1) / 3)
    assert np.isclose(found["prior_bits_per_dim"]["value"], 0.01) and found["uniform_bits_per_dim"]["value"] == 4
    assert not [metric for metric in found if "train" in metric or "gap" in metric]


def test_the_training_split_beside_the_test_split(tmp_path):
    terms(tmp_path / "test.npz")
    terms(tmp_path / "train.npz", 25, "train", seed=1)
    both = ("--terms", tmp_path / "train.npz", tmp_path / "test.npz")
    main(call(*both, spec={"row": ROW}, out=tmp_path / "b.json"))
    found = {item["metric"]: item for item in read_records([tmp_path / "b.json"])}
    test, train, gap = (found[f"nll{name}_bits_per_dim"] for name in ("", "_train", "_gap"))
    assert (test["num_images"], train["num_images"], gap["num_images"]) == (9, 25, None)
    assert (
        "split=train@dddddddd;n=25;" in train["protocol"]
        and gap["protocol"] == f"{test['protocol']} - {train['protocol']}"
    )
    assert np.isclose(gap["value"], test["value"] - train["value"])
    margins = [item["high"] - item["value"] for item in (test, train, gap)]
    assert np.isclose(margins[2], np.hypot(*margins[:2]))
    assert {"nll_train_subset_se", "rate_bits_per_dim"} <= set(found) and "rate_train_bits_per_dim" not in found


def test_bounds_that_do_not_belong_together(tmp_path, failing):
    def said(*names):
        given = ("--terms", *(tmp_path / f"{name}.npz" for name in names))
        return failing(main, call(*given, spec={"row": ROW}, out=tmp_path / "b.json"))

    terms(tmp_path / "test.npz")
    terms(tmp_path / "train.npz", split="train")
    terms(tmp_path / "other.npz", split="train", weights="v" * 64)
    assert "give one file of the test split" in said("train") and "give one file" in said("test", "test")
    assert "of different weights; not comparable: weights" in said("test", "other")
    save_npz(tmp_path / "train.npz", {"width": np.array([1, 4, 5])})
    facts = read_provenance(tmp_path / "train.npz")
    write_recorded(tmp_path / "train.npz.json", facts | {"sha256": sha256(tmp_path / "train.npz")})
    assert "not comparable: strata" in said("test", "train")
    assert not (tmp_path / "b.json").exists()


def test_no_torch_is_imported(tmp_path):
    features(tmp_path / "f.npz", 0)
    code = "import sys\nfrom diffbench.stages.score import main\nmain(sys.argv[1:])\nassert 'torch' not in sys.modules"
    given = call("--features", tmp_path / "f.npz", "--reference", tmp_path / "f.npz", out=tmp_path / "s.json")
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_features_of_two_extractors_do_not_compare(tmp_path, failing):
    own, other = features(tmp_path / "f.npz", 0), features(tmp_path / "ref.npz", 1, sha="b" * 64)
    said = failing(main, call("--features", own, "--reference", other, out=tmp_path / "s.json"))
    assert "come from different extractors; not comparable: extractor" in said
    assert not (tmp_path / "s.json").exists()


def test_features_of_two_resizes_do_not_compare(tmp_path, failing):
    own, other = features(tmp_path / "f.npz", 0), features(tmp_path / "ref.npz", 1, resize="clean")
    said = failing(main, call("--features", own, "--reference", other, out=tmp_path / "s.json"))
    assert "not comparable: resize" in said
    own = features(tmp_path / "f.npz", 0, resize="clean")
    said = failing(main, call("--features", own, "--reference", other, out=tmp_path / "s.json"))
    assert "this protocol resizes by 'none', the extractor by 'clean'" in said


def test_a_protocol_refuses_samples_of_another_rounding(tmp_path, failing):
    own, other = features(tmp_path / "f.npz", 0, resize="tf1"), features(tmp_path / "ref.npz", 1, resize="tf1")
    spec = {**SPEC, "protocol": {"name": "adm", "metrics": ["fid"]}, "rounding": "round"}
    said = failing(main, call("--features", own, "--reference", other, spec=spec, out=tmp_path / "s.json"))
    assert "this protocol's samples are rounded by 'truncate', these by 'round'" in said


def test_ddpm_counts_whole_batches_of_the_reference(tmp_path):
    own, other = features(tmp_path / "f.npz", 0, resize="tf1"), features(tmp_path / "ref.npz", 1, 600, resize="tf1")
    spec = {**SPEC, "protocol": {"name": "ddpm", "metrics": ["fid"], "reference": "test"}}
    main(call("--features", own, "--reference", other, spec=spec, out=tmp_path / "s.json"))
    (item,) = read_records([tmp_path / "s.json"])
    with np.load(own) as a, np.load(other) as b:
        assert item["value"] == Fid()(a, {"pool": b["pool"][:512]}).value
    assert f"reference=test:512@{sha256(__file__)[:8]}" in item["protocol"]


def test_mistakes_are_one_line(tmp_path, failing):
    own = features(tmp_path / "f.npz", 0)
    no = tmp_path / "no.npz"
    assert "no.npz: no such file" in failing(main, call("--features", no, "--reference", own, out=tmp_path / "s"))
    assert "no.npz: no such file" in failing(main, call("--terms", no, spec={"row": ROW}, out=tmp_path / "s"))
    own.write_bytes(own.read_bytes()[:400])
    write_recorded(provenance_path(own), read_provenance(own) | {"sha256": sha256(own)})
    assert "f.npz: not a whole" in failing(main, call("--features", own, "--reference", own, out=tmp_path / "s"))


@pytest.mark.parametrize("more", [[], ["--features", "f.npz"], ["--features", "f.npz", "--terms", "t.npz"]])
def test_what_to_score_is_one_of_two(tmp_path, capsys, more):
    with pytest.raises(SystemExit) as caught:
        main(call(*more, out=tmp_path / "s.json"))
    assert caught.value.code == 2 and "error" in capsys.readouterr().err


def test_files_of_other_stages_are_refused_by_name(tmp_path):
    own, other = features(tmp_path / "f.npz", 0), features(tmp_path / "ref.npz", 1)
    terms(tmp_path / "t.npz")
    for spec, given, message in (
        (SPEC, ("--features", tmp_path / "t.npz", "--reference", other), "t.npz.json: records no 'weights_sha256'"),
        ({"row": ROW}, ("--terms", own), "f.npz.json: records no 'of'"),
        (
            SPEC,
            ("--features", own, "--reference", other, "--samples-provenance", f"{own}.json"),
            "f.npz.json: of other samples than those whose features",
        ),
    ):
        with pytest.raises(UserError, match=message):
            main(call(*given, spec=spec, out=tmp_path / "s.json"))
    assert not (tmp_path / "s.json").exists()

"""Intervals of sets from the same noise: paired image by image, from the features that the scores are of."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance import write_provenance
from diffbench.base.records import write_records
from diffbench.comparison.pairs import Pairs
from diffbench.comparison.samplers import answered
from diffbench.jobs.tabulate import ComparedSet
from diffbench.metrics.fid import Fid
from diffbench.protocols.classifier import Classifier

QUESTION = [("ddpm", 4)], {"ddim": "ddim", "ancestral": "ancestral"}, ["fid"]


@pytest.fixture
def paired_sets(tmp_path, set_scores):
    """Records of two sets from the same noise, and their features in files with records."""
    draws = np.random.default_rng(0)
    shared = draws.standard_normal((60, 4))
    features = {"ddim": shared, "ancestral": shared * 1.05 + 0.02 * draws.standard_normal((60, 4))}
    reference = {"pool": draws.standard_normal((200, 4))}
    save_npz(tmp_path / "real.npz", reference)
    write_provenance(tmp_path / "real.npz", spec={})
    records, sets = [], []
    for sampler, values in features.items():
        save_npz(tmp_path / f"{sampler}.npz", {"pool": values})
        write_provenance(tmp_path / f"{sampler}.npz", spec={})
        found = Fid()({"pool": values}, reference)
        own = [
            {**item, "value": found.value, "low": found.low, "high": found.high} if item["metric"] == "fid" else item
            for item in set_scores(sampler, (0.0,), 4)
        ]
        write_records(tmp_path / f"{sampler}.json", own)
        inputs = checked({"features": tmp_path / f"{sampler}.npz", "reference": tmp_path / "real.npz"})
        write_provenance(tmp_path / f"{sampler}.json", spec={}, inputs=inputs)
        records += own
        place = {"model": "ddpm", "sampler": sampler, "steps": 4, "train_seed": 0, "sample_seed": 0}
        files = {"scores": f"{sampler}.json", "features": f"{sampler}.npz", "reference": "real.npz"}
        sets.append(ComparedSet(**place, protocol="digits", **files))
    return records, Pairs({"digits": Classifier()}, tmp_path, sets)


def test_one_seed_is_paired_by_image_where_features_are_at_hand(paired_sets):
    records, pairs = paired_sets
    (joined,) = answered(records, *QUESTION)
    (answer,) = answered(records, *QUESTION, pairs)
    assert answer.verdict.method == "paired image by image"
    assert answer.verdict.difference.value == pytest.approx(joined.verdict.difference.value)
    widths = [one.verdict.difference.high - one.verdict.difference.low for one in (answer, joined)]
    assert widths[0] < widths[1] / 2


def test_a_seed_that_one_side_lacks_has_no_pair(paired_sets):
    records, pairs = paired_sets
    pairs.sets[0] = replace(pairs.sets[0], sample_seed=1)
    assert pairs.differences(records, "fid", "ddpm", 4, ("ddim", "ancestral")) == {}


@pytest.mark.parametrize("name", ["ancestral.npz", "real.npz", "ddim.json"])
def test_an_interval_of_features_that_no_score_is_of_is_refused(paired_sets, tmp_path, name):
    """A file that is whole by itself, with its record, but another than the score was made from."""
    records, pairs = paired_sets
    other = "ancestral.json" if name == "ddim.json" else "ddim.npz"
    for end in ("", ".json"):
        shutil.copy(tmp_path / f"{other}{end}", tmp_path / f"{name}{end}")
    with pytest.raises(UserError) as caught:
        answered(records, *QUESTION, pairs)
    said = str(caught.value)
    blamed, score = ("ddim.npz", "ddim.json") if name == "ddim.json" else (name, "")
    assert f"{blamed}: is not what {score}" in said and "was made from; remove it" in said and "\n" not in said


def test_an_interval_is_that_of_the_protocols_own_reference(tmp_path):
    """Two protocols may score the same features against different images."""
    draws = np.random.default_rng(0)
    arrays = {name: draws.standard_normal((60, 4)) * scale for name, scale in (("ddim", 1.0), ("ancestral", 1.1))}
    references = {"near": draws.standard_normal((200, 4)), "far": 3 * draws.standard_normal((200, 4)) + 2}
    for name, values in (arrays | references).items():
        save_npz(tmp_path / f"{name}.npz", {"pool": values})
        write_provenance(tmp_path / f"{name}.npz", spec={})
    sets = {}
    for protocol, sampler in ((protocol, sampler) for protocol in references for sampler in arrays):
        scores = f"{protocol}_{sampler}.json"
        write_records(tmp_path / scores, [])
        inputs = checked({"features": tmp_path / f"{sampler}.npz", "reference": tmp_path / f"{protocol}.npz"})
        write_provenance(tmp_path / scores, spec={}, inputs=inputs)
        place = {"model": "ddpm", "sampler": sampler, "steps": 4, "train_seed": 0, "sample_seed": 0}
        files = {"scores": scores, "features": f"{sampler}.npz", "reference": f"{protocol}.npz"}
        sets[protocol, sampler] = ComparedSet(**place, protocol=protocol, **files)
    protocols = dict.fromkeys(references, Classifier())
    together = Pairs(protocols, tmp_path, list(sets.values()))
    for protocol in references:
        pair = sets[protocol, "ddim"], sets[protocol, "ancestral"]
        alone = Pairs(protocols, tmp_path, pair)
        assert together.difference("fid", *pair, 0.5) == alone.difference("fid", *pair, 0.5)

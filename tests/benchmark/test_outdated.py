"""What changed since an artifact was made, and whether it is the code alone."""

import json

import pytest

from diffbench.base.digests import spec_digest
from diffbench.benchmark.graph import Artifact
from diffbench.benchmark.outdated import Held, change_of, of_changed_code, outdated, rows_without_place, said

TRAIN = {"code": "1", "training": {"steps": 2, "rate": 0.1}, "upstream": {"data": "d"}}


@pytest.mark.parametrize(
    ("present", "words"),
    [
        (TRAIN, "None"),
        (TRAIN | {"code": "2"}, "its code changed"),
        (TRAIN | {"upstream": {"data": "e"}}, "because what it is made from is"),
        (TRAIN | {"training": {"steps": 4, "rate": 0.1}}, "settings: training.steps 2 -> 4"),
        (TRAIN | {"training": {"steps": 2}, "code": "2"}, "settings: training.rate 0.1 -> absent"),
        (TRAIN | {"seed": None}, "settings: seed absent -> null"),
        (TRAIN | {"training": "none"}, 'settings: training {"steps": 2, "rate": 0.1} -> "none"'),
        (TRAIN | {"names": ["a" * 60]}, f'settings: names absent -> ["{"a" * 35}...'),
    ],
)
def test_the_difference_of_two_specs_in_words(present, words):
    assert str(change_of(TRAIN, present)) == words


def held(path, present, **before):
    return Held(path, {**present, **before}, present)


@pytest.fixture
def chain():
    """Data of the same code, weights of another, samples of the same that are made from them, and their features."""
    data = held("results/data/train.npz", {"dataset": {}, "code": "0"})
    sources = {"data": spec_digest(data.present)}
    weights = held("results/models/a/w.safetensors", {"training": {}, "code": "1", "upstream": sources}, code="0")

    def below(path, spec, *made):
        digests = [[spec_digest(getattr(one, which)) for one in made] for which in ("present", "recorded")]
        now, then = ({"upstream": {"it": d[0] if len(d) == 1 else d}} for d in digests)
        return Held(path, spec | then, spec | now)

    samples = below("results/samples/1.npz", {"spacings": [], "code": "0"}, weights)
    features = below("results/features/1.npz", {"extractor": {}, "code": "0"}, samples, data)
    return [features, samples, weights, data]


def test_changed_code_is_followed_downstream(chain):
    features, samples, weights, _ = chain
    assert of_changed_code(chain) == [weights, samples, features]  # what is made first comes first


def test_settings_that_changed_upstream_or_a_record_that_is_not_here_end_the_way(chain):
    features, samples, weights, data = chain
    other = Held(weights.path, weights.recorded | {"training": {"steps": 2}}, weights.present)
    assert of_changed_code([features, samples, other, data]) == []
    assert of_changed_code([features, weights, data]) == [weights]
    # A sample set that was made from other weights than those that are here is not of their code.
    assert of_changed_code([held(samples.path, samples.present, upstream={"it": "of others"}), weights]) == [weights]


def test_artifacts_that_are_here_and_outdated_are_found(tmp_path, chain):
    artifacts = []
    for item in chain:
        artifacts.append(Artifact(item.path, spec_digest(item.present), dict(item.present)))
        (tmp_path / item.path).parent.mkdir(parents=True)
        (tmp_path / artifacts[-1].record).write_text(json.dumps({"spec": item.recorded}))
    found = outdated(tmp_path, artifacts)
    assert [item.path for item in found] == [item.path for item in chain[:3]]
    (tmp_path / artifacts[0].record).write_text("no JSON")
    assert len(outdated(tmp_path, artifacts)) == 2


def test_a_run_says_how_many_of_which_stage_and_why(chain):
    assert said([]) == ""
    assert said(of_changed_code(chain)).splitlines()[1:] == [
        "     1 train (w): the code of stage train changed",
        "     1 sample (1): because what it is made from is",
        "     1 extract (1): because what it is made from is",
        "  if only code changed, `diffbench adopt` keeps results that come out with the same bytes",
    ]
    steps = {"ddpm": 6, "iddpm": 6, "adm": 6, "vlb": 4, "low": 4, "high": 3, "noisy": 5}
    new = [
        held(f"results/models/{name}/train{seed}/weights.safetensors", TRAIN, training={"steps": n, "rate": 0.1})
        for name, n in steps.items()
        for seed in (0, 1)
    ]
    first, *lines = said(new).splitlines()
    assert first.startswith("diffbench: note: 14 artifacts are out of date")
    assert lines == [
        "     6 train (ddpm, iddpm, adm): settings: training.steps 6 -> 2",
        "     4 train (vlb, low): settings: training.steps 4 -> 2",
        "     2 train (high): settings: training.steps 3 -> 2",
        "     2 train (noisy): for other reasons of this kind",
    ]


def test_a_table_that_is_replaced_says_which_rows_it_loses(tmp_path):
    """The rows are those that the table's own record names, and each is named once, whatever measured it."""
    given = [
        "results/scores/digits/real.json",
        *(f"results/scores/{protocol}/ddpm/train0/ddim/sample0/100.json" for protocol in ("digits", "labelled")),
        "results/scores/digits/ddpm/train2/ancestral/sample1/10.json",
        "results/scores/digits/adm_g@0.5/train0/ancestral/sample0/25.json",
        "results/scores/pairs/up/train0/ddim/sample0/10.psnr.json",
        "results/scores/bound/vlb/train0.json",
    ]
    spec = {"table": {"name": "table2"}, "upstream": {"scores": ["a"]}}
    table = Artifact("results/table2.csv", spec_digest(spec), spec)
    assert rows_without_place(tmp_path, table, []) == [], "no table yet"
    (tmp_path / "results").mkdir()
    (tmp_path / table.record).write_text(json.dumps({"spec": spec, "facts": {"given": {"scores": given}}}))
    assert rows_without_place(tmp_path, table, given) == []
    lost = rows_without_place(tmp_path, table, [given[0], given[-2]])
    assert lost == ["ddpm/ddim/100", "ddpm/ancestral/10/train_seed=2/sample_seed=1", "adm_g@0.5/ancestral/25", "vlb"]
    *_, rows, keep = said([held(table.path, spec, upstream={"scores": ["b"]})], lost).splitlines()
    assert rows == f"     4 rows will no longer be in the table: {', '.join(lost)}"
    assert keep.startswith("  finished tables will be replaced: to keep them")
    assert said([], lost) == ""
    many = [f"ddpm/ddim/{steps}" for steps in range(1000)]
    assert "ddpm/ddim/23, and 976 more" in said([held(table.path, spec, upstream={})], many)

"""A tree under changed code: what is adopted, what is left alone, and what an interruption leaves behind."""

import json
from pathlib import Path

import pytest

from diffbench.base.digests import sha256, spec_digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.tree import forget_dead_runs
from diffbench.commands.adopt import run as command
from diffbench.commands.adopt import stamp as stamping
from diffbench.commands.adopt.stamp import stamp
from diffbench.commands.adopt.tree import specs_of, tree_of
from diffbench.commands.verify.rerun import Again

DATA, WEIGHTS, SAMPLES, FEATURES, SCORES = (
    "results/data/train.npz",
    "results/models/a/train0/weights.safetensors",
    "results/samples/a/4.npz",
    "results/features/f/a/4.npz",
    "results/scores/p/a/4.json",
)


def specs(code, steps=2):
    """The specs of a small tree; code: of training and scoring, steps: of training."""
    made = {}

    def add(path, spec, **sources):
        upstream = {name: spec_digest(made[source]) for name, source in sources.items()}
        made[path] = spec | ({"upstream": upstream} if upstream else {})

    add(DATA, {"dataset": {"name": "digits"}, "code": "0"})
    add(WEIGHTS, {"training": {"steps": steps}, "code": code}, data=DATA)
    add(SAMPLES, {"spacings": [4], "code": "0"}, weights=WEIGHTS)
    add(FEATURES, {"extractor": {}, "code": "0"}, images=SAMPLES)
    add(SCORES, {"row": {}, "code": code}, features=FEATURES, samples_provenance=SAMPLES)
    return made


INPUTS = {
    DATA: {},
    WEIGHTS: {"data": DATA},
    SAMPLES: {"weights": WEIGHTS},
    FEATURES: {"images": SAMPLES},
    SCORES: {"features": FEATURES, "samples_provenance": f"{SAMPLES}.json"},
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with the tree as code "1" made it."""
    monkeypatch.chdir(tmp_path)
    for path, spec in specs("1").items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(f"content of {path}")
        inputs: Inputs = checked(INPUTS[path], foreign=("samples_provenance",))
        write_provenance(path, spec=spec, inputs=inputs)
    return tmp_path


def files(home):
    return {path: path.read_bytes() for path in (home / "results").rglob("*") if path.is_file()}


def test_all_that_code_alone_outdated_is_adopted_and_nothing_else_in_a_record_changes(home):
    before = {path: read_provenance(home / path) for path in INPUTS}
    tree = tree_of(home, specs("2"))
    assert tree.current == (DATA,) and tree.left == {}
    assert [item.path for item in tree.outdated] == [WEIGHTS, SAMPLES, FEATURES, SCORES]
    stamp(tree)
    for path, spec in specs("2").items():
        record = read_provenance(home / path)
        assert record["spec"] == spec
        kept = {key for key in record if key not in ("spec", "record_sha256")}
        assert {key for key in kept if record[key] != before[path][key]} == ({"inputs"} if path == SCORES else set())
    # The score was made from a record, which is a new file now.
    assert read_provenance(home / SCORES)["inputs"]["samples_provenance"] == sha256(home / f"{SAMPLES}.json")
    assert tree_of(home, specs("2")).outdated == ()


def test_other_settings_and_what_rests_on_them_are_left_alone(home):
    tree = tree_of(home, specs("2", steps=4))
    assert tree.outdated == () and tree.current == (DATA,)
    assert tree.left[WEIGHTS] == "settings: training.steps 2 -> 4"
    assert tree.left[SAMPLES] == "because what it is made from is"


@pytest.mark.parametrize("path", [WEIGHTS, SAMPLES])
def test_what_is_not_what_its_record_says_is_left_alone(home, path):
    (home / path).write_text("damaged")
    tree = tree_of(home, specs("2"))
    assert "is not what its record says" in tree.left[path]
    adopted = {item.path for item in tree.outdated}
    assert adopted == ({WEIGHTS} if path == SAMPLES else set())
    (home / f"{WEIGHTS}.json").write_text("{}")
    assert "has no digest of its own" in tree_of(home, specs("2")).left[WEIGHTS]


def test_what_was_made_from_another_version_of_an_input_is_left_alone(home):
    (home / WEIGHTS).write_text("of a second training")
    write_provenance(WEIGHTS, spec=specs("1")[WEIGHTS], inputs=checked(INPUTS[WEIGHTS]))
    tree = tree_of(home, specs("2"))
    assert tree.left[SAMPLES] == f"was made from another version of its weights, {WEIGHTS}"
    assert [item.path for item in tree.outdated] == [WEIGHTS]


def test_what_could_not_be_made_again_for_want_of_an_input_is_left_alone(home):
    (home / WEIGHTS).unlink()
    tree = tree_of(home, specs("2"))
    assert tree.left[SAMPLES] == f"its weights, {WEIGHTS}, is not here"
    assert tree.outdated == () and WEIGHTS not in tree.left
    # Of the present code, but Snakemake must not be asked about it either.
    assert set(tree_of(home, specs("1")).current) == {DATA, FEATURES, SCORES}


@pytest.mark.parametrize("written", range(4))
def test_an_interrupted_stamping_is_finished_by_the_next(home, monkeypatch, written):
    stamp(tree_of(home, specs("2")))
    whole = files(home)
    stamp(tree_of(home, specs("1")))  # and back
    left = iter(range(written))
    real = stamping.write_recorded

    def until(path, record):
        next(left)
        real(path, record)

    monkeypatch.setattr(stamping, "write_recorded", until)
    with pytest.raises(StopIteration):
        stamp(tree_of(home, specs("2")))
    monkeypatch.undo()
    monkeypatch.chdir(home)
    half = tree_of(home, specs("2"))
    assert len(half.current) == 1 + written and len(half.outdated) == 4 - written and half.left == {}
    stamp(half)
    assert files(home) == whole


def test_every_artifact_of_a_benchmark_has_its_spec(tmp_path):
    benchmark = load_benchmark(Path(__file__).parents[2] / "workflow/config/smoke.yaml")
    graph = Graph(benchmark, tmp_path)
    found = specs_of(graph)
    assert found["results/models/ddpm/train0/log.csv"] == graph.model("ddpm", 0).spec
    drawn = found["results/figures/fid_vs_steps.png"]
    assert drawn == found["results/figures/fid_vs_steps.svg"]
    assert drawn["upstream"] == {"table": spec_digest(found["results/table2.csv"])}
    # Held-out real features, which are scored and compared with nothing.
    assert "results/features/digits_features/real/test.npz" in found
    # What the workflow writes for this benchmark, and table 3 on demand.
    assert len(found) == 191 and all("code" in spec for spec in found.values())


# -- the command


@pytest.fixture
def adopt(home, monkeypatch):
    """adopt(code, again): the command on the tree, as if making artifacts again had come out as `again`."""

    def called(code="2", again=None, **options):
        taken, remade = [], []

        def make(home, chosen):
            remade.extend(path.relative_to(home).as_posix() for path in chosen)
            return again or Again(notes=[f"note: {len(chosen)} made again"])

        monkeypatch.setattr(command, "load_benchmark", lambda config: type("Benchmark", (), {"name": "digits"}))
        monkeypatch.setattr(command, "Graph", lambda *given: None)
        monkeypatch.setattr(command, "specs_of", lambda graph: specs(code))
        monkeypatch.setattr(command, "remade", make)
        monkeypatch.setattr(command, "take_for_made", lambda config, targets: taken.extend(targets))
        report = command.adopt(home / "results", home / "own.yaml", **options)
        return report, remade, taken

    return called


def test_equal_bytes_are_adopted_and_snakemake_is_told(adopt):
    report, remade, taken = adopt(rerun=5)
    # Only what the changed code made can tell: features are of the code of before.
    assert set(remade) == {WEIGHTS, SCORES}
    assert report.good and report.lines[-1] == "4 artifacts adopted, 1 were of this code already, 0 left alone"
    assert set(taken) == set(INPUTS)
    report, remade, taken = adopt()
    assert remade == [] and "0 artifacts adopted, 5 were of this code already" in str(report)
    assert set(taken) == set(INPUTS)  # where Snakemake was not told, as after an interruption


def test_another_byte_stamps_nothing(adopt, home):
    before = files(home)
    report, _, taken = adopt(again=Again(bad=[f"{WEIGHTS}: made again, it differs"]))
    assert not report.good and taken == [] and files(home) == before
    assert report.lines[0] == f"{WEIGHTS}: made again, it differs"
    assert report.lines[1].startswith("nothing was adopted, since these bytes changed")


def test_stages_can_be_adopted_without_those_whose_bytes_changed(adopt, home):
    score = (home / f"{SCORES}.json").read_bytes()
    report, remade, taken = adopt(stages=["train", "sample", "extract"])
    assert remade == [WEIGHTS] and set(taken) == {DATA, WEIGHTS, SAMPLES, FEATURES}
    assert "stage score is not among those to adopt" in str(report) and report.lines[-1].startswith(
        "3 artifacts adopted"
    )
    assert (home / f"{SCORES}.json").read_bytes() == score
    # What rests on an artifact of another stage is left alone with it.
    report, _, taken = adopt(code="3", stages=["sample", "extract"])
    assert taken == [DATA] and f"{SAMPLES}: because what it is made from is" in str(report)
    with pytest.raises(UserError, match="--stage: no stage 'trian'; did you mean 'train'"):
        adopt(stages=["trian"])


def test_what_cannot_be_made_again_is_not_adopted(adopt, home):
    for path in (WEIGHTS, SCORES):
        record = read_provenance(home / path)
        stamping.write_recorded(home / f"{path}.json", record | {"places": {}})
    before = files(home)
    with pytest.raises(UserError, match="none of the artifacts whose code changed can be made again"):
        adopt()
    assert files(home) == before


def test_a_tree_in_which_a_run_is_at_work_is_left_alone(adopt, home):
    alive = forget_dead_runs(home, print)
    before = files(home)
    with pytest.raises(UserError, match="another run is at work"):
        adopt()
    assert files(home) == before
    alive.close()
    assert adopt()[0].good


def test_the_seed_chooses_stage_and_artifact(adopt):
    chosen = {tuple(adopt(rerun=1, seed=seed, again=Again(bad=["x"]))[1]) for seed in range(8)}
    assert chosen == {(WEIGHTS,), (SCORES,)}


def test_one_artifact_of_each_stage_is_made_again_unless_fewer_are_asked_for(adopt):
    report, remade, _ = adopt(again=Again(bad=["x"]))
    assert set(remade) == {WEIGHTS, SCORES}
    # Seed 0 takes one of both; what the other stage made is adopted on trust, which has to be said.
    report, remade, _ = adopt(rerun=1)
    other = "score" if remade == [WEIGHTS] else "train"
    assert report.good and f"note: stage {other}: none of its 1 artifacts was made again" in str(report)
    assert str(report).count("none of its") == 1


@pytest.mark.parametrize(("results", "said"), [("nowhere", "no folder of results"), ("results/data", "no folder of")])
def test_a_tree_that_is_none_is_one_line(home, results, said):
    with pytest.raises(UserError, match=said):
        command.adopt(home / results, None)


def test_a_tree_that_does_not_say_its_file_needs_one(home):
    with pytest.raises(UserError, match="name the file by --configfile"):
        command.adopt(home, None)
    assert json.loads((home / f"{DATA}.json").read_text())["spec"]["code"] == "0"

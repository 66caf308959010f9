"""Samplers laid over a benchmark, and what is made of their scores; the workflow runs in the slow tests."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from diffbench import cli
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Estimate, Row, record
from diffbench.benchmark.jobs import prepare_job, sample_job
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.places import CONFIGURATION, remember_configuration
from diffbench.commands.compare_samplers import run as command
from diffbench.commands.compare_samplers.answers import report, write_answers
from diffbench.commands.compare_samplers.question import Question, laid_over
from diffbench.comparison.samplers import answered

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"
PROTOCOL = "extractor=digits_features@7a8108d6;rounding=truncate;n=100;reference=train:1297;version=1"


@pytest.fixture
def content():
    return yaml.safe_load(SMOKE.read_text())


def asked(candidate="ddim", baseline="ancestral", models="ddpm", steps=(4, 6), **more):
    candidates = (candidate,) if isinstance(candidate, str) else candidate
    return Question(candidates, baseline, tuple(models.split()), steps, **more)


# -- laid over a benchmark


def test_sets_of_the_table_are_used_and_others_lie_apart(content):
    laid = laid_over(content, asked("ddim", "ancestral"), "smoke.yaml")
    apart = {(row.model, row.sampler, row.steps) for row in laid.benchmark.sets_apart()}
    assert apart == {("ddpm", "ddim", 6), ("ddpm", "ancestral", 6)}
    rows = {(row.model, row.sampler, row.steps, row.num_images) for row in laid.benchmark.compared_sets()}
    assert rows == {("ddpm", sampler, steps, 100) for sampler in ("ddim", "ancestral") for steps in (4, 6)}


def test_the_table_and_every_job_of_its_sets_stay_as_they_are(content):
    plain = parse_benchmark(content, "smoke.yaml")
    laid = laid_over(content, asked("ddim eta=0.5", "ddim", "ddpm adm_u", (4, 5)), "smoke.yaml").benchmark
    assert laid.sample_sets() == plain.sample_sets() and laid.sampled_sets() == plain.sampled_sets()
    assert laid.bounded_models() == plain.bounded_models() and laid.upsampling_rows() == plain.upsampling_rows()
    for row in plain.sampled_sets():
        assert sample_job(laid, row) == sample_job(plain, row)
    assert prepare_job(laid) == prepare_job(plain)


def test_another_number_of_images_or_seed_is_another_set(content):
    laid = laid_over(content, asked(steps=(4,), num_images=120, sample_seeds=(0, 1)), "smoke.yaml")
    apart = laid.benchmark.sets_apart()
    assert len(apart) == 4 and {row.num_images for row in apart} == {120}
    laid = laid_over(content, asked(steps=(4,), sample_seeds=(0, 1), train_seeds=(0, 3)), "smoke.yaml")
    assert len(laid.benchmark.sets_apart()) == 6
    assert ("ddpm", 3) in laid.benchmark.trained_models()


def test_an_upsamplers_source_comes_along_once(content):
    laid = laid_over(content, asked("ddim", "ancestral", "adm_u", (4,)), "smoke.yaml")
    apart = {(row.model, row.sampler, row.steps) for row in laid.benchmark.sets_apart()}
    assert apart == {("adm_u", "ddim", 4)}  # the source of the table's own row serves
    laid = laid_over(content, asked("ddim", "ancestral", "adm_u", (4,), sample_seeds=(1,)), "smoke.yaml")
    apart = [(row.model, row.sampler, row.steps, row.sample_seed) for row in laid.benchmark.sets_apart()]
    expected = {("adm_u", "ddim", 4, 1), ("adm_u", "ancestral", 4, 1), ("adm_low", "ddim", 2, 1)}
    assert set(apart) == expected and len(apart) == 3


def test_a_sampler_that_the_table_has_under_another_text_is_the_tables(content):
    laid = laid_over(content, asked("ddim eta=0.0", "ancestral", steps=(4,)), "smoke.yaml")
    assert laid.entries == {"ddim eta=0.0": "ddim", "ancestral": "ancestral"}
    assert laid.benchmark.sets_apart() == []
    assert set(laid.content["samplers"]) == set(content["samplers"])


def test_every_question_has_a_folder_of_its_own(content):
    questions = [
        asked(), asked(steps=(4,)), asked("ddim eta=1.0"), asked(num_images=120), asked(models="iddpm"),
        asked(sample_seeds=(1,)), asked(("ddim", "ddim eta=1.0")),
    ]  # fmt: skip
    names = [laid_over(content, question, "").name for question in questions]
    assert len(set(names)) == len(names) and names[0].startswith("ddim_vs_ancestral_")
    assert names[0] == laid_over(content, asked(), "").name


OWN = """
from dataclasses import dataclass
from typing import ClassVar

@dataclass(frozen=True)
class Quiet:
    order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False

    def __call__(self, denoiser, chain, x_T, noise):
        yield None
"""


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (asked("ddmi"), "--candidate 'ddmi': no sampler 'ddmi'; did you mean 'ddim'"),
        (asked("ddim", "ancestrall"), "--baseline 'ancestrall': no sampler 'ancestrall'; did you mean 'ancestral'"),
        (asked("nowhere.Sampler"), "--candidate 'nowhere.Sampler': cannot import 'nowhere'"),
        (asked("json.Sampler"), "--candidate 'json.Sampler': json has no dataclass 'Sampler'"),
        (asked("ddim etta=1"), "--candidate 'ddim etta=1': unknown key 'etta'; did you mean 'eta'"),
        (asked("ddim eta=much"), "--candidate 'ddim eta=much'.eta: 'much' is not a number"),
        (
            asked("quiet.Quiet"),
            "--candidate 'quiet.Quiet': quiet.Quiet has no 'startup_order', which samplers/_contract.py requires",
        ),
        (asked("ddim", "ddim"), "--candidate and --baseline are both 'ddim'"),
        (asked("ddim eta=0", "ddim"), "--baseline 'ddim' and --candidate 'ddim eta=0' are the same sampler"),
        (asked(models="dpm"), "--models: no model 'dpm'; did you mean 'ddpm'"),
        (asked(models=""), "--models: is missing"),
        (asked(models="upsampler"), "--models: upsampler is an upsampler without 'low_res'"),
        (asked(steps=(4, 2000)), "--steps: ddpm with ddim: 2000 steps asked of a chain of 1000; allowed: 2 to 1000"),
        (asked(steps=(1,)), "--steps: ddpm with ddim: 1 steps asked"),
        (asked(num_images=3), "--num-images: 3 is too few"),
        (asked(num_images=0), "--num-images: 0 is too few"),
        (asked(metrics=("fdi",)), "--metric: protocol digits has no 'fdi'; did you mean 'fid'"),
        (asked(protocol="digit"), "--protocol: no protocol 'digit'; did you mean 'digits'"),
        (asked(protocol="labelled"), "samples of ddpm have no labels"),
        (
            asked("ddim", "ancestral", "adm_low", (4,), protocol="digits"),
            "--protocol: the benchmark scores adm_low with ancestral at 4 steps under labelled, not digits",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_one_line_before_any_work(content, question, said, tmp_path, monkeypatch):
    (tmp_path / "quiet.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as caught:
        laid_over(content, question, "smoke.yaml")
    assert said in str(caught.value) and "\n" not in str(caught.value)


# -- the answer


@pytest.fixture
def answers():
    sides = {
        "ddim": ((6.0, 6.1, 6.2), {"nfe": 7, "classifier_evaluations": 3}),
        "ancestral": ((9.0, 9.3, 9.1), {"nfe": 4}),
    }
    records = []
    for sampler, (fids, costs) in sides.items():
        for seed, value in enumerate(fids):
            row = Row("smoke", "ddpm", sampler, 4, train_seed=0, sample_seed=seed, num_images=100)
            records.append(record(row, "fid", PROTOCOL, Estimate(value, value - 1, value + 1)))
            records += [record(row, cost, PROTOCOL, Estimate.exact(count)) for cost, count in costs.items()]
    return answered(records, [("ddpm", 4)], {"ddim": "ddim", "ancestral": "ancestral"}, ["fid"])


def test_the_report_says_values_difference_verdict_and_cost(answers):
    head, heads, row, way = report(answers).splitlines()
    assert head == "fid: candidate ddim, baseline ancestral"
    assert row.split("  ")[0] == "ddpm" and "better" in row and row.endswith("7 / 4; classifier 3 / 0")
    assert "-3.033 (-3.413 to -2.654)" in row
    assert way == "intervals: Student's over 3 sampling seeds; covers sampling, for these weights"


def test_the_verdicts_are_a_table(answers, tmp_path):
    (tmp_path / "25.json").write_text("{}")
    write_provenance(tmp_path / "25.json", spec={})
    inputs = checked({"scores": tmp_path / "25.json"})
    path = write_answers(tmp_path, answers, spec={"question": "which"}, inputs=inputs)
    assert path == tmp_path / "verdicts.csv"
    made = read_provenance(path)
    assert made["inputs"] == {"scores": sha256(tmp_path / "25.json")} and made["sha256"] == sha256(path)
    assert made["spec"] == {"question": "which"}
    with open(path) as file:
        (row,) = csv.DictReader(file)
    assert row["outcome"] == "better" and float(row["difference_high"]) < 0
    assert (row["candidate_nfe"], row["baseline_nfe"], row["candidate_classifier_evaluations"]) == ("7", "4", "3")
    assert row["baseline_classifier_evaluations"] == ""


# -- whose tree of results it is

DIFFBENCH = Path(sys.executable).with_name("diffbench")
ASKED = ("--candidate", "ddim", "--baseline", "ancestral", "--models", "ddpm", "--steps", "4")


def written(path, content, eta):
    """A file of the benchmark whose results are in the working directory."""
    samplers = content["samplers"] | {"ddim": {"name": "ddim", "eta": eta}}
    path.write_text(yaml.safe_dump(content | {"benchmark": "digits", "samplers": samplers}))
    return path


def files_below(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_file_of_the_benchmarks_name_is_refused_before_any_work(content, tmp_path):
    tree = tmp_path / "tree"
    tree.mkdir()
    remember_configuration(tree, written(tmp_path / "first.yaml", content, 0.0))
    second = written(tmp_path / "second.yaml", content, 0.5)
    before = files_below(tmp_path)
    command = [DIFFBENCH, "compare-samplers", *ASKED, "--configfile", second]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=120)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and done.stdout == ""
    assert f"second.yaml: benchmark: 'digits' is the name of {tmp_path}/first.yaml too" in line
    assert f"whose results are in {tree}; give one of them another name" in line
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("noted", [None, "first.yaml"])
def test_a_comparison_notes_its_file_only_in_a_tree_that_has_no_note(content, tmp_path, monkeypatch, noted):
    monkeypatch.chdir(tmp_path)
    # A copy that says the same is no other file, and the note stays the first one's.
    for name in ("first.yaml", "copy.yaml"):
        written(tmp_path / name, content, 0.0)
    if noted:
        remember_configuration(tmp_path, tmp_path / noted)

    def no_workflow(*given, **options):
        raise UserError("the workflow was started")

    monkeypatch.setattr(command, "make", no_workflow)
    with pytest.raises(UserError, match="the workflow was started"):
        command.compare_samplers(Path("copy.yaml"), asked(steps=(4,)))
    assert (tmp_path / CONFIGURATION).read_text().strip() == (noted or "copy.yaml")


# -- the command line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--candidate'"),
        ([*ASKED[:2], *ASKED[4:]], "Missing option '--baseline'"),
        (ASKED[:6], "Missing option '--steps'"),
        ([*ASKED, "6"], "several: --steps 10,25"),
        ([*ASKED, "--varies", "n"], "No such option: --varies"),
        ([*ASKED, "--cores", "many"], "--cores many: is neither"),
        ([*ASKED[:6], "--steps", ","], "--steps: is missing"),
        ([*ASKED[:6], "--steps", "4,x"], "--steps: 'x' is not a whole number"),
        ([*ASKED, "--configfile", "none.yaml"], "none.yaml: cannot be read"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["diffbench", "compare-samplers", *arguments])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    error = capsys.readouterr().err
    *usage, line = error.splitlines()
    assert leaving.value.code == 2 and line.startswith("diffbench: ") and said in line
    # Only what the parser of options refuses has the command's usage above it.
    assert bool(usage) == said.startswith(("Missing option", "No such option"))
    assert not usage or usage[0].startswith("Usage: ")

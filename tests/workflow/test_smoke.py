"""What runs again, and what does not, when something changes; how a run ends that cannot go on."""

import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from diffbench.base.provenance import write_provenance
from diffbench.benchmark.foreign import snakemake_specs

CONFIG = "workflow/config/digits.yaml"
FIGURES = {"figures_model_ddpm": 1, "figures_model_iddpm": 1}
CURVES = {"figures_models": 1, **FIGURES, "rate_distortion_table": 1}
SCORED = {"table1": 1, "table2": 1, "claims": 1, "differences": 1}
"""The tables that are made again with any score."""


def own_lines(done) -> list[str]:
    """Return what a run said, without Snakemake's note on its profile."""
    lines = (done.stdout + done.stderr).splitlines()
    return [line for line in lines if line and not line.startswith("Using workflow specific profile")]


# -- what a run does


def test_the_table_brings_its_figures_and_a_process_of_its_own_says_what_a_fork_says(fresh):
    made = fresh.snakemake("-n", "results/table2.csv").stdout
    own = fresh.run("snakemake", "--cores", "2", "-n", "results/table2.csv").stdout
    assert sorted(map(str, fresh.jobs(own))) == sorted(map(str, fresh.jobs(made)))
    for name in (
        "samples_ddpm",
        "samples_iddpm",
        "progressive_ddpm",
        "progressive_iddpm",
        "fid_vs_steps",
        "rate_distortion",
    ):
        assert f"results/figures/{name}.png" in made
    assert "results/rate_distortion.csv" in made


def test_another_benchmark_has_a_folder_of_its_own(fresh):
    fresh.snakemake("-n", "results/table2.csv", "--configfile", "workflow/config/smoke.yaml")
    assert (fresh.root / "runs/smoke/.snakemake").is_dir()
    assert not (fresh.root / ".snakemake/locks").exists()


def test_a_grid_is_tabulated_by_its_own_name_and_draws_nothing(fresh):
    made = fresh.snakemake("-n", "results/table3.csv", "--configfile", "workflow/config/digits_grid.yaml").stdout
    assert "results/table3.csv" in made and "results/scores/bound/vlb_loss_aware/train0.json" in made
    assert "results/figures" not in made and "table2" not in made


@pytest.mark.slow
def test_one_run_makes_everything_and_a_second_nothing(finished):
    with open(finished.root / "results/table2.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows].count("real") == 1
    keys = ("model", "sampler", "steps", "guidance_scale")
    sets = {tuple(row[key] for key in keys) for row in rows if row["model"] != "real"}
    assert len(sets) == len(rows) - 1 == 18
    for name in (
        "samples_ddpm",
        "samples_iddpm",
        "samples_adm_g",
        "progressive_ddpm",
        "progressive_iddpm",
        "fid_vs_steps",
        "rate_distortion",
        "upsampling",
    ):
        assert (finished.root / f"results/figures/{name}.png").stat().st_size > 1000
    labels = json.loads((finished.root / "results/figures/samples_adm_g.png.json").read_text())["spec"]["labels"]
    assert labels == [f"ancestral, {steps} steps, scale {scale}" for steps in (2, 3) for scale in (0, 1)], "in order"
    assert json.loads((finished.root / "results/metrics.json").read_text())
    assert finished.nothing_to_do("results/table2.csv")
    assert finished.nothing_to_do("table2")
    assert finished.plan() == []


# -- what a change runs again


def records_of(tree) -> None:
    """Write the records of a tree of empty files, as far as the check at a run's start reads them.

    One job prepares both splits, so that Snakemake's parameter is not the spec of either; they are left out.
    """
    given = [str(path.relative_to(tree.root)) for path in sorted(tree.root.glob("results/scores/**/*.json"))]
    given = [path for path in given if not path.endswith(".json.json")]
    for record in tree.root.glob("results/**/*.json"):
        path = str(record.relative_to(tree.root)).removesuffix(".json")
        made = (tree.root / path).is_file() and not path.startswith("results/data/")
        if made and (specs := snakemake_specs(tree.root, path)):
            facts = {"given": {"scores": given}} if path == "results/table2.csv" else {}
            write_provenance(tree.root / path, spec=own_spec(path, specs), facts=facts)


def own_spec(path: str, specs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the spec of an artifact among those of its job, which may make a table and several figures."""
    stem = Path(path).name.partition(".")[0]
    named = {spec["figure"]["name"]: spec for spec in specs if "figure" in spec}
    if "results/figures/" not in path or not named:
        return next(spec for spec in specs if "figure" not in spec)
    return named[max((name for name in named if f"{stem}_".startswith(f"{name}_")), key=len)]


def test_a_changed_benchmark_names_what_of_a_finished_tree_it_replaces_before_it_does(recorded, tmp_path):
    tree = recorded.copy(tmp_path / "diffbench")
    records_of(tree)
    assert "out of date" not in tree.snakemake("-n", "table2").stderr

    def other(config):
        config["models"]["ddpm"]["training"]["steps"] = 5
        config["runs"][0]["steps"] = [3]

    tree.configure(other)
    said = tree.snakemake("-n", "table2").stderr.splitlines()
    start = next(number for number, line in enumerate(said) if "artifacts are out of date" in line)
    (trained,) = (line for line in said[start:] if " train (" in line)
    models = trained.partition("(")[2].partition(")")[0].split(", ")
    assert {"ddpm", "iddpm", "adm"} <= set(models) and "noisy" not in models
    assert "settings: training.steps 2 -> 5" in trained
    assert any(line.split()[1:3] == ["tabulate", "(table2,"] for line in said[start:])
    (rows,) = (line for line in said[start:] if "rows will no longer be in the table" in line)
    lost = set(rows.partition(": ")[2].split(", "))
    assert {"ddpm/ancestral/2", "iddpm/ddim/2"} <= lost and all(row.endswith("/2") for row in lost)


def test_nothing_changed(recorded):
    recorded.edit(CONFIG, "benchmark: digits", "# a comment\nbenchmark: digits")
    network = (recorded.root / "diffbench/networks/unet.py").read_text()
    recorded.write("diffbench/networks/unet.py", network.replace('"""', '"""Other words: ', 1) + "\n# a comment\n")
    assert recorded.plan() == []


def test_a_sampler_setting_samples_again_without_training(recorded):
    recorded.configure(lambda config: config["samplers"]["ddim"].update(eta=0.5))
    jobs = recorded.plan()
    assert {wildcards.get("sampler", "ddim") for _, wildcards in jobs} == {"ddim"}
    assert recorded.count(jobs) == Counter(sample=4, extract=4, score_samples=4, **FIGURES, **SCORED)


def test_a_metric_module_scores_again(recorded):
    recorded.edit("diffbench/metrics/kid.py", "import numpy as np", "import numpy as np\n\nEDITED = True")
    expected = Counter(score_samples=12, score_real=2, table4=1, **SCORED)
    assert recorded.count(recorded.plan()) == expected


def test_a_model_setting_trains_that_model_alone(recorded):
    recorded.configure(lambda config: config["models"]["iddpm"].update(schedule="linear"))
    jobs = recorded.plan()
    assert {wildcards.get("model", "iddpm") for _, wildcards in jobs} == {"iddpm"}
    assert recorded.count(jobs)["train"] == 1


def test_another_guidance_scale_samples_that_row_and_trains_nothing(recorded):
    recorded.configure(lambda config: config["runs"][1].update(guidance_scales=[0, 1, 2.5]))
    jobs = recorded.plan()
    assert {wildcards["model"] for rule, wildcards in jobs if rule == "sample"} == {"adm_g@2.5"}
    expected = Counter(sample=2, extract=2, score_samples=2, figures_model_adm_g=1, table4=1, **SCORED)
    assert recorded.count(jobs) == expected


def test_another_classifier_is_trained_alone_and_samples_what_it_guides(recorded):
    recorded.configure(lambda config: config["classifiers"]["noisy"]["training"].update(weight_decay=0.2))
    again = recorded.count(recorded.plan())
    drawn = {"figures_model_adm_g": 1, "figures_models": 1}
    expected = Counter(train_classifier=1, sample=4, extract=4, score_samples=4, table4=1, **drawn, **SCORED)
    assert again == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "key", "value", "expected"),
    [
        ("bound", "timesteps", 5, {"bound": 4, "score_bound": 2, **CURVES, "table1": 1, "table2": 1, "claims": 1}),
        ("bound", "splits", ["test"], {"score_bound": 2, "table1": 1, "table2": 1, "claims": 1}),
        ("execution", "checkpoint_every", 7, {}),
        (
            "protocols",
            "digits",
            {"extractor": "digits_features", "k": 2},
            {"score_samples": 8, "score_real": 1, **SCORED},
        ),
    ],
)
def test_a_setting_repeats_exactly_what_depends_on_it(recorded, section, key, value, expected):
    recorded.configure(lambda config: config[section].update({key: value}))
    assert recorded.count(recorded.plan()) == Counter(expected)


@pytest.mark.slow
def test_a_new_number_of_images_keeps_models_and_bounds(recorded):
    recorded.configure(lambda config: config["runs"][0].update(num_images=77))
    again = recorded.count(recorded.plan())
    assert again["sample"] == 8
    assert not {"train", "bound", "extract_real", "prepare"} & set(again)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "rules"),
    [
        ("samplers/ddim.py", {"sample", "extract", "score_samples", "trace", *FIGURES, *SCORED}),
        ("figures/samples.py", {*FIGURES, "figures_model_adm_g", "table2"}),
        ("stages/bound.py", {"bound", "score_bound", *CURVES, "table1", "table2", "claims"}),
        ("objectives/hybrid.py", None),
        ("base/progress.py", set()),
    ],
)
def test_a_module_repeats_the_jobs_that_import_it(recorded, path, rules):
    source = (recorded.root / "diffbench" / path).read_text()
    recorded.write(f"diffbench/{path}", source + "\nEDITED = True\n")
    if rules is None:  # an objective: models that have it are trained again, others and the classifier are not
        again = {wildcards.get("model") for rule, wildcards in recorded.plan() if rule.startswith("train")}
        assert again == {"iddpm", "adm"}
    else:
        assert set(recorded.count(recorded.plan())) == rules


# -- how a run ends that cannot go on


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda config: config["models"]["ddpm"].update(schedul="linear"), ("schedul", "did you mean 'schedule'")),
        (lambda config: config["runs"][0].update(samplers=["ddmi"]), ("ddmi", "did you mean 'ddim'")),
        (lambda config: config["runs"][0].update(steps=[2000]), ("2000 steps", "2 to 1000")),
    ],
)
def test_a_mistake_in_the_configuration_is_one_line(fresh, change, words):
    fresh.configure(change)
    done = fresh.forked("--cores", "2", "results/table2.csv", expect=2)
    (line,) = own_lines(done)
    assert line.startswith(f"diffbench: {CONFIG}: ") and all(word in line for word in words)


@pytest.mark.slow
def test_what_is_no_yaml_is_one_line_that_names_the_place(fresh):
    fresh.write(CONFIG, "models: [1\nruns: : 2\n")
    (line,) = own_lines(fresh.snakemake("results/table2.csv", expect=2))
    assert line.startswith(f"diffbench: {CONFIG}: ") and "line 2" in line


@pytest.mark.slow
def test_a_results_folder_that_is_none_is_one_line(fresh):
    (fresh.root / "results/README.md").unlink()
    (fresh.root / "results").rmdir()
    (fresh.root / "results").touch()
    (line,) = own_lines(fresh.snakemake("results/table2.csv", expect=2))
    assert line.startswith("diffbench: ") and "results" in line


@pytest.mark.slow
def test_missing_data_are_named_in_the_last_words(fresh):
    fresh.configure(lambda config: config.update(dataset={"name": "mnist", "path": "no/such/folder"}))
    done = fresh.snakemake("results/data/train.npz", expect=None)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("diffbench: ")]
    assert lines and "no/such/folder" in lines[-1] and "Traceback" not in done.stdout + done.stderr
    assert not (fresh.root / "results/data/train.npz").exists()


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["snakemake alone", "all its processes"])
def test_killed_the_same_command_goes_on_to_the_same_bytes(fresh, tmp_path, victim):
    def longer(config):
        config["models"]["ddpm"]["training"]["steps"] = 60
        config["execution"]["checkpoint_every"] = 5

    fresh.configure(longer)
    untouched = fresh.copy(tmp_path / "untouched")
    weights = "results/models/ddpm/train0/weights.safetensors"
    running = subprocess.Popen(
        ["snakemake", "--cores", "2", weights],
        cwd=fresh.root,
        env=fresh.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    give_up = time.monotonic() + 120
    while not [path for path in (fresh.root / ".cache").rglob("*") if path.is_file() and path.name != ".lock"]:
        assert running.poll() is None and time.monotonic() < give_up, "no checkpoint to kill after"
        time.sleep(0.05)
    if victim == "snakemake alone":
        running.kill()
    else:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not (fresh.root / weights).exists()
    assert list((fresh.root / ".snakemake/locks").iterdir()), "killed too late to prove anything"
    fresh.snakemake(weights)
    untouched.snakemake(weights)
    assert (fresh.root / weights).read_bytes() == (untouched.root / weights).read_bytes()
    assert fresh.nothing_to_do(weights)


@pytest.mark.slow
def test_a_live_run_keeps_its_locks(fresh):
    """A second run at the same files is refused while the first is alive, whatever clears dead runs' locks."""
    fresh.configure(lambda config: config["models"]["ddpm"]["training"].update(steps=100000))
    weights = "results/models/ddpm/train0/weights.safetensors"
    running = subprocess.Popen(
        ["snakemake", "--cores", "2", weights],
        cwd=fresh.root,
        env=fresh.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        give_up = time.monotonic() + 120
        while not (fresh.root / ".cache").exists():
            assert running.poll() is None and time.monotonic() < give_up
            time.sleep(0.05)
        second = fresh.snakemake(weights, expect=None)
        assert second.returncode != 0 and "LockException" in second.stdout + second.stderr
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def test_the_smoke_benchmark_is_small():
    """It is run on every change: so much and no more."""
    content = yaml.safe_load((Path(__file__).parents[2] / "workflow/config/smoke.yaml").read_text())
    assert content["benchmark"] == "smoke"
    assert max(model.get("training", {}).get("steps", 0) for model in content["models"].values()) <= 200

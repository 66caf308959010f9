"""The end of a run: a short table, the paths as a user can open them, and commands that work."""

import csv

import pytest

from diffbench.commands.reporting.outcome import Outcome, beginning, said, time_line
from diffbench.commands.reporting.progress import Job, Progress
from diffbench.tables.table2 import COLUMNS

FILES = ["results/table2.csv", "results/metrics.json", "results/figures/fid_vs_steps.png", "results/figures/a.png"]


def row(model, sampler=None, steps=None, fid=5.0, bits=None, **more):
    cells = dict.fromkeys(COLUMNS, "") | {"benchmark": "small", "model": model, "protocol": "p", "num_images": 100}
    cells |= {"fid": fid, "fid_low": fid - 1, "fid_high": fid + 1, "sampler": sampler or "", "steps": steps or ""}
    seeds = {} if sampler is None else {"train_seed": 0, "sample_seed": 0}
    return cells | seeds | ({} if bits is None else {"nll_bits_per_dim": bits, "nll_se": 0.01}) | more


def made(home, rows):
    """Write the files of a finished run."""
    for name in FILES:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    with open(home / FILES[0], "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return home


ROWS = [
    row("real", fid=3.5),
    row("ddpm", "ddim", 10, 8.061, bits=2.911),
    row("ddpm", "ddim", 25, 5.96, bits=2.911),
    row("adm_g", "ddim", 25, 4.29, guidance_scale=1.5),
]


def test_the_table_has_the_real_row_first_and_numbers_as_a_reader_wants_them(tmp_path):
    home = made(tmp_path / "runs/small", ROWS)
    lines = Outcome(home, tmp_path, FILES[:1], FILES).lines()
    assert lines[:6] == [
        "",
        "model  sampler  steps  scale   FID  95 % interval     bits/dim",
        "real                          3.50   2.50 to 4.50",
        "ddpm   ddim        10         8.06   7.06 to 9.06  2.91 ± 0.02",
        "ddpm   ddim        25         5.96   4.96 to 6.96  2.91 ± 0.02",
        "adm_g  ddim        25    1.5  4.29   3.29 to 5.29",
    ]
    assert lines[7:] == [
        "tables:  runs/small/results/table2.csv",
        "figures: runs/small/results/figures/fid_vs_steps.png, a.png",
        "next:    diffbench compare adm_g@1.5/ddim/25 ddpm/ddim/25 --results runs/small/results",
        "         diffbench report runs/small",
        "         diffbench verify runs/small",
    ]


def test_the_default_benchmarks_commands_need_no_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    lines = Outcome(made(tmp_path, ROWS), tmp_path, FILES[:1], FILES).lines()
    assert lines[-3:] == [
        "next:    uv run diffbench compare adm_g@1.5/ddim/25 ddpm/ddim/25",
        "         uv run diffbench report",
        "         uv run diffbench verify",
    ]


def test_the_next_comparison_is_not_of_a_row_with_itself_at_scale_0(tmp_path):
    rows = [
        row("adm_g", "ddim", 25, 4.2, guidance_scale=0.0),
        row("adm", "ddim", 25, 4.2),
        row("ddpm", "ddim", 25, 6.0),
    ]
    compared = [
        line.split() for line in Outcome(made(tmp_path, rows), tmp_path, FILES[:1], FILES).lines() if "compare" in line
    ]
    assert [words[-1] for words in compared] == ["ddpm/ddim/25"]
    assert not any(
        "compare" in line for line in Outcome(made(tmp_path / "b", rows[:2]), tmp_path, FILES[:1], FILES).lines()
    )


def test_of_many_rows_the_best_are_shown_in_the_order_of_the_table(tmp_path):
    many = [row("real", fid=99.0), *(row(f"m{number}", "ddim", 10, 300.0 - number) for number in range(200))]
    lines = Outcome(made(tmp_path, many), tmp_path, FILES[:1], FILES).lines()
    assert len(lines) <= 50 and "the 40 of 201 rows with the lowest FID" in lines
    assert [line.split()[0] for line in lines[2:42]] == ["real", *(f"m{number}" for number in range(161, 200))]


def test_seeds_and_protocols_are_columns_only_where_they_tell_rows_apart(tmp_path):
    rows = [row("real", fid=3.5), *(row("ddpm", "ddim", 10, 8.0 + seed, train_seed=seed) for seed in range(3))]
    lines = Outcome(made(tmp_path, rows), tmp_path, FILES[:1], FILES).lines()
    assert lines[1].split()[3:5] == ["train", "seed"] and "protocol" not in lines[1]
    assert not any("compare" in line for line in lines), "there is one row, with three seeds"


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_a_table_that_cannot_be_read_is_named_and_the_run_has_not_failed(tmp_path, content):
    home = made(tmp_path, ROWS)
    (home / FILES[0]).write_text(content)
    (line,) = said(Outcome(home, tmp_path, FILES[:1], FILES))
    assert line.startswith("diffbench: ") and "table2.csv" in line


def test_another_target_is_named_without_a_table(tmp_path):
    home = made(tmp_path, ROWS)
    (home / "results/w.safetensors").touch()
    assert Outcome(home, tmp_path, ["results/w.safetensors", "results/w.safetensors.json"], []).lines() == [
        "made:    results/w.safetensors"
    ]


def test_lines_of_paths_are_not_longer_than_others(tmp_path):
    home = made(tmp_path, ROWS)
    figures = [f"results/figures/samples_of_a_model_{number}.png" for number in range(20)]
    for path in figures:
        (home / path).touch()
    lines = Outcome(home, tmp_path, FILES[:1], [*FILES, *figures]).lines()
    assert max(map(len, lines)) <= 150 and sum(".png" in line for line in lines) > 1
    assert any(line.endswith("and 10 more") for line in lines)


def test_the_page_is_named_if_the_run_made_it(tmp_path):
    home = made(tmp_path, ROWS)
    (home / "results/report.html").touch()
    lines = Outcome(home, tmp_path, [*FILES[:1], "results/report.html"], [*FILES, "results/report.html"]).lines()
    assert not any(line.endswith("diffbench report") for line in lines)
    assert "page:    results/report.html" in lines and not any(line.startswith("made:") for line in lines)


def test_the_time_is_one_line_by_stage():
    progress = Progress()
    progress.expect([Job(1, "train", {}), Job(2, "score_real", {}), Job(3, "train", {})])
    progress.seconds |= {1: 60.0, 2: 3.0, 3: 50.0}
    progress.side_by_side = 2
    line, more = time_line(progress, "results/logs")
    assert line == "time:    0 s; up to 2 jobs at once: train 1 min 50 s, score 3 s"
    assert more.endswith("diffbench costs results/logs shows more")


def test_the_time_of_many_stages_is_wrapped():
    progress = Progress()
    rules = (
        "prepare",
        "shrink",
        "fit",
        "train",
        "convert",
        "sample",
        "extract",
        "bound",
        "score_real",
        "table2",
        "figures_models",
    )
    progress.expect([Job(number, rule, {}) for number, rule in enumerate(rules)])
    progress.seconds |= dict.fromkeys(range(len(rules)), 1000.0)
    lines = time_line(progress, "results/logs")
    assert max(map(len, lines)) <= 150 and len(lines) == 3 and "16 min 40 s" in lines[1]


def test_the_first_line_counts_the_jobs():
    assert beginning("digits", {"score": 2, "prepare": 1}, 2).splitlines()[0] == (
        "benchmark digits: 3 jobs, up to 2 at once (1 prepare, 2 score)"
    )

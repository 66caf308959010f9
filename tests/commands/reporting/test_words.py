"""Words for jobs, times and signals."""

import pytest

from diffbench.commands.reporting.words import DOING, RULES, about, cut, did, doing, ending, spoken

SET = {"tree": "results", "model": "ddpm", "sampler": "ddim", "steps": "25", "train_seed": "0", "sample_seed": "1"}


@pytest.mark.parametrize(
    ("rule", "wildcards", "seeds", "words"),
    [
        ("train", {"model": "ddpm", "train_seed": "0"}, (), "train ddpm seed 0"),
        ("sample", SET, (), "sample ddpm, ddim, 25 steps"),
        ("sample", SET | {"model": "adm_g@2.0", "steps": "0"}, (), "sample adm_g scale 2, ddim, adaptive steps"),
        ("extract", SET | {"tree": "results/compared/n60"}, (), "extract features of ddpm, ddim, 25 steps, 60 images"),
        (
            "score_samples",
            SET | {"protocol": "p"},
            ("sample_seed",),
            "score ddpm, ddim, 25 steps, sample seed 1 (protocol p)",
        ),
        ("score_bound", {"model": "ddpm", "train_seed": "3"}, ("train_seed",), "score the bound of ddpm, train seed 3"),
        ("a_rule_of_mine", {"a": "1"}, (), "a_rule_of_mine a=1"),
    ],
)
def test_a_job_is_named_by_what_a_researcher_calls_it(rule, wildcards, seeds, words):
    assert did(rule, wildcards, seeds) == words


def test_a_running_job_has_the_same_words_as_a_finished_one():
    assert doing("sample", SET) == "sampling ddpm, ddim, 25 steps"
    assert {rule.verb for rule in RULES.values()} == set(DOING)


@pytest.mark.parametrize(
    ("seconds", "exact", "rough"),
    [
        (0.2, "0 s", "5 s"),
        (93, "93 s", "2 min"),
        (320, "5 min 20 s", "5 min"),
        (3599.7, "1 h 0 min", "60 min"),
        (11100, "3 h 5 min", "3 h"),
        (200_000, "2 days 8 h", "2 days"),
    ],
)
def test_times(seconds, exact, rough):
    assert (spoken(seconds), about(seconds)) == (exact, rough)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (2, "exit code 2"),
        (-9, "SIGKILL, often"),
        (137, "SIGKILL, often"),
        (-15, "SIGTERM"),
        (-200, "killed by signal 200"),
        (130, "interrupted"),
    ],
)
def test_the_end_of_a_process_is_said_by_name(code, words):
    assert words in ending(code)


def test_a_line_is_cut_to_its_length():
    assert len(cut("word " * 100)) <= 150 and cut("word " * 100).endswith(" ...") and cut("word") == "word"

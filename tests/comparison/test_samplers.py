"""Samplers against a baseline: differences are paired by seed, costs are means."""

import pytest

from diffbench.comparison.samplers import answered


@pytest.fixture
def records(set_scores):
    return [
        *set_scores("ancestral", (9.0, 9.3, 9.1), 4),
        *set_scores("ddim", (6.0, 6.1, 6.2), 7, classifier_evaluations=3),
    ]


def test_differences_are_paired_by_seed(records):
    (answer,) = answered(records, [("ddpm", 4)] * 2, {"ddim eta=0.0": "ddim", "ancestral": "ancestral"}, ["fid"])
    # -3.0, -3.2, -2.9 at the same seeds: mean -3.0333, margin 4.303 x 0.15275 / sqrt(3).
    assert answer.verdict.outcome == "better"
    assert answer.verdict.difference.value == pytest.approx(-3.03333, abs=1e-5)
    assert answer.verdict.difference.high == pytest.approx(-3.03333 + 0.37947, abs=1e-4)
    assert answer.candidate_costs == {"nfe": 7, "classifier_evaluations": 3} and answer.baseline_costs == {"nfe": 4}
    assert (answer.candidate, answer.baseline) == ("ddim eta=0.0", "ancestral")

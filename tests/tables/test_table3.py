"""The ablation grid's table: columns, seeds taken together, intervals, what is left out."""

import math
from dataclasses import replace

import pytest

from diffbench.base.records import Estimate, Row, record
from diffbench.tables.table3 import COLUMNS, table3

MODELS = {
    "a": dict(
        parameterization="eps", objective="vlb", t_drawn="loss_aware", variance="learned_range", schedule="cosine"
    )
    | {"timesteps": "100"},
}
BOUND = {"sampler": None, "steps": None, "sample_seed": None, "num_images": 77}


def row(model="a", **changes):
    return replace(Row("digits", model, "ancestral", 25, None, 0, 0, 500), **changes)


def fid(where, value=10.0, low=1.0, high=2.0):
    return record(where, "fid", "p", Estimate(value, value - low, value + high))


def nll(model="a", value=3.0, error=0.02, seed=0):
    return record(row(model, **BOUND, train_seed=seed), "nll_bits_per_dim", "b", Estimate.normal(value, error))


REAL = row("real", sampler=None, steps=None, train_seed=None, sample_seed=None)


def test_columns_are_the_promised_ones_also_without_rows():
    assert list(COLUMNS) == list(table3([], {}).columns) == list(table3([fid(row())], MODELS).columns)
    assert (
        list(COLUMNS)
        == (
            "benchmark model parameterization objective t_drawn variance schedule timesteps nll_bits_per_dim nll_se "
            "nll_train_seeds sampler steps train_seeds num_images protocol fid fid_low fid_high "
            "inception_score inception_score_low inception_score_high"
        ).split()
    )


def test_choices_scores_and_bound_meet_in_one_row():
    records = [fid(row()), record(row(), "inception_score", "p", Estimate(9, 8.5, 9.5)), nll(), nll("b", 4.0)]
    records += [record(row(), "kid", "p", Estimate.exact(1.0)), record(row(), "nfe", "p", Estimate.exact(25.0))]
    (only,) = table3(records, MODELS).to_dict("records")
    assert (only["parameterization"], only["objective"], only["t_drawn"]) == ("eps", "vlb", "loss_aware")
    assert (only["variance"], only["schedule"], only["timesteps"]) == ("learned_range", "cosine", 100)
    assert (only["fid"], only["fid_low"], only["fid_high"]) == (10, 9, 12)
    assert (only["inception_score"], only["inception_score_low"], only["steps"]) == (9, 8.5, 25)
    assert (only["nll_bits_per_dim"], only["train_seeds"], only["nll_train_seeds"]) == (3.0, 1, 1)
    assert only["nll_se"] == pytest.approx(0.02)


def test_training_seeds_are_one_row_with_students_interval():
    records = [fid(row(train_seed=seed), value) for seed, value in enumerate((10.0, 11.0, 15.0))]
    records += [nll(value=value, seed=seed) for seed, value in enumerate((3.0, 3.1, 3.2))]
    (only,) = table3(records, MODELS).to_dict("records")
    spread = math.sqrt((4 + 1 + 9) / 2)
    assert (only["fid"], only["train_seeds"], only["nll_train_seeds"]) == (12, 3, 3)
    assert only["fid_high"] - 12 == pytest.approx(4.302653 * spread / math.sqrt(3), rel=1e-6)
    assert 12 - only["fid_low"] == pytest.approx(only["fid_high"] - 12)
    # Over seeds 0.1 / sqrt(3), and over the test images, which are the same for all, 0.02.
    assert only["nll_bits_per_dim"] == pytest.approx(3.1)
    assert only["nll_se"] == pytest.approx(math.hypot(0.1 / math.sqrt(3), 0.02))


def test_sample_seeds_of_one_model_are_averaged_and_are_no_training_seeds():
    records = [fid(row(sample_seed=seed), value, 3.0, 4.0) for seed, value in ((0, 10.0), (1, 12.0))]
    (only,) = table3(records, MODELS).to_dict("records")
    assert (only["fid"], only["train_seeds"]) == (11, 1)
    assert (only["fid_low"], only["fid_high"]) == pytest.approx((11 - 3 / math.sqrt(2), 11 + 4 / math.sqrt(2)))
    # Beside another training seed, each counts once.
    records.append(fid(row(train_seed=1), 21.0))
    (only,) = table3(records, MODELS).to_dict("records")
    assert (only["fid"], only["train_seeds"]) == (16, 2)
    # Two seeds are too few for their spread to say anything: the interval is of sampling.
    assert only["fid_high"] - 16 == pytest.approx(math.hypot(2 / 2, 4 / 4, 4 / 4))


def test_real_first_then_models_in_order_and_steps_ascending_guided_ones_left_out():
    records = [fid(row("z", steps=steps)) for steps in (100, 25)] + [fid(row("a")), fid(REAL, 3.0)]
    records.append(fid(row("g", guidance_scale=1.0)))
    frame = table3(records, MODELS)
    assert frame["model"].tolist() == ["real", "z", "z", "a"]
    assert frame["steps"].tolist()[1:] == [25, 100, 25]
    assert frame["parameterization"].isna().tolist() == [True, True, True, False]
    assert frame["train_seeds"].isna().tolist() == [True, False, False, False]


def test_two_protocols_and_two_numbers_of_images_are_rows_of_their_own():
    other = record(row(), "fid", "q", Estimate.exact(2.0))
    assert len(table3([fid(row()), other, fid(row(num_images=300))], MODELS)) == 3


def test_a_score_that_is_recorded_twice_counts_once():
    """Real images are scored under each entry of protocols, and two entries may have one id."""
    (once,), (twice,) = (table3([fid(REAL)] * times, {}).to_dict("records") for times in (1, 2))
    assert (twice["fid_low"], twice["fid_high"]) == (once["fid_low"], once["fid_high"]) == (9, 12)


@pytest.mark.parametrize("odd", [math.nan, math.inf])
def test_one_seed_without_a_number_leaves_a_gap_and_all_other_numbers(odd):
    """The samples of one training may be no images. Its row has no mean then, and the table is made."""
    values = (odd, 11.0, 15.0)
    records = [fid(row(train_seed=seed), value) for seed, value in enumerate(values)]
    records += [nll(value=value, seed=seed) for seed, value in enumerate(values)]
    records += [
        record(row(train_seed=seed), "inception_score", "p", Estimate(value, 8, 9)) for seed, value in enumerate((8, 9))
    ]
    (only,) = table3(records, MODELS).to_dict("records")
    assert not math.isfinite(only["fid"]) and math.isnan(only["fid_low"]) and math.isnan(only["fid_high"])
    assert not math.isfinite(only["nll_bits_per_dim"]) and only["inception_score"] == 8.5

"""Columns, joins and order of the main table."""

from dataclasses import replace

import pytest

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate, Row, record
from diffbench.tables.table2 import Table2

COLUMNS = """benchmark model sampler steps nfe nfe_max guidance_scale train_seed sample_seed num_images protocol
fid fid_low fid_high kid kid_low kid_high inception_score inception_score_low inception_score_high
precision precision_low precision_high recall recall_low recall_high
nll_bits_per_dim nll_se nll_subset_se nll_train_bits_per_dim nll_train_se nll_gap_bits_per_dim nll_gap_se
rate_bits_per_dim distortion_bits_per_dim distortion_rmse prior_bits_per_dim flops_per_image""".split()


def row(
    model="ddpm",
    sampler="ddim",
    steps=10,
    *,
    guidance_scale=None,
    train_seed=0,
    sample_seed=0,
    num_images=500,
):
    return Row("digits", model, sampler, steps, guidance_scale, train_seed, sample_seed, num_images)


def fid(where, value=10.0, protocol="p"):
    return record(where, "fid", protocol, Estimate(value, value - 1, value + 2))


REAL = row("real", None, None, train_seed=None, sample_seed=None)


def test_columns_are_the_promised_ones_also_without_rows():
    assert list(Table2()([fid(row())]).columns) == COLUMNS
    assert list(Table2()([]).columns) == COLUMNS


def test_every_recorded_metric_has_columns_after_the_promised_ones():
    names = ["my_lab.Sharp", "density", "sfid", "uniform_bits_per_dim", "nll_train_subset_se", "classified"]
    frame = Table2()([fid(row()), *(record(row(), name, "p", Estimate(1, 0, 2)) for name in names)])
    place = COLUMNS.index("recall_high") + 1
    more = [f"{name}{end}" for name in ("sfid", "density", "my_lab.Sharp") for end in ("", "_low", "_high")]
    assert list(frame.columns) == [*COLUMNS[:place], *more, *COLUMNS[place:]]
    assert frame["density_high"].tolist() == [2]


def test_what_is_not_read_beside_fid_has_columns_without_it():
    frame = Table2()([record(row(), "classified", "p", Estimate(1, 0, 2))])
    assert frame["classified"].tolist() == [1] and frame["fid"].isna().all()


def test_scores_costs_and_bound_meet_in_one_row():
    bound = row(sampler=None, steps=None, sample_seed=None, num_images=77)
    other = row("iddpm", sampler=None, steps=None, sample_seed=None, num_images=77)
    records = [
        fid(row()),
        record(row(), "recall", "p", Estimate(0.5, 0.4, 0.6)),
        record(row(), "nfe", None, Estimate.exact(19.0)),
        record(row(), "flops_per_image", None, Estimate.exact(123456789.0)),
        record(row(), "accuracy", "p", Estimate.exact(0.9)),
        record(bound, "nll_bits_per_dim", "b", Estimate.normal(3.0, 0.02)),
        record(bound, "distortion_rmse", "b", Estimate.exact(1.5)),
        record(other, "nll_bits_per_dim", "b", Estimate.normal(9.0, 0.02)),
        record(replace(bound, num_images=99), "nll_train_bits_per_dim", "b", Estimate.normal(2.9, 0.03)),
        record(replace(bound, num_images=None), "nll_gap_bits_per_dim", "b", Estimate.normal(0.1, 0.04)),
    ]
    (only,) = Table2()(records).to_dict("records")
    assert (only["fid"], only["fid_low"], only["fid_high"], only["recall_high"]) == (10, 9, 12, 0.6)
    assert (only["nfe"], only["flops_per_image"], only["num_images"], only["protocol"]) == (
        19,
        123456789,
        500,
        "p",
    )
    assert (only["nll_bits_per_dim"], only["distortion_rmse"]) == (3.0, 1.5)
    assert only["nll_se"] == pytest.approx(0.02)
    assert (only["nll_train_bits_per_dim"], only["nll_gap_bits_per_dim"]) == (2.9, 0.1)
    assert (only["nll_train_se"], only["nll_gap_se"]) == (pytest.approx(0.03), pytest.approx(0.04))


def test_bound_belongs_to_its_own_training_seed():
    records = [fid(row(train_seed=seed)) for seed in (0, 1)]
    for seed in (0, 1):
        where = row(sampler=None, steps=None, train_seed=seed, sample_seed=None)
        records.append(record(where, "nll_bits_per_dim", "b", Estimate.exact(3.0 + seed)))
    assert Table2()(records).set_index("train_seed")["nll_bits_per_dim"].to_dict() == {0: 3.0, 1: 4.0}


def test_real_first_then_configured_order_then_steps_as_numbers():
    records = [fid(row("z", "ddim", steps)) for steps in (100, 25, 10)]
    records += [fid(row("a", "ddim", 10)), fid(row("z", "ancestral", 10)), fid(REAL, 3.0)]
    rows = Table2()(records)[["model", "sampler", "steps"]].astype(object)
    rows = rows.where(rows.notna(), None).values.tolist()
    assert rows == [
        ["real", None, None],
        ["z", "ddim", 10],
        ["z", "ddim", 25],
        ["z", "ddim", 100],
        ["z", "ancestral", 10],
        ["a", "ddim", 10],
    ]


def test_whole_numbers_stay_whole_beside_missing_ones():
    frame = Table2()([fid(REAL), fid(row()), record(row(), "nfe", None, Estimate.exact(10.0))])
    assert [str(frame[name].dtype) for name in ("steps", "nfe", "train_seed", "num_images")] == ["Int64"] * 4
    adaptive = Table2()([fid(row()), record(row(), "nfe", None, Estimate.exact(10.5))])
    assert adaptive["nfe"].tolist() == [10.5]


def test_two_protocols_are_two_rows_and_one_cell_holds_one_number():
    assert Table2()([fid(row(), 1.0, "p"), fid(row(), 2.0, "q")])["fid"].tolist() == [1.0, 2.0]
    with pytest.raises(UserError, match="two values of fid for model ddpm, sampler ddim, steps 10, train_seed 0"):
        Table2()([fid(row(), 1.0), fid(row(), 2.0)])


def test_a_score_that_is_not_a_number_is_a_missing_cell_and_no_mistake():
    nothing = float("nan")
    frame = Table2()([record(row(), "fid", "p", Estimate(nothing, nothing, nothing)), fid(row(steps=25))])
    assert frame["fid"].isna().tolist() == [True, False]
    with pytest.raises(UserError, match="two values of fid"):
        Table2()([fid(row()), record(row(), "fid", "p", Estimate(nothing, nothing, nothing))])


def test_a_row_says_how_its_networks_computed_and_other_tables_have_no_such_column():
    where = replace(row(), numerics="train bf16, sample bf16+channels_last")
    model = replace(row(sampler=None, steps=None, sample_seed=None), numerics="train bf16, bound bf16")
    bound = record(model, "nll_bits_per_dim", "bound", Estimate(3, 2.9, 3.1))
    frame = Table2()([fid(row("real", None, None)), fid(where), bound])
    place = COLUMNS.index("protocol") + 1
    assert list(frame.columns) == [*COLUMNS[:place], "numerics", *COLUMNS[place:]]
    assert frame["numerics"].tolist()[1:] == ["train bf16, sample bf16+channels_last, bound bf16"]
    assert frame["numerics"].isna().tolist() == [True, False]


def test_equal_sets_of_two_precisions_are_two_rows():
    frame = Table2()([fid(row()), fid(replace(row(), numerics="sample bf16"), 11.0)])
    assert frame["fid"].tolist() == [10, 11]

"""Columns of the table of models, and its best FID."""

import math

import pytest

from diffbench.base.records import Estimate, Row, record
from diffbench.tables.table1 import COLUMNS, Table1

FACTS = {"benchmark": "digits", "model": "ddpm", "train_seed": 0, "weights": "ddpm"}
TRAINED = FACTS | {"parameters": 1000, "flops_per_evaluation": 10**6, "training_steps": 20, "batch_size": 8}


def fid(steps, value, protocol="p"):
    return record(
        Row("digits", "ddpm", "ddim", steps, 2.0, 0, 1, 500), "fid", protocol, Estimate(value, value - 1, value + 1)
    )


def test_a_row_by_hand():
    own = Row("digits", "ddpm", train_seed=0)
    bound = [
        record(own, "nll_bits_per_dim", "b", Estimate.normal(3.0, 0.02)),
        record(own, "nll_train_bits_per_dim", "b", Estimate.normal(2.9, 0.01)),
        record(own, "rate_bits_per_dim", "b", Estimate.exact(2.5)),
        record(own, "distortion_rmse", "b", Estimate.exact(1.5)),
        record(own, "prior_bits_per_dim", "b", Estimate.exact(0.1)),
    ]
    frame = Table1()([(TRAINED, [fid(10, 5.0), fid(25, 3.0), fid(50, 1.0, "q"), *bound])])
    assert tuple(frame.columns) == COLUMNS
    (row,) = frame.to_dict("records")
    assert (row["parameters"], row["images_seen"]) == (1000, 160)
    # Three times the operations of an evaluation, for each of 20 x 8 images.
    assert row["training_flops"] == 3 * 10**6 * 160
    assert (row["nll_bits_per_dim"], row["nll_train_bits_per_dim"]) == (3.0, 2.9)
    assert (row["nll_se"], row["nll_train_se"]) == (pytest.approx(0.02), pytest.approx(0.01))
    assert (row["rate_bits_per_dim"], row["distortion_rmse"]) == (2.5, 1.5)
    # The FID under the second protocol does not compare with the others.
    assert (row["best_fid"], row["best_fid_low"], row["best_fid_high"]) == (3.0, 2.0, 4.0)
    assert (row["best_sampler"], row["best_steps"], row["best_guidance_scale"]) == ("ddim", 25, 2.0)
    assert (row["best_sample_seed"], row["num_images"], row["protocol"]) == (1, 500, "p")


def test_weights_by_others_have_no_training_and_a_model_may_have_no_score():
    frame = Table1()([(FACTS | {"parameters": None, "flops_per_evaluation": 10}, []), (TRAINED, [])])
    assert frame["training_flops"].isna().tolist() == [True, False] and frame["best_fid"].isna().all()
    assert str(frame["parameters"].dtype) == "Int64" and frame["parameters"].isna()[0]


def test_a_number_is_better_than_none():
    best = Table1()([(FACTS, [fid(10, math.nan), fid(25, 9.0)])])
    assert best["best_steps"].tolist() == [25]


def test_a_model_whose_fids_are_no_numbers_has_no_best_set():
    best = Table1()([(FACTS, [fid(10, math.nan), fid(25, math.nan)])])
    assert best[["best_fid", "best_sampler", "best_steps", "protocol"]].isna().all(axis=None)


def test_the_first_protocol_is_the_first_that_has_a_number():
    best = Table1()([(FACTS, [fid(10, math.nan), fid(25, 9.0, "q")])])
    assert (best["best_fid"].tolist(), best["protocol"].tolist()) == ([9.0], ["q"])


def test_the_caption_says_that_the_best_of_several_was_chosen():
    """The lowest of several noisy FIDs is rather too low, and its interval does not know that it was chosen."""
    assert "nor the choice of the best FID" in Table1.view.covers

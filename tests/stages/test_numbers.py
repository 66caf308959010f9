"""The numbers for `dvc metrics show`: a few for each model, whatever else the table has."""

import math

import pandas

from diffbench.stages._numbers import headline_numbers
from diffbench.tables.table2 import Table2


def table(*rows):
    """Return a table of rows (model, sampler, steps, values); values are columns, and seeds and protocol are optional."""
    given = [
        {"model": model, "sampler": sampler, "steps": steps, "train_seed": 0, "sample_seed": 0, "protocol": "p"}
        | values
        for model, sampler, steps, values in rows
    ]
    return pandas.DataFrame(given, columns=list(Table2()([]).columns))


def test_the_best_row_of_every_model_that_has_a_bound():
    frame = table(
        ("real", None, None, {"fid": 1.0}),
        ("b", "ddim", 10, {"fid": 100 / 3, "nll_bits_per_dim": 3.0}),
        ("b", "ddim", 25, {"fid": 20.0, "nll_bits_per_dim": 3.0}),
        ("a", "ancestral", 10, {"fid": 7.0, "nll_bits_per_dim": 2.5}),
        ("a_g@4", "ancestral", 10, {"fid": 3.0, "guidance_scale": 4.0}),
    )
    assert headline_numbers(frame) == {
        "b": {"fid": 20.0, "row": "ddim/25", "bits_per_dim": 3.0},
        "a": {"fid": 7.0, "row": "ancestral/10", "bits_per_dim": 2.5},
    }
    assert list(headline_numbers(frame)) == ["b", "a"], "in the order of the table"


def test_seeds_are_averaged_before_the_best_row_is_chosen():
    # The lowest single FID is of the row whose mean is higher.
    fids = {10: (1.0, 9.0), 25: (4.0, 4.5)}
    frame = table(
        *(
            ("a", "ddim", steps, {"fid": fid, "train_seed": seed, "nll_bits_per_dim": 3.0 + seed})
            for steps, pair in fids.items()
            for seed, fid in enumerate(pair)
        )
    )
    assert headline_numbers(frame) == {"a": {"fid": 4.25, "row": "ddim/25", "bits_per_dim": 3.5}}


def test_two_protocols_are_not_compared():
    frame = table(
        ("a", "ddim", 10, {"fid": 9.0, "protocol": "first"}),
        ("a", "ddim", 25, {"fid": 8.0, "protocol": "first"}),
        ("a", "ddim", 10, {"fid": 0.5, "protocol": "second"}),
    )
    assert headline_numbers(frame)["a"] == {"fid": 8.0, "row": "ddim/25"}


def test_what_is_missing_or_nan_is_left_out():
    frame = table(
        ("a", "ddim", 10, {"fid": math.nan, "nll_bits_per_dim": 3.0}),
        ("a", "ddim", 25, {"fid": 5.0, "nll_bits_per_dim": 3.0}),
        ("b", "ddim", 10, {"fid": math.nan, "nll_bits_per_dim": 2.0}),
    )
    assert headline_numbers(frame) == {
        "a": {"fid": 5.0, "row": "ddim/25", "bits_per_dim": 3.0},
        "b": {"bits_per_dim": 2.0},
    }


def test_without_any_bound_all_models_have_their_fid():
    frame = table(
        ("a_g@4", "ancestral", 10, {"fid": 3.0, "guidance_scale": 4.0}),
        ("solved", "probability_flow", None, {"fid": 2.0}),
    )
    assert headline_numbers(frame) == {
        "a_g@4": {"fid": 3.0, "row": "ancestral/10, guidance 4"},
        "solved": {"fid": 2.0, "row": "probability_flow"},
    }

"""Tables as data frames: which columns are names, counts and scores."""

import pytest

from diffbench.base.errors import UserError
from diffbench.stages._wide import csv_text, frame_of

TEXT = (
    "model,sampler,steps,guidance_scale,fid,fid_low,fid_high,flops,empty\n"
    "64,null,10,4,3,2,4,123456789012345678,\n"
    "NA,ddim,25,,5,4,6,,\n"
)


def test_names_stay_names_whatever_they_look_like():
    frame = frame_of(TEXT)
    assert frame["model"].tolist() == ["64", "NA"] and frame["sampler"].tolist() == ["null", "ddim"]


def test_counts_are_whole_and_scores_and_scales_that_happen_to_be_whole_are_none():
    kinds = {name: str(kind) for name, kind in frame_of(TEXT).dtypes.items()}
    assert (kinds["steps"], kinds["flops"]) == ("Int64", "Int64")
    assert {kinds[name] for name in ("guidance_scale", "fid", "fid_low", "fid_high", "empty")} == {"float64"}
    # As a float this number would end with 680.
    assert frame_of(TEXT)["flops"][0] == 123456789012345678 and frame_of(TEXT)["steps"].tolist() == [10, 25]


def test_a_table_is_read_as_it_was_written():
    assert csv_text(frame_of(TEXT)) == TEXT


def test_what_is_no_table_is_named():
    with pytest.raises(UserError, match="its cells are not separated by commas"):
        frame_of("model;fid\nddpm;3\n", "mine.csv")

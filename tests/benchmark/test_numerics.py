"""The entry `numerics` of a benchmark."""

import pytest

from diffbench.base.errors import UserError
from diffbench.base.numerics import Numerics
from diffbench.benchmark.numerics import StageNumerics, numerics_of


def test_a_stage_has_what_is_asked_for_and_others_compute_in_float32():
    assert numerics_of({"train": {"precision": "bf16"}}) == StageNumerics(train=Numerics("bf16"))
    assert numerics_of(None) == StageNumerics()


def test_defaults_that_are_written_out_leave_no_trace_in_a_job():
    assert numerics_of({"sample": {"precision": "float32", "channels_last": False}}) == StageNumerics()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"trian": {}}, "numerics: unknown key 'trian'.*train"),
        ({"train": {"precision": "fp16"}}, "numerics.train.precision: 'fp16'.*float32"),
        ("bf16", "numerics: 'bf16' is not a map of stages"),
    ],
)
def test_a_wrong_entry_is_named(entry, message):
    with pytest.raises(UserError, match=message):
        numerics_of(entry)

"""Estimates and their files."""

import math

import pytest

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.records import ROW_KEYS, Estimate, Row, read_records, record, write_records

ROW = Row("digits", "ddpm", steps=10)


def test_intervals():
    assert Estimate.exact(2.0) == Estimate(2.0, 2.0, 2.0, "nothing")
    found = Estimate.normal(1.0, 0.5)
    assert math.isclose(found.high - found.value, 0.979982, rel_tol=1e-6)
    assert math.isclose(found.value - found.low, found.high - found.value)


def test_a_record_carries_its_row():
    found = record(ROW, "fid", "p", Estimate(1.0, 0.5, 2.0))
    assert found == dict.fromkeys(ROW_KEYS) | {
        "benchmark": "digits",
        "model": "ddpm",
        "steps": 10,
        "protocol": "p",
        "metric": "fid",
        "value": 1.0,
        "low": 0.5,
        "high": 2.0,
        "covers": "sampling",
    }


def test_records_come_back_in_order_and_equal_records_are_equal_bytes(tmp_path):
    records = [record(ROW, metric, None, Estimate(0.1, 0.0, 0.2)) for metric in ("kid", "fid")]
    write_records(tmp_path / "a.json", records)
    write_records(tmp_path / "b.json", [dict(reversed(item.items())) for item in records])
    assert read_records([tmp_path / "a.json", tmp_path / "b.json"]) == records + records
    assert sha256(tmp_path / "a.json") == sha256(tmp_path / "b.json")


@pytest.mark.parametrize("content", [None, "{", "[]", '{"rows": []}', "3", '{"records": [1]}', b"\xff"])
def test_a_file_that_holds_no_records_is_named(tmp_path, content):
    path = tmp_path / "scores.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match="scores") as caught:
        read_records([path])
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)

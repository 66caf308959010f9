"""Fields of a protocol's id, all of them or those that concern a metric."""

import csv

from diffbench.base.protocol_ids import fields_of, precision_field, protocol_fields


def test_fields_of_an_id():
    bound = {"kind": "bound", "split": "test", "n": "77"}
    assert protocol_fields("bound;split=test;n=77", "nll_bits_per_dim") == bound
    assert protocol_fields("n=7;recall.k=3;fid.x=1", "fid") == {"n": "7", "fid.x": "1"}
    assert protocol_fields("n=7;fid.moments=stored@1;sfid.moments=stored@2", "fid") == {
        "n": "7",
        "fid.moments": "stored@1",
    }
    assert protocol_fields(None, "fid") == {}
    assert fields_of("bound;n=7;recall.k=3") == {"kind": "bound", "n": "7", "recall.k": "3"}


def test_the_settings_of_a_metric_of_your_own_are_its_own():
    assert protocol_fields("n=7;my_lab.Sharp.k=3;my_lab.Other.k=4", "my_lab.Sharp") == {"n": "7", "my_lab.Sharp.k": "3"}


def test_float32_has_no_field_so_that_ids_from_before_there_was_a_choice_hold():
    assert precision_field(None) == precision_field("float32") == {}
    assert precision_field("bf16") == {"precision": "bf16"}
    with open("docs/digits/table2.csv") as file:
        ids = {row["protocol"] for row in csv.DictReader(file)}
    assert ids and not any("precision" in fields_of(one) for one in ids)

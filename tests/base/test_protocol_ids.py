"""Fields of a protocol's id, all of them or those that concern a metric."""

from diffbench.base.protocol_ids import fields_of, protocol_fields


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

"""Fields of a protocol's id that concern a metric."""

from diffbench.comparison.judged import protocol_fields


def test_fields_of_an_id():
    bound = {"kind": "bound", "split": "test", "n": "77"}
    assert protocol_fields("bound;split=test;n=77", "nll_bits_per_dim") == bound
    assert protocol_fields("n=7;recall.k=3;fid.x=1", "fid") == {"n": "7", "fid.x": "1"}
    assert protocol_fields("n=7;fid.moments=stored@1;sfid.moments=stored@2", "fid") == {
        "n": "7",
        "fid.moments": "stored@1",
    }
    assert protocol_fields(None, "fid") == {}

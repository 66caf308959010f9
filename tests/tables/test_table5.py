"""Table 5: one row per sample set, with the costs of both stages and, for real images, the PSNR."""

import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate, Row, record
from diffbench.tables.table5 import COLUMNS, Table5

KEYS = {
    "benchmark": "b",
    "sampler": "ancestral",
    "steps": 25,
    "guidance_scale": None,
    "train_seed": 0,
    "sample_seed": 0,
}


def records(model, numbers, costs, protocol="p"):
    row = Row(**KEYS, model=model, num_images=50)
    found = [record(row, metric, protocol, Estimate.normal(value, 0.1)) for metric, value in numbers.items()]
    return found + [record(row, metric, "q", Estimate.exact(value)) for metric, value in costs.items()]


RECORDS = [
    *records("real", {"fid": 3.0}, {}),
    *records("adm", {"fid": 5.0, "recall": 0.8}, {"nfe": 25, "flops_per_image": 1e9}),
    *records("adm_u", {"fid": 4.0, "kid": 1.0}, {"nfe": 50, "nfe_low_res": 25, "flops_per_image": 3e9}),
    *records("alone", {"fid": 3.5}, {"nfe": 25, "psnr": 21.5, "psnr_enlarged": 18.25}),
]


def test_rows_costs_and_pairs():
    frame = Table5()(RECORDS)
    assert list(frame.columns) == list(COLUMNS) and list(frame.model) == ["real", "adm", "adm_u", "alone"]
    assert frame.nfe_low_res.dtype == "Int64" and frame.nfe_low_res[2] == 25 and frame.nfe[2] == 50
    assert pandas.isna(frame.nfe_low_res[1]) and pandas.isna(frame.psnr[2])
    assert (frame.psnr[3], frame.psnr_enlarged[3]) == (21.5, 18.25)
    assert frame.fid_low[1] == pytest.approx(5 - 0.1959964)


def test_two_values_of_one_cell_are_refused():
    with pytest.raises(UserError, match="two values of psnr for model alone"):
        Table5()([*RECORDS, *records("alone", {}, {"psnr": 20.0})])

"""What every table must keep, for each file in the folder."""

import copy

import pandas
import pytest

from diffbench.base import plugins
from diffbench.base.records import Estimate, record

ROW = {
    "benchmark": "digits",
    "model": "ddpm",
    "sampler": "ddim",
    "steps": 10,
    "guidance_scale": None,
    "train_seed": 0,
    "sample_seed": 0,
    "num_images": 500,
}


@pytest.mark.parametrize("name", plugins.names("tables"))
def test_pure_function_of_records(name):
    table = plugins.configure(plugins.load("tables", name), {}, name)
    records = [record(ROW, metric, "p", Estimate.normal(2.0, 0.1)) for metric in ("fid", "kid", "unheard_of")]
    before = copy.deepcopy(records)
    first, second = table(records), table(iter(records))
    assert records == before
    assert isinstance(first, pandas.DataFrame)
    pandas.testing.assert_frame_equal(first, second)

"""What every table must keep, for each file in the folder."""

import copy

import numpy as np
import pandas
import pytest

from diffbench.base import plugins
from diffbench.base.records import Estimate, Row, record

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

CURVE = {
    name: np.array([[0.5, 0.1], [0.7, 0.3]]) for name in ("curve_rate", "curve_x_0_mse", "curve_psnr", "curve_ssim")
}
DATA = {
    "records": [record(Row(**ROW), metric, "p", Estimate.normal(2.0, 0.1)) for metric in ("fid", "kid", "unheard_of")],
    "models": [(ROW | {"parameters": 9}, [record(Row(**ROW), "fid", "p", Estimate.normal(2.0, 0.1))])],
    "terms": [(ROW, CURVE | {"width": np.ones(9), "prior": np.zeros(2), "curve_timesteps": np.array([0, 4])})],
}


@pytest.mark.parametrize("name", plugins.names("tables"))
def test_pure_function_of_records(name):
    table = plugins.configure(plugins.load("tables", name), {}, name)
    data = DATA[table.consumes]
    before = copy.deepcopy(data)
    first, second = table(data), table(iter(data))
    assert str(data) == str(before)
    assert isinstance(first, pandas.DataFrame)
    pandas.testing.assert_frame_equal(first, second)

"""Table 4: guided rows by scale, their cost, and real images as the floor."""

from dataclasses import replace

import pytest

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate, Row, record
from diffbench.tables.table4 import COLUMNS, Table4

REAL = {
    "model": "real",
    "sampler": None,
    "steps": None,
    "train_seed": None,
    "sample_seed": None,
    "guidance_scale": None,
}


def row(model="adm_g", steps=25, scale=1.0, **changes):
    return replace(Row("digits", model, "ancestral", steps, scale, 0, 0, 500), **changes)


def records():
    found = []
    for k, given in enumerate(
        [
            row(steps=100, scale=1.0),
            row(scale=8.0),
            row(model="adm", scale=None),
            row(scale=0.0),
            row(**REAL),
            row(scale=0.5),
        ]
    ):
        for metric in ("fid", "classification_accuracy", "kid"):
            found.append(record(given, metric, "p", Estimate(k, k - 0.1, k + 0.1)))
        if given.guidance_scale:
            found.append(record(given, "classifier_evaluations", "p", Estimate.exact(25.0)))
    return found


def test_guided_rows_by_ascending_scale_after_real():
    table = Table4()(records())
    assert tuple(table.columns) == COLUMNS
    assert list(table["model"]) == ["real", "adm_g", "adm_g", "adm_g", "adm_g"]
    assert list(table["guidance_scale"].dropna()) == [0.0, 0.5, 8.0, 1.0] and table["steps"].iloc[-1] == 100
    assert list(table["classification_accuracy"]) == [4, 3, 5, 1, 0]
    assert table["fid_low"].iloc[1] == pytest.approx(2.9) and table["precision"].isna().all()
    assert list(table["classifier_evaluations"].dropna()) == [25, 25, 25]


def test_a_cell_with_two_values_is_refused():
    twice = [*records(), record(row(scale=8.0), "fid", "p", Estimate.exact(99.0))]
    with pytest.raises(UserError, match="two values of fid for model adm_g"):
        Table4()(twice)

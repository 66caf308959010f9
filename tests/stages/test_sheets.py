"""From a table's CSV to the sheet that people are shown."""

import math

import pandas
import pytest

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.base.records import Estimate, Row, record
from diffbench.formats.csv import Csv
from diffbench.stages._sheets import every_column, sheet_of
from diffbench.stages._wide import csv_text, frame_of
from diffbench.tables.table2 import Table2

ID = "protocol=classifier@2;extractor=own@7a;resize=none;rounding=truncate;n=500;reference=train:1297@5d;recall.k={k}"
P, Q = ID.format(k=3), ID.format(k=4)
REAL = Row("digits", "real", num_images=500)


def row(model="ddpm", sampler="ddim", steps=10, *, scale=None, seed=0):
    return Row("digits", model, sampler, steps, scale, seed, 0, 500)


def scored(where, protocol=P, **values):
    return [record(where, name, protocol, Estimate(v, v - 0.5, v + 0.5)) for name, v in values.items()]


def sheet(records, columns=None):
    return sheet_of(frame_of(csv_text(Table2()(records))), "table2", columns)


def texts(found):
    return [[cell.text for cell in line] for line in found.rows]


def titles(found):
    return [column.title for column in found.columns]


def marks(found, title):
    place = titles(found).index(title)
    return [line[place].mark for line in found.rows]


def test_what_people_are_shown_of_table_2():
    bound = Row("digits", "ddpm", train_seed=0)
    records = [
        *scored(REAL, fid=1.0, recall=0.9),
        *scored(row(), fid=4.0, recall=0.75, kid=0.1),
        *scored(row(steps=25), fid=3.25, recall=0.85),
        *[record(row(steps=n), "nfe", P, Estimate.exact(float(n))) for n in (10, 25)],
        record(bound, "nll_bits_per_dim", "bound", Estimate.normal(3.0, 0.02)),
    ]
    found = sheet(records)
    assert titles(found) == ["model", "sampler", "steps", "NFE", "FID", "Recall", "bits/dim"]
    assert [column.direction for column in found.columns] == [None, None, None, None, "down", "up", "down"]
    assert texts(found) == [
        ["real", "", "", "", "1.00", "0.90", ""],
        ["ddpm", "ddim", "10", "10", "4.00", "0.75", "3.000"],
        ["ddpm", "ddim", "25", "25", "3.25", "0.85", "3.000"],
    ]
    assert [line[4].interval for line in found.rows] == ["0.50 to 1.50", "3.50 to 4.50", "2.75 to 3.75"]
    assert found.rows[1][6].interval == "± 0.039"
    assert marks(found, "FID") == [None, "second", "best"] and marks(found, "bits/dim") == [None, None, None]
    assert "KID" in titles(sheet(records, ["model", "kid"])), "it is left out beside FID, and may be asked for"


def test_the_caption_names_images_seeds_protocol_and_what_intervals_cover():
    found = sheet([*scored(REAL, fid=1.0), *scored(row(), fid=4.0), *scored(row(steps=25), fid=3.0)])
    assert found.caption == (
        "Models and samplers. Benchmark digits; n = 500 images; training seed 0; sampling seed 0; protocol classifier@2 "
        "(extractor own@7a, resize none, rounding truncate, reference train:1297@5d). Intervals are 95 %, over images; "
        "training is not covered. Bold: the best value of a column, without real; underlined: the second."
    )
    assert found.notes == () and "real" not in sheet(scored(row(), fid=4.0)).caption


def test_two_protocols_are_letters_and_are_ranked_apart_where_they_differ():
    records = [
        item
        for protocol, worse in ((P, 0.0), (Q, 1.0))
        for name, fid in (("a", 3.0), ("b", 4.0))
        for item in scored(row(name), protocol, fid=fid + worse, recall=0.5 + worse + fid)
    ]
    found = sheet(records)
    place = titles(found).index("protocol")
    assert [line[place].text for line in found.rows] == ["a", "b", "a", "b"]
    assert found.notes[0].startswith("Protocol a: classifier@2 (extractor own@7a") and "recall.k 3" in found.notes[0]
    assert "recall.k 4" in found.notes[1] and len(found.notes) == 2
    # They differ in a setting of recall alone, so all FIDs compare, and recalls do not.
    assert marks(found, "FID") == ["best", "second", "second", None]
    assert marks(found, "Recall") == ["second", "second", "best", "best"]


def test_seeds_and_scales_are_columns_only_if_they_differ():
    assert titles(sheet(scored(row(), fid=4.0))) == ["model", "sampler", "steps", "FID"]
    both = sheet([*scored(row(seed=0), fid=4.0), *scored(row(seed=1), fid=5.0)])
    assert titles(both) == ["model", "sampler", "steps", "train seed", "FID"] and "training seeds 0, 1" in both.caption
    guided = sheet([*scored(row(), fid=4.0), *scored(row("adm_g", scale=4.0), fid=5.0)])
    assert titles(guided) == ["model", "sampler", "steps", "scale", "FID"] and texts(guided)[1][3] == "4"


def test_a_score_that_is_no_number_is_empty_unranked_and_named():
    nan = [record(row(steps=25), "fid", P, Estimate(math.nan, math.nan, math.nan))]
    found = sheet([*scored(row(), fid=4.0), *nan, *scored(row(steps=50), fid=3.0)])
    assert [line[-1].text for line in found.rows] == ["4.00", "", "3.00"] and found.rows[1][-1].interval == ""
    assert marks(found, "FID") == ["second", None, "best"]
    assert found.notes == ("An empty cell was not measured, or is not a number.",)
    alone = sheet(nan)
    assert texts(alone) == [["ddpm", "ddim", "25"]], "a column without any value is not shown"


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", "table5", "rate_distortion"])
def test_a_table_without_rows_is_made_too(name):
    table = plugins.configure(plugins.load("tables", name), {}, name)
    found = sheet_of(frame_of(csv_text(table([]))), name)
    assert found.rows == () and found.columns[0].title == "benchmark"
    for form in map(plugins.load, ["formats"] * 4, plugins.names("formats")):
        assert form()(found)


def test_infinity_is_the_best_psnr_and_has_no_interval():
    frame = frame_of("model,protocol,psnr,psnr_low,psnr_high\na,p,inf,inf,inf\nb,p,20,19,21\n")
    found = sheet_of(frame, "table5")
    assert [(cell.text, cell.interval, cell.mark) for _, cell in found.rows] == [
        ("∞", "", "best"),
        ("20.0", "19.0 to 21.0", "second"),
    ]


def test_a_metric_of_your_own_is_shown_and_ranked_if_it_can_be_found(tmp_path, monkeypatch):
    (tmp_path / "my_sheet_lab.py").write_text(
        "from dataclasses import dataclass\nfrom typing import ClassVar\n\n\n@dataclass(frozen=True)\nclass Sharp:\n"
        '    higher_is_better: ClassVar[bool] = True\n    label: ClassVar[str] = "Sharpness"\n'
        '    consumes: ClassVar[str] = "features"\n\n    def __call__(self, generated, reference):\n        raise NotImplementedError\n'
    )
    monkeypatch.syspath_prepend(tmp_path)
    records = [
        *scored(row(), fid=4.0, **{"my_sheet_lab.Sharp": 1.0, "nowhere.Lost": 2.0}),
        *scored(row(steps=25), fid=3.0, **{"my_sheet_lab.Sharp": 2.0, "nowhere.Lost": 1.0}),
    ]
    found = sheet(records)
    assert titles(found)[-3:] == ["FID", "Sharpness", "Lost"]
    assert marks(found, "Sharpness") == ["second", "best"] and marks(found, "Lost") == [None, None]


def test_the_wide_sheet_as_csv_is_the_file():
    text = csv_text(Table2()([*scored(REAL, fid=1 / 3), *scored(row(), fid=4.0, density=0.5)]))
    frame = frame_of(text)
    assert Csv()(sheet_of(frame, "table2", every_column(frame))) == text and "density_low" in text


def test_all_digits_of_a_measured_file_are_kept_in_csv_and_rounded_for_people():
    text = "model,protocol,fid,fid_low,fid_high\na,p,9.800912345,9.1,10.5\n"
    frame = frame_of(text)
    assert Csv()(sheet_of(frame, "measured", every_column(frame))) == text
    assert sheet_of(frame, "measured").rows[0][1].text == "9.80"


def test_names_that_look_like_numbers_or_gaps_stay_names():
    frame = frame_of("model,protocol,fid\n007,nan,3\nNA,p,4\n")
    assert frame["model"].tolist() == ["007", "NA"] and frame["protocol"].tolist() == ["nan", "p"]
    assert str(frame["fid"].dtype) == "Int64"


def test_mistakes_are_named():
    with pytest.raises(UserError, match="--columns: no column 'fdi'; did you mean 'fid'"):
        sheet(scored(row(), fid=4.0), ["model", "fdi"])
    with pytest.raises(UserError, match="not separated by commas"):
        frame_of("model;fid\na;3\n")
    with pytest.raises(UserError, match="a.csv: not a table"):
        frame_of("", "a.csv")


def test_a_table_of_differences_says_what_is_compared_by_what_and_rounds_each_metric_by_itself():
    """Without the metric and the baseline, nobody could tell its rows apart."""
    text = (
        "benchmark,compared,metric,model,sampler,guidance_scale,steps,baseline_model,baseline_sampler,num_images,"
        "value,value_low,value_high,difference,difference_low,difference_high,outcome,interval,covers,protocol\n"
        "digits,sampler,fid,ddpm,ddim,,10,ddpm,ancestral,500,8.0126,7.0,9.0,-16.896,-18.5,-15.3,better,x,sampling,p;n=1\n"
        "digits,sampler,kid,ddpm,ddim,,10,ddpm,ancestral,500,0.00812,0.003,0.013,0.0006,-0.003,0.004,not resolved,x,"
        "sampling,p;n=1\n"
    )
    sheet = sheet_of(frame_of(text), "differences")
    assert sheet.caption.startswith("Differences to a baseline. Benchmark digits; n = 500 images")
    heads = [column.title for column in sheet.columns]
    assert heads[:6] == ["model", "sampler", "steps", "metric", "baseline model", "baseline sampler"]
    assert heads[-2:] == ["outcome", "covers"] and not any(cell.mark for row in sheet.rows for cell in row)
    value, difference = heads.index("value"), heads.index("difference")
    assert [row[value].text for row in sheet.rows] == ["8.0", "0.0081"]
    assert [row[difference].interval for row in sheet.rows] == ["-18.5 to -15.3", "-0.0030 to 0.0040"]


def test_the_guidance_scale_of_all_rows_is_in_the_caption_and_otherwise_a_column():
    """Rows chosen at one scale have no column that says which."""
    guided = [*scored(row("adm_g", scale=4.0), fid=3.0), *scored(row("adm_g", scale=4.0, steps=25), fid=2.0)]
    alone = sheet(guided)
    assert "Benchmark digits; guidance scale 4; n = 500 images" in alone.caption and "scale" not in titles(alone)
    mixed = sheet([*guided, *scored(row(), fid=5.0)])
    assert "guidance scale" not in mixed.caption and "scale" in titles(mixed)


def test_rows_that_look_alike_without_a_column_are_said():
    rows = {
        "benchmark": "d",
        "model": "adm_g",
        "sampler": "ddim",
        "steps": [5, 5],
        "guidance_scale": [0.0, 4.0],
        "fid": 1.0,
    }
    frame = pandas.DataFrame(rows)
    note = "Rows that look alike differ in guidance scale, which is not shown."
    assert note in sheet_of(frame, "table2", ["model", "steps", "fid"]).notes
    assert note not in sheet_of(frame, "table2", ["model", "steps", "guidance_scale", "fid"]).notes

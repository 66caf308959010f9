"""CSV, read by Python's own reader."""

import csv
import io

from diffbench.base.sheets import Cell, Column, Sheet
from diffbench.formats.csv import Csv


def test_exact_values_and_the_ends_of_intervals(sheet, awkward):
    lines = list(csv.reader(io.StringIO(Csv()(sheet))))
    assert lines == [["model", "fid", "fid_low", "fid_high"], [awkward, "3.5", "3", "4"], ["ddpm", "", "", ""]]


def test_a_column_that_two_columns_show_is_written_once():
    columns = (Column("bits/dim", ("nll", "nll_se")), Column("error", ("nll_se",)))
    sheet = Sheet("t", "", columns, ((Cell("3", exact=("3", "0.1")), Cell("0.1", exact=("0.1",))),))
    assert Csv()(sheet) == "nll,nll_se\n3,0.1\n"

"""What the figure of FID against network evaluations draws, and what it refuses."""

import numpy as np
import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.fid_vs_nfe import FidVsNfe


def lines(axes):
    """Return {marker and colour: (x, y)} of an axes' samplers, without bars and the floor."""
    drawn = [line for line in axes.get_lines() if line.get_marker() in "os^DvPX" and len(line.get_xdata()) > 1]
    return {(line.get_marker(), line.get_color()): (line.get_xdata(), line.get_ydata()) for line in drawn}


def test_a_panel_for_each_model_and_a_line_for_each_sampler(table):
    figure = FidVsNfe()(table)
    panels = figure.get_axes()
    assert [axes.get_title(loc="left") for axes in panels] == ["ddpm", "iddpm"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ancestral", "ddim"]
    for axes, model in zip(panels, ("ddpm", "iddpm"), strict=True):
        found = lines(axes)
        assert len(found) == 2
        for x, y in found.values():
            assert x == pytest.approx([10, 25, 100], rel=0.02) and y == pytest.approx(
                [200 / n + len(model) for n in (10, 25, 100)]
            )
    assert panels[0].get_ylim() == panels[1].get_ylim() and panels[0].get_xlim() == panels[1].get_xlim()


def test_evaluations_are_what_was_counted_not_the_steps(table):
    table.loc[table.sampler == "ddim", "nfe"] = 2 * table.steps - 1
    found = [x for x, _ in lines(FidVsNfe()(table).get_axes()[0]).values()]
    assert sorted(round(float(x[0])) for x in found) == [10, 19]
    labels = [tick.get_text() for tick in FidVsNfe()(table).get_axes()[0].get_xticklabels()]
    assert "100" in labels and "10" in labels


def test_of_two_close_numbers_the_one_that_more_points_have_is_labelled(table):
    other = table[table.sampler == "ddim"].assign(sampler="heun", nfe=lambda rows: rows.steps - 1)
    labels = [tick.get_text() for tick in FidVsNfe()(pandas.concat([table, other])).get_axes()[0].get_xticklabels()]
    assert labels == ["10", "25", "100"]


def test_seeds_are_averaged_and_bars_span_them(table):
    again = table[table.model != "real"].assign(
        sample_seed=1, fid=lambda rows: rows.fid + 2, fid_high=lambda rows: rows.fid_high + 2
    )
    both = pandas.concat([table, again])
    (_, y), *_ = lines(FidVsNfe()(both).get_axes()[0]).values()
    assert y == pytest.approx([200 / n + 5 for n in (10, 25, 100)])


def test_more_samplers_than_colours_still_look_different(table):
    many = [table[table.sampler == "ddim"].assign(sampler=f"s{i}") for i in range(12)]
    found = {
        (line.get_marker(), line.get_color(), line.get_markerfacecolor())
        for line in FidVsNfe()(pandas.concat(many)).legends[0].get_lines()
    }
    assert len(found) == 12


def test_tables_without_counts_or_of_nothing_are_refused(table):
    with pytest.raises(UserError, match="no row says how many network evaluations"):
        FidVsNfe()(table.assign(nfe=np.nan))
    with pytest.raises(UserError, match="fid_vs_nfe: no row with an FID to draw; protocols in the table: p"):
        FidVsNfe(protocol="q")(table)

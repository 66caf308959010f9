"""Lines, floor and axes of the figure of FID against steps."""

import numpy as np
import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.fid_vs_steps import FidVsSteps


def drawn(figure):
    """Return {label: (x, y)} of the lines in the first panel."""
    lines = figure.axes[0].get_lines()
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in lines}


def test_one_line_for_each_model_and_sampler_and_the_floor(table):
    figure = FidVsSteps()(table)
    lines = drawn(figure)
    assert {"ddpm, ancestral", "ddpm, ddim", "iddpm, ancestral", "iddpm, ddim"} < set(lines)
    np.testing.assert_allclose(lines["iddpm, ddim"][0], [10, 25, 100], rtol=0.06)  # beside the others, not on them
    np.testing.assert_allclose(lines["iddpm, ddim"][1], [25, 13, 7])
    floors = [line for line in figure.axes[0].get_lines() if list(line.get_ydata()) == [3.0, 3.0]]
    assert len(floors) == 1 and floors[0].is_dashed()
    assert len(figure.axes) == 1 and figure.axes[0].get_xscale() == "log"
    looks = {
        (line.get_marker(), str(line.get_markerfacecolor()), line.get_linestyle())
        for line in figure.axes[0].get_lines()
    }
    assert len(looks) == 5  # told apart without colour


def test_solvers_with_more_evaluations_than_steps_get_a_second_axis(table):
    heun = table[table["sampler"] == "ddim"].assign(sampler="heun", nfe=lambda rows: 2 * rows["steps"] - 1)
    figure = FidVsSteps()(pandas.concat([table, heun]))
    assert [axes.get_xlabel() for axes in figure.axes] == ["sampling steps", "network evaluations"]


def test_seeds_are_averaged(table):
    second = table[table["model"] != "real"].assign(train_seed=1, fid=lambda rows: rows["fid"] + 2)
    lines = drawn(FidVsSteps()(pandas.concat([table, second])))
    np.testing.assert_allclose(lines["ddpm, ddim"][1], [25, 13, 7])


def test_interval_down_to_zero_leaves_the_axis_readable(table):
    figure = FidVsSteps()(table.assign(fid_low=-1.0))
    assert figure.axes[0].get_ylim()[0] > 1


def test_protocols_are_never_mixed(table):
    both = pandas.concat([table, table.assign(protocol="q", fid=table["fid"] * 2)])
    fewer = pandas.concat([table.iloc[:3].assign(protocol="q", fid=1.0), table])
    for mixed in (both, fewer):  # the protocol of most rows, the first of equals
        np.testing.assert_allclose(drawn(FidVsSteps()(mixed))["iddpm, ddim"][1], [25, 13, 7])
    np.testing.assert_allclose(drawn(FidVsSteps(protocol="q")(both))["iddpm, ddim"][1], [50, 26, 14])
    with pytest.raises(UserError, match="no row with an FID to draw; protocols in the table: p"):
        FidVsSteps(protocol="r")(table)


def words(figure):
    found = " ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "get_text")))
    return " ".join(found.split())


def test_a_table_without_fids_has_a_figure_that_says_so(table):
    without = table.assign(fid=np.nan, fid_low=np.nan, fid_high=np.nan, precision=0.5)
    assert "no row of the table has an FID above 0" in words(FidVsSteps()(without))
    assert "no row of the table has an FID above 0" in words(FidVsSteps()(table.assign(fid=0.0)))


def test_an_fid_of_zero_is_left_out_and_said(table):
    shown = FidVsSteps()(table.assign(fid=table["fid"].where(table["fid"] != table["fid"].max(), -1e-9)))
    hidden = int((table["fid"] == table["fid"].max()).sum())
    assert f"without {hidden} rows of FID 0 or less" in words(shown)
    assert "without" not in words(FidVsSteps()(table))


def bars(axes):
    """Return the lower and upper end of every interval in a panel, sorted."""
    found = [container.lines[2][0].get_segments() for container in axes.containers]
    return sorted((segment[0][1], segment[1][1]) for segments in found for segment in segments)


@pytest.mark.parametrize("steps", [[25], [10, 25], [10, 25, 100]])
def test_every_point_is_inside_the_axes_with_a_bar_for_its_interval(table, steps):
    rows = table[table["steps"].isin(steps) | (table["model"] == "real")]
    (axes,) = FidVsSteps()(rows).axes
    samples = rows[rows["model"] != "real"]
    np.testing.assert_allclose(bars(axes), sorted(zip(samples["fid_low"], samples["fid_high"], strict=True)))
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for line in axes.get_lines()[:4]:
        assert left < min(line.get_xdata()) and max(line.get_xdata()) < right
    assert bottom < samples["fid_low"].min() and samples["fid_high"].max() < top
    assert [tick.get_text() for tick in axes.get_xticklabels()] == [str(count) for count in steps]
    assert left > steps[0] / 3 and right < 3 * steps[-1]  # and the axis is not empty beside them


def test_lines_beside_one_another_share_no_place(table):
    (axes,) = FidVsSteps()(table[(table["steps"] == 25) | (table["model"] == "real")]).axes
    places = [float(line.get_xdata()[0]) for line in axes.get_lines()[:4]]
    assert len(set(places)) == 4


def test_a_point_without_an_interval_has_no_bar(table):
    table.loc[table["model"] == "ddpm", ["fid_low", "fid_high"]] = np.nan
    figure = FidVsSteps()(table)
    assert len(bars(figure.axes[0])) == 6
    without = FidVsSteps()(table.assign(fid_low=np.nan, fid_high=np.nan))
    assert not bars(without.axes[0]) and "no intervals" in words(without) and "held out: 3" in words(without)


def test_the_axis_of_fids_is_logarithmic_only_if_they_span_much(table):
    assert FidVsSteps()(table).axes[0].get_yscale() == "log"
    close = table.assign(fid=7.0, fid_low=6.5, fid_high=7.5)
    (axes,) = FidVsSteps()(close).axes
    assert axes.get_yscale() == "linear" and axes.get_ylabel() == "FID (lower is better)"


def test_thousands_are_written_out(table):
    more = table.assign(steps=table["steps"].replace(100, 1000), nfe=table["nfe"].replace(100, 1000))
    labels = [tick.get_text() for tick in FidVsSteps()(more).axes[0].get_xticklabels()]
    assert labels == ["10", "25", "1,000"]


def test_the_legend_is_outside_of_the_panels_and_names_all_looks(table):
    few = [table[table["model"] == "ddpm"].assign(model=f"model_{number}") for number in range(10)]
    figure = FidVsSteps()(pandas.concat([table[table["model"] == "real"], *few]))
    box = figure.legends[0].get_window_extent()
    assert not any(box.overlaps(axes.get_tightbbox()) for axes in figure.axes)
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    small = figure.texts[-1].get_window_extent()
    assert not small.overlaps(box) and small.x1 <= figure.bbox.width
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(names) == 21 and names[-1] == "real images, held out: 3 (2.5 to 3.5)"
    looks = {
        (line.get_color(), line.get_marker(), str(line.get_markerfacecolor()), line.get_fillstyle())
        for line in figure.axes[0].get_lines()[:20]
    }
    assert len(looks) == 20


def test_rows_of_one_step_count_beside_lines_are_said_to_be_missing(table):
    alone = table[(table["model"] == "ddpm") & (table["steps"] == 25)].assign(model="adm")
    assert "only in the table: 2 rows with one step count" in words(FidVsSteps()(pandas.concat([table, alone])))

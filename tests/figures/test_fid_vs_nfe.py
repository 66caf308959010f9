"""What the figure of FID against network evaluations draws, and what it refuses."""

import numpy as np
import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.figures._multiples import OTHERS, line_look
from diffbench.figures.fid_vs_nfe import FidVsNfe


def lines(axes):
    """Return {marker and colour: (x, y)} of an axes' samplers, without bars and the floor."""
    drawn = [line for line in axes.get_lines() if line.get_marker() in "os^DvPX" and len(line.get_xdata()) > 1]
    return {(line.get_marker(), line.get_color()): (line.get_xdata(), line.get_ydata()) for line in drawn}


def test_a_panel_for_each_model_and_a_line_for_each_sampler(table):
    figure = FidVsNfe()(table)
    panels = figure.get_axes()
    assert [axes.get_title(loc="left") for axes in panels] == ["ddpm", "iddpm"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        *("ancestral", "ddim", "every other model"),
        "real images, held out: 3 (2.5 to 3.5)",
    ]
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


def test_of_many_samplers_each_has_a_panel_with_all_models(table):
    many = pandas.concat([table[table.sampler == "ddim"].assign(sampler=f"s{i}") for i in range(9)])
    figure = FidVsNfe()(many)
    assert [axes.get_title(loc="left") for axes in figure.get_axes()] == [f"s{i}" for i in range(9)]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ddpm", "iddpm", "every other sampler"]
    for axes in figure.get_axes():
        assert len(lines(axes)) == 2
        assert len([line for line in axes.get_lines() if line.get_color() == OTHERS["color"]]) == 16


def test_more_lines_than_colours_still_look_different():
    looks = [line_look(place) for place in range(14)]
    assert len({(look["marker"], look["color"], look["markerfacecolor"]) for look in looks}) == 14


def test_the_rows_without_an_fid_are_named(table):
    table.loc[(table.model == "ddpm") & (table.steps == 10), "fid"] = np.nan
    assert "no FID: ddpm ancestral 10, ddpm ddim 10" in [text.get_text() for text in FidVsNfe()(table).texts][-1]


def test_a_table_of_nothing_to_draw_is_one_sentence(table):
    for nothing, said in (
        (table.assign(nfe=np.nan), "no row says how many network evaluations it took"),
        (table.assign(fid=np.nan), "no row of the table has an FID above 0"),
        (table.drop(columns=["fid", "fid_low", "fid_high"]), "no row of the table has an FID above 0"),
    ):
        (axes,) = FidVsNfe()(nothing).get_axes()
        assert said in axes.texts[0].get_text()
    with pytest.raises(UserError, match="fid_vs_nfe: no row with an FID to draw; protocols in the table: p"):
        FidVsNfe(protocol="q")(table)


def test_samples_far_above_real_images_fill_their_panels(table):
    far = table.assign(**{name: table[name].where(table["model"] == "real", 100 * table[name]) for name in FIDS})
    figure = FidVsNfe()(far)
    low, high = figure.axes[0].get_ylim()
    samples = far[far["model"] != "real"]
    assert 0.8 * samples["fid_low"].min() < low < samples["fid_low"].min()
    assert samples["fid_high"].max() < high < 1.2 * samples["fid_high"].max()
    assert figure.legends[0].get_texts()[-1].get_text() == "real images, held out: 3 (2.5 to 3.5), far below"


FIDS = ("fid", "fid_low", "fid_high")


@pytest.mark.parametrize("samplers", [1, 2, 16])
@pytest.mark.parametrize("steps", [[10], [10, 25, 100]])
def test_panels_hold_their_points_and_the_legend_is_outside(table, samplers, steps):
    some = table[(table["sampler"] == "ddim") & table["steps"].isin(steps)]
    many = [some.assign(sampler=f"package.sampler_number_{number}") for number in range(samplers)]
    figure = FidVsNfe()(pandas.concat([table[table["model"] == "real"], *many]))
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    # Of many samplers each has a panel, and a line for each of the two models.
    drawn = samplers if samplers <= 6 else 2
    assert len(figure.legends[0].get_texts()) == drawn + (2 if len(steps) > 1 else 1)
    for axes in figure.axes:
        assert not box.overlaps(axes.get_tightbbox())
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        shown = [line for line in axes.get_lines() if line.get_marker() in tuple("os^DvPX")]
        assert len(shown) == drawn
        assert all(left < x < right for line in shown for x in line.get_xdata())
        assert all(bottom < y < top for line in shown for y in line.get_ydata())
        assert len({line.get_xdata()[0] for line in shown}) == drawn
        assert [len(container.lines[2][0].get_segments()) for container in axes.containers] == [len(steps)] * drawn


def test_the_panels_of_the_last_row_and_the_one_above_an_empty_place_show_what_x_is(table):
    third = table[table["model"] == "iddpm"].assign(model="adm")
    panels = FidVsNfe()(pandas.concat([table, third])).get_axes()
    shown = [axes.get_xlabel() for axes in panels if axes.xaxis.label.get_visible()]
    assert [text for text in shown if text] == ["network evaluations an image"] * 2


def test_an_infinite_fid_is_a_gap_as_one_that_is_no_number_is(table):
    table.loc[1, ["fid", "fid_high"]] = np.inf
    figure = FidVsNfe()(table)
    figure.canvas.draw()
    assert "no FID: " in " ".join(text.get_text() for text in figure.texts)

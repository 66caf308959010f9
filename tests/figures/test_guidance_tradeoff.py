"""The guidance figure: a panel for each score there is, a line for each guided model, real images as the floor."""

import numpy as np
import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.guidance_tradeoff import GuidanceTradeoff


def test_panels_lines_and_the_floor(guided_table):
    figure = GuidanceTradeoff()(guided_table)
    drawn = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_ylabel() for axes in drawn] == ["FID (lower is better)", "precision"]
    adm, uncond, floor = drawn[0].lines
    # The lines are beside one another, so that equal scores are both seen.
    assert np.allclose(adm.get_xdata(), [0, 1, 4, 8], atol=0.15) and np.allclose(adm.get_ydata(), [5, 6, 9, 13])
    assert (adm.get_label(), uncond.get_label()) == ("adm_g, ancestral, 25 steps", "uncond_g, ancestral, 25 steps")
    assert set(floor.get_ydata()) == {3.0}
    assert [tick.get_text() for tick in drawn[0].get_xticklabels()] == ["0", "1", "4", "8"]


def test_seeds_are_averaged(guided_table):
    other = guided_table[guided_table["model"] == "adm_g"].assign(train_seed=1, fid=lambda rows: rows["fid"] + 2)
    adm = GuidanceTradeoff()(pandas.concat([guided_table, other])).axes[0].lines[0]
    assert np.allclose(adm.get_ydata(), [6, 7, 10, 14])


def test_tables_that_cannot_be_drawn_are_one_line(guided_table):
    with pytest.raises(UserError, match="no row has a guidance scale"):
        GuidanceTradeoff()(guided_table.assign(guidance_scale=np.nan))
    # Without scores the workflow still asks for the figure, which then says why it is empty.
    (axes,) = GuidanceTradeoff()(guided_table.drop(columns=["fid", "precision", "recall"])).axes
    assert "no guided row has one of the scores" in axes.texts[0].get_text()


def test_protocols_are_never_mixed(guided_table):
    other = guided_table[guided_table["model"] == "adm_g"].assign(protocol="q", fid=100.0)
    one, both = (
        GuidanceTradeoff()(table).axes[0].lines for table in (guided_table, pandas.concat([other, guided_table]))
    )
    for line, same in zip(one, both, strict=True):
        assert np.array_equal(line.get_ydata(), same.get_ydata())


@pytest.mark.parametrize("models", [1, 2, 10])
@pytest.mark.parametrize("scores", [1, 2])
def test_the_legend_is_outside_of_the_panels(guided_table, models, scores):
    adm = guided_table[guided_table["model"] == "adm_g"]
    many = [adm.assign(model=f"a_guided_model_{number}") for number in range(models)]
    table = pandas.concat([guided_table[guided_table["model"] == "real"], *many])
    figure = GuidanceTradeoff()(table if scores == 2 else table.drop(columns="precision"))
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    for axes in figure.axes:
        assert not axes.lines or not box.overlaps(axes.get_tightbbox())


def test_one_scale_alone_has_its_interval(guided_table):
    one = guided_table[(guided_table["guidance_scale"] == 1) | (guided_table["model"] == "real")]
    axes = GuidanceTradeoff()(one).axes[0]
    ends = [[(low[1], high[1]) for low, high in c.lines[2][0].get_segments()] for c in axes.containers]
    assert ends == [[(pytest.approx(5.7), pytest.approx(6.3))]] * 2
    left, right = axes.get_xlim()
    assert all(left < line.get_xdata()[0] < right for line in axes.lines[:2])

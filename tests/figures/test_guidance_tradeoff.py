"""The guidance figure: a panel for each score there is, a line for each guided model, real images as the floor."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.guidance_tradeoff import GuidanceTradeoff


def test_panels_lines_and_the_floor(guided_table):
    figure = GuidanceTradeoff()(guided_table)
    drawn = [axes for axes in figure.axes if axes.lines]
    assert [axes.get_ylabel() for axes in drawn] == ["FID (lower is better)", "precision"]
    adm, uncond, floor = drawn[0].lines
    assert np.allclose(adm.get_xdata(), [0, 1, 4, 8]) and np.allclose(adm.get_ydata(), [5, 6, 9, 13])
    assert (adm.get_label(), uncond.get_label()) == ("adm_g, ancestral, 25 steps", "uncond_g, ancestral, 25 steps")
    assert set(floor.get_ydata()) == {3.0}
    assert [tick.get_text() for tick in drawn[0].get_xticklabels()] == ["0", "1", "4", "8"]


def test_seeds_are_averaged(guided_table):
    other = guided_table[guided_table["model"] == "adm_g"].assign(train_seed=1, fid=lambda rows: rows["fid"] + 2)
    import pandas

    adm = GuidanceTradeoff()(pandas.concat([guided_table, other])).axes[0].lines[0]
    assert np.allclose(adm.get_ydata(), [6, 7, 10, 14])


def test_tables_that_cannot_be_drawn_are_one_line(guided_table):
    with pytest.raises(UserError, match="no row has a guidance scale"):
        GuidanceTradeoff()(guided_table.assign(guidance_scale=np.nan))
    with pytest.raises(UserError, match="the table has none of the scores"):
        GuidanceTradeoff()(guided_table.drop(columns=["fid", "precision", "recall"]))


def test_protocols_are_never_mixed(guided_table):
    import pandas

    other = guided_table[guided_table["model"] == "adm_g"].assign(protocol="q", fid=100.0)
    one, both = (
        GuidanceTradeoff()(table).axes[0].lines for table in (guided_table, pandas.concat([other, guided_table]))
    )
    for line, same in zip(one, both, strict=True):
        assert np.array_equal(line.get_ydata(), same.get_ydata())

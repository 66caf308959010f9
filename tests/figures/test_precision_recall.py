"""What the figure of precision and recall draws, and what it says of sets that have no place in it."""

import numpy as np
import pandas
import pytest

from diffbench.figures.precision_recall import PrecisionRecall


@pytest.fixture
def scored(table):
    """Return a table with precision and recall, one set of which is far below all others."""
    rng = np.random.default_rng(0)
    for name, middle in (("precision", 0.8), ("recall", 0.6)):
        values = middle + 0.02 * rng.random(len(table))
        table = table.assign(**{name: values, f"{name}_low": values - 0.03, f"{name}_high": values + 0.03})
    table.loc[1, ["precision", "recall"]] = 0.01
    return table


def test_a_panel_for_each_model_with_every_other_set_in_grey(scored):
    figure = PrecisionRecall()(scored)
    panels = figure.get_axes()
    assert [axes.get_title(loc="left") for axes in panels] == ["ddpm", "iddpm"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["ancestral", "ddim", "all other sets", "real images, held out"]
    for axes, model in zip(panels, ("ddpm", "iddpm"), strict=True):
        others = scored[~scored["model"].isin([model, "real"])]
        assert list(axes.get_lines()[0].get_xdata()) == list(others["recall"])
        own = scored[scored["model"] == model]
        drawn = {float(line.get_xdata()[0]) for line in axes.get_lines() if line.get_marker() in ("o", "s")}
        assert drawn == set(own["recall"])


def test_a_set_far_below_all_others_is_told_in_words_and_squeezes_nothing(scored):
    panels = PrecisionRecall()(scored).get_axes()
    assert panels[0].get_xlim()[0] > 0.4 and panels[0].get_ylim()[0] > 0.5
    assert "ancestral, 10 steps:\nrecall 0.01, precision 0.01" in panels[0].texts[-1].get_text()
    assert not panels[1].texts


def test_more_steps_have_larger_markers(scored):
    (first, *_) = PrecisionRecall()(scored[scored["model"] != "iddpm"]).get_axes()
    sizes = [line.get_markersize() for line in first.get_lines() if line.get_marker() == "s"]
    assert sizes == sorted(sizes) and len(set(sizes)) == 3


def test_sets_without_a_score_are_named_and_a_table_without_any_is_one_sentence(scored, table):
    scored.loc[2, "recall"] = np.nan
    small = [text.get_text() for text in PrecisionRecall()(scored).texts][-1]
    assert "no precision or recall: ddpm ancestral 25" in small
    for nothing in (table, scored.assign(recall=np.nan), pandas.DataFrame(scored.iloc[:1])):
        (axes,) = PrecisionRecall()(nothing).get_axes()
        assert "precision and recall" in axes.texts[0].get_text()

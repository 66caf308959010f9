"""Figures of logs, terms, schedules and differences: their lines, their gaps, and nothing to draw."""

import numpy as np
import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.differences import Differences
from diffbench.figures.gradient_noise import GradientNoise
from diffbench.figures.published import Published
from diffbench.figures.schedules import Schedules
from diffbench.figures.training_curves import TrainingCurves
from diffbench.figures.vlb_terms import VlbTerms


def small_print(figure):
    return figure.texts[-1].get_text()


def sentence(figure):
    (axes,) = figure.get_axes()
    return axes.texts[0].get_text()


def test_training_curves_have_a_panel_for_each_classifier(logs):
    figure = TrainingCurves()(logs)
    loss, norm, accuracy = figure.get_axes()
    assert [line.get_label() for line in loss.get_lines()] == list(logs)
    assert loss.get_yscale() == "log" and list(norm.get_lines()[0].get_ydata()) == list(20 / logs["ddpm"]["step"])
    assert accuracy.get_title(loc="left") == "classifier noisy" and len(accuracy.get_lines()) == 8
    assert "dashed on held-out images" in small_print(figure)


def test_a_gap_in_a_log_is_left_out_and_named(logs):
    figure = GradientNoise()(logs)
    (axes,) = figure.get_axes()
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [10, 9, 10]
    assert "not estimated: iddpm (1 of 10 rows)" in small_print(figure)
    del logs["ddpm"]["gradient_noise"]
    assert "not recorded: ddpm" in small_print(GradientNoise()(logs))


def test_one_row_and_more_trainings_than_colours(logs):
    many = {f"model{place}": logs["ddpm"].iloc[:1] for place in range(12)}
    for figure in (GradientNoise()(many), TrainingCurves()(many)):
        found = {
            (line.get_color(), line.get_marker(), line.get_markerfacecolor()) for line in figure.legends[0].get_lines()
        }
        assert len(found) == 12


def test_logs_of_nothing(logs):
    old = {name: log.drop(columns="gradient_noise") for name, log in logs.items()}
    assert "no training log has a gradient noise scale" in sentence(GradientNoise()(old))
    assert "no training has a log" in sentence(TrainingCurves()({"ddpm": logs["ddpm"].iloc[:0]}))


def test_terms_are_means_over_images_and_those_of_almost_nothing_are_named(terms):
    figure = VlbTerms()(terms)
    (axes,) = figure.get_axes()
    first, _ = axes.get_lines()
    assert list(first.get_xdata()) == [2, 4, 13] and first.get_ydata() == pytest.approx([0.5, 0.05, 0.004])
    assert axes.get_yscale() == "log" and len(axes.collections) == 2
    # 0.5 + 4 * 0.05 + 14 * 0.004 = 0.756
    assert figure.legends[0].get_texts()[0].get_text() == "ddpm: 0.76 bits/dim in all"
    assert "below the axis: step 1 of every model" in small_print(figure)


def test_terms_that_do_not_fit_or_are_all_zero(terms):
    with pytest.raises(UserError, match="vlb_terms: ddpm has"):
        VlbTerms()({"ddpm": terms["ddpm"] | {"width": np.ones(9)}})
    nothing = {"ddpm": terms["ddpm"] | {"vlb": np.zeros((6, 4))}}
    assert "no model has a finite bound" in sentence(VlbTerms()(nothing))


def test_a_model_with_a_term_that_is_not_a_number_has_no_bound(terms):
    bad = terms["ddpm"]["vlb"].copy()
    bad[0, 1] = np.nan
    figure = VlbTerms()(terms | {"odd": terms["ddpm"] | {"vlb": bad}})
    figure.canvas.draw()
    assert "no bound: odd" in small_print(figure)
    assert "no model has a finite bound" in sentence(VlbTerms()({"odd": terms["ddpm"] | {"vlb": bad}}))


def test_schedules_show_the_training_chain_and_the_ratio_of_every_chain(schedules):
    alpha_bar, ratio = Schedules()(schedules).get_axes()
    assert len(alpha_bar.get_lines()) == 2 and len(ratio.get_lines()) == 4
    assert list(alpha_bar.get_lines()[0].get_ydata()) == list(schedules["linear"][50]["alpha_bar"])
    assert "no model" in sentence(Schedules()({}))


def test_differences_are_sorted_and_told_by_the_filling(differences):
    figure = Differences()(differences)
    samplers, models = figure.get_axes()
    assert samplers.get_title(loc="left") == "samplers against ancestral"
    assert models.get_title(loc="left") == "models against ddpm"
    names = [label.get_text() for label in samplers.get_yticklabels()]
    assert names[-1] == "ddim, ddpm, 10 steps" and len(names) == 6
    marked = [line for line in samplers.get_lines() if line.get_marker() in ("o", "D")]
    assert [float(line.get_xdata()[0]) for line in marked] == [-8, -8, 0.1, 0.1, 3, 3]
    looks = {(line.get_marker(), line.get_fillstyle(), line.get_markerfacecolor() == "white") for line in marked}
    assert looks == {("o", "full", False), ("o", "full", True), ("D", "left", False)}
    assert "they cover sampling" in small_print(figure)
    # The last row of the fixture has no score.
    assert "no FID: iddpm, ddim" in small_print(figure)


def test_differences_under_two_protocols_are_never_drawn_together(differences):
    """FIDs from two extractors have no common scale. Those of the smaller group are counted in the small print."""
    other = differences[differences["metric"] == "fid"].head(2).assign(protocol="another", difference=500.0)
    figure = Differences()(pandas.concat([other, differences], ignore_index=True))
    ends = [float(line.get_xdata()[0]) for axes in figure.get_axes() for line in axes.get_lines()]
    assert 500.0 not in ends and "rows of other protocols: see the table (2)" in small_print(figure)
    chosen = Differences(protocol="another")(pandas.concat([other, differences], ignore_index=True))
    assert {500.0} == {float(line.get_xdata()[0]) for line in chosen.get_axes()[0].get_lines()} - {0.0}


def test_a_guided_baseline_is_named_with_its_scale(differences):
    models = differences[differences["compared"] == "model"].assign(baseline_guidance_scale=2.0)
    (axes,) = Differences()(pandas.DataFrame(models)).get_axes()
    assert axes.get_title(loc="left") == "models against ddpm (scale 2)"


def test_differences_of_another_metric_and_of_nothing(differences):
    assert Differences(metric="kid")(differences).get_axes()[0].get_xlabel() == "difference of KID"
    assert "no difference" in sentence(Differences()(differences.iloc[:0]))
    assert "no difference of fid is known" in sentence(Differences()(differences.assign(difference=np.nan)))
    (alone,) = Differences()(pandas.DataFrame(differences[differences["compared"] == "model"])).get_axes()
    assert alone.get_title(loc="left") == "models against ddpm"


def test_only_comparable_numbers_are_drawn_beside_scores_with_the_difference(published):
    figure = Published()(published)
    panels = {axes.get_xlabel(): axes for axes in figure.get_axes() if axes.get_xlabel()}
    assert [*panels] == ["FID", "bits/dim of test images"]
    fid, bits = panels.values()
    labels = [label.get_text() for label in fid.get_yticklabels()]
    assert labels[-1] == "ddpm, ancestral, 1000 steps\nDDPM, Table 1" and len(labels) == 3
    assert [text.get_text().splitlines()[0] for text in fid.texts] == ["+0.03", "+0.41", "-0.47"]
    assert fid.get_xscale() == "log" and bits.get_xscale() == "linear"
    filled = [line.get_markerfacecolor() for line in fid.get_lines() if line.get_marker() == "o"]
    assert len({*filled}) == 2 and filled[1] == filled[2] == "white", "hollow where the two differ"
    assert "not drawn, since not comparable: 2 rows" in " ".join(text.get_text() for text in figure.texts)
    none = Published()(published[published["verdict"].str.startswith("not")])
    assert "no published number is of the same model" in sentence(none)

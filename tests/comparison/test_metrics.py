"""Metrics are found however people write them, and unknown ones get the nearest names."""

import pytest

from diffbench.base.errors import UserError
from diffbench.comparison.metrics import metric_named


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("fid", "fid"),
        ("FID", "fid"),
        ("Inception-Score", "inception_score"),
        ("inception score", "inception_score"),
        ("FD-DINOv2", "fd_dinov2"),
        ("NLL_bits_per_dim", "nll_bits_per_dim"),
        ("my_lab.Sharpness", "my_lab.Sharpness"),
    ],
)
def test_a_metric_is_found_in_any_case_and_with_any_dashes(word, name):
    assert metric_named(word) == name


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fdi", "no metric 'fdi'; did you mean 'fid'? allowed: authpct, classification_accuracy, classified, coverage"),
        ("FIDD", "did you mean 'fid'?"),
        ("IS", "did you mean 'inception_score'?"),
        ("nll", "did you mean 'nll_bits_per_dim'?"),
        ("accuracy", "did you mean 'classification_accuracy'?"),
        ("qqqq", "no metric 'qqqq'; allowed: authpct"),
        ("bits_per_dim", "did you mean 'nll_bits_per_dim' or 'rate_bits_per_dim' or 'distortion_bits_per_dim'?"),
    ],
)
def test_an_unknown_metric_gets_the_nearest_names(word, said):
    with pytest.raises(UserError) as caught:
        metric_named(word)
    assert said in str(caught.value)


def test_only_the_given_names_count():
    with pytest.raises(UserError, match="no metric 'FID'; did you mean 'kid'"):
        metric_named("FID", ["kid"])

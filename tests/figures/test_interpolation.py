"""Images between two draws: both ends are framed and named, and the shares of the arc are above the others."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from diffbench.base.errors import UserError
from diffbench.figures.interpolation import Interpolation


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_ends_are_framed_and_named(interpolation):
    figure = Interpolation(title="adm")(interpolation)
    assert words(figure)[:5] == ["first\n0", "0.25", "0.50", "0.75", "last\n1"]
    assert {"class 0: images 4 and 9", "class 1: images 0 and 2", "share of the arc", "adm"} <= {*words(figure)}
    frames = [artist for artist in figure.artists if isinstance(artist, Rectangle)]
    assert len(frames) == 4 and len({round(frame.get_x(), 6) for frame in frames}) == 2
    small = " ".join(words(figure))
    assert "25 steps" in small and "the first two images of a class" in small


def test_a_model_without_classes_and_one_row_of_two_columns(interpolation):
    one = {"images": interpolation["images"][:1, ::4], "index": np.array([[0, 1]]), "num_steps": np.array(3)}
    found = words(Interpolation()(one))
    assert found[:2] == ["first\n0", "last\n1"] and "images 0 and 1" in found
    assert "neighbours in the set" in " ".join(found)


def test_large_pictures_keep_both_ends(interpolation):
    large = interpolation | {"images": np.zeros((2, 16, 256, 256, 3), np.uint8)}
    found = words(Interpolation()(large))
    assert found[0] == "first\n0" and found[11] == "last\n1" and found[1] == "0.07"


def test_wrong_input_is_named(interpolation):
    with pytest.raises(UserError, match=r"index \(1, 2\) do not fit"):
        Interpolation()(interpolation | {"index": np.array([[0, 1]])})
    with pytest.raises(ValueError, match="rows: 0"):
        Interpolation(rows=0)

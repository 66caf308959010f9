"""Samples on their way: columns in the order of steps, rows by class or number, and gaps that are filled or named."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.progressive_generation import ProgressiveGeneration


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_columns_are_steps_and_rows_are_images(generation):
    found = words(ProgressiveGeneration(title="ddpm")(generation))
    assert found[:5] == ["0\n1.00", "3\n0.90", "6\n0.50", "9\n0.01", "sample"]
    assert ["$x_t$ of image 0", "image 0", "image 1", "image 2"] == [text for text in found if "image " in text][:4]
    assert "steps done\nnoise σ" in found and "ddpm" in found and any("in 10 steps" in text for text in found)


def test_a_row_holds_its_predictions_and_then_its_sample(generation):
    rows = [axes.get_images()[0].get_array() for axes in ProgressiveGeneration()(generation).axes]
    assert len(rows) == 4
    sides = rows[1].shape[0] // 4
    # The first pixel of each picture, from left to right; white lies between pictures.
    firsts = [tuple(rows[2][0, at]) for at in (0, rows[2].shape[1] - 4 * sides)]
    assert firsts == [tuple(generation["x_0"][1, 0, 0, 0]), tuple(generation["samples"][1, 0, 0])]
    assert tuple(rows[0][0, 0]) == tuple(generation["x_t"][0, 0, 0, 0])
    # x_t has no last column: what is there is the sample.
    assert (rows[0][:, -4 * sides :] == 255).all()


def test_classes_name_rows_and_a_second_image_of_a_class_its_number(generation):
    found = words(ProgressiveGeneration()(generation | {"labels": np.array([0, 1, 1]), "index": np.array([4, 0, 7])}))
    assert {"class 0", "class 1, image 0", "class 1, image 7", "$x_t$ of class 0"} <= {*found}
    assert any("the first image of each class" in text for text in found)


def test_one_image_and_few_steps_are_drawn(generation):
    one = {name: value[:1] for name, value in generation.items() if name in ("x_0", "x_t", "samples", "index")}
    few = {name: value[:, :2] for name, value in one.items() if name.startswith("x_")}
    found = ProgressiveGeneration()(generation | one | few | {"step": np.array([0, 1]), "sigma": np.array([1.0, 0.2])})
    assert words(found)[:3] == ["0\n1.00", "1\n0.20", "sample"] and len(found.axes) == 2


def test_large_pictures_have_fewer_columns(generation):
    large = {name: np.zeros((1, 30, 256, 256, 3), np.uint8) for name in ("x_0", "x_t")}
    large |= {"samples": np.zeros((1, 256, 256, 3), np.uint8), "index": np.array([0])}
    level = {"step": np.arange(30), "sigma": np.linspace(1, 0.1, 30)}
    found = words(ProgressiveGeneration()(generation | large | level))
    assert found[0] == "0\n1.00" and found[10] == "29\n0.10" and found[11] == "sample"


def test_arrays_and_numbers_that_make_no_sense_are_named(generation):
    with pytest.raises(UserError, match="and 3 steps do not fit together"):
        ProgressiveGeneration()(generation | {"step": np.arange(3)})
    with pytest.raises(ValueError, match="images: 0"):
        ProgressiveGeneration(images=0)
    with pytest.raises(ValueError, match="columns: 2"):
        ProgressiveGeneration(columns=2)

"""The grid shows the very pixels of the samples."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.figures._pictures import Pictures
from diffbench.figures._style import empty_figure, save_png
from diffbench.figures.samples import Samples


def test_file_holds_the_pixels_exactly(tmp_path):
    colour = np.array([12, 200, 77], np.uint8)
    save_png(Samples(columns=2)({"ddim, 10 steps": Pictures(np.tile(colour, (2, 4, 4, 1)))}), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    exact = (pixels == colour).all(axis=-1)
    side = np.flatnonzero(exact.any(axis=1))
    # Two squares with the gap between them, and not one blended pixel at their edges.
    assert exact.sum() == 2 * len(side) ** 2 and len(side) % 4 == 0


def test_wrong_input_is_named(images):
    with pytest.raises(UserError, match=r"images of 'other' are \(8, 8\), of 'ddim, 10 steps' \(4, 4\)"):
        Samples()(images | {"other": Pictures(np.zeros((2, 8, 8, 1), np.uint8))})
    with pytest.raises(UserError, match="no image sets"):
        Samples()({})
    with pytest.raises(ValueError, match="columns: 0"):
        Samples(columns=0)


def test_a_figure_of_more_rows_than_a_picture_can_be_high_is_drawn_smaller(tmp_path):
    for height, expected in ((70_000, 2**15), (2**15, 2**15), (900, 900)):
        save_png(empty_figure(width=100, height=height), tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.size[1] == expected


def numbered(labels):
    """Return pictures whose grey is their place in the set, so that a figure shows which were chosen."""
    greys = np.arange(len(labels), dtype=np.uint8)
    return Pictures(np.tile(greys[:, None, None, None], (1, 2, 2, 1)), np.array(labels))


def shown(figure):
    """Return, for each row of a figure, the grey of each column; 255 is a column without an image."""
    rows = [axes.get_images()[0].get_array() for axes in figure.axes]
    columns = len(figure_classes(figure)) or 4
    return [
        [int(row[0, round((column + 0.5) * (row.shape[1] + 6) / columns) - 3, 0]) for column in range(columns)]
        for row in rows
    ]


def figure_classes(figure):
    return [text.get_text() for text in figure.texts if text.get_text().isdigit()]


def test_every_row_with_classes_shows_them_in_one_order():
    real, model = numbered([7, 7, 7, 0, 3, 0]), numbered([3, 0, 0, 7, 7, 3])
    figure = Samples(columns=4, title="Samples of adm")({"real images": real, "ddim, 10 steps": model})
    assert figure_classes(figure) == ["0", "0", "3", "7"]
    assert shown(figure) == [[3, 5, 4, 0], [1, 2, 0, 3]]
    words = [text.get_text() for text in figure.texts]
    assert "Samples of adm" in words and "class" in words and "real images" in words


def test_a_model_without_classes_keeps_its_order_under_real_images_of_all_classes():
    plain = Pictures(numbered(range(9)).images)
    figure = Samples(columns=4)({"real images": numbered([5, 5, 5, 5, 2, 1, 0]), "ddim, 10 steps": plain})
    assert figure_classes(figure) == ["0", "1", "2", "5"]
    assert shown(figure) == [[6, 5, 4, 0], [0, 1, 2, 3]]
    words = " ".join(text.get_text() for text in figure.texts)
    assert "class of real images" in words and "rows without classes: the first images" in words


def test_more_classes_than_columns_and_a_set_that_lacks_one():
    figure = Samples(columns=4)({"real images": numbered([0, 25, 75]), "ddim, 10 steps": numbered(range(100))})
    assert figure_classes(figure) == ["0", "25", "50", "75"]
    assert shown(figure) == [[0, 1, 255, 2], [0, 25, 50, 75]]


def test_no_column_is_left_empty_between_others():
    few = numbered([3, 0, 3, 3, 7])
    figure = Samples(columns=8)({"real images": numbered([0, 0, 3, 3, 3, 7]), "ddim, 10 steps": few})
    assert figure_classes(figure) == ["0", "3", "3", "3", "7"]
    row = figure.axes[1].get_images()[0].get_array()
    # Columns on the right that no set fills are left out too.
    pitch = (row.shape[1] + 6) // 5
    assert [int(row[0, column * pitch, 0]) for column in range(5)] == [1, 0, 2, 3, 4]
    above = [text.get_position()[0] for text in figure.texts if text.get_text().isdigit()]
    np.testing.assert_allclose(np.diff(above) * figure.bbox.width, pitch)  # each number is above its own column


@pytest.mark.parametrize("size, channels, columns", [(8, 1, 16), (28, 1, 16), (64, 3, 16), (256, 3, 12)])
def test_pictures_of_any_size_fit_with_their_words(size, channels, columns):
    found = Pictures(np.zeros((20, size, size, channels), np.uint8), np.arange(20) % 10)
    label = "my_package.samplers.TwoStepSampler, 1000 steps, scale 0.25"
    figure = Samples(title="Samples of adm, by sampler and steps")({"real images": found, label: found})
    assert len(figure_classes(figure)) == columns
    width, height = figure.get_size_inches() * figure.dpi
    for text in figure.texts:
        box = text.get_window_extent()
        assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height, text.get_text()
        assert not any(box.overlaps(axes.bbox) for axes in figure.axes), text.get_text()


def small_print(sets):
    return " ".join(text.get_text() for text in Samples(columns=4)(sets).texts)


def test_columns_start_alike_only_where_every_set_shows_the_same_images():
    def started(found, start="0"):
        return dataclasses.replace(found, start=start)

    alike = "the samples of a column start from the same $x_T$"
    real, few, many = numbered([7, 7, 0, 0]), numbered([0, 7, 0, 7]), numbered([0, 7, 0, 7, 0, 7])
    assert alike in small_print({"real images": real, "a": started(few), "b": started(many)})
    assert alike in small_print({"a": Pictures(few.images, start="0"), "b": Pictures(many.images, start="0")})
    # Another seed, other labels, or nothing known of one of two sets.
    assert alike not in small_print({"a": started(few), "b": started(many, "1")})
    assert alike not in small_print({"a": started(few), "b": started(numbered([7, 0, 0, 7]))})
    assert alike not in small_print({"a": started(few), "b": many})

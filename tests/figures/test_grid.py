"""A grid of pictures: the very pixels, words that stay inside and apart, and pictures of any size."""

import numpy as np
import pytest
from PIL import Image

from diffbench.figures._grid import Grid, Row, columns_of, drawn, evenly
from diffbench.figures._style import save_png, styled

LONG = "class 7: images 1023 and 49999"


def picture(size=4, channels=1, grey=90):
    return np.full((size, size, channels), grey, np.uint8)


def figure(**changes):
    rows = [Row("a row", [picture()] * 3)]
    with styled():
        return drawn(Grid(**{"rows": rows, "title": "A title", "words": ["some words"]} | changes))


def texts(found):
    return [text for text in found.texts if text.get_text()]


def require_apart(found):
    """Fail where words leave the figure, or are over pictures or over each other."""
    width, height = found.get_size_inches() * found.dpi
    held = [(text.get_text(), text.get_window_extent()) for text in texts(found)]
    for number, (text, box) in enumerate(held):
        assert 0 <= box.x0 and box.x1 <= width and 0 <= box.y0 and box.y1 <= height, text
        assert not any(box.overlaps(axes.bbox) for axes in found.axes), text
        assert not any(box.overlaps(other) for _, other in held[:number]), text


@pytest.mark.parametrize(("size", "channels"), [(4, 1), (28, 1), (32, 3), (64, 3), (256, 3)])
def test_words_are_inside_and_apart_whatever_the_size_of_pictures(size, channels):
    columns = columns_of(size, 12)
    rows = [
        Row(LONG, [picture(size, channels)] * columns, [f"{1000.5 + place:.1f}" for place in range(columns)]),
        Row("b", [picture(size, channels)] * (columns - 1), apart=True, framed=[0]),
    ]
    words = ["a sentence about what the numbers below the pictures are, and about how they were chosen"] * 4
    heads = [f"{place}\n0.0064" for place in range(columns)]
    found = figure(rows=rows, heads=heads, header="steps done\nnoise", breaks=[columns - 1], words=words)
    require_apart(found)
    assert found.get_size_inches()[0] * found.dpi <= 3 * 1600


def test_one_picture_without_any_words():
    found = figure(rows=[Row("", [picture()])], title="", words=())
    assert len(found.axes) == 1 and not texts(found)


def test_pixels_are_squares_and_an_empty_place_is_white(tmp_path):
    save_png(figure(rows=[Row("", [picture(grey=91), None, picture(grey=171)])]), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    first, last = (np.argwhere((pixels == grey).all(axis=-1)) for grey in (91, 171))
    side = 4 * (150 // 4)
    for found in (first, last):
        assert len(found) >= side**2 and tuple(np.median(found, axis=0)) == pytest.approx(np.mean(found, axis=0), abs=9)
    middle = (np.median(first[:, 1]) + np.median(last[:, 1])) / 2
    assert (pixels[int(np.median(first[:, 0])), int(middle)] == 255).all()


def test_a_frame_is_around_the_picture_and_covers_none_of_it(tmp_path):
    save_png(figure(rows=[Row("", [picture(grey=91)], framed=[0])]), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert ((pixels == 91).all(axis=-1)).sum() >= (4 * (150 // 4)) ** 2
    coloured = np.argwhere(pixels[..., 0] - pixels[..., 2] > 100)
    assert len(coloured) > 4 * 148


def test_small_print_breaks_between_its_parts_and_in_a_long_one_between_words():
    long = " ".join(["word"] * 80)
    lines = [
        text.get_text()
        for text in texts(figure(words=["first part", "second part", long]))
        if "part" in text.get_text() or "word" in text.get_text()
    ]
    assert lines[0] == "first part   ·   second part" and len(lines) >= 3
    assert " ".join(lines[1:]) == long


def test_columns_are_fewer_for_large_pictures_and_keep_both_ends():
    assert [columns_of(size, 20) for size in (8, 64, 256, 1024)] == [20, 20, 12, 8]
    assert evenly(5, 8) == [0, 1, 2, 3, 4] and evenly(11, 4) == [0, 3, 7, 10] and evenly(1, 3) == [0]

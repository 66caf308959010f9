"""The before/after figure: small sets are drawn large twice, as they are and enlarged."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.base.sizes import enlarged
from diffbench.figures import upsampling
from diffbench.figures._pictures import Pictures
from diffbench.figures.upsampling import Upsampling

LARGE = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
SMALL = LARGE[:, ::2, ::2]


@pytest.fixture
def drawn(monkeypatch):
    """The rows that are drawn, by label."""
    rows = {}

    class Spy:
        def __init__(self, columns, title, notes):
            self.columns = columns

        def __call__(self, images):
            rows.update({label: found.images for label, found in images.items()})

    monkeypatch.setattr(upsampling, "Samples", Spy)
    return rows


def test_a_small_set_is_followed_by_itself_enlarged(drawn):
    Upsampling(columns=2)({"u, given": Pictures(SMALL), "u, upsampled": Pictures(LARGE)})
    assert list(drawn) == ["u, given", "u, enlarged", "u, upsampled"]
    assert np.array_equal(drawn["u, given"], SMALL[:2].repeat(2, 1).repeat(2, 2))
    assert np.array_equal(drawn["u, enlarged"], enlarged(SMALL[:2], 8, 8))
    assert np.array_equal(drawn["u, upsampled"], LARGE[:2])


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match="draw them apart"):
        Upsampling()({"u, given": Pictures(LARGE[:, :5, :5]), "u, upsampled": Pictures(LARGE)})


def test_the_same_pictures_are_shown_at_every_stage_in_the_order_of_classes(drawn):
    labels = np.array([2, 0, 1])
    given, made = Pictures(SMALL, labels), Pictures(LARGE, labels)
    Upsampling(columns=3)({"u, given": given, "u, upsampled": made})
    assert np.array_equal(drawn["u, upsampled"], LARGE[[1, 2, 0]])
    assert np.array_equal(drawn["u, enlarged"], enlarged(SMALL[[1, 2, 0]], 8, 8))
    drawn.clear()
    Upsampling(columns=3)({"u, given": given, "u, upsampled": Pictures(LARGE)})  # one has none: the first of each
    assert np.array_equal(drawn["u, upsampled"], LARGE)


def test_small_print_says_how_images_were_enlarged_and_why_true_ones_are_missing():
    def small_print(**sets):
        named = {label.replace("_", ", "): Pictures(images) for label, images in sets.items()}
        return " ".join(text.get_text() for text in Upsampling()(named).texts)

    cascade = {"u_given": SMALL, "u_upsampled": LARGE}
    gap = "no true images where samples of a model were given"
    assert "enlarged: bilinearly" in small_print(**cascade) and gap in small_print(**cascade)
    assert gap not in small_print(**cascade, u_true=LARGE)
    assert gap in small_print(**cascade, r_given=SMALL, r_upsampled=LARGE, r_true=LARGE)

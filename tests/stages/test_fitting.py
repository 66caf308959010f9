"""The number of images that fit into memory at once: halved until a trial of a few steps succeeds."""

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.stages._fitting import STEPS, fitting


def trial(limit, taken, steps=100):
    def tried(size, on_step):
        taken.append(size)
        if size > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        for step in range(steps):
            assert step < STEPS
            on_step()

    return tried


def test_the_number_is_halved_until_it_fits(capsys):
    taken = []
    assert fitting(trial(30, taken), 100) == 25
    assert taken == [100, 50, 25]
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "diffbench: 50 images at once do not fit into memory; 25 are tried" and len(said) == 2


def test_what_fits_is_taken_as_it_is(capsys):
    assert fitting(trial(100, []), 100) == 100 and fitting(trial(100, [], steps=1), 7) == 7
    assert not capsys.readouterr().err


def test_not_even_one_image():
    with pytest.raises(UserError, match="not even one image fits"):
        fitting(trial(0, []), 4)


def test_other_errors_end_the_search():
    def broken(size, on_step):
        raise UserError("a wrong sampler")

    with pytest.raises(UserError, match="a wrong sampler"):
        fitting(broken, 4)

"""The validation loss: against the published training losses, MLPerf's rule of averaging, and its interval."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from diffbench.base.records import NORMAL_95
from diffbench.base.seeds import Stream
from diffbench.commands.conform.process import Formulas
from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.validation_loss import (
    NAMES,
    ValidationLosses,
    eps_error,
    eps_errors,
    equidistant,
    mean_of,
)

REFERENCE = Path(__file__).parents[3] / "shared/reference"
recorded = pytest.mark.skipif(not REFERENCE.is_dir(), reason="the recorded outputs of the published code are not here")


def read(name):
    with np.load(REFERENCE / f"{name}.npz") as file:
        return Formulas(json.loads(str(file["config"]))), {key: torch.from_numpy(file[key]) for key in ARRAYS}


ARRAYS = ("x_start", "noise", "t", "training_loss")


@recorded
@pytest.mark.parametrize("name", ["diffusion_00", "diffusion_01"])
def test_it_is_the_published_training_loss_of_a_model_of_eps(name):
    formulas, held = read(name)
    found = eps_error(formulas.model, held["x_start"], held["noise"], held["t"], Condition())
    torch.testing.assert_close(found, held["training_loss"], rtol=2e-5, atol=0)


@recorded
def test_of_a_model_of_x_0_it_is_the_published_loss_times_the_signal_to_noise_ratio():
    formulas, held = read("diffusion_06")
    found = eps_error(formulas.model, held["x_start"], held["noise"], held["t"], Condition())
    level = formulas.chain.level(len(formulas.chain) - 1 - held["t"])
    torch.testing.assert_close(
        found.double(), held["training_loss"] * (level.alpha / level.sigma) ** 2, rtol=1e-3, atol=0
    )


def test_timesteps_are_equidistant_from_the_cleanest_on():
    assert equidistant(1000, 8).tolist() == [0, 125, 250, 375, 500, 625, 750, 875]  # MLPerf: k / 8, k from 0 to 7.
    assert equidistant(10, 4).tolist() == [0, 2, 5, 7] and equidistant(3, 3).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="4 timesteps asked for, and the training chain has 3"):
        equidistant(3, 4)


def losses(values, **changes):
    """Return losses (rows, images, timesteps) with plausible arrays beside them."""
    rows, _, count = values.shape
    step = np.arange(1, rows + 1) * 10
    alphas = np.linspace(0.9, 0.1, count)
    arrays = {
        "step": step,
        "images_seen": step * 4,
        "training_flops": step * 1e6,
        "timesteps": np.arange(count),
        "alphas": alphas,
        "sigmas": np.sqrt(1 - alphas**2),
        "losses": values,
    }
    return ValidationLosses.of(arrays | changes)


def test_the_mean_is_that_of_the_published_algorithm():
    values = np.random.default_rng(0).gamma(2, size=(3, 16, 4)).astype(np.float32)
    for row, found in zip(values, losses(values).estimates, strict=True):
        # mlcommons/training, text_to_image/README.md: sums and counts by timestep, then the mean of their quotients.
        sums, counts = np.zeros(4), np.zeros(4)
        for image in row:
            for t, loss in enumerate(image):
                sums[t] += loss
                counts[t] += 1
        assert found.value == pytest.approx((sums / counts).mean(), rel=1e-12)
    by_image = values[0].astype(float).mean(axis=1)
    error = by_image.std(ddof=1) / 4
    first = losses(values).estimates[0]
    assert (first.low, first.high) == pytest.approx(
        (by_image.mean() - NORMAL_95 * error, by_image.mean() + NORMAL_95 * error)
    )
    one = losses(values).at_timesteps(slice(2, 3))[1]
    assert one.value == pytest.approx(values[1, :, 2].mean(dtype=float))


def test_the_noise_of_an_image_depends_on_its_number_and_the_timesteps_place_alone():
    formulas = Formulas({"steps": 50, "schedule": "cosine", "mean": "epsilon", "variance": "fixed_large"})
    x_0 = torch.rand(5, 1, 4, 4) * 2 - 1
    index, timesteps = torch.tensor([3, 7, 9, 20, 400]), equidistant(50, 3)
    whole = eps_errors(formulas.model, x_0, index, timesteps, Condition())
    some = [4, 1]
    part = eps_errors(formulas.model, x_0[some], index[some], timesteps, Condition())
    torch.testing.assert_close(whole[some], part, rtol=1e-6, atol=0)
    eps = Stream(0, "validation").normal(index, 2, (1, 4, 4))
    torch.testing.assert_close(whole[:, 2], eps_error(formulas.model, x_0, eps, timesteps[2], Condition()))
    assert len(set(whole.flatten().tolist())) == 15


@pytest.mark.parametrize(
    "wrong",
    [{"step": np.arange(3)}, {"alphas": np.ones(3)}, {"losses": np.ones((2, 5))}, {"losses": np.ones((2, 0, 4))}],
)
def test_arrays_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(ValueError, match="the arrays do not fit together: step"):
        losses(np.ones((2, 5, 4)), **wrong)
    assert set(losses(np.ones((2, 5, 4))).arrays) == set(NAMES)


@pytest.mark.slow
def test_coverage(capsys):
    """Errors of eps are skewed over images: a gamma distribution has the skewness that was seen of digits, and more."""
    generator, draws = np.random.default_rng(0), 4000
    for images in (50, 100, 500):
        for shape in (20.0, 4.0):
            values = generator.gamma(shape, 1 / shape, size=(draws, images))
            inside = [one.low <= 1 <= one.high for one in map(mean_of, values)]
            other = values + generator.normal(0.02, 0.1, size=values.shape)
            paired = [one.low <= 0.02 <= one.high for one in map(mean_of, other - values)]
            shown = (
                f"{images} images, skewness {2 / shape**0.5:.1f}: {np.mean(inside):.3f}, paired {np.mean(paired):.3f}"
            )
            with capsys.disabled():
                print(shown)
            assert 0.92 < np.mean(inside) < 0.965 and 0.92 < np.mean(paired) < 0.965, shown

"""Which noise levels a spacing visits."""

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.process import respaced_chain, training_chain
from diffbench.diffusion.spacings import between, respaced


@pytest.mark.parametrize(
    ("timesteps", "spacing", "kept"),
    [
        (10, "", list(range(10))),
        (10, "10", list(range(10))),
        (10, "1", [0]),
        (10, "2", [0, 9]),
        (10, "4", [0, 3, 6, 9]),
        (9, "3", [0, 4, 8]),
        (6, "3", [0, 2, 5]),  # 2.5 is rounded to even
        (10, "ddim5", [0, 2, 4, 6, 8]),
        (10, "ddim4", [0, 3, 6, 9]),
        (10, "ddim1", [0]),
        (10, "2,3", [0, 4, 5, 7, 9]),
        (11, "1,1", [0, 6]),  # the first section takes the odd one
        (300, "10,15,20", None),
    ],
)
def test_kept_timesteps(timesteps, spacing, kept):
    found = respaced(timesteps, spacing)
    if kept is None:
        counts = [sum(start <= t < start + 100 for t in found) for start in (0, 100, 200)]
        assert counts == [10, 15, 20] and found[0] == 0 and found[-1] == 299
    else:
        assert found == kept


@pytest.mark.parametrize("timesteps", [7, 100, 1000])
def test_uniform_spacing_keeps_both_ends_and_no_step_twice(timesteps):
    for count in range(2, timesteps + 1, 1 if timesteps < 1000 else 37):
        kept = respaced(timesteps, str(count))
        assert len(kept) == count and kept[0] == 0 and kept[-1] == timesteps - 1
        assert (np.diff(kept) > 0).all()


def test_published_strides():
    assert respaced(1000, "ddim25") == list(range(0, 1000, 40))
    assert respaced(1000, "ddim50") == list(range(0, 1000, 20))


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        ("11", "11 steps asked of a section of 10 timesteps"),
        ("6,4", "6 steps asked of a section of 5"),
        ("ddim6", "no integer stride through 10 timesteps takes exactly 6 steps"),
        ("quadratic11", "11 steps asked of 10 timesteps"),
        ("ddim", "did you mean 'ddim'? allowed: ddim, karras, log_snr, quadratic, uniform"),
        ("ddimx", "did you mean 'ddim'?"),
        ("quadratc5", "did you mean 'quadratic'?"),
        ("0", "allowed: ddim, karras"),
        ("-3", "allowed: ddim, karras"),
        ("3,,2", "or sections such as '10,15,20'"),
        ("\u00b2", "or sections such as"),
        ("2.5", "or sections such as '10,15,20'"),
    ],
)
def test_bad_spacings_are_one_line(spacing, message):
    with pytest.raises(UserError) as caught:
        respaced(10, spacing)
    assert message in str(caught.value) and f"'{spacing}'" in str(caught.value)


@pytest.mark.parametrize(
    ("timesteps", "count"), [(1000, 10), (1000, 50), (1000, 100), (1000, 1000), (100, 99), (10, 2)]
)
def test_quadratic_spacing_has_evenly_spaced_square_roots_where_steps_are_apart(timesteps, count):
    kept = np.array(respaced(timesteps, f"quadratic{count}"))
    assert len(kept) == count and kept[0] == 0 and kept[-1] == timesteps - 1
    assert (np.diff(kept) > 0).all()
    wanted = ((timesteps - 1) ** 0.5 * np.arange(count) / (count - 1)) ** 2
    if count <= 10:
        assert np.abs(kept - wanted).max() <= 1
    elif count < timesteps // 2:
        assert np.abs(kept[count // 2 :] - wanted[count // 2 :]).max() <= 1


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_karras_levels_are_their_equation_between_the_ends_of_the_chain_and_80(schedule):
    training = training_chain(schedule, 1000)
    noise = (training.sigmas / training.alphas)[:-1]
    chain = respaced_chain(schedule, 1000, "karras18 rho=5")
    found = (chain.sigmas / chain.alphas)[:-1].numpy()
    assert len(chain) == 18 and torch.allclose(chain.alphas**2 + chain.sigmas**2, torch.ones(19).double())
    high, low = min(80.0, float(noise[0])), max(0.002, float(noise[-1]))
    i = np.arange(18)
    assert np.allclose(found, (high ** (1 / 5) + i / 17 * (low ** (1 / 5) - high ** (1 / 5))) ** 5)
    # Linear's noise ends at 157, cosine's at 2e4: both start at 80; neither reaches 0.002.
    assert high == 80.0 and low == float(noise[-1])


def test_log_snr_levels_fall_evenly_in_log_noise():
    chain = respaced_chain("linear", 1000, "log_snr9 sigma_min=0.1 sigma_max=10")
    steps = chain.log_noise[:-1].diff()
    assert torch.allclose(steps, steps[:1].expand(8))
    assert np.isclose(float(chain.log_noise[0]), np.log(10)) and np.isclose(float(chain.log_noise[-2]), np.log(0.1))


def test_the_whole_range_of_the_chain_is_its_own_ends():
    training = training_chain("linear", 1000)
    chain = respaced_chain("linear", 1000, "karras10 sigma_max=1000")
    for i, own in ((0, 0), (9, 999)):
        assert abs(float(chain.log_noise[i] - training.log_noise[own])) < 1e-9


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        ("karras10 roh=5", "unknown option 'roh'; allowed: rho, sigma_min, sigma_max"),
        ("log_snr10 rho=5", "unknown option 'rho'; allowed: sigma_min, sigma_max"),
        ("karras10 rho=x", "rho is a number, not 'x'"),
        ("karras10 rho=-1", "rho must be between 0.1 and 100"),
        ("karras10 rho=inf", "rho must be between"),
        ("karras10 rho=7 rho=5", "rho is given twice"),
        ("log_snr9 sigma_max=inf", "must be positive and ascend"),
        ("karras10 sigma_max=0.001", "must be positive and ascend"),
        ("karras1", "at least 2 steps"),
        ("ddim10 rho=5", "only karras and log_snr take options"),
    ],
)
def test_bad_options_are_one_line(spacing, message):
    with pytest.raises(UserError) as caught:
        between(spacing)
    assert message in str(caught.value) and f"'{spacing}'" in str(caught.value)


def test_a_range_that_the_model_does_not_know_is_refused():
    with pytest.raises(UserError, match="the model was trained from 157 to 0.01"):
        respaced_chain("linear", 1000, "karras10 sigma_min=200 sigma_max=300")
    with pytest.raises(UserError, match="10 levels do not fit between"):
        respaced_chain("linear", 1000, "karras10 sigma_min=1 sigma_max=1.0000000000000002")

"""The seam between models and samplers: levels found on the grid or refused, variances of the chain in use."""

import math

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import (
    ClippedDenoiser,
    Condition,
    Diffusion,
    ModelDenoiser,
    reverse_log_variance,
    reverse_mean,
    with_eps,
    with_x_0,
)
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import Chain, Level, training_chain
from diffbench.diffusion.trained_levels import OffGridError

torch.set_num_threads(1)
X_T = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))


class Recorder:
    """A network that keeps what it was given, and answers 0.1 x, with 0.2 x as the variance half."""

    def __init__(self, learned=False):
        self.learned, self.t, self.y, self.low_res = learned, [], None, None

    def __call__(self, x, t, y, low_res):
        self.t.append(t.clone())
        self.y, self.low_res = y, low_res
        return torch.cat([0.1 * x, 0.2 * x], dim=1) if self.learned else 0.1 * x


def denoiser(network=None, **settings):
    own = {key: settings.pop(key) for key in ("full_chain", "off_grid") if key in settings}
    diffusion = Diffusion(**{"timesteps": 100} | settings)
    network = network or Recorder(diffusion.learns_variance)
    return ModelDenoiser.of(diffusion, network, **own), diffusion


def test_a_level_of_the_chain_is_its_timestep():
    network = Recorder()
    model, diffusion = denoiser(network)
    for i in (0, 37, 99):
        model(X_T, diffusion.chain().level(i))
        assert torch.equal(network.t[-1], torch.full((4,), 99.0 - i))
    i = torch.tensor([3, 98, 0, 99])
    model(X_T, diffusion.chain().level(i))
    assert torch.equal(network.t[-1], 99.0 - i)
    assert model.rows == 16


@pytest.mark.parametrize("spacing", ["7", "ddim25", "3,5"])
def test_levels_of_a_shorter_chain_are_exact(spacing):
    network = Recorder()
    model, diffusion = denoiser(network, schedule="cosine")
    chain = diffusion.chain(spacing)
    for i in range(len(chain)):
        model(X_T, chain.level(i))
    given = [int(t[0]) for t in network.t]
    assert given == sorted(given, reverse=True) and given[-1] == 0 and len(set(given)) == len(chain)


def test_timesteps_are_rescaled_to_a_thousand():
    network = Recorder()
    model, diffusion = denoiser(network, timesteps=400, rescale_timesteps=True)
    model(X_T, diffusion.chain().level(0))
    assert torch.equal(network.t[0], torch.full((4,), 399 * 2.5))


def test_a_level_off_the_grid_is_refused():
    model, diffusion = denoiser()
    a, b = diffusion.chain().level(40), diffusion.chain().level(41)
    between = Level((a.alpha + b.alpha) / 2, (a.sigma + b.sigma) / 2)
    for level in (between, diffusion.chain().level(100), Level(a.alpha, a.sigma * (1 + 1e-6))):
        with pytest.raises(OffGridError, match="trained at 100 noise levels"):
            model(X_T, level)
    assert issubclass(OffGridError, UserError)


def test_off_the_grid_nearest_takes_the_nearest_timestep_and_the_true_coefficients():
    network = Recorder()
    model, diffusion = denoiser(network)
    a, b = diffusion.chain().level(40), diffusion.chain().level(41)
    exact = model(X_T, a)
    model = ModelDenoiser.of(diffusion, network, off_grid="nearest")
    for share, t in ((0.1, 59.0), (0.9, 58.0)):
        level = Level(a.alpha + share * (b.alpha - a.alpha), a.sigma + share * (b.sigma - a.sigma))
        prediction = model(X_T, level)
        assert torch.equal(network.t[-1], torch.full((4,), t))
        torch.testing.assert_close(prediction.eps, 0.1 * X_T)
        torch.testing.assert_close(prediction.x_0, (X_T - float(level.sigma) * 0.1 * X_T) / float(level.alpha))
    assert torch.equal(model(X_T, a).x_0, exact.x_0)


def test_off_the_grid_a_fractional_timestep_is_linear_in_log_noise():
    network = Recorder()
    _, diffusion = denoiser(network)
    model, chain = ModelDenoiser.of(diffusion, network, off_grid="interpolate"), diffusion.chain()
    for share in (0.25, 0.9):
        level = chain.level_at(chain.log_noise[40] + share * (chain.log_noise[41] - chain.log_noise[40]))
        prediction = model(X_T, level)
        torch.testing.assert_close(network.t[-1], torch.full((4,), 59.0 - share))
        torch.testing.assert_close(prediction.x_0, (X_T - float(level.sigma) * 0.1 * X_T) / float(level.alpha))
    # Each image may be at a level of its own.
    model(X_T, chain.level_at(torch.stack([chain.log_noise[i] for i in (0, 40, 99, 7)])))
    assert network.t[-1].tolist() == [99.0, 59.0, 0.0, 92.0]


@pytest.mark.parametrize("off_grid", ["nearest", "interpolate"])
def test_beyond_the_ends_of_the_chain_every_rule_refuses(off_grid):
    _, diffusion = denoiser()
    model, chain = ModelDenoiser.of(diffusion, Recorder(), off_grid=off_grid), diffusion.chain()
    for log_noise in (chain.log_noise[0] + 0.1, chain.log_noise[99] - 0.1):
        with pytest.raises(OffGridError, match="stay within"):
            model(X_T, chain.level_at(log_noise))


@pytest.mark.parametrize("settings", [{"parameterization": "mu"}, {"variance": "learned_diagonal"}])
def test_what_has_no_meaning_off_the_grid_is_refused_there(settings):
    model, diffusion = denoiser(**settings, off_grid="nearest")
    a = diffusion.chain().level(40)
    with pytest.raises(OffGridError):
        model(X_T, Level(a.alpha, a.sigma * 1.001))


def test_conditions_reach_the_network():
    network = Recorder()
    model, diffusion = denoiser(network)
    y, low_res = torch.arange(4), torch.zeros(4, 1, 1, 1)
    model(X_T, diffusion.chain().level(3), Condition(y, low_res))
    assert network.y is y and network.low_res is low_res
    model(X_T, diffusion.chain().level(3))
    assert network.y is None and network.low_res is None


def log_variances(variance, spacing, network=None):
    model, diffusion = denoiser(network, variance=variance, full_chain=not spacing)
    chain = diffusion.chain(spacing)
    found = [reverse_log_variance(chain, i, model(X_T, chain.level(i))) for i in range(len(chain))]
    return torch.stack(found), chain


@pytest.mark.parametrize("spacing", ["", "10", "ddim25"])
def test_fixed_variances_are_those_of_the_chain_in_use(spacing):
    small, chain = log_variances("fixed_small", spacing)
    large, _ = log_variances("fixed_large", spacing)
    expected = chain.log_beta_tilde.float().reshape(-1, 1, 1, 1, 1).expand_as(small)
    torch.testing.assert_close(small, expected)
    torch.testing.assert_close(large[:-1, 0, 0, 0, 0], chain.beta.log()[:-1].float())
    # The last step of the large variance is beta_tilde_2, not beta_1.
    assert torch.equal(large[-1], small[-1]) and not torch.isclose(large[-1, 0, 0, 0, 0], chain.beta[-1].log().float())


@pytest.mark.parametrize("spacing", ["", "10"])
def test_a_learned_range_interpolates_the_betas_of_the_chain_in_use(spacing):
    found, chain = log_variances("learned_range", spacing)
    share = (0.2 * X_T + 1) / 2
    for i in range(len(chain)):
        expected = share * chain.beta[i].log().float() + (1 - share) * chain.log_beta_tilde[i].float()
        torch.testing.assert_close(found[i], expected)
    if spacing:
        whole, _ = log_variances("learned_range", "")
        assert not torch.isclose(found[0], whole[0]).any()


def test_a_learned_diagonal_is_the_output_and_belongs_to_the_full_chain():
    found, _ = log_variances("learned_diagonal", "")
    assert torch.equal(found[5], 0.2 * X_T)
    with pytest.raises(UserError, match="full training chain"):
        log_variances("learned_diagonal", "10")


def test_mu_is_the_mean_on_the_full_chain_and_x_0_elsewhere():
    model, diffusion = denoiser(parameterization="mu")
    chain = diffusion.chain()
    prediction = model(X_T, chain.level(30))
    assert torch.equal(reverse_mean(chain, 30, X_T, prediction), 0.1 * X_T)
    clipped = ClippedDenoiser(model)(X_T, chain.level(30))
    assert torch.equal(reverse_mean(chain, 30, X_T, clipped), 0.1 * X_T)
    shorter, own = denoiser(parameterization="mu", full_chain=False)
    steps = own.chain("10")
    found = shorter(X_T, steps.level(4))
    assert found.mean is None
    whole = model(X_T, steps.level(4))
    torch.testing.assert_close(found.x_0, whole.x_0)
    torch.testing.assert_close(reverse_mean(steps, 4, X_T, found), steps.posterior_mean(4, whole.x_0, X_T))


def test_without_a_variance_the_message_says_which_sampler_needs_none():
    chain = training_chain("linear", 100)
    with pytest.raises(UserError, match="ddim"):
        reverse_log_variance(chain, 3, Prediction(X_T, X_T))


def test_clipping_moves_eps_along():
    model, diffusion = denoiser()
    level = diffusion.chain().level(10)
    free, clipped = model(X_T, level), ClippedDenoiser(model)(X_T, level)
    assert free.x_0.abs().max() > 1
    assert torch.equal(clipped.x_0, free.x_0.clamp(-1, 1))
    torch.testing.assert_close(float(level.alpha) * clipped.x_0 + float(level.sigma) * clipped.eps, X_T)
    assert torch.equal(clipped.variance_fraction, free.variance_fraction)


def test_exchanging_x_0_or_eps_keeps_x_t():
    level = Level(torch.tensor(0.5).double(), torch.tensor(3.0).double())
    start = Prediction(X_T, X_T, variance_fraction=X_T)
    for changed in (with_x_0(start, 0.3 * X_T, X_T, level), with_eps(start, 0.3 * X_T, X_T, level)):
        torch.testing.assert_close(0.5 * changed.x_0 + 3.0 * changed.eps, X_T)
        assert torch.equal(changed.variance_fraction, X_T)


def test_an_output_of_another_shape_is_one_line():
    model, diffusion = denoiser(Recorder(learned=True))
    with pytest.raises(UserError, match=r"returned \(4, 2, 3, 3\) for \(4, 1, 3, 3\) with variance fixed_large"):
        model(X_T, diffusion.chain().level(0))


@pytest.mark.parametrize("settings", [{"timesteps": 1}, {"timesteps": -5}])
def test_impossible_processes_are_refused(settings):
    with pytest.raises(ValueError, match="timesteps must be at least 2"):
        Diffusion(**settings)


def test_gradients_flow_to_x():
    model, diffusion = denoiser()
    x = X_T.clone().requires_grad_()
    model(x, diffusion.chain().level(50)).x_0.sum().backward()
    level = diffusion.chain().level(50)
    expected = (1 - 0.1 * float(level.sigma)) / float(level.alpha)
    assert math.isclose(float(x.grad[0, 0, 0, 0]), expected, rel_tol=1e-5)


def test_a_chain_that_does_not_preserve_variance():
    chain = Chain(torch.ones(5).double(), torch.logspace(1, -1, 5).double())
    model = ModelDenoiser(Recorder(), chain, torch.arange(4.0, -1, -1), "x_0", "fixed_small")
    prediction = model(X_T, chain.level(1))
    torch.testing.assert_close(prediction.x_0 + float(chain.sigmas[1]) * prediction.eps, X_T)

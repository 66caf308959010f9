"""eps, x_0, mu and v: every output turns into the same data and noise, on any chain."""

import pytest
import torch

from diffbench.diffusion.parameterization import PARAMETERIZATIONS, Prediction, eps_from_x_0, x_0_from_eps
from diffbench.diffusion.process import Chain, noised, training_chain

torch.set_num_threads(1)
CHAINS = {
    "linear": training_chain("linear", 100),
    "cosine": training_chain("cosine", 100),
    "exploding": Chain(torch.ones(8).double(), torch.logspace(1.5, -2, 8).double()),
    "odd": Chain(torch.tensor([0.3, 0.9, 0.7]), torch.tensor([2.0, 1.1, 0.2])),
}


def batch(chain):
    generator = torch.Generator().manual_seed(0)
    i = torch.arange(len(chain))
    x_0, eps = torch.randn(2, len(chain), 3, 4, 4, generator=generator, dtype=torch.float64)
    return i, x_0, noised(x_0, chain.level(i), eps), eps


@pytest.mark.parametrize("form", PARAMETERIZATIONS.values(), ids=PARAMETERIZATIONS.keys())
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_the_target_predicts_data_and_noise_and_comes_back(chain, form):
    i, x_0, x_t, eps = batch(chain)
    target = form.target(chain, i, x_0, x_t, eps)
    prediction = form.predict(chain, i, x_t, target)
    torch.testing.assert_close(prediction.x_0, x_0, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(prediction.eps, eps, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(form.output(chain, i, prediction), target, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", PARAMETERIZATIONS.values(), ids=PARAMETERIZATIONS.keys())
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_any_output_is_consistent_with_x_t_and_comes_back(chain, form):
    i, _, x_t, _ = batch(chain)
    output = torch.randn(x_t.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    prediction = form.predict(chain, i, x_t, output)
    torch.testing.assert_close(noised(prediction.x_0, chain.level(i), prediction.eps), x_t, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(form.output(chain, i, prediction), output, rtol=1e-6, atol=1e-6)


def test_targets_by_their_definitions():
    chain = CHAINS["linear"]
    i, x_0, x_t, eps = batch(chain)
    alpha, sigma = (table[:-1].reshape(-1, 1, 1, 1) for table in (chain.alphas, chain.sigmas))
    targets = {name: form.target(chain, i, x_0, x_t, eps) for name, form in PARAMETERIZATIONS.items()}
    assert torch.equal(targets["eps"], eps) and torch.equal(targets["x_0"], x_0)
    assert torch.equal(targets["mu"], chain.posterior_mean(i, x_0, x_t))
    torch.testing.assert_close(targets["v"], alpha * eps - sigma * x_0)


def test_only_mu_carries_a_mean():
    chain = CHAINS["linear"]
    i, _, x_t, _ = batch(chain)
    for name, form in PARAMETERIZATIONS.items():
        assert (form.predict(chain, i, x_t, x_t).mean is not None) == (name == "mu")
    with pytest.raises(ValueError, match="training chain only"):
        PARAMETERIZATIONS["mu"].output(chain, i, Prediction(x_0=x_t, eps=x_t))


def test_eps_and_x_0_turn_into_each_other():
    chain = CHAINS["odd"]
    i, x_0, x_t, eps = batch(chain)
    torch.testing.assert_close(eps_from_x_0(chain.level(i), x_t, x_0), eps)
    torch.testing.assert_close(x_0_from_eps(chain.level(i), x_t, eps), x_0)

"""The sampler that the tutorial prints does what its docstring says, on every chain of the default benchmark."""

import types

import pytest

from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.process import respaced_chain
from diffbench.samplers._batches import sample
from diffbench.samplers.ddim import Ddim


@pytest.fixture(scope="module")
def printed(code_block):
    module = types.ModuleType("my_sampler")
    exec(code_block("docs/tutorial.md", "class MySampler"), module.__dict__)
    return module.MySampler()


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps", ["10", "25", "100"])
def test_it_is_nearer_to_gaussian_data_than_ddim(printed, schedule, steps):
    """Deterministic solvers multiply each pixel by a constant; its square is the variance they end with."""
    chain, denoiser = respaced_chain(schedule, 1000, steps), GaussianDenoiser(variance=0.25)

    def variance(sampler):
        x = sample(sampler, denoiser, chain, index=range(64), shape=(1, 8, 8), seed=0, micro_batch=64)
        start = sample(_Nothing(), denoiser, chain, index=range(64), shape=(1, 8, 8), seed=0, micro_batch=64)
        return float((x / start).median()) ** 2

    ours, ddims = abs(variance(printed) - 0.25), abs(variance(Ddim()) - 0.25)
    assert ours < ddims


class _Nothing:
    """A sampler that returns its start, which gives the starting noise."""

    def __call__(self, denoiser, chain, x_T, noise):
        from diffbench import State

        yield State(chain.level(len(chain)), x_T, x_T)

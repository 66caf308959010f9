"""Jobs of a benchmark as tests ask for them."""

import pytest


@pytest.fixture
def sampled():
    """Return a function that gives the job of sampling a model, seed 1 of 20 images, at a number of steps."""
    from diffbench.benchmark.jobs import sample_job
    from diffbench.benchmark.sample_set import SampleSet

    def job(benchmark, model, sampler, steps):
        return sample_job(benchmark, SampleSet(model, sampler, steps, 0, 1, 20, ()))

    return job

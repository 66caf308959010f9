"""Jobs of a benchmark as tests ask for them, and what a test of a refusal asserts."""

import pytest

from diffbench.base.errors import UserError


@pytest.fixture
def sampled():
    """Return a function that gives the job of sampling a model, seed 1 of 20 images, at a number of steps."""
    from diffbench.benchmark.jobs import sample_job
    from diffbench.benchmark.sample_set import SampleSet

    def job(benchmark, model, sampler, steps):
        return sample_job(benchmark, SampleSet(model, sampler, steps, 0, 1, 20, ()))

    return job


@pytest.fixture
def refused():
    """Return a function that asserts that a call refuses small.yaml in one line, which says a message."""

    def check(call, message):
        with pytest.raises(UserError) as caught:
            call()
        said = str(caught.value)
        assert said.startswith("small.yaml: ") and message in said and "\n" not in said

    return check

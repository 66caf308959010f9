"""How many processes a job is worth, and that the number is no part of any job."""

import dataclasses
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.benchmark.jobs import bound_job, extract_job, sample_job, train_job
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.processes import (
    bound_processes,
    check_processes,
    extraction_processes,
    sampling_processes,
)

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"


@pytest.fixture(scope="module")
def smoke():
    return load_benchmark(SMOKE)


def with_processes(benchmark, **changes):
    execution = dataclasses.replace(benchmark.execution, **changes)
    sampling = dataclasses.replace(benchmark.sampling, micro_batch=100)
    bound = dataclasses.replace(benchmark.bound, micro_batch=50, num_images=None)
    return dataclasses.replace(benchmark, execution=execution, sampling=sampling, bound=bound)


def test_a_job_has_no_more_processes_than_it_has_work_for(smoke):
    four = with_processes(smoke, processes=4)
    assert [sampling_processes(four, count) for count in (1, 199, 399, 400, 700, 800, 50_000)] == [1, 1, 1, 2, 3, 4, 4]
    assert bound_processes(four) == 4
    few = dataclasses.replace(four, bound=dataclasses.replace(four.bound, num_images=200))
    assert bound_processes(few) == 2
    extractor = next(iter(four.extractors))
    assert extraction_processes(four, extractor, 500) == 1 and extraction_processes(four, extractor, 4096) == 2
    assert extraction_processes(four, extractor, None) == 1
    assert sampling_processes(with_processes(smoke), 50_000) == 1


def test_no_job_knows_how_it_is_divided(smoke):
    """So no digest does, and nothing runs again for another number."""

    def jobs(benchmark):
        model, row = benchmark.trained_models()[0], benchmark.sample_sets()[0]
        found = [train_job(benchmark, *model), sample_job(benchmark, row), bound_job(benchmark, model[0], "test")]
        return [job.as_json() for job in (*found, extract_job(benchmark, next(iter(benchmark.extractors))))]

    assert jobs(with_processes(smoke, processes=4, micro_batch=8, sharded=True)) == jobs(with_processes(smoke))


def test_processes_that_cannot_share_a_batch_are_refused_before_a_run(smoke):
    check_processes(with_processes(smoke, processes=2))
    with pytest.raises(UserError, match=r"models\.\w+\.training\.batch_size: 7 processes cannot share"):
        check_processes(with_processes(smoke, processes=7))

"""Scores of sample sets of one sampler, as a run records them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from diffbench.base.records import Estimate, Row, record

PROTOCOL = "extractor=digits_features@7a8108d6;rounding=truncate;n=100;reference=train:1297;version=1"


def scores(sampler: str, fids: tuple[float, ...], nfe: int, **more: int) -> Iterator[dict[str, Any]]:
    """Yield the records of sets of ddpm in 4 steps, one a sampling seed; more: what else was counted."""
    for seed, value in enumerate(fids):
        row = Row("smoke", "ddpm", sampler, 4, train_seed=0, sample_seed=seed, num_images=100)
        yield record(row, "fid", PROTOCOL, Estimate(value, value - 1, value + 1))
        for cost, count in {"nfe": nfe, **more}.items():
            yield record(row, cost, PROTOCOL, Estimate.exact(count))


@pytest.fixture
def set_scores() -> Callable[..., Iterator[dict[str, Any]]]:
    """The function `scores`."""
    return scores

"""Finished micro-batches: a set may have more of them than a process may open files."""

import resource

import numpy as np

from diffbench.stages._costs import Spent
from diffbench.stages._shards import Shards


def test_the_cost_of_a_set_holds_no_open_files(tmp_path):
    index = np.arange(2)
    shards = Shards(tmp_path, [(slice(2 * i, 2 * i + 2), index) for i in range(300)])
    for i, (place, _) in enumerate(shards.batches):
        shards.save(place, np.zeros((2, 1, 1, 1), np.uint8), Spent(i, 1, np.full(2, i)))
    usual = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, usual[1]))
    try:
        spent = shards.spent()
        assert sum(len(images) for images in shards.images()) == 600
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, usual)
    assert (spent.rows, spent.classified) == (299 * 150, 300)
    np.testing.assert_array_equal(spent.nfe, np.repeat(np.arange(300), 2))

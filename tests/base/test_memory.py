"""Memory that runs out is one line with the way out; other errors stay what they are."""

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.base.memory import enough_memory, is_out_of_memory


def test_a_real_lack_of_memory_is_one_line():
    with pytest.raises(UserError, match="^out of memory: 7 images do not fit; take fewer$"):
        with enough_memory("7 images", "take fewer"):
            torch.empty(1 << 55, dtype=torch.float64)


def test_that_of_a_gpu_too():
    with pytest.raises(UserError, match="^out of memory: "), enough_memory("7 images", "take fewer"):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


@pytest.mark.parametrize("error", [RuntimeError("sizes do not match"), UserError("a wrong spec"), KeyError("x")])
def test_other_errors_stay(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as found, enough_memory("7 images", "take fewer"):
        raise error
    assert found.value is error

"""The world of a process: what torchrun's variables say, and what is refused of them."""

import subprocess
import sys

import pytest
import torch

from diffbench.base.devices import chosen_device
from diffbench.base.errors import UserError
from diffbench.base.world import ALONE, World, exclusive_to, world_of

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_torchruns_variables():
    assert world_of(TORCHRUN) == World(1, 4, 1)
    assert world_of({}) is ALONE and world_of(TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0"}) is ALONE
    assert not World(1, 4, 1).leads and World(0, 4).leads and ALONE.leads


@pytest.mark.parametrize(
    "changed, said",
    {
        "no rank": ({"RANK": ""}, "WORLD_SIZE is 4, but RANK is not set"),
        "no place": ({"MASTER_ADDR": ""}, "but MASTER_ADDR is not set"),
        "no number": ({"LOCAL_RANK": "one"}, "LOCAL_RANK is 'one', which is not a number"),
        "a negative one": ({"RANK": "-1"}, "RANK is '-1'"),
        "too large": ({"RANK": "4"}, "RANK is 4, but there are only 4 processes"),
    }.values(),
)
def test_variables_that_cannot_be(changed, said):
    with pytest.raises(UserError, match=said):
        world_of(TORCHRUN | changed)


def test_shares_have_each_piece_of_work_once():
    pieces = list(range(11))
    for size in (1, 2, 3, 12):
        shares = [World(rank, size).share(pieces) for rank in range(size)]
        assert sorted(piece for share in shares for piece in share) == pieces
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_process_alone_talks_to_nobody(tmp_path):
    tensor = torch.tensor([1.0, -0.0])
    assert ALONE.total(tensor) is tensor and ALONE.told("a") == "a" and ALONE.gathered(3) == [3]
    with exclusive_to(ALONE, tmp_path / "folder") as folder:
        assert folder.is_dir()
    code = (
        "from diffbench.base.world import joined, left; import torch; joined().barrier(); left(); "
        "print(torch.distributed.is_initialized())"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.strip() == "False", found.stderr


def test_a_device_that_is_not_there(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert [str(chosen_device("auto", number)) for number in (None, 0, 1)] == ["cuda", "cuda:0", "cuda:1"]
    assert chosen == [0, 1] and chosen_device("cpu", 2).type == "cpu"
    with pytest.raises(UserError, match="LOCAL_RANK 2: this machine has 2 CUDA devices, numbered from 0"):
        chosen_device("auto", 2)

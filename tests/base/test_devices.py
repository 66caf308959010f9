"""The settings of a process for a job's numerics, and what a record says of them."""

import pytest
import torch

from diffbench.base import devices
from diffbench.base.devices import device_facts, prepare
from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def restored():
    """The settings of this process are as before after each test."""
    strict, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    kept = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    yield
    torch.use_deterministic_algorithms(strict)
    torch.set_num_threads(threads)
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = kept


def test_the_default_is_deterministic_float32_and_the_record_says_no_more_than_before():
    prepare(DEFAULT_NUMERICS, 1, CPU)
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32
    assert device_facts(CPU).keys() == {"device", "precision", "cpu_capability"}
    assert device_facts(CPU, Numerics()) == device_facts(CPU)
    assert device_facts(CPU)["precision"] == "float32"


def test_the_record_says_what_is_not_the_default():
    chosen = Numerics("bf16", channels_last=True, deterministic=False)
    found = device_facts(CPU, chosen)
    assert found == device_facts(CPU) | {"precision": "bf16", "channels_last": True, "deterministic": False}
    assert str(chosen) == "bf16+channels_last+not_deterministic"
    assert str(Numerics(channels_last=True)) == "float32+channels_last"


def test_without_determinism_kernels_may_be_tuned():
    prepare(Numerics(deterministic=False), 1, CPU)
    assert not torch.are_deterministic_algorithms_enabled() and torch.backends.cudnn.benchmark
    prepare(DEFAULT_NUMERICS, 1, CPU)
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark


def test_tf32_needs_a_gpu():
    with pytest.raises(UserError, match="tf32: .* runs on the CPU; choose float32"):
        prepare(Numerics("tf32"), 1, CPU)


def test_tf32_is_switched_on_for_products_and_convolutions_of_a_gpu():
    prepare(Numerics("tf32"), 1, torch.device("cuda"))
    assert torch.backends.cuda.matmul.allow_tf32 and torch.backends.cudnn.allow_tf32
    prepare(Numerics("bf16"), 1, CPU)
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


def test_bf16_needs_a_gpu_that_has_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA T4")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)
    with pytest.raises(UserError, match="bf16: NVIDIA T4 does not multiply bfloat16; choose float32"):
        prepare(Numerics("bf16"), 1, torch.device("cuda"))


@pytest.mark.parametrize("native", [False, True])
def test_a_cpu_that_emulates_bf16_is_told_of(monkeypatch, capsys, native):
    monkeypatch.setattr(devices.platform, "machine", lambda: "x86_64")
    for name in devices.NATIVE_BF16:
        monkeypatch.setattr(torch.cpu, name, lambda: native, raising=False)
    prepare(Numerics("bf16"), 1, CPU)
    said = capsys.readouterr().err
    assert said == "" if native else said.count("\n") == 1 and "slower than float32" in said

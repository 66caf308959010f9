"""Compiled networks: the same to rounding, with the same names, and refused in one line where nothing compiles."""

import pytest
import torch

from diffbench.base import compiling
from diffbench.base.compiling import compiled, require_compiler
from diffbench.base.errors import UserError
from diffbench.base.forward import placed
from diffbench.base.numerics import Numerics


@pytest.fixture(autouse=True)
def forgotten(monkeypatch, tmp_path):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    require_compiler.cache_clear()
    yield
    require_compiler.cache_clear()


def test_without_a_compiler_a_job_is_refused_in_one_line(monkeypatch):
    def broken(*given, **more):
        def run(x):
            raise RuntimeError("no C++ compiler found\nand a long trace")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    network = torch.nn.Linear(2, 2)
    with pytest.raises(UserError) as found:
        placed(network, Numerics(compiled=True), "cpu")
    assert str(found.value).startswith("numerics.compiled: torch.compile does not work here (no C++ compiler found);")
    assert "\n" not in str(found.value)


def test_what_is_not_to_be_compiled_is_not():
    network = torch.nn.Linear(2, 2)
    assert placed(network, Numerics(channels_last=True), "cpu") is network
    assert network._compiled_call_impl is None


def test_jobs_share_a_folder_unless_the_user_named_one(monkeypatch, tmp_path):
    monkeypatch.setattr(torch, "compile", lambda function, dynamic: function)
    require_compiler("cpu")
    assert compiling.os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / ".cache/kernels")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "mine")
    require_compiler.cache_clear()
    require_compiler("cpu")
    assert compiling.os.environ["TORCHINDUCTOR_CACHE_DIR"] == "mine"


@pytest.mark.slow
def test_a_compiled_network_gives_the_same_to_rounding_and_keeps_its_names():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 4))
    x, names = torch.randn(3, 4), list(network.state_dict())
    plain = network(x)
    plain.sum().backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    network.zero_grad()
    try:
        compiled(network, "cpu")
    except UserError as error:
        pytest.skip(str(error))
    found = network(x)
    found.sum().backward()
    torch.testing.assert_close(found, plain, rtol=1e-5, atol=1e-6)
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-5, atol=1e-6)
    assert list(network.state_dict()) == names

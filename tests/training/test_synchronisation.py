"""No step of a training makes the host wait for a GPU.

The step runs on a simulated CUDA device: tensors without values, which PyTorch also gives to a machine without a GPU.
Every operation for which the host would have to wait is an error there.
"""

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from diffbench.base import seeds
from diffbench.base.philox import fusible_normals, fusible_words
from diffbench.diffusion.denoiser import Diffusion
from diffbench.diffusion.loss_aware import LossAware
from diffbench.diffusion.process import training_chain
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb
from diffbench.training import delivery, gradient
from diffbench.training.data import Batches, TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.settings import Training
from diffbench.training.tasks import Classification, Denoising

aten = torch.ops.aten
CUDA = torch.device("cuda")
SETTINGS = Training(steps=9, batch_size=4, warmup_steps=2, label_dropout=0.5)
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 1), dtype=np.uint8)
WAITS = {aten._local_scalar_dense.default, aten.nonzero.default, aten.is_nonzero.default, aten.item.default}


class NoWaiting(TorchDispatchMode):
    """Operations that raise an error where the host would wait for the device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        assert func not in WAITS, func
        if func is aten._to_copy.default:
            source, target = args[0].device.type, torch.device(kwargs.get("device") or args[0].device).type
            assert not (source == "cuda" and target == "cpu"), "a copy to the host"
            assert source == target or kwargs.get("non_blocking"), "a copy to the device for which the host waits"
        if func is aten.copy_.default and args[0].device != args[1].device:
            assert args[0].device.type == "cuda" and len(args) > 2 and args[2], "a copy for which the host waits"
        return func(*args, **kwargs)


def on_host(function):
    """Return a function that computes real values, as the host does beside a GPU."""

    def real(*args, **kwargs):
        with unset_fake_temporarily(), torch.device("cpu"):
            return function(*args, **kwargs)

    return real


def with_tables(diffusion):
    """Return the training chain, with the tables that it would otherwise compute when they are asked for."""
    chain = training_chain(diffusion.schedule, diffusion.timesteps)
    chain.to("meta")
    return chain


@pytest.fixture
def simulated(monkeypatch):
    monkeypatch.setattr(Batches, "at", on_host(Batches.at))
    monkeypatch.setattr(Diffusion, "chain", on_host(with_tables))
    monkeypatch.setattr(gradient, "seed_torch", lambda *args: None)
    # Its numbers are the same, and dynamo does not trace tensors of a device that is not there.
    monkeypatch.setattr(seeds, "fused_words", fusible_words)
    monkeypatch.setattr(seeds, "fused_normals", fusible_normals)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1 << 30, 1 << 30))
    with FakeTensorMode(allow_non_fake_inputs=True):
        yield


def network(settings=Unet, variance=False, **more):
    small = {"channels": 8, "channel_multipliers": (1.0, 2.0), "residual_blocks": 1, "norm_groups": 4, "dropout": 0.1}
    return settings(**small, attention_resolutions=(2,), heads=2, **more).build((1, 4, 4), 3, variance)


def denoising(objective, diffusion, **more):
    return Denoising(network(variance=diffusion.learns_variance, **more), diffusion, objective, 256)


TASKS = {
    "simple": lambda: denoising(Simple(), Diffusion(timesteps=50)),
    "conditional": lambda: denoising(Simple(), Diffusion(timesteps=50), class_conditional=True, null_label=True),
    "v": lambda: denoising(Simple(), Diffusion(timesteps=50, parameterization="v")),
    "mu": lambda: denoising(Simple(), Diffusion(timesteps=50, parameterization="mu")),
    "hybrid": lambda: denoising(Hybrid(), Diffusion(timesteps=50, variance="learned_range")),
    "loss-aware": lambda: denoising(Vlb(LossAware(history=1)), Diffusion(timesteps=50, variance="learned_range")),
    "pairs": lambda: Denoising(network(SuperResolution), Diffusion(timesteps=50), Simple(), 256),
    "classifier": lambda: Classification(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)), Diffusion(timesteps=50)
    ),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "loss-aware" else pytest.mark.slow) for name in TASKS]
)
def test_no_step_waits_for_the_gpu(name, simulated, monkeypatch):
    # A network of simulated tensors cannot be moved, so it is built on the device.
    monkeypatch.setattr(torch.nn.Module, "to", lambda module, *args, **kwargs: module)
    with CUDA:
        task = TASKS[name]()
    if name == "classifier":
        layers, task.network.forward = task.network.forward, lambda x, t: layers(x)
    labels = torch.zeros(11, dtype=torch.int64) if name in ("conditional", "classifier") else None
    run = Trainer(task, SETTINGS, TrainingData(IMAGES, labels, True, low_size=2 if name == "pairs" else None), 0, CUDA)
    assert isinstance(run._batches._delivery, delivery.Resident)

    def backward(loss):
        # PyTorch's own way back needs a driver.
        for parameter in run.network.parameters():
            parameter.grad = torch.zeros_like(parameter)

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    with NoWaiting():
        for _ in range(3):
            run.advance()
    assert run.step == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("name", ["simple", "loss-aware"])
def test_no_step_waits_for_a_real_gpu(name):
    run = Trainer(TASKS[name](), SETTINGS, TrainingData(IMAGES, None, True), 0, CUDA)
    run.advance()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run.advance()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).any()),
        lambda x: x.cpu(),
        lambda x: torch.ones(3).to(x.device),
        lambda x: x[x > 0],
    ],
)
def test_what_waits_is_found(wait, simulated):
    x = torch.ones(3, device=CUDA)
    with NoWaiting(), pytest.raises(Exception, match="copy|_local_scalar_dense|nonzero|wait"):
        wait(x)

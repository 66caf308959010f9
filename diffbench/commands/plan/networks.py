"""Networks of a benchmark, counted on the meta device: parameters, floating-point operations, and calls of kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from diffbench.base.meta import without_values
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.data import Known
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row


@dataclass(frozen=True)
class Counted:
    """What a network costs. key: the same for equal networks.

    flops: of one evaluation of one image. with_gradient: the same of a classifier with the way back to the image; the
    value of `flops` for a model. kernels: the operations that torch starts for one evaluation of any number of images.
    """

    key: str
    parameters: int
    flops: int
    with_gradient: int
    kernels: int


class _Kernels(TorchDispatchMode):
    """Counts the operations that torch starts."""

    def __init__(self) -> None:
        super().__init__()
        self.started = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        self.started += 1
        return func(*args, **(kwargs or {}))


_COUNTED: dict[str, Counted] = {}


def model_network(benchmark: Benchmark, name: str, known: Known) -> Counted:
    """Return what the network of a model's entry costs. Raises: UserError if it does not fit the data."""
    model = benchmark.models[name]
    size = shrunk_shape(known.shape, model.size)
    low_shape = None if model.low_size is None else shrunk_shape(size, model.low_size)
    learns = model.diffusion.learns_variance
    key = repr((model.network_name, model.network, size, known.num_classes, learns, low_shape))
    if key not in _COUNTED:
        with without_values():
            network = model.network.build(size, known.num_classes, learns)
        conditional = model.network.class_conditional
        with _Kernels() as kernels:
            flops = flops_per_row(network, size, conditional=conditional, low_shape=low_shape, device="meta")
        _COUNTED[key] = Counted(key, _parameters(network), flops, flops, kernels.started)
    return _COUNTED[key]


def classifier_network(benchmark: Benchmark, name: str, known: Known) -> Counted:
    """Return what the network of a noisy classifier costs. Raises: UserError if it does not fit the data."""
    classifier = benchmark.classifiers[name]
    size = shrunk_shape(known.shape, classifier.size)
    key = repr((classifier.network_name, classifier.network, size, known.num_classes))
    if key not in _COUNTED:
        with without_values():
            network = classifier.network.build(size, known.num_classes)
        with _Kernels() as kernels:
            flops = classifier_flops_per_row(network, size, with_gradient=False, device="meta")
        gradient = classifier_flops_per_row(network, size, with_gradient=True, device="meta")
        _COUNTED[key] = Counted(key, _parameters(network), flops, gradient, kernels.started)
    return _COUNTED[key]


def _parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

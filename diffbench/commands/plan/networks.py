"""Networks of a benchmark and what they cost: parameters, operations, calls of kernels, and what training keeps.

Those that ship with diffbench are counted by arithmetic, which needs no second of torch's compiler. Others are run on
the meta device.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from diffbench.base.meta import without_values
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.data import Known
from diffbench.networks._arithmetic import Cost, classifier_cost, unet_cost
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet


@dataclass(frozen=True)
class Counted:
    """What a network costs. key: the same for equal networks.

    flops: of one evaluation of one image. with_gradient: the same of a classifier with the way back to the image; the
    value of `flops` for a model. kernels: the operations that torch starts for one evaluation of any number of images.
    saved: the numbers that training keeps of an image for the backward pass. checkpointed: the same if each block is
    computed again in the backward pass. largest: the numbers of an image's largest feature map.
    """

    key: str
    parameters: int
    flops: int
    with_gradient: int
    kernels: int
    saved: int = 0
    checkpointed: int = 0
    largest: int = 0

    @classmethod
    def of(cls, key: str, cost: Cost) -> "Counted":
        """Return the cost of a network under its key."""
        kept = cost.saved, cost.checkpointed, cost.largest
        return cls(key, cost.parameters, cost.flops, cost.with_gradient, cost.kernels, *kept)


class _Kernels(TorchDispatchMode):
    """Counts the operations that torch starts, and the numbers of their largest result."""

    def __init__(self) -> None:
        super().__init__()
        self.started = self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        self.started += 1
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor):
            self.largest = max(self.largest, found.numel())
        return found


_COUNTED: dict[str, Counted] = {}


def model_network(benchmark: Benchmark, name: str, known: Known) -> Counted:
    """Return what the network of a model's entry costs. Raises: UserError if it does not fit the data."""
    model = benchmark.models[name]
    size = shrunk_shape(known.shape, model.size)
    low_shape = None if model.low_size is None else shrunk_shape(size, model.low_size)
    learns = model.diffusion.learns_variance
    key = repr((model.network_name, model.network, size, known.num_classes, learns, low_shape))
    if key in _COUNTED:
        return _COUNTED[key]
    with without_values():
        network = model.network.build(size, known.num_classes, learns)
    if type(model.network) in (Unet, SuperResolution):
        settings, upsamples = dataclasses.asdict(model.network), type(model.network) is SuperResolution
        options = {"num_classes": known.num_classes, "learns_variance": learns, "upsamples": upsamples}
        cost = unet_cost(settings, size, **options)
    else:
        conditional = model.network.class_conditional
        places: dict[str, Any] = {"conditional": conditional, "low_shape": low_shape, "device": "meta"}
        cost = _run(network, lambda: flops_per_row(network, size, **places))
    _COUNTED[key] = Counted.of(key, cost)
    return _COUNTED[key]


def classifier_network(benchmark: Benchmark, name: str, known: Known) -> Counted:
    """Return what the network of a noisy classifier costs. Raises: UserError if it does not fit the data."""
    classifier = benchmark.classifiers[name]
    size = shrunk_shape(known.shape, classifier.size)
    key = repr((classifier.network_name, classifier.network, size, known.num_classes))
    if key in _COUNTED:
        return _COUNTED[key]
    with without_values():
        network = classifier.network.build(size, known.num_classes)
    if type(classifier.network) is NoisyClassifier and known.num_classes is not None:
        cost = classifier_cost(dataclasses.asdict(classifier.network), size, num_classes=known.num_classes)
    else:
        cost = _run(network, lambda: classifier_flops_per_row(network, size, with_gradient=False, device="meta"))
        gradient = classifier_flops_per_row(network, size, with_gradient=True, device="meta")
        cost = dataclasses.replace(cost, with_gradient=gradient)
    _COUNTED[key] = Counted.of(key, cost)
    return _COUNTED[key]


def _run(network: torch.nn.Module, counting: Callable[[], int]) -> Cost:
    """Return what a network costs whose evaluation is counted. What training keeps of it is a guess.

    The guess is a fifth of a number for each kernel and each of the largest map, as in the networks that ship.
    """
    with _Kernels() as kernels:
        flops = counting()
    saved = kernels.started * kernels.largest // 5
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Cost(parameters, flops, flops, saved, saved // 3, kernels.largest, kernels.started)

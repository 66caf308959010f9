"""What the shipped extractors cost: the floating-point operations of an image."""

import math

from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.networks import Counted
from diffbench.extractors._convolutional import SMALLEST_MAP, SQUEEZED
from diffbench.extractors.classifier import Classifier
from diffbench.extractors.digits_features import DigitsFeatures
from diffbench.extractors.dinov2 import Dinov2
from diffbench.extractors.inception import Inception

INCEPTION = 11_420_000_000
"""Operations of an image of 299 x 299. Source: torchvision's documentation of inception_v3, 5.71 G multiply-adds."""

DINOV2 = {"small": 21, "base": 86, "large": 300, "giant": 1100}
"""Millions of parameters. Source: the model card of DINOv2."""

TOKENS = 257
"""Tokens of 224 x 224 pixels in patches of 14 x 14, and the class token."""

KERNELS = 300
"""Operations that torch starts for a batch, about: three for each of the hundred layers of Inception."""


def extractor_network(benchmark: Benchmark, name: str, known: Known) -> Counted:
    """Return what an extractor's network costs; nothing for one that does not ship with diffbench."""
    chosen = benchmark.extractors[name][1]
    flops = {Inception: INCEPTION}.get(type(chosen), 0)
    if isinstance(chosen, Dinov2):
        flops = 2 * DINOV2[chosen.size] * 1_000_000 * TOKENS
    elif isinstance(chosen, DigitsFeatures):
        flops = _convolutional(8, 1, 10, 32, 64)
    elif isinstance(chosen, Classifier):
        channels, size, _ = known.shape
        flops = _convolutional(size, channels, known.num_classes or 2, chosen.width, chosen.dimensions)
    return Counted(f"extractor {name}", 0, flops, flops, KERNELS if flops else 0)


def fitted_steps(benchmark: Benchmark, name: str) -> tuple[int, int]:
    """Return the steps and the images of a step with which an extractor is trained; 0 if it does not say so."""
    chosen = benchmark.extractors[name][1]
    return (chosen.steps, chosen.batch) if isinstance(chosen, Classifier) else (0, 0)


def _convolutional(size: int, channels: int, classes: int, width: int, dimensions: int) -> int:
    """Return the operations of _convolutional.py's network for an image, layer by layer."""
    flops = 2 * 9 * channels * width * size**2
    for _ in range(max(1, round(math.log2(size / SMALLEST_MAP)))):
        size = math.ceil(size / 2)
        flops += 2 * 9 * width * 2 * width * size**2
        width *= 2
    flops += 2 * width * SQUEEZED * size**2
    return flops + 2 * SQUEEZED * size**2 * dimensions + 2 * dimensions * classes

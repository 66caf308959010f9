"""A training step and a sampling step of a benchmark's networks with fresh weights, ready to be timed."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from diffbench.base.forward import forward_of, placed
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.seeds import Stream
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier, SamplerEntry
from diffbench.benchmark.sample_set import SampleSet
from diffbench.commands.plan.data import Known
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level
from diffbench.samplers._contract import State
from diffbench.samplers.ddim import Ddim
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.tasks import Classification, Denoising

Shape = tuple[int, int, int]
"""Channel, height and width of an image."""


def shape_of(entry: Model | NoisyClassifier, known: Known) -> Shape:
    """Return the shape of the images that an entry's network is given."""
    return shrunk_shape(known.shape, entry.size)


def built(entry: Model | NoisyClassifier, known: Known) -> nn.Module:
    """Return an entry's network with fresh weights. Raises: UserError if it does not fit the data."""
    if isinstance(entry, Model):
        return entry.network.build(shape_of(entry, known), known.num_classes, entry.diffusion.learns_variance)
    return entry.network.build(shape_of(entry, known), known.num_classes)


def trainer_of(
    benchmark: Benchmark,
    entry: Model | NoisyClassifier,
    network: nn.Module,
    known: Known,
    batch: int,
    device: torch.device,
    numerics: Numerics = DEFAULT_NUMERICS,
) -> Trainer | None:
    """Return a training on black images, whose steps take as long as on others; None for a checkpoint.

    batch: the images of a step. Random crops are left out, since they are made in the background.
    """
    if entry.checkpoint is not None:
        return None
    if isinstance(entry, Model):
        task = Denoising(network, entry.diffusion, entry.objective, benchmark.dataset.levels, numerics)
    else:
        task = Classification(network, entry.diffusion, numerics)
    settings = dataclasses.replace(entry.training, batch_size=batch, random_crop=False)
    data = _blank(batch, entry, known, benchmark.dataset.flip)
    return Trainer(task, settings, data, 0, device, numerics=numerics)


def _blank(count: int, entry: Model | NoisyClassifier, known: Known, flip: bool) -> TrainingData:
    channels, height, width = shape_of(entry, known)
    labelled = known.num_classes is not None and (not isinstance(entry, Model) or entry.network.class_conditional)
    return TrainingData(
        images=np.zeros((count, height, width, channels), np.uint8),
        labels=torch.zeros(count, dtype=torch.int64) if labelled else None,
        flip=flip,
        low_size=entry.low_size if isinstance(entry, Model) else None,
    )


@dataclass(frozen=True)
class Walk:
    """How a model is sampled in a benchmark, without guidance: the sampler, its chain and the network's denoiser."""

    entry: SamplerEntry
    chain: Chain
    model: ModelDenoiser
    shape: Shape
    low_shape: Shape | None
    labelled: bool
    device: torch.device

    @classmethod
    def of(
        cls,
        benchmark: Benchmark,
        model: Model,
        network: nn.Module,
        known: Known,
        device: torch.device,
        walked: tuple[SamplerEntry, str] | None = None,
        numerics: Numerics = DEFAULT_NUMERICS,
    ) -> "Walk":
        """Return how the weights of a model are sampled, if possible by a sampler that needs no bound.

        walked: the sampler and the spacing that replace the benchmark's.
        """
        entry, spacing = walked or _walked(benchmark, model)
        chain, shape = model.diffusion.chain(spacing), shape_of(model, known)
        full_chain = len(chain) == model.diffusion.timesteps and entry.off_grid == "refuse"
        forward = forward_of(placed(network.eval(), numerics, device), numerics)
        denoiser = ModelDenoiser.of(model.diffusion, forward, full_chain=full_chain, off_grid=entry.off_grid)
        low = None if model.low_size is None else shrunk_shape(shape, model.low_size)
        return cls(entry, chain, denoiser, shape, low, model.network.class_conditional, device)

    def conditions(self, index: torch.Tensor) -> Condition:
        """Return a condition for each image: the first class, and a grey image."""
        count = len(index)
        y = torch.zeros(count, dtype=torch.int64, device=self.device) if self.labelled else None
        low_res = None if self.low_shape is None else torch.zeros(count, *self.low_shape, device=self.device)
        return Condition(y, low_res)

    def denoiser(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        """Return the prediction whose x_0 is clipped."""
        return ClippedDenoiser(self.model)(x, level, condition)

    def states(self, batch: int) -> Iterator[State]:
        """Yield states of so many images, sampled again and again."""
        index, stream = torch.arange(batch), Stream(0, "step", self.device)
        condition = self.conditions(index)

        def conditioned(x: X, level: Level, given: Condition | None = None) -> Prediction:
            return self.denoiser(x, level, condition)

        while True:
            x_T = stream.normal(index, 0, self.shape)
            yield from self.entry.part(
                conditioned, self.chain, x_T, lambda draw: stream.normal(index, draw, self.shape)
            )


def _walked(benchmark: Benchmark, model: Model) -> tuple[SamplerEntry, str]:
    """Return a sampler and a spacing with which a model's weights are sampled, if possible without the bound's help."""

    def plain(row: SampleSet) -> bool:
        return not (benchmark.samplers[row.sampler].adaptive or benchmark.samplers[row.sampler].needs_error)

    rows = [row for row in benchmark.all_sets() if benchmark.variant(row.model).of == model.name and plain(row)]
    if not rows:
        return SamplerEntry("ddim", Ddim()), str(min(10, model.diffusion.timesteps))
    entry = benchmark.samplers[rows[0].sampler]
    return entry, entry.spacing(rows[0].steps)


def synchronise(device: torch.device) -> None:
    """Wait until a GPU has done all that was started on it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)

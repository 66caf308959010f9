"""The stage trace: samples of a model on their way from noise to image, and images from noise between two draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from diffbench.base.arrays import Bytes, save_npz
from diffbench.base.devices import chosen_device, device_facts, prepare
from diffbench.base.errors import UserError
from diffbench.base.forward import forward_of
from diffbench.base.images import ROUNDINGS
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.progress import progress
from diffbench.base.provenance import write_provenance
from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, Denoiser, ModelDenoiser
from diffbench.diffusion.micro_batches import Index, micro_batches
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level, over
from diffbench.diffusion.spherical import spherical
from diffbench.jobs.sample import SamplerPart
from diffbench.jobs.trace import TraceJob
from diffbench.samplers._batches import starts, walked
from diffbench.samplers._contract import Sampler, State
from diffbench.stages._command import add_device, run_stage, stage_parser
from diffbench.stages._conditions import Labels, drawn_labels
from diffbench.stages._model import Architecture, Held
from diffbench.stages._run_record import run_record

SEARCHED = 20_000
"""How many images' labels are drawn to find some of each class."""


def trace(
    job: TraceJob,
    weights: Path,
    out: Path,
    *,
    device: str = "auto",
    record: dict[str, Any] | None = None,
) -> None:
    """Write the way of some samples, and images from noise between two draws, all of one seed's x_T and as bytes.

    Members of the first: generation_x_0 and generation_x_t (images x points: what is predicted from x_t, and x_t with
    the variance of images), generation_samples (images), generation_step (points) of generation_num_steps,
    generation_alpha and generation_sigma (points: the level of x_t), generation_index (images: their numbers in a
    sample set). Of the second: interpolation_images (rows x columns), interpolation_index (rows x 2: the numbers of
    both ends), interpolation_num_steps.
    With labels: generation_labels, interpolation_labels. Raises: UserError if the inputs do not fit the job.
    """
    inputs = checked({"weights": weights}, upstream=upstream_of(job.upstream))
    chosen = chosen_device(device)
    prepare(job.numerics, job.threads, chosen)
    architecture, held = Architecture.of(job), Held.of(job, inputs)
    if held.facts.low_size is not None:
        raise UserError(f"{weights}: an upsampler, whose samples start from other images; trace the model below it")
    labels = drawn_labels(job.labels or "iid", job.seed, held.facts) if architecture.takes_labels else None
    network = held.given(architecture.model(held.facts), chosen, job.numerics)
    made = _Tracer(job, architecture, network, held.facts.image_shape, labels, chosen)
    arrays = made.generation() | made.interpolation()
    save_npz(out, arrays)
    write_provenance(out, spec=job.as_json(), inputs=inputs, facts=device_facts(chosen, job.numerics))
    if record is not None:
        record |= {"num_images": made.num_images, "device": chosen.type}


def groups_of(labels: Labels | None, size: int, count: int) -> Index:
    """Return the numbers of images in `count` groups of `size`: neighbours or, with labels, images of one class.

    The classes take turns, from the lowest on, and each gives its first images first. Raises: UserError if there are
    fewer groups.
    """
    if labels is None:
        return torch.arange(count * size).reshape(count, size)
    drawn = labels(torch.arange(SEARCHED)).numpy()
    present = np.unique(drawn)[:count]
    own = [np.flatnonzero(drawn == label)[: count * size] for label in present]
    turns = [places[start : start + size] for start in range(0, count * size, size) for places in own]
    found = [group for group in turns if len(group) == size][:count]
    if len(found) < count:
        raise UserError(f"labels: of {SEARCHED} images, too few have one class to choose {count} groups of {size}")
    return torch.from_numpy(np.stack(found))


@dataclass
class _Tracer:
    """A model whose samples are followed. num_images: how many were sampled so far."""

    job: TraceJob
    architecture: Architecture
    network: nn.Module
    shape: tuple[int, int, int]
    labels: Labels | None
    device: torch.device
    num_images: int = 0

    def generation(self) -> dict[str, np.ndarray]:
        """Return the arrays of samples on their way."""
        asked = self.job.generation
        walk, index = self._walk(asked.sampler, asked.steps), groups_of(self.labels, 1, asked.num_images)[:, 0]
        kept = np.linspace(0, asked.steps - 1, asked.points).round().astype(int)
        x_t, x_0 = [walk.start(index)], []
        with progress(asked.steps, f"trace {asked.sampler.name}") as bar:

            def stepped(state: State) -> None:
                x_0.append(state.x_0)
                x_t.append(state.x)
                bar.update()

            samples = walk(x_t[0], index, stepped)
        self.num_images += len(index)
        levels = [walk.chain.level(int(i)) for i in kept]
        arrays = {
            "generation_x_0": np.stack([self._bytes(x_0[i]) for i in kept], axis=1),
            "generation_x_t": np.stack([self._bytes(x_t[i] / _size(walk.chain, i, x_t[i])) for i in kept], axis=1),
            "generation_samples": self._bytes(samples),
            "generation_step": kept,
            "generation_num_steps": np.array(asked.steps),
            "generation_alpha": np.array([float(level.alpha) for level in levels]),
            "generation_sigma": np.array([float(level.sigma) for level in levels]),
            "generation_index": index.numpy(),
        }
        return arrays | self._labelled("generation_labels", index)

    def interpolation(self) -> dict[str, np.ndarray]:
        """Return the arrays of images from noise between two draws."""
        asked, micro_batch = self.job.interpolation, self.job.sampling.micro_batch
        walk, ends = self._walk(asked.sampler, asked.steps), groups_of(self.labels, 2, asked.rows)
        if walk.sampler.stochastic:
            raise UserError(f"interpolation.sampler: {asked.sampler.name} draws noise on its way; choose ddim, eta 0")
        first, last = (walk.start(ends[:, end]) for end in (0, 1))
        between = spherical(first, last, torch.linspace(0, 1, asked.columns, dtype=torch.float64)).flatten(0, 1)
        # Both ends have one class, so any of them says which the images between them have.
        index = ends[:, :1].expand(-1, asked.columns).flatten()
        batches = list(micro_batches(torch.arange(len(index)), micro_batch))
        done = []
        with progress(asked.steps * len(batches), f"trace {asked.sampler.name}") as bar:
            for place, padded in batches:
                x = walk(between[padded], index[padded], lambda _: bar.update())
                done.append(self._bytes(x[: place.stop - place.start]))
        self.num_images += len(index)
        images = np.concatenate(done).reshape(asked.rows, asked.columns, *done[0].shape[1:])
        steps = {"interpolation_num_steps": np.array(asked.steps)}
        arrays = {"interpolation_images": images, "interpolation_index": ends.numpy()} | steps
        return arrays | self._labelled("interpolation_labels", ends[:, 0])

    def _walk(self, chosen: SamplerPart, steps: int) -> "_Walk":
        diffusion, sampler = self.architecture.diffusion, chosen.configured()
        if sampler.adaptive or sampler.leaves_grid or sampler.needs_error:
            raise UserError(f"trace: {chosen.name} does not walk a chain step by step; choose ancestral or ddim")
        full = steps == diffusion.timesteps
        chain = diffusion.chain("" if full else str(steps))
        denoiser: Denoiser = ModelDenoiser.of(diffusion, forward_of(self.network, self.job.numerics), full_chain=full)
        if self.job.sampling.clip_x_0:
            denoiser = ClippedDenoiser(denoiser)
        return _Walk(sampler, chain, denoiser, self.job.seed, self.shape, self.labels, self.device)

    def _bytes(self, x: X) -> Bytes:
        return ROUNDINGS[self.job.sampling.rounding](x)

    def _labelled(self, name: str, index: Index) -> dict[str, np.ndarray]:
        return {} if self.labels is None else {name: self.labels(index).numpy()}


@dataclass(frozen=True)
class _Walk:
    """A sampler on a chain, with the noise and the labels of one seed's sample set."""

    sampler: Sampler
    chain: Chain
    denoiser: Denoiser
    seed: int
    shape: tuple[int, int, int]
    labels: Labels | None
    device: torch.device

    def start(self, index: Index) -> X:
        """Return the x_T of the images of these numbers."""
        return starts(self.chain, index=index, shape=self.shape, seed=self.seed, device=self.device)

    @torch.no_grad()
    def __call__(self, x_T: X, index: Index, on_step: Callable[[State], object]) -> X:
        """Return the samples that start from x_T. index: the numbers of the images whose labels and noise they have."""
        own = None if self.labels is None else Condition(self.labels(index)).to(self.device)
        stream = Stream(self.seed, "step", self.device)

        def conditioned(x: X, level: Level, condition: Condition | None = None) -> Prediction:
            return self.denoiser(x, level, condition or own)

        def stepped(state: State) -> None:
            on_step(state)

        def noise(i: int) -> X:
            return stream.normal(index, i, self.shape)

        return walked(self.sampler, conditioned, self.chain, x_T, noise, stepped)


def _size(chain: Chain, i: int, x: X) -> X:
    """Return the standard deviation of x at level i of a chain, if that of images is 1."""
    level = chain.level(int(i))
    return over((level.alpha**2 + level.sigma**2).sqrt(), x)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and run the stage."""
    parser = stage_parser(__doc__, TraceJob.read)
    parser.add_argument("--weights", type=Path, required=True, help="a trained model (.safetensors)")
    parser.add_argument("--out", type=Path, required=True, help="the traces to write (.npz)")
    add_device(parser)
    given = parser.parse_args(arguments)
    with run_record(given.run_record, stage="trace", out=str(given.out)) as record:
        trace(given.spec, given.weights, given.out, device=given.device, record=record)


if __name__ == "__main__":
    run_stage(main)

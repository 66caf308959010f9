"""A trained model of a tree of results: samples of it with any sampler, and its parts to play with."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from diffbench.api.asked import (
    AskedLabels,
    AskedSampler,
    guidance_asked,
    labels_asked,
    sampler_asked,
    steps_asked,
    whole,
)
from diffbench.api.drawn import Predictor, all_images
from diffbench.api.messages import naming_arguments
from diffbench.api.recorded import Tree, Way
from diffbench.api.repeatable import repeatable
from diffbench.base.arrays import Bytes, save_npz
from diffbench.base.devices import chosen_device
from diffbench.base.errors import UserError
from diffbench.base.forward import forward_of
from diffbench.base.inputs import Inputs, checked, upstream_of
from diffbench.base.names import REAL
from diffbench.benchmark.entries import SamplerEntry
from diffbench.benchmark.runs import require_walk
from diffbench.diffusion.denoiser import ClippedDenoiser, Denoiser, ModelDenoiser
from diffbench.diffusion.off_grid import OffGrid
from diffbench.diffusion.process import Chain
from diffbench.jobs.sample import SampleJob, SamplerPart
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.samplers.ddim import Ddim
from diffbench.stages._drawing import drawing_of, wanted_of
from diffbench.stages._model import Architecture, Held


@dataclass(frozen=True)
class Model:
    """A trained model. `sample` draws images; the other members are its parts.

    name: of an entry, such as "iddpm". train_seed: which training's weights it has. tree: where it is.
    """

    name: str
    train_seed: int
    tree: Tree

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.facts.shape))
        takes = [word for word, there in self._takes().items() if there]
        also = f", takes {' and '.join(takes)}" if takes else ""
        return (
            f"Model({self.name!r}, train_seed={self.train_seed}: {shape} images, {self.parameters:,} parameters{also})"
        )

    # -- samples

    def sample(
        self,
        num_images: int,
        *,
        sampler: AskedSampler,
        steps: int | None = None,
        labels: AskedLabels = None,
        seed: int = 0,
        guidance_scale: float | None = None,
        spacing: str | None = None,
        off_grid: OffGrid | None = None,
        device: str = "auto",
    ) -> Bytes:
        """Return images of the model, uint8 (image, height, width, channel): the bytes that the workflow would make.

        Image k depends on the settings, the seed and k alone, so 16 images are the first 16 of the workflow's set with
        the same settings, on the same kind of device. Nothing is written into the tree.

        sampler: its name in this tree or in diffbench, with options after it (`ddim eta=0.5`), a dotted path of your
        own class, or an object or a class of your own. steps: the number of steps; left out for an adaptive sampler.
        labels: a label for all images, or one for each; None takes those of the workflow. guidance_scale: None is the
        model's own. spacing, off_grid: as in a benchmark's file, if they are not those of the sampler's entry. device:
        auto (CUDA if there is one), cpu or cuda.
        Raises: UserError.
        """
        asked = self._asked(num_images, sampler, steps, seed, guidance_scale, spacing, off_grid)
        with naming_arguments("device"):
            return self._drawn(asked, labels, chosen_device(device))[0]

    def labels(self, num_images: int, *, seed: int = 0) -> np.ndarray | None:
        """Return the labels of the first images of a set, int64; None if the model takes none.

        They are the ones that the workflow chooses, which `sample` takes if it is given none. Raises: UserError.
        """
        job = replace(self._way.job, num_images=whole("num_images", num_images, least=1), seed=seed)
        if job.low_res is not None and job.low_res.model != REAL:
            return Model(job.low_res.model, self.train_seed, self.tree).labels(num_images, seed=seed)
        low_res = self._way.files.get("low_res")
        wanted = wanted_of(job, self.facts, low_res, labelled=self._num_classes is not None)
        return None if wanted is None or wanted.labels is None else wanted.labels(torch.arange(num_images)).numpy()

    # -- parts

    @cached_property
    def network(self) -> nn.Module:
        """The network with its trained weights, on the CPU, in evaluation mode and without gradients of its weights."""
        return self._held.given(self._architecture.model(self.facts), torch.device("cpu"))

    @property
    def parameters(self) -> int:
        """The number of the network's parameters."""
        known = self.facts.parameters
        return known if known is not None else sum(value.numel() for value in self.network.parameters())

    @property
    def facts(self) -> WeightsFacts:
        """What the weights' record says of the data: shape (height, width, channels), grey levels, classes."""
        return self._held.facts

    @property
    def info(self) -> dict[str, Any]:
        """The facts of the weights' record as plain data, with the file, its hash, the network and the process."""
        record = self._inputs.records["weights"]
        known = {"file": str(self._held.path), "sha256": record["sha256"], **self.facts.as_json()}
        job = self._way.job
        settings = {"network": job.network.plain(), "diffusion": job.diffusion, "weights": job.weights}
        trained = record["spec"].get("training")
        return known | settings | ({} if trained is None else {"training": dict(trained)})

    def chain(self, steps: int | None = None, *, spacing: str = "uniform") -> Chain:
        """Return the noise levels that a sampler walks in so many steps; None returns the whole training chain.

        spacing: as in a benchmark's file, such as "karras rho=7". Raises: UserError.
        """
        if steps is None:
            return self._architecture.diffusion.chain()
        entry = SamplerEntry("spacing", Ddim(), spacing)
        require_walk("steps", self.name, spacing, self._architecture.diffusion, entry, whole("steps", steps, least=1))
        return self._architecture.diffusion.chain(entry.spacing(steps))

    def denoiser(self, *, clip_x_0: bool | None = None, off_grid: OffGrid = "refuse") -> Denoiser:
        """Return what samplers call: denoiser(x, level, condition) predicts x_0 and eps, without any guidance.

        x: floats, nominally in [-1, 1], (image, channel, height, width). clip_x_0: None is as the benchmark samples.
        off_grid: what stands for levels between the trained ones: refuse, interpolate or nearest.
        """
        diffusion = self._architecture.diffusion
        own = ModelDenoiser.of(
            diffusion, forward_of(self.network, self._way.job.numerics), full_chain=False, off_grid=off_grid
        )
        clips = self._way.job.sampling.clip_x_0 if clip_x_0 is None else clip_x_0
        said = f"denoiser of {self.name}, x_0 {'clipped to [-1, 1]' if clips else 'as predicted'}"
        return Predictor(ClippedDenoiser(own) if clips else own, said)

    # -- how samples are made

    @cached_property
    def _way(self) -> Way:
        return self.tree.way_of(self.name, self.train_seed)

    @cached_property
    def _architecture(self) -> Architecture:
        return Architecture.of(self._way.job)

    @cached_property
    def _inputs(self) -> Inputs:
        """The weights and the classifier, compared with their records and with what samples here were made from."""
        job, files = self._way.job, self._way.files
        given = {name: files[name] for name in ("weights", "classifier") if name in files}
        return checked(
            given, upstream=upstream_of({name: job.upstream[name] for name in given if name in job.upstream})
        )

    @cached_property
    def _held(self) -> Held:
        return Held.of(self._way.job, self._inputs)

    @property
    def _num_classes(self) -> int | None:
        """The number of classes, if the model or the classifier that guides it takes labels; otherwise None."""
        labelled = self._architecture.takes_labels or self._way.job.classifier is not None
        return self.facts.num_classes if labelled else None

    def _takes(self) -> Mapping[str, bool]:
        job = self._way.job
        return {
            "labels": self._num_classes is not None,
            "a guidance scale": job.guidance is not None,
            "smaller images": self.facts.low_size is not None,
        }

    def _asked(
        self,
        num_images: int,
        sampler: AskedSampler,
        steps: int | None,
        seed: int,
        guidance_scale: float | None,
        spacing: str | None,
        off_grid: OffGrid | None,
    ) -> tuple[SampleJob, SamplerEntry]:
        """Return the job of a set that was asked for, and its sampler. Raises: UserError if it makes no sense."""
        own = self._way.job
        num_images, seed = whole("num_images", num_images, least=1), whole("seed", seed, least=0)
        entry = sampler_asked(sampler, self.tree.samplers, spacing, off_grid)
        taken = steps_asked(entry, steps)
        require_walk("steps", self.name, entry.name, self._architecture.diffusion, entry, taken)
        if guidance_scale is not None and own.guidance is None:
            guided = ", ".join(self.tree.guided_models) or "none"
            raise UserError(
                f"guidance_scale: {self.name} has no guidance, so leave it out; guided models here: {guided}"
            )
        if guidance_scale is None and not self._way.own_scale:
            sets = dict.fromkeys(item.model for item in self.tree.sets_of(self.name, self.train_seed))
            raise UserError(
                f"guidance_scale: say which one; {self.name} has its own in the benchmark's file alone, and the sets "
                f"here are {', '.join(sets)}"
            )
        guidance = guidance_asked(own.guidance, guidance_scale)
        if entry.needs_error and (guidance is not None or not own.sampling.clip_x_0 or own.low_res is not None):
            raise UserError(
                f"sampler {entry.name}: needs the error of x_0, which is measured unguided and clipped only"
            )
        named = SamplerPart(entry.name)
        walk = {"sampler": named, "spacings": (entry.spacing(taken),), "off_grid": entry.off_grid}
        return replace(own, **walk, guidance=guidance, num_images=num_images, seed=seed), entry

    def _drawn(
        self, asked: tuple[SampleJob, SamplerEntry], labels: AskedLabels, device: torch.device
    ) -> tuple[Bytes, np.ndarray | None]:
        """Return the images of a set with their labels, if they have any."""
        job, entry = asked
        chosen = labels_asked(labels, job.num_images, self._num_classes)
        with ExitStack() as open_ones:
            open_ones.enter_context(repeatable(job.numerics, job.threads, device))
            inputs = self._inputs
            if entry.needs_error:
                inputs |= self.tree.terms(self._held.path.parents[1].name, self.train_seed)
            if self.facts.low_size is not None:
                scratch = Path(open_ones.enter_context(TemporaryDirectory()))
                inputs |= self._low_res(job, labels, device, scratch)
                chosen = None  # An upsampled image has the label of the image that it was made from.
            drawing = drawing_of(job, inputs, device, sampler=entry.part, labels=chosen)
            images = all_images(drawing, job, f"sample {self.name}")
            wanted = drawing.wanted
            own = None if wanted is None or wanted.labels is None else wanted.labels(torch.arange(job.num_images))
            return images, None if own is None else own.numpy()

    def _low_res(self, job: SampleJob, labels: AskedLabels, device: torch.device, scratch: Path) -> Inputs:
        """Return the images that an upsampler starts from: those of the tree, or else new ones in a scratch folder."""
        source = job.low_res
        if source is None:
            cascades = self.tree.models_with(self._inputs.sha256["weights"])
            way = f"sample one that says what is enlarged: {', '.join(cascades)}" if cascades else "no model here does"
            raise UserError(f"{self.name}: is an upsampler alone, without images to enlarge; {way}")
        if source.model == REAL:
            if labels is not None:
                raise UserError(f"labels: {self.name} enlarges real images, which have their own; leave them out")
            return checked({"low_res": self._way.files["low_res"]})
        sampled = source.sampler or "", source.steps or 0
        known = self.tree.samples(source.model, *sampled, self.train_seed, job.seed, num_images=job.num_images)
        if labels is None and known is not None:
            return checked({"low_res": known})
        below = Model(source.model, self.train_seed, self.tree)
        images, own = below._drawn(below._asked(job.num_images, *sampled, job.seed, None, None, None), labels, device)
        made = scratch / "low_res.npz"
        save_npz(made, {"arr_0": images} | ({} if own is None else {"arr_1": own}))
        return Inputs({"low_res": made}, {}, {})

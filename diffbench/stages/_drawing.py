"""All that a sample set is drawn with: the model with its guidance, the sampler, the conditions and the noise."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch

from diffbench.base.arrays import read_member
from diffbench.base.classes import unlike_uniform
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, Denoiser, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level
from diffbench.diffusion.x_0_error import KnownErrorDenoiser
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.samplers._contract import Sampler
from diffbench.stages._conditions import Labels, Wanted, drawn_labels, upsampled_from
from diffbench.stages._costs import Meter
from diffbench.stages._model import Architecture, Held, load_classifier, load_model


@dataclass(frozen=True)
class Drawing:
    """All that the images of one set are drawn with.

    facts: of the model's weights. takes_labels: whether the model does. seed: of the noise.
    """

    sampler: Sampler
    chain: Chain
    meter: Meter
    facts: WeightsFacts
    takes_labels: bool
    wanted: Wanted | None
    seed: int | str
    device: torch.device


def drawing_of(
    job: SampleJob,
    inputs: Inputs,
    device: torch.device,
    *,
    sampler: Sampler | None = None,
    labels: Labels | None = None,
) -> Drawing:
    """Return all that a set is drawn with.

    sampler: one that replaces the job's, which then only gives its name. labels: those that replace the job's rule.
    Raises: UserError if the inputs do not fit each other or the job.
    """
    architecture, weights = Architecture.of(job), Held.of(job, inputs)
    sampler = cast(Sampler, job.sampler.configured() if sampler is None else sampler)
    facts, takes_labels = weights.facts, architecture.takes_labels
    _require_inputs(sampler, facts, inputs)
    chain = architecture.diffusion.chain(job.spacing)
    full_chain = len(chain) == architecture.diffusion.timesteps and job.off_grid == "refuse"
    model = load_model(
        architecture, weights, device, full_chain=full_chain, off_grid=job.off_grid, numerics=job.numerics
    )
    gradient = None
    if job.classifier is not None:
        held = Held.of(job.classifier, inputs, "classifier")
        gradient = load_classifier(Architecture.of(job.classifier), held, facts, device, job.off_grid, job.numerics)
    denoiser = guided_denoiser(
        job, model, gradient, takes_labels=takes_labels, applies_gradient=sampler.applies_gradient
    )
    if "terms" in inputs.paths:
        denoiser = _with_known_error(denoiser, model.chain, inputs)
    meter = Meter(denoiser, model, gradient, job.sampler.name, sampler.adaptive)
    labelled = takes_labels or job.classifier is not None
    wanted = Wanted(labels) if labels else wanted_of(job, facts, inputs.paths.get("low_res"), labelled=labelled)
    # An upsampled image needs other noise than its low-resolution image: with one seed their first draws are equal.
    seed = job.seed if facts.low_size is None else f"{job.seed}, upsampled from {facts.low_size}"
    return Drawing(sampler, chain, meter, facts, takes_labels, wanted, seed, device)


def _require_inputs(sampler: Sampler, facts: WeightsFacts, inputs: Inputs) -> None:
    """Raise UserError where an input is given that is not used, or is used and not given."""
    if (facts.low_size is not None) != ("low_res" in inputs.paths):
        weights = inputs.paths["weights"]
        raise UserError(f"--low-res: goes with an upsampler, and only with it; see {weights}.json")
    if sampler.needs_error != ("terms" in inputs.paths):
        raise UserError("--terms: goes with samplers that need the error of x_0, and only with them")


def guided_denoiser(
    job: SampleJob,
    model: ModelDenoiser,
    gradient: ClassifierGradient | None,
    *,
    takes_labels: bool,
    applies_gradient: bool,
) -> Denoiser:
    """Return the denoiser that the sampler calls.

    takes_labels: whether the model does; if not, a classifier's labels stay with the classifier.
    """

    def labelled(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        given = condition or Condition()
        return model(x, level, given if takes_labels else replace(given, y=None))

    denoiser: Denoiser = labelled
    guidance = None if job.guidance is None else job.guidance.configured()
    if guidance is not None and guidance.before_clipping:
        denoiser = guidance(denoiser, gradient, applies_gradient=applies_gradient)
    if job.sampling.clip_x_0:
        denoiser = ClippedDenoiser(denoiser)
    if guidance is not None and not guidance.before_clipping:
        denoiser = guidance(denoiser, gradient, applies_gradient=applies_gradient)
    return denoiser


def _with_known_error(denoiser: Denoiser, chain: Chain, inputs: Inputs) -> Denoiser:
    """Return a denoiser that knows the error of x_0, which the model's bound has measured."""
    terms = inputs.paths["terms"]
    if inputs.records["terms"]["inputs"].get("weights") != inputs.sha256["weights"]:
        raise UserError(f"{terms}: the bound of other weights than {inputs.paths['weights']}'s")
    return KnownErrorDenoiser.of(denoiser, chain, read_member(terms, "timesteps"), read_member(terms, "x_0_mse"))


def wanted_of(job: SampleJob, facts: WeightsFacts, low_res: Path | None = None, *, labelled: bool) -> Wanted | None:
    """Return what image k is to be, or None where neither the model nor a classifier takes a label or an image.

    labelled: whether the model or the classifier that guides it takes labels. Says on stderr where classes are unequal
    in the training data and labels are drawn as if they were equal.
    """
    if low_res is not None:
        return upsampled_from(low_res, facts, job.num_images, labelled=labelled)
    if not labelled:
        return None
    told = unlike_uniform(facts.class_counts)
    if told and job.labels != "as_in_data":
        sys.stderr.write(f"diffbench: {told}\n")
    return Wanted(drawn_labels(job.labels or "iid", job.seed, facts))

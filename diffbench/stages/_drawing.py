"""All that a sample set is drawn with: the model with its guidance, the sampler, the conditions and the noise."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, Denoiser, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level
from diffbench.diffusion.x_0_error import KnownErrorDenoiser
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.samplers._batches import Conditions
from diffbench.samplers._contract import Sampler
from diffbench.stages._conditions import drawn_labels, upsampled_from
from diffbench.stages._costs import Meter
from diffbench.stages._model import diffusion_of, load_classifier, load_model, takes_labels


@dataclass(frozen=True)
class Drawing:
    """All that the images of one set are drawn with. facts: the model weights' facts. seed: the noise's seed."""

    sampler: Sampler
    chain: Chain
    meter: Meter
    facts: WeightsFacts
    conditions: Conditions | None
    seed: int | str
    device: torch.device


def drawing_of(job: SampleJob, inputs: Inputs, device: torch.device) -> Drawing:
    """Return all that a set is drawn with. Raises: UserError if the inputs do not fit each other or the job."""
    diffusion = diffusion_of(job)
    chain = diffusion.chain(job.spacing)
    full_chain = len(chain) == diffusion.timesteps and job.off_grid == "refuse"
    weights = inputs.paths["weights"]
    model, facts = load_model(job, weights, device, full_chain=full_chain, off_grid=job.off_grid)
    if (facts.low_size is not None) != ("low_res" in inputs.paths):
        raise UserError(f"--low-res: goes with an upsampler, and only with it; see {weights}.json")
    gradient = None
    if job.classifier is not None:
        gradient = load_classifier(job.classifier, inputs.paths["classifier"], facts, device, job.off_grid)
    sampler = job.sampler.configured()
    denoiser = guided_denoiser(job, model, gradient, applies_gradient=sampler.applies_gradient)
    if sampler.needs_error != ("terms" in inputs.paths):
        raise UserError("--terms: goes with samplers that need the error of x_0, and only with them")
    if "terms" in inputs.paths:
        denoiser = _with_known_error(denoiser, model.chain, inputs)
    meter = Meter(denoiser, model, gradient, job.sampler.name, sampler.adaptive)
    conditions, seed = conditions_of(job, facts, inputs.paths.get("low_res")), job.seed
    # An upsampled image needs other noise than its low-resolution image: with one seed their first draws are equal.
    seed = seed if facts.low_size is None else f"{seed}, upsampled from {facts.low_size}"
    return Drawing(sampler, chain, meter, facts, conditions, seed, device)


def guided_denoiser(
    job: SampleJob, model: ModelDenoiser, gradient: ClassifierGradient | None, *, applies_gradient: bool
) -> Denoiser:
    """Return the denoiser that the sampler calls.

    It does three things in the published order: it mixes two eps (guidance without a classifier), it clips x_0, and it
    shifts eps or adds the gradient (guidance by a classifier). An unconditional model does not see the labels that its
    classifier gets.
    """
    conditional = takes_labels(job)

    def labelled(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        given = condition or Condition()
        return model(x, level, given if conditional else replace(given, y=None))

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


def conditions_of(job: SampleJob, facts: WeightsFacts, low_res: Path | None = None) -> Conditions | None:
    """Return the conditions of images; None if neither the model nor a classifier takes a label or an image."""
    labelled = is_labelled(job)
    if low_res is not None:
        return upsampled_from(low_res, facts, job.num_images, labelled=labelled)
    return drawn_labels(job.labels or "iid", job.seed, facts) if labelled else None


def is_labelled(job: SampleJob) -> bool:
    """Return whether the model or the classifier that guides it takes labels."""
    return job.classifier is not None or takes_labels(job)

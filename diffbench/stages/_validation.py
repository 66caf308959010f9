"""The validation loss of a training: what the stage is given for it, what measures it, and what its file holds."""

from pathlib import Path

import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.operations import BOTH_WAYS
from diffbench.base.sizes import shrunk_shape
from diffbench.diffusion.validation_loss import ValidationLosses
from diffbench.jobs.train import TrainJob
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.networks._flops import flops_per_row
from diffbench.stages._model import Architecture
from diffbench.training.data import TrainingData
from diffbench.training.validation import Validator


def require_asked(job: TrainJob, held_out: Path | None, validation: Path | None) -> None:
    """Raise UserError if a model's validation loss lacks its images or its file, or they are given without need."""
    if job.validation is None:
        if validation is not None:
            raise UserError("--validation: the spec asks for no validation loss; leave it out")
        if held_out is not None and job.objective is not None:
            raise UserError(
                "held-out images have no column in the log of a model; leave --held-out to classifiers, or add "
                "'validation' to the spec"
            )
        return
    if job.objective is None:
        raise UserError("validation: a classifier has no validation loss; its log has the accuracy on --held-out")
    for option, path in {"--held-out": held_out, "--validation": validation}.items():
        if path is None:
            raise UserError(f"{option} is missing; the spec asks for a validation loss")


def validator_of(
    job: TrainJob, network: nn.Module, architecture: Architecture, held_out: TrainingData, device: torch.device
) -> Validator | None:
    """Return what measures the validation loss; None if the job does not ask for it.

    Raises: UserError if it asks for more timesteps than the training chain has, or there is only one image.
    """
    if job.validation is None:
        return None
    try:
        return Validator(job.validation, network, architecture.diffusion, held_out, device, job.numerics)
    except ValueError as error:
        raise UserError(f"validation: {error}") from None


def found_losses(
    validator: Validator,
    job: TrainJob,
    architecture: Architecture,
    facts: WeightsFacts,
    network: nn.Module,
    device: torch.device,
) -> ValidationLosses:
    """Return the measurements of a finished training, with the operations that it had cost at each."""
    low_shape = None if facts.low_size is None else shrunk_shape(facts.image_shape, facts.low_size)
    labelled = architecture.takes_labels
    one = flops_per_row(network.eval(), facts.image_shape, conditional=labelled, low_shape=low_shape, device=device)
    return validator.found(job.training.batch_size, BOTH_WAYS * one)

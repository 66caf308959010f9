"""Builders of models and classifiers from a job and a file of weights, for the stages that run them."""

from pathlib import Path
from typing import Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.plugins import configure
from diffbench.base.provenance_file import read_provenance
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.off_grid import OffGrid
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.jobs.job import Options
from diffbench.jobs.model import NetworkPart, Trained
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.networks._fit import load_fitting


class Described(Protocol):
    """The fields of a job that describe a network: its architecture and its diffusion process."""

    @property
    def network(self) -> NetworkPart: ...

    @property
    def diffusion(self) -> Options: ...


def diffusion_of(model: Described) -> Diffusion:
    """Return the process of a model. Raises: UserError for an option that it does not have."""
    return configure(Diffusion, model.diffusion, "diffusion")


def takes_labels(model: Described) -> bool:
    """Return whether a network takes a label for every image."""
    return bool(model.network.configured().class_conditional)


def build_network(model: Described, facts: WeightsFacts) -> nn.Module:
    """Return the network of a model for data with the given facts, with fresh weights."""
    height, width, channels = facts.shape
    shape = (channels, height, width)
    return model.network.configured().build(shape, facts.num_classes, diffusion_of(model).learns_variance)


def build_classifier(model: Described, facts: WeightsFacts) -> nn.Module:
    """Return a noisy classifier for data with the given facts, with fresh weights."""
    height, width, channels = facts.shape
    return model.network.configured().build((channels, height, width), facts.num_classes)


def load_model(
    model: Trained, weights: Path, device: torch.device, *, full_chain: bool, off_grid: OffGrid = "refuse"
) -> tuple[ModelDenoiser, WeightsFacts]:
    """Return the denoiser of trained weights (ema or raw, as the model says) and their facts.

    Raises: UserError if the weights do not fit the network.
    """
    facts = facts_of(weights)
    network = _with_weights(build_network(model, facts), model, weights, device)
    return ModelDenoiser.of(diffusion_of(model), network, full_chain=full_chain, off_grid=off_grid), facts


def load_classifier(
    classifier: Trained, weights: Path, facts: WeightsFacts, device: torch.device, off_grid: OffGrid = "refuse"
) -> ClassifierGradient:
    """Return the gradient of a trained noisy classifier.

    facts: of the weights of the model that it guides.
    Raises: UserError if the classifier was trained on other data, or its weights do not fit the network.
    """
    own = facts_of(weights)
    _require_same_data(weights, own, facts)
    network = _with_weights(build_classifier(classifier, own), classifier, weights, device)
    return ClassifierGradient.of(diffusion_of(classifier), network, off_grid)


def facts_of(weights: Path | str) -> WeightsFacts:
    """Return the facts of weights, by the record beside them. Raises: UserError."""
    return WeightsFacts.recorded(read_provenance(weights))


def _require_same_data(weights: Path, own: WeightsFacts, model: WeightsFacts) -> None:
    compared = {
        "classes": (own.num_classes, model.num_classes),
        "the image shape": (list(own.shape), list(model.shape)),
        "images": (own.images_sha256, model.images_sha256),
    }
    for words, (found, wanted) in compared.items():
        # For a released file nobody knows the hash of the images, only their shape and their classes.
        unknown = words == "images" and None in (found, wanted)
        if found != wanted and not unknown:
            raise UserError(f"{weights}: a classifier of another data set: {words} {found}, and the model's {wanted}")


def _with_weights(network: nn.Module, model: Trained, weights: Path, device: torch.device) -> nn.Module:
    prefix = f"{model.weights}."
    try:
        state = {
            name.removeprefix(prefix): tensor for name, tensor in load_file(weights).items() if name.startswith(prefix)
        }
    except (SafetensorError, OSError) as error:
        raise UserError(f"{weights}: not a whole safetensors file ({error}); train the model again") from None
    load_fitting(network, state, weights)
    return network.to(device).eval().requires_grad_(False)

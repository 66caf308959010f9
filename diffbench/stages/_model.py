"""Builders of models and classifiers from a job and a file of weights, for the stages that run them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.forward import forward_of, placed
from diffbench.base.inputs import Inputs
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.plugins import configure
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.off_grid import OffGrid
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.jobs.job import Options
from diffbench.jobs.model import NetworkPart, Trained, Weights
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.networks._fit import load_fitting


class Described(Protocol):
    """The fields of a job that describe a network: its architecture and its diffusion process."""

    @property
    def network(self) -> NetworkPart: ...

    @property
    def diffusion(self) -> Options: ...


@dataclass(frozen=True)
class Architecture:
    """The network of a job, without weights, and its process: both configured once from what the job says."""

    network: Any
    diffusion: Diffusion

    @classmethod
    def of(cls, described: Described) -> "Architecture":
        """Return what a job describes. Raises: UserError for an option that the network or the process lacks."""
        return cls(described.network.configured(), configure(Diffusion, described.diffusion, "diffusion"))

    @property
    def takes_labels(self) -> bool:
        """Whether the network is given a label for every image."""
        return bool(self.network.class_conditional)

    def model(self, facts: WeightsFacts) -> nn.Module:
        """Return the network of a model for data with the given facts, with fresh weights."""
        return self.network.build(facts.image_shape, facts.num_classes, self.diffusion.learns_variance)

    def classifier(self, facts: WeightsFacts) -> nn.Module:
        """Return a noisy classifier for data with the given facts, with fresh weights."""
        return self.network.build(facts.image_shape, facts.num_classes)


@dataclass(frozen=True)
class Held:
    """A file of trained weights, its facts, and which of its weights are used."""

    path: Path
    facts: WeightsFacts
    which: Weights

    @classmethod
    def of(cls, trained: Trained, inputs: Inputs, name: str = "weights") -> "Held":
        """Return an input of a job, with the facts in its record. Raises: UserError."""
        return cls(inputs.paths[name], WeightsFacts.recorded(inputs.records[name]), trained.weights)

    def given(self, network: nn.Module, device: torch.device, numerics: Numerics = DEFAULT_NUMERICS) -> nn.Module:
        """Return a network with these weights, on a device, in the layout that numerics say.

        Raises: UserError where they do not fit it.
        """
        prefix = f"{self.which}."
        try:
            held = load_file(self.path).items()
        except (SafetensorError, OSError) as error:
            raise UserError(f"{self.path}: not a whole safetensors file ({error}); train the model again") from None
        state = {name.removeprefix(prefix): tensor for name, tensor in held if name.startswith(prefix)}
        load_fitting(network, state, self.path)
        return placed(network, numerics, device).eval().requires_grad_(False)


def load_model(
    architecture: Architecture,
    weights: Held,
    device: torch.device,
    *,
    full_chain: bool,
    off_grid: OffGrid = "refuse",
    numerics: Numerics = DEFAULT_NUMERICS,
) -> ModelDenoiser:
    """Return the denoiser of trained weights. Raises: UserError where the weights do not fit the network."""
    network = weights.given(architecture.model(weights.facts), device, numerics)
    forward = forward_of(network, numerics)
    return ModelDenoiser.of(architecture.diffusion, forward, full_chain=full_chain, off_grid=off_grid)


def load_classifier(
    architecture: Architecture,
    weights: Held,
    facts: WeightsFacts,
    device: torch.device,
    off_grid: OffGrid = "refuse",
    numerics: Numerics = DEFAULT_NUMERICS,
) -> ClassifierGradient:
    """Return the gradient of a trained noisy classifier.

    facts: of the weights of the model that it guides.
    Raises: UserError if the classifier was trained on other data, or its weights do not fit the network.
    """
    _require_same_data(weights.path, weights.facts, facts)
    network = weights.given(architecture.classifier(weights.facts), device, numerics)
    return ClassifierGradient.of(architecture.diffusion, forward_of(network, numerics), off_grid)


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

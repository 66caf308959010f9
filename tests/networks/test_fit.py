"""Weights that do not fit: the first tensor that differs, and the setting that is why."""

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.networks._fit import architecture, load_fitting
from diffbench.networks.noisy_classifier import NoisyClassifier
from diffbench.networks.super_resolution import SuperResolution
from diffbench.networks.unet import Unet

SMALL = {
    "channels": 16,
    "channel_multipliers": (1, 2, 2),
    "residual_blocks": 2,
    "attention_resolutions": (8,),
    "head_channels": 8,
    "norm_groups": 8,
    "residual_resampling": True,
    "class_conditional": True,
}


def built(network=Unet, classes=10, learns_variance=True, **changes):
    with torch.device("meta"):
        return network(**(SMALL | changes)).build((3, 16, 16), classes, learns_variance)


def weights_of(module):
    return {name: torch.zeros(tensor.shape) for name, tensor in module.state_dict().items()}


def classifier(pool="attention", classes=10, **changes):
    return NoisyClassifier(Unet(**(SMALL | {"class_conditional": False} | changes)), pool).build((3, 16, 16), classes)


def test_what_shapes_tell():
    found = architecture({name: tuple(tensor.shape) for name, tensor in built().state_dict().items()})
    assert found["channels"] == 16 and found["residual_blocks"] == 2 and found["num_classes"] == 10
    assert found["channel_multipliers"] == (1, 2, 2) and found["attention_resolutions"] == ("1/2",)
    assert found["scale_shift"] and found["residual_resampling"] and found["class_conditional"]
    assert architecture({"layer.weight": (3, 3)}) == {}


@pytest.mark.parametrize("resampling", [True, False])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": 32}, "channels (32 in the file, 16 in the network)"),
        ({"channel_multipliers": (1, 2, 3)}, "channel_multipliers ([1.0, 2.0, 3.0] in the file, [1.0, 2.0, 2.0] in"),
        ({"channel_multipliers": (1, 2)}, "channel_multipliers ([1.0, 2.0] in the file"),
        ({"residual_blocks": 3}, "residual_blocks (3 in the file, 2 in the network)"),
        ({"residual_blocks": 1}, "residual_blocks (1 in the file, 2 in the network)"),
        ({"attention_resolutions": (8, 4)}, "attention_resolutions ([1/2, 1/4] in the file, [1/2] in the network)"),
        ({"attention_resolutions": ()}, "attention_resolutions ([] in the file, [1/2] in the network)"),
        ({"scale_shift": False}, "scale_shift (false in the file, true in the network)"),
        ({"class_conditional": False}, "class_conditional (false in the file, true in the network)"),
        ({"classes": 7}, "num_classes (7 in the file, 10 in the network)"),
        (
            {"learns_variance": False},
            "variance (learned: twice the images' channels) (3 in the file, 6 in the network)",
        ),
        ({"network": SuperResolution}, "channels of the images (an upsampler's count twice) (6 in the file, 3 in the"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_the_setting_that_differs_is_named_alone(changes, words, resampling):
    own = {"residual_resampling": resampling}
    with pytest.raises(UserError) as caught:
        load_fitting(built(**own), weights_of(built(**(own | changes))), "a.pt")
    said = str(caught.value)
    assert said.startswith("a.pt: does not fit the network: ") and said.count(" in the file, ") == 1
    assert f"; probably {words}" in said and "\n" not in said


@pytest.mark.parametrize("theirs", [True, False])
def test_resampling(theirs):
    with pytest.raises(UserError) as caught:
        load_fitting(built(residual_resampling=not theirs), weights_of(built(residual_resampling=theirs)), "a.pt")
    mine, other = ("false", "true") if theirs else ("true", "false")
    assert f"; probably residual_resampling ({other} in the file, {mine} in the network)" in str(caught.value)
    first = "no weight 'input_blocks.3.0.op.weight'" if theirs else "no weight 'input_blocks.3.0.in_layers.0.weight'"
    assert first in str(caught.value)


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (lambda: classifier(classes=7), "num_classes (7 in the file, 10 in the network)"),
        (lambda: classifier(pool="adaptive"), "pool (adaptive in the file, attention in the network)"),
        (lambda: classifier(residual_blocks=3), "residual_blocks or channel_multipliers ("),
        (lambda: built(classes=None, class_conditional=False), "network (unet in the file, noisy_classifier in the"),
        (lambda: torch.nn.Linear(2, 2), "its names are not a U-Net's"),
    ],
)
def test_classifiers_and_other_networks(theirs, words):
    with pytest.raises(UserError) as caught:
        load_fitting(classifier(), weights_of(theirs()), "a.pt")
    assert words in str(caught.value)


def test_what_is_too_much_and_what_is_missing():
    module = torch.nn.Linear(2, 2)
    with pytest.raises(UserError, match=r"a.pt: does not fit the network: no weight 'bias' in the file$"):
        load_fitting(module, {"weight": torch.ones(2, 2)}, "a.pt")
    with pytest.raises(UserError, match=r"weight 'scale' has no place in the network$"):
        load_fitting(module, {"weight": torch.ones(2, 2), "bias": torch.ones(2), "scale": torch.ones(1)}, "a.pt")
    load_fitting(module, {"weight": torch.ones(2, 2), "bias": torch.ones(2)}, "a.pt")
    assert (module.weight == 1).all()

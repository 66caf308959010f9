"""What the shipped U-Nets cost, by arithmetic on their settings: nothing is built, and torch is not imported.

The walk is that of unet.py, noisy_classifier.py and _blocks.py, layer by layer. It serves what must be fast, such as
the start of a workflow; _flops.py counts any network by running it. A test holds the two to each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, int, int]
"""Channels, height and width of an image."""

OF_NORM = 3
"""Operations that torch starts for a group norm and the activation after it, about."""


@dataclass(frozen=True)
class Cost:
    """What a network costs. flops: of one evaluation of one image, a multiply-add being two.

    with_gradient: the same with the way back to the image. saved: the numbers that the forward pass of one image keeps
    for the backward pass. checkpointed: the same if each block keeps its input alone, and is computed again in the
    backward pass. largest: the most numbers of one feature map of an image. kernels: the operations that torch starts
    for an evaluation, about.
    """

    parameters: int
    flops: int
    with_gradient: int
    saved: int
    checkpointed: int
    largest: int
    kernels: int


class _Walk:
    """A walk over the layers of a U-Net that adds up what they cost.

    settings: those of unet.py as plain data. pixels: of the present feature map.
    """

    def __init__(self, settings: Mapping[str, Any], shape: Shape):
        self.settings, self.pixels, self.side = settings, shape[1] * shape[2], shape[1]
        self.parameters = self.flops = self.saved = self.largest = self.kernels = 0
        self.attended = self.embedded = self.in_blocks = self.block_inputs = self.largest_block = 0
        self.embedding = 4 * settings["channels"]
        self.widths: list[int] = []

    @property
    def cost(self) -> Cost:
        checkpointed = self.saved - self.in_blocks + self.block_inputs + self.largest_block
        # No way leads from the embedding to the image, and a product of two feature maps has two gradients.
        gradient = 2 * (self.flops - self.embedded) + self.embedded + self.attended
        return Cost(self.parameters, self.flops, gradient, self.saved, checkpointed, self.largest, self.kernels)

    # -- layers

    def linear(self, inputs: int, outputs: int, positions: int = 1) -> None:
        self.parameters += inputs * outputs + outputs
        self.flops += 2 * inputs * outputs * positions
        self.saved += inputs * positions
        self.kernels += 2

    def embed(self, inputs: int, outputs: int) -> None:
        """Add a layer between t and the feature maps."""
        self.embedded += 2 * inputs * outputs
        self.linear(inputs, outputs)

    def convolution(self, inputs: int, outputs: int, kernel: int = 3, *, saves: int | None = None) -> None:
        """Add a convolution onto the present feature map.

        saves: the pixels of its input, if they are others; 0 if another layer keeps it already.
        """
        self.parameters += kernel**2 * inputs * outputs + outputs
        self.flops += 2 * kernel**2 * inputs * outputs * self.pixels
        self.saved += inputs * (self.pixels if saves is None else saves)
        self.largest = max(self.largest, self.pixels * max(inputs, outputs))
        self.kernels += 2

    def norm(self, channels: int) -> None:
        self.parameters += 2 * channels
        self.saved += channels * self.pixels
        self.kernels += OF_NORM

    def activation(self, channels: int) -> None:
        self.saved += channels * self.pixels
        self.kernels += 1

    def block(self, inputs: int, saved: int) -> None:
        """Note what a block keeps: the numbers of its input, and of everything."""
        self.in_blocks += saved
        self.block_inputs += inputs
        self.largest_block = max(self.largest_block, saved)

    def residual(self, inputs: int, outputs: int, *, down: bool = False, up: bool = False) -> None:
        before, given = self.saved, inputs * self.pixels
        self.norm(inputs)
        self.activation(inputs)
        if down or up:
            # Averaging keeps its input; repetition keeps nothing.
            self.saved += inputs * self.pixels if down else 0
            self.resize(down=down)
            self.kernels += 2
        self.convolution(inputs, outputs)
        shifts = outputs * (2 if self.settings["scale_shift"] else 1)
        self.embed(self.embedding, shifts)
        self.norm(outputs)
        if self.settings["scale_shift"]:
            self.activation(outputs)
        self.activation(outputs)
        if self.settings["dropout"]:
            self.activation(outputs)
        self.convolution(outputs, outputs)
        if inputs != outputs:
            self.convolution(inputs, outputs, 1, saves=0)
        self.kernels += 6 if self.settings["scale_shift"] else 4
        self.block(given, self.saved - before)

    def attention(self, channels: int) -> None:
        before = self.saved
        self.norm(channels)
        self.linear(channels, 3 * channels, self.pixels)
        self.attend(channels, self.pixels)
        self.linear(channels, channels, self.pixels)
        self.kernels += 16
        self.block(channels * self.pixels, self.saved - before)

    def attend(self, channels: int, positions: int) -> None:
        """Add queries times keys, and weights times values.

        torch takes its plain kernel, because positions are the last axis of queries and keys. It keeps values, scaled
        queries and keys, the layer before them, and the weights of each head.
        """
        head_channels = self.settings["head_channels"]
        heads = channels // head_channels if head_channels else self.settings["heads"]
        self.flops += 2 * 2 * positions**2 * channels
        self.attended += 2 * 2 * positions**2 * channels
        self.saved += 5 * channels * positions + heads * positions**2
        self.kernels += 2

    def resize(self, *, down: bool) -> None:
        self.pixels, self.side = (self.pixels // 4, self.side // 2) if down else (self.pixels * 4, self.side * 2)

    # -- parts of a U-Net

    def attends(self) -> bool:
        return self.side in self.settings["attention_resolutions"]

    def encoder(self, inputs: int) -> int:
        """Add the contracting half and the layers at the lowest resolution, and return their channels."""
        settings, multipliers = self.settings, self.settings["channel_multipliers"]
        width = int(multipliers[0] * settings["channels"])
        self.embed(settings["channels"], self.embedding)
        self.embed(self.embedding, self.embedding)
        self.convolution(inputs, width)
        self.widths = [width]
        for position, multiplier in enumerate(multipliers):
            out = int(multiplier * settings["channels"])
            for _ in range(settings["residual_blocks"]):
                self.residual(width, out)
                width = out
                if self.attends():
                    self.attention(width)
                self.widths.append(width)
            if position < len(multipliers) - 1:
                self.halve(width)
                self.widths.append(width)
        self.residual(width, width)
        self.attention(width)
        self.residual(width, width)
        return width

    def halve(self, width: int) -> None:
        if self.settings["residual_resampling"]:
            self.residual(width, width, down=True)
        else:
            before = self.pixels
            self.resize(down=True)
            self.convolution(width, width, saves=before)

    def double(self, width: int) -> None:
        if self.settings["residual_resampling"]:
            self.residual(width, width, up=True)
        else:
            self.resize(down=False)
            self.convolution(width, width)

    def decoder(self, width: int, outputs: int) -> None:
        settings, widths = self.settings, self.widths
        for position, multiplier in reversed(list(enumerate(settings["channel_multipliers"]))):
            out = int(multiplier * settings["channels"])
            for repeat in range(settings["residual_blocks"] + 1):
                self.residual(width + widths.pop(), out)
                width = out
                if self.attends():
                    self.attention(width)
                if position and repeat == settings["residual_blocks"]:
                    self.double(width)
        self.norm(width)
        self.activation(width)
        self.convolution(width, outputs)


def unet_cost(
    settings: Mapping[str, Any],
    shape: Shape,
    *,
    num_classes: int | None,
    learns_variance: bool,
    upsamples: bool = False,
) -> Cost:
    """Return what a U-Net costs. settings: those of `Unet` as plain data. upsamples: whether it is `super_resolution`.

    num_classes: of the data set; it counts only if the network is class-conditional.
    """
    walk = _Walk(settings, shape)
    width = walk.encoder(shape[0] * (2 if upsamples else 1))
    walk.decoder(width, shape[0] * (2 if learns_variance else 1))
    if settings["class_conditional"] and num_classes is not None:
        walk.parameters += (num_classes + settings["null_label"]) * walk.embedding
    return walk.cost


def classifier_cost(settings: Mapping[str, Any], shape: Shape, *, num_classes: int) -> Cost:
    """Return what a classifier of noisy images costs. settings: those of `NoisyClassifier` as plain data."""
    walk = _Walk(settings["encoder"], shape)
    width = walk.encoder(shape[0])
    if settings["pool"] == "spatial":
        features = sum(walk.widths) + width
        walk.linear(features, 2048)
        walk.linear(2048, num_classes)
        return walk.cost
    walk.norm(width)
    walk.activation(width)
    if settings["pool"] == "attention":
        positions = walk.pixels + 1
        walk.parameters += width * positions
        walk.linear(width, 3 * width, positions)
        walk.attend(width, positions)
        walk.linear(width, num_classes, positions)
    else:
        walk.linear(width, num_classes)
    return walk.cost

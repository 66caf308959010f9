"""Statistics of filters that are never trained, for pictures without labels and without published features.

Three layers of 3x3 filters, drawn from a fixed seed, each followed by a ReLU and a halving of the picture. Of each
filter's map, the mean and the standard deviation over the picture are taken: 224 numbers. The stage `fit` scales each
number to variance 1 over the training images, and keeps the directions in which these vary most. Their mean variance
is 1. They are not scaled one by one, since the strongest directions tell most.

It needs no labels, no download and hardly any time. It sees colours, contrast, edges, noise, blur and missing variety.
It does not see what a picture shows or where. Naeem et al. 2020, "Reliable fidelity and diversity metrics for
generative models", measure with an untrained VGG-16 where ImageNet's features do not fit the data. Ustyuzhaninov et
al. 2016, "Texture synthesis using shallow convolutional networks with random filters", show that statistics of random
filters tell natural textures apart. This network is smaller than theirs, so its numbers are not comparable with any.

A covariance of d directions takes many more than d images, so `dimensions` should be an eighth of the training images.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from diffbench.base.arrays import Bytes
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.seeds import Stream
from diffbench.base.sizes import spoken_shape
from diffbench.base.writing import replacing
from diffbench.extractors._contract import Extract
from diffbench.extractors._microbatches import in_micro_batches

FILTERS = (16, 32, 64)
"""Filters of each layer."""

STATISTICS = 2 * sum(FILTERS)

SMALLEST = 8
"""The fewest pixels across, so that the last map still has four."""


@dataclass(frozen=True)
class RandomFeatures:
    """Features of untrained filters. dimensions: how many directions are kept. seed: the seed of the filters."""

    dimensions: int = 64
    seed: int = 0

    features: ClassVar[tuple[str, ...]] = ("pool",)
    needs_weights: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 1 <= self.dimensions <= STATISTICS:
            raise UserError(f"dimensions = {self.dimensions}, 1 to {STATISTICS} are allowed")

    def widths(self) -> Mapping[str, int]:
        """Return how many dimensions its features have."""
        return {"pool": self.dimensions}

    def require_shape(self, shape: tuple[int, int, int]) -> None:
        """Raise UserError for images that are too small to be halved for every layer."""
        if min(shape[:2]) < SMALLEST:
            raise UserError(
                f"random_features takes images of at least {SMALLEST} pixels, and these are {spoken_shape(shape)}"
            )

    def require_training(self, num_images: int, num_classes: int | None) -> None:
        """Raise UserError for fewer than two images for each dimension."""
        if num_images < 2 * self.dimensions:
            raise UserError(
                f"random_features of {self.dimensions} dimensions needs {2 * self.dimensions} training images, and "
                f"there are {num_images}; set 'dimensions' to at most {num_images // 2}"
            )

    def fit(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        out: Path,
        *,
        seed: int,
        held_out: tuple[np.ndarray, np.ndarray | None] | None = None,
    ) -> None:
        """Write the filters and the directions in which the images vary most. Labels are not used.

        Raises: UserError if the images are smaller than 8 pixels, or fewer than two for each dimension.
        """
        self.require_shape(images.shape[1:])
        self.require_training(len(images), None)
        network = FilterStatistics(images.shape[3], self.dimensions)
        network.draw(self.seed)

        def statistics(batch: Bytes) -> dict[str, Float[Tensor, "batch statistics"]]:
            return {"all": network.statistics(batch)}

        network.turn_towards(in_micro_batches(statistics)(images)["all"])
        with replacing(out) as temporary:
            temporary.write_bytes(save(dict(network.state_dict())))

    def network(self, weights: Path | None = None, device: torch.device | str = "cpu") -> Extract:
        """Return the network with the weights of a file that `fit` wrote."""
        network = _loaded(_needed(weights)).to(device)
        return in_micro_batches(lambda images: {"pool": network(images)}, module=network)

    def weights_sha256(self, weights: Path | None = None) -> str:
        """Return the hash of the file of weights."""
        return sha256(_needed(weights))

    def channels(self, weights: Path | None = None) -> int:
        """Return the number of channels that it takes: that of the training images."""
        return _loaded(_needed(weights)).channels


class FilterStatistics(nn.Module):
    """Bytes -> statistics of random filters, turned and scaled. All its tensors are constants, in a file by name."""

    def __init__(self, channels: int, dimensions: int):
        super().__init__()
        self.channels = channels
        for layer, (before, after) in enumerate(zip((channels, *FILTERS), FILTERS, strict=False)):
            self.register_buffer(f"filters{layer}", torch.zeros(after, before, 3, 3))
        self.register_buffer("mean", torch.zeros(STATISTICS))
        self.register_buffer("directions", torch.zeros(STATISTICS, dimensions))

    def draw(self, seed: int) -> None:
        """Set the filters from the seed, with He's variance."""
        stream = Stream(seed, "init")
        for layer in range(len(FILTERS)):
            filters = self.get_buffer(f"filters{layer}")
            normal = stream.normal(torch.tensor([layer]), 0, filters.shape)[0]
            filters.copy_(normal * (2 / filters[0].numel()) ** 0.5)

    def statistics(self, images: Bytes) -> Float[Tensor, "batch statistics"]:
        """Return the mean and the standard deviation of each filter's map.

        Raises: UserError if the images have another number of channels.
        """
        if images.shape[3] != self.channels:
            raise UserError(f"images of {images.shape[3]} channels, but the filters are for {self.channels}")
        x, found = to_float(images, self.get_buffer("mean").device), []
        for layer in range(len(FILTERS)):
            x = functional.relu(
                functional.conv2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), self.get_buffer(f"filters{layer}"))
            )
            found += [x.mean(dim=(2, 3)), x.std(dim=(2, 3))]
            x = functional.avg_pool2d(x, 2)
        return torch.cat(found, dim=1)

    def turn_towards(self, statistics: np.ndarray) -> None:
        """Set the directions in which statistics of images vary most, after each was scaled to variance 1.

        One more scale makes the mean variance of all directions 1, since KID's kernel expects such features.
        """
        values = statistics.astype(np.float64)
        deviations = values.std(axis=0, ddof=1)
        # A filter that is blind to all images (it never fires) must stay so.
        scales = np.where(deviations > 0, 1 / np.maximum(deviations, 1e-12), 0)
        variances, axes = np.linalg.eigh(np.cov((values - values.mean(axis=0)) * scales, rowvar=False))
        count = self.get_buffer("directions").shape[1]
        kept = axes[:, ::-1][:, :count] / max(variances[::-1][:count].mean(), 1e-12) ** 0.5
        self.get_buffer("mean").copy_(torch.from_numpy(values.mean(axis=0)))
        self.get_buffer("directions").copy_(torch.from_numpy(scales[:, None] * kept))

    def forward(self, images: Bytes) -> Float[Tensor, "batch dimensions"]:
        """Return the features of images."""
        return (self.statistics(images) - self.get_buffer("mean")) @ self.get_buffer("directions")


def _needed(weights: Path | None) -> Path:
    if weights is None:
        raise UserError("extractor 'random_features' needs the weights that the fit stage writes (--weights)")
    return Path(weights)


def _loaded(path: Path) -> FilterStatistics:
    """Return the network whose weights are in a file. Raises: UserError if it is missing or another kind of file."""
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        network = FilterStatistics(state["filters0"].shape[1], state["directions"].shape[1])
        network.load_state_dict(state)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file of filters; run the fit stage") from None
    except (SafetensorError, KeyError, RuntimeError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not the filters of 'random_features' ({reason}); run the fit stage again") from None
    return network

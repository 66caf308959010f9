"""A small convolutional classifier for images of 8 to 64 pixels, its training, and its file of weights.

It has convolutions with group normalisation and SiLU. Each halving of the picture doubles the width, down to a map of
about 4 x 4. From that map a linear layer makes the feature vector `pool`. It uses group normalisation instead of batch
normalisation, because an image's features must not depend on its neighbours. There is no activation after the linear
layer, because features that are never exactly 0 have a covariance of full rank.

During training, a second linear layer must paint a coarse copy of the image from `pool`. A classifier alone maps all
images of a class to one point, and a distance between such features sees little except class frequencies. With the
copy it sees strokes, noise and blur too. That layer is not kept.

At the end the features are turned and scaled to mean 0 and covariance 1 over the training images, and the last layer
undoes it. A Frechet distance adds variances over directions. Without the scaling it would depend mostly on the few
directions that tell classes apart. With equal weights its sampling error is half as large, relative to what it
measures.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.base.images import Images, to_float
from diffbench.base.seeds import Stream, permutation
from diffbench.base.writing import replacing
from diffbench.extractors._contract import Extract
from diffbench.extractors._microbatches import in_micro_batches

SMALLEST_MAP = 4
GROUPS = 4
SQUEEZED = 32
"""Channels of the last map, before it is flattened."""

COPY_SIZE = 8
COPY_WEIGHT = 0.2
"""The width of the coarse copy in pixels, and the weight of its mean squared error beside the cross-entropy."""


OUTLIER_WEIGHT = 0.1
"""The weight of the cross-entropy between the uniform distribution and the prediction on non-images."""


class ConvolutionalClassifier(nn.Module):
    """Images in [-1, 1] -> (pool, logits)."""

    def __init__(self, *, size: int, channels: int, classes: int, width: int, dimensions: int):
        super().__init__()
        self.shape = {"size": size, "channels": channels, "classes": classes}
        self.shape |= {"width": width, "dimensions": dimensions}
        halvings = max(1, round(math.log2(size / SMALLEST_MAP)))
        widths = [width * 2**level for level in range(halvings + 1)]
        last_map = math.ceil(size / 2**halvings)
        self.stem = nn.Conv2d(channels, width, 3, padding=1)
        self.stages = nn.ModuleList(nn.Conv2d(w, 2 * w, 3, padding=1) for w in widths[:-1])
        self.norms = nn.ModuleList(nn.GroupNorm(GROUPS, w) for w in widths)
        self.squeeze = nn.Conv2d(widths[-1], SQUEEZED, 1)
        self.project = nn.Linear(SQUEEZED * last_map**2, dimensions)
        self.head = nn.Linear(dimensions, classes)

    def forward(self, x: Images) -> tuple[Float[Tensor, "batch features"], Float[Tensor, "batch classes"]]:
        """Return the features before the last layer, and the class logits."""
        x = functional.silu(self.norms[0](self.stem(x)))
        for convolution, norm in zip(self.stages, self.norms[1:], strict=True):
            x = functional.silu(norm(convolution(functional.avg_pool2d(x, 2, ceil_mode=True))))
        pool = self.project(functional.silu(self.squeeze(x)).flatten(1))
        return pool, self.head(pool)

    def initialise(self, seed: int) -> None:
        """Set all parameters from the seed: He's normal initialisation, biases 0."""
        stream = Stream(seed, "init")
        with torch.no_grad():
            for number, (name, parameter) in enumerate(self.named_parameters()):
                if parameter.ndim > 1:
                    normal = stream.normal(torch.tensor([number]), 0, parameter.shape)[0]
                    parameter.copy_(normal * math.sqrt(2 / parameter[0].numel()))
                else:
                    parameter.fill_(float(name.startswith("norms") and name.endswith("weight")))

    def extract(self, images: Bytes) -> dict[str, Float[Tensor, "batch features"]]:
        """Return features and logits of bytes by name.

        Raises: UserError if their size or number of channels is not the network's.
        """
        wanted = (self.shape["size"], self.shape["size"], self.shape["channels"])
        if images.shape[1:] != wanted:
            raise UserError(f"images of shape {images.shape[1:]}, but the classifier was trained on {wanted}")
        pool, logits = self(to_float(images, self.head.weight.device))
        return {"pool": pool, "logits": logits}


def trained(
    network: ConvolutionalClassifier,
    images: Bytes,
    labels: Int[np.ndarray, " batch"],
    *,
    seed: int,
    steps: int,
    batch: int,
    learning_rate: float,
    largest_shift: int,
) -> ConvolutionalClassifier:
    """Return the network after training it in place. The result depends only on the arguments.

    The loss is the cross-entropy on shifted, slightly noisy images, and on a share of non-images (see `_non_images`)
    whose target is the uniform distribution. Without these a classifier is sure of its class on noise
    (Hendrycks et al. 2019, "Deep anomaly detection with outlier exposure"). Adam has a cosine decay of
    the learning rate.
    """
    network.initialise(seed)
    network.train()
    targets = torch.from_numpy(np.array(labels, np.int64))
    copyist = nn.Linear(network.shape["dimensions"], network.shape["channels"] * COPY_SIZE**2)
    nn.init.zeros_(copyist.weight)
    nn.init.zeros_(copyist.bias)
    optimiser = torch.optim.Adam([*network.parameters(), *copyist.parameters()], lr=learning_rate)
    epoch_steps = max(1, len(images) // batch)
    for step in range(steps):
        order = permutation(seed, step // epoch_steps, len(images))
        chosen = order[step % epoch_steps * batch :][:batch]
        x = to_float(images[chosen.numpy()])
        outliers = _non_images(x[: max(2, batch // 4)], seed, step)
        x = _augmented(x, seed, step, largest_shift)
        for group in optimiser.param_groups:
            group["lr"] = learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        shown = torch.cat([x, outliers])
        pool, logits = network(shown)
        known, unknown = logits[: len(x)], logits[len(x) :]
        coarse = functional.adaptive_avg_pool2d(shown, COPY_SIZE).flatten(1)
        copy_error = functional.mse_loss(copyist(pool), coarse)
        loss = functional.cross_entropy(known, targets[chosen]) + COPY_WEIGHT * copy_error
        loss = loss - OUTLIER_WEIGHT * functional.log_softmax(unknown, dim=1).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    network.eval()
    _whiten(network, images)
    return network


@torch.no_grad()
def _whiten(network: ConvolutionalClassifier, images: Bytes) -> None:
    """Turn and scale the features to mean 0, covariance 1 over `images`; the logits stay as they were."""
    pool = in_micro_batches(network.extract)(images)["pool"].astype(np.float64)
    mean, (variances, axes) = pool.mean(axis=0), np.linalg.eigh(np.cov(pool, rowvar=False))
    # A direction without variance must stay almost without: otherwise rounding noise would get size 1.
    scales = np.sqrt(np.maximum(variances, 1e-6 * variances[-1]))
    white, colour = torch.from_numpy((axes / scales) @ axes.T), torch.from_numpy((axes * scales) @ axes.T)
    project, head, centre = network.project, network.head, torch.from_numpy(mean)
    project.bias.copy_(white @ (project.bias.double() - centre))
    project.weight.copy_(white @ project.weight.double())
    head.bias.copy_(head.bias.double() + head.weight.double() @ centre)
    head.weight.copy_(head.weight.double() @ colour)


def _augmented(x: Images, seed: int, step: int, largest_shift: int) -> Images:
    """Return images moved by up to `largest_shift` pixels, with repeated edges and with noise of at most 5 %."""
    index = step * 2**16 + torch.arange(len(x))
    draws = Stream(seed, "train")
    size, span = x.shape[-1], 2 * largest_shift + 1
    move = (draws.uniform(index, 0, 3) * torch.tensor([span, span, 0.1])).float()
    places = torch.arange(size)
    rows = (places + move[:, :1].long() - largest_shift).clamp(0, size - 1)
    columns = (places + move[:, 1:2].long() - largest_shift).clamp(0, size - 1)
    moved = x.gather(2, rows[:, None, :, None].expand_as(x)).gather(3, columns[:, None, None, :].expand_as(x))
    return moved + move[:, 2, None, None, None] * draws.normal(index, 1, x.shape[1:])


def _non_images(x: Images, seed: int, step: int) -> Images:
    """Return pictures of nothing: noise, pixels in random order, and noise with a trace of an image."""
    index = step * 2**16 + 2**15 + torch.arange(len(x))
    draws = Stream(seed, "train")
    uniform = draws.uniform(index, 0, x[0].numel()).float().reshape(x.shape) * 2 - 1
    pixels = x.flatten(2)
    shuffled = pixels.gather(2, uniform[:, :1].flatten(2).argsort(dim=2).expand_as(pixels)).reshape(x.shape)
    noisy = (0.2 * x + draws.normal(index, 1, x.shape[1:])).clamp(-1, 1)
    kinds = torch.stack([uniform, shuffled, noisy])
    return kinds[torch.arange(len(x)) % len(kinds), torch.arange(len(x))]


def save_classifier(path: Path | str, state: Mapping[str, Tensor], shape: Mapping[str, int]) -> None:
    """Write weights with the numbers that build the network. Equal weights give equal bytes."""
    ordered = {name: state[name].detach().cpu().contiguous() for name in sorted(state)}
    with replacing(path) as temporary:
        temporary.write_bytes(save(ordered, {"shape": json.dumps(dict(shape), sort_keys=True)}))


def load_classifier(path: Path | str) -> ConvolutionalClassifier:
    """Return the network whose weights are in a file that `save_classifier` wrote.

    Raises: UserError if the file is missing or is another kind of file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            network = ConvolutionalClassifier(**json.loads((file.metadata() or {})["shape"]))
            network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file of classifier weights; the stage fit writes one (diffbench fit)"
        ) from None
    except (SafetensorError, KeyError, RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: not a classifier's weights ({reason}); diffbench fit writes them") from None
    return network.eval()


def running(network: ConvolutionalClassifier, device: torch.device | str) -> Extract:
    """Return the network as an extractor's callable on a device."""
    network.to(device).eval().requires_grad_(False)
    return in_micro_batches(network.extract, module=network)

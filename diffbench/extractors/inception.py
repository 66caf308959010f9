"""Inception v3 as in the papers' FID: the weights of 2015-12-05, as torch-fidelity converted them.

The network sees 299 x 299 pixels. How bytes become these is part of a protocol, because it moves FID by 2 to 13 %:

    tf1      TensorFlow 1's bilinear rule, then (x - 128) / 128: the original graph, torch-fidelity, ADM's evaluator
    clean    PIL's antialiased bicubic filter on float channels, then (x - 128) / 128: clean-fid
    pytorch  torch's bilinear rule (half-pixel centres) on x / 255, then 2 x - 1: pytorch-fid

`pool` is the average pool of 2048 dimensions. `spatial` is what sFID reads: the first 7 channels of the 1x1 branch of
Mixed_6d, after its ReLU, 17 x 17 x 7 = 2023 values, channels last. `logits` are the 1008 logits without bias, as the
reference code of the Inception Score computes them.
Source: Szegedy et al. 2016; Dhariwal and Nichol 2021, section 2.2 and their evaluator; Parmar et al. 2022 (clean).
"""

import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from diffbench.base.arrays import Bytes
from diffbench.base.digests import sha256
from diffbench.base.errors import DownloadError, UserError
from diffbench.extractors._contract import Extract, Images
from diffbench.extractors._microbatches import MICRO_BATCH, in_micro_batches, rgb

PUBLISHED = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""sha256 of torch-fidelity's file. The name of the file has the first eight digits; others who pin it give all."""

GIVEN = "give their file by --weights (in a benchmark, by 'path' of extractor 'inception')"
"""How the weights are given, for messages."""

SIDE = 299
"""The width in pixels of what the network sees."""

SPATIAL_CHANNELS = 7
"""How many channels of the 1x1 branch of Mixed_6d sFID uses."""

Resize = Literal["tf1", "clean", "pytorch"]
Scaled = Float[Tensor, "batch 3 299 299"]
"""What the network sees, nominally in [-1, 1]."""


@dataclass(frozen=True)
class Inception:
    """Inception v3 features. `path` names torch-fidelity's weights; without it they are downloaded once."""

    path: str | None = None
    """the file of torch-fidelity's weights; without it they are downloaded once."""
    micro_batch: int = MICRO_BATCH
    """the number of images that the network sees at once."""
    resize: Resize = "tf1"
    """the rule of the resize: that of TensorFlow 1, of clean-fid, or of pytorch-fid."""

    features: ClassVar[tuple[str, ...]] = ("pool", "spatial", "logits")
    needs_weights: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.micro_batch < 1:
            raise UserError(f"micro_batch = {self.micro_batch}, at least 1 is allowed")

    def network(self, weights: Path | None = None, device: torch.device | str = "cpu") -> Extract:
        """Return the network with the weights in `weights`, or else in `path`, or else in torch-fidelity's download.

        Raises: UserError if the file is missing, is another network's, or cannot be downloaded.
        """
        network = _network(self._file(weights)).to(device)
        resized = partial(RESIZERS[self.resize], device)
        return in_micro_batches(
            lambda images: _features(network, resized(rgb(images))),
            self.micro_batch,
            any_size=self.any_size,
            module=network,
        )

    @property
    def any_size(self) -> bool:
        """Whether each image is resized separately, so that a set may hold several sizes."""
        return self.resize == "clean"

    @property
    def stored_statistics(self) -> bool:
        """Whether means and covariances published in ADM's reference batches are of these features."""
        return self.resize == "tf1"

    def weights_sha256(self, weights: Path | None = None) -> str:
        """Return the hash of the file of weights that `network` would read."""
        return sha256(self._file(weights))

    def widths(self) -> Mapping[str, int]:
        """Return how many dimensions its features have."""
        return {"pool": 2048, "spatial": 17 * 17 * SPATIAL_CHANNELS, "logits": 1008}

    def absent(self) -> Path | None:
        """Return torch-fidelity's file in torch's hub folder, if it is needed and not there yet."""
        return None if self.path is not None or (file := _hub_file()).is_file() else file

    def _file(self, weights: Path | None) -> Path:
        chosen = weights or self.path
        if chosen is None:
            return _downloaded()
        if not Path(chosen).is_file():
            raise UserError(f"{chosen}: no such file of Inception weights; {GIVEN}")
        return Path(chosen)


def _hub_file() -> Path:
    """Return the file in torch's hub folder in which torch-fidelity keeps its weights."""
    # torch-fidelity has the name in its URL, but takes seconds to import.
    return Path(torch.hub.get_dir()) / "checkpoints" / f"weights-inception-2015-12-05-{PUBLISHED[:8]}.pth"


def _downloaded() -> Path:
    """Return the file in torch's hub folder in which torch-fidelity keeps its weights, downloaded if it is missing.

    Raises: UserError if it cannot be downloaded, or is not the published file.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    target = _hub_file()
    if not target.is_file():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Only bytes with this hash get the name of the file.
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(target), hash_prefix=PUBLISHED, progress=False)
        except (OSError, RuntimeError, HTTPException) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DownloadError(
                f"Inception weights cannot be downloaded ({reason}); fetch {URL_INCEPTION_V3} where there is a network "
                f"and {GIVEN}, or copy it to {target.parent}"
            ) from error
    if (found := sha256(target)) != PUBLISHED:
        raise UserError(
            f"{target}: not the published Inception weights (sha256 {found[:8]}..., not {PUBLISHED[:8]}...); remove it "
            f"to download it again, or, to use other weights, {GIVEN}"
        )
    return target


def _network(file: Path) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        # torch-fidelity would unpickle the file without restriction, so we give it a clean copy in memory.
        state = torch.load(file, map_location="cpu", weights_only=True)
        copy = io.BytesIO()
        torch.save(state, copy)
        copy.seek(0)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=copy)
    except (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, AttributeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{file}: not torch-fidelity's Inception weights ({reason[:120]}); {GIVEN}") from error
    return network.eval()


def _tf1(device: torch.device | str, images: Bytes) -> Scaled:
    from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

    x = _channels_first(images, device)
    return (interpolate_bilinear_2d_like_tensorflow1x(x, size=(SIDE, SIDE), align_corners=False) - 128) / 128


def _clean(device: torch.device | str, images: Images) -> Scaled:
    from cleanfid.resize import build_resizer

    resize = build_resizer("clean")
    return (_channels_first(np.stack([resize(image) for image in images]), device) - 128) / 128


def _pytorch(device: torch.device | str, images: Bytes) -> Scaled:
    x = functional.interpolate(_channels_first(images, device) / 255, (SIDE, SIDE), mode="bilinear")
    return 2 * x - 1


RESIZERS = {"tf1": _tf1, "clean": _clean, "pytorch": _pytorch}


def _channels_first(images: np.ndarray, device: torch.device | str) -> Float[Tensor, "batch 3 height width"]:
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device).float()


def _features(network: Any, x: Scaled) -> dict[str, Float[Tensor, "batch features"]]:
    """Return features by our names, from torch-fidelity's layers. Its own forward has one resize and no `spatial`."""
    x = network.MaxPool_1(network.Conv2d_2b_3x3(network.Conv2d_2a_3x3(network.Conv2d_1a_3x3(x))))
    x = network.MaxPool_2(network.Conv2d_4a_3x3(network.Conv2d_3b_1x1(x)))
    for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d"):
        x = getattr(network, name)(x)
    # The block's output is its branches side by side, with the 1x1 branch first.
    spatial = x[:, :SPATIAL_CHANNELS].permute(0, 2, 3, 1).flatten(1)
    x = network.Mixed_7c(network.Mixed_7b(network.Mixed_7a(network.Mixed_6e(x))))
    pool = network.AvgPool(x).flatten(1)
    return {"pool": pool, "spatial": spatial, "logits": pool.mm(network.fc.weight.T)}

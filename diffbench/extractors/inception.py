"""Inception v3 as the papers' FID means it: torch-fidelity's port of the original graph
('inception-v3-compat').

Bytes are resized to 299 x 299 by TensorFlow 1's bilinear rule and scaled to (x - 128) / 128. `pool` is the
2048-d average pool, `logits` the 1008 logits without bias, which is what the Inception Score's reference code
computes.
Source: Szegedy et al. 2016; weights of 2015-12-05, converted by torch-fidelity.
"""

import io
import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.arrays import Bytes
from diffbench.base.artifacts import sha256
from diffbench.base.errors import UserError
from diffbench.extractors._microbatches import MICRO_BATCH, Extract, in_micro_batches

LAYERS = {"pool": "2048", "logits": "logits_unbiased"}
"""Our names of features, and torch-fidelity's."""


@dataclass(frozen=True)
class Inception:
    """Inception v3 features; `path` names torch-fidelity's weights, without it they are downloaded once."""

    path: str | None = None
    micro_batch: int = MICRO_BATCH

    features: ClassVar[tuple[str, ...]] = ("pool", "logits")
    needs_weights: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.micro_batch < 1:
            raise UserError(f"micro_batch = {self.micro_batch}, at least 1 is allowed")

    def network(self, weights: Path | None = None, device: torch.device | str = "cpu") -> Extract:
        """Return the network with the weights in `weights`, else `path`, else torch-fidelity's download.

        Raises: UserError where the file is missing, is another network's, or cannot be downloaded.
        """
        network = _network(self._file(weights)).to(device)
        return in_micro_batches(partial(_extract, network, device), self.micro_batch)

    def weights_sha256(self, weights: Path | None = None) -> str:
        """Return the hash of the file of weights that `network` would read."""
        return sha256(self._file(weights))

    def _file(self, weights: Path | None) -> Path:
        chosen = weights or self.path
        if chosen is None:
            return _downloaded()
        if not Path(chosen).is_file():
            raise UserError(f"{chosen}: no such file of Inception weights; set 'path' of extractor 'inception'")
        return Path(chosen)


def _downloaded() -> Path:
    """Return the file in torch's hub folder where torch-fidelity keeps its weights, fetched if missing."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    target = Path(torch.hub.get_dir()) / "checkpoints" / URL_INCEPTION_V3.rsplit("/", 1)[1]
    if not target.is_file():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(URL_INCEPTION_V3, str(target), progress=False)
        except OSError as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise UserError(
                f"Inception weights cannot be downloaded ({reason}); fetch {target.name} elsewhere and set "
                "'path' of extractor 'inception'"
            ) from error
    return target


def _network(file: Path) -> nn.Module:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        # torch-fidelity would unpickle the file without restriction, so it gets a clean copy in memory.
        state = torch.load(file, map_location="cpu", weights_only=True)
        copy = io.BytesIO()
        torch.save(state, copy)
        copy.seek(0)
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", list(LAYERS.values()), feature_extractor_weights_path=copy
        )
    except (pickle.UnpicklingError, RuntimeError, LookupError, TypeError, AttributeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{file}: not torch-fidelity's Inception weights ({reason[:120]}); set 'path' to them"
        ) from error
    return network.eval()


def _extract(
    network: nn.Module, device: torch.device | str, images: Bytes
) -> dict[str, Float[Tensor, "batch features"]]:
    """Return features by our names; grey images are shown in three equal channels."""
    if images.shape[3] not in (1, 3):
        raise UserError(f"images: {images.shape[3]} channels, Inception takes 1 or 3")
    channels_first = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).to(device)
    return dict(zip(LAYERS, network(channels_first.expand(-1, 3, -1, -1).contiguous()), strict=True))

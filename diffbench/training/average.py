"""The exponential moving average of the weights, with a warm-up for short runs."""

import torch
from torch import Tensor, nn

from diffbench.training.sharding import like, local


class WeightAverage:
    """Averaged copies of a network's parameters, by name.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), as in TensorFlow's ExponentialMovingAverage. The
    average of a short run therefore forgets the early weights faster.

    On a GPU the average moves beside the next step's work, in a stream of its own. So the weights must not change
    before `settle` was called.
    """

    def __init__(self, network: nn.Module, decay: float):
        self._names = [name for name, _ in network.named_parameters()]
        self._source: list[Tensor] = [parameter for _, parameter in network.named_parameters()]
        self._average = [parameter.detach().clone() for parameter in self._source]
        self._decay = decay
        on_gpu = bool(self._source) and self._source[0].device.type == "cuda"
        self._beside = torch.cuda.Stream(self._source[0].device) if on_gpu and torch.cuda.is_available() else None

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the present weights; step: the number of updates before this one."""
        decay = min(self._decay, (1 + step) / (10 + step))
        if self._beside is None:
            self._move(decay)
            return
        self._beside.wait_stream(torch.cuda.current_stream(self._beside.device))
        with torch.cuda.stream(self._beside):
            self._move(decay)

    def _move(self, decay: float) -> None:
        held, source = ([local(tensor) for tensor in tensors] for tensors in (self._average, self._source))
        torch._foreach_lerp_(held, source, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    def settle(self) -> None:
        """Let the device finish the last update before what it is given next; the host does not wait."""
        if self._beside is not None:
            torch.cuda.current_stream(self._beside.device).wait_stream(self._beside)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the averaged parameters by name."""
        self.settle()
        return dict(zip(self._names, self._average, strict=True))

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Replace the averaged parameters by those of a checkpoint."""
        self.settle()
        for name, tensor in zip(self._names, self._average, strict=True):
            tensor.copy_(like(tensor, state[name]))

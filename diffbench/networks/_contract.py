"""What a network's settings must build, and what they may declare."""

from abc import abstractmethod
from typing import Any, ClassVar, Protocol


class NetworkSettings(Protocol):
    """A frozen dataclass whose fields are a network's settings.

    It need not inherit from this class: the loader adds the defaults given here. What depends on its settings is
    a field, such as `class_conditional` of the U-Net; the others are constants of the class.
    """

    class_conditional: bool = False
    """Whether it is given a label for every image; its samples then have labels."""
    null_label: bool = False
    """Whether it also takes NO_LABEL as a label, which classifier-free guidance needs."""
    upsamples: ClassVar[bool] = False
    """Whether it is given low-resolution images."""
    classifies: ClassVar[bool] = False
    """Whether it is a classifier of noised images: its logits guide a model, and it is an entry of `classifiers`."""
    needs: ClassVar[str | None] = None
    """What it must be given besides x, t and a label, in words; None if nothing."""

    @abstractmethod
    def build(self, shape: tuple[int, int, int], num_classes: int | None, learns_variance: bool, /) -> Any:
        """Return the module, called as module(x, t, y, low_res), for images of `shape` (channel, height, width).

        learns_variance: whether it returns twice the channels; a classifier is not given it, and is called as
        module(x, t). Raises: UserError if the settings do not fit the images.
        """
        ...


CONTRACT = NetworkSettings
